"""This service's own refusals, one class per rule."""

from kit.problems import Problem


class BotNotEditable(Problem):
    """The bot's state does not allow a change of these fields; `errors` names them."""

    status = 409
    code = "bot-not-editable"
    title = "The bot's state does not allow this change"


class PairNotActive(Problem):
    """A live bot starts only on a pair that is traded now."""

    status = 409
    code = "pair-not-active"
    title = "The market pair is not active"
