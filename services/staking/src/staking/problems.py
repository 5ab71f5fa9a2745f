"""What this service refuses by its own rules."""

from kit.problems import Problem


class InsufficientBalance(Problem):
    status = 409
    code = "insufficient-balance"
    title = "The balance is lower than what was to be taken"


class SupplyExhausted(Problem):
    status = 409
    code = "supply-exhausted"
    title = "No more tokens can be issued"


class TermsFrozen(Problem):
    """`errors` names the terms that an opened pool keeps."""

    status = 409
    code = "terms-frozen"
    title = "The pool was opened: its terms stay as they are"


class PoolNotOpen(Problem):
    """`state` is the pool's."""

    status = 409
    code = "pool-not-open"
    title = "The pool takes no stakes now"


class PoolCapacityExceeded(Problem):
    status = 409
    code = "pool-capacity-exceeded"
    title = "The pool has no room for that much"


class StakeTooSmall(Problem):
    """`errors` names the amount; `minStake` is the least that is taken."""

    status = 422
    code = "stake-too-small"
    title = "The pool takes no stake that small"


class StakeLimitExceeded(Problem):
    status = 409
    code = "stake-limit-exceeded"
    title = "The pool takes no more from one user"


class NothingToClaim(Problem):
    status = 409
    code = "nothing-to-claim"
    title = "There is nothing to claim"


class CampaignClosed(Problem):
    status = 409
    code = "campaign-closed"
    title = "The campaign is closed"


class CampaignBudgetExceeded(Problem):
    status = 409
    code = "campaign-budget-exceeded"
    title = "The campaign's budget does not hold that much"
