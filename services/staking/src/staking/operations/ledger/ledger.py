"""The ledger's face."""

from collections.abc import Mapping, Sequence

from kit.clock import Clock
from kit.store.collection import Store

from staking.domain.ledger import Movement, Posted, Refused
from staking.operations.ledger.kinds import AccountKind, EffectHandler


class Ledger:
    """One per process. `kinds` are the documents that have accounts, `effects` the handlers by name."""

    def __init__(
        self, store: Store, clock: Clock, *, kinds: Sequence[AccountKind], effects: Mapping[str, EffectHandler]
    ) -> None: ...

    async def post(self, movement: Movement) -> Posted | Refused:
        """Make the movement happen as a whole, or not at all. One that exists already under this id is driven on instead, and its
        outcome returned. Raises Unavailable where the store failed: the movement may then be posted later, and a retry tells."""
        raise NotImplementedError

    async def drive(self, movement_id: str) -> Posted | Refused | None:
        """Bring an existing movement to its end. None: there is none."""
        raise NotImplementedError

    async def sweep(self) -> int:
        """Drive on what was left behind by a crash; how many were."""
        raise NotImplementedError

    async def close(self) -> None:
        """Finish the cleaning that is under way."""
        raise NotImplementedError
