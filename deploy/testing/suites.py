"""Which tests there are, and what each suite needs."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

STORES = ("mongomock", "embedded", "engine")


@dataclass(frozen=True)
class Suite:
    """One run of pytest, on `paths` with their options. `store` is the one that a behaviour suite must really have run
    on; `alone`: it starts processes or looks at the clock, so nothing else runs beside it."""

    name: str
    paths: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    store: str | None = None
    needs: str | None = None
    alone: bool = False

    @property
    def missing(self) -> str | None:
        """The setting without which it cannot run."""
        return self.needs if self.needs and not os.environ.get(self.needs) else None


def _behaviour(store: str, needs: str | None = None) -> Suite:
    name = f"behaviour on {store}"
    is_in_memory = store == "mongomock"
    return Suite(name, ("tests/behaviour",), {"STORE": store}, store=store, needs=needs, alone=not is_in_memory)


UNIT = Suite("unit", ("tests/unit",))
# Two halves of about the same length, of which the second takes whatever is not in the first.
_FIRST = ("tests/component/bots", "tests/component/staking")
_IGNORED = tuple(f"--ignore={path}" for path in _FIRST)
COMPONENT_FIRST = Suite("component bots and staking", _FIRST)
COMPONENT = Suite("component and contract", (*_IGNORED, "tests/component", "tests/contract"))
MONGOMOCK = _behaviour("mongomock")
EMBEDDED = _behaviour("embedded")
ENGINE = _behaviour("engine", needs="MONGODB_URL")
SIMULATION = Suite("simulation", ("tests/simulation",))
PLATFORM = Suite("platform", ("tests/platform",), alone=True)

GROUPS: Mapping[str, Sequence[Suite]] = {
    "quick": (COMPONENT_FIRST, COMPONENT, UNIT, MONGOMOCK),
    "simulation": (SIMULATION,),
    "stores": (EMBEDDED, ENGINE),
    "platform": (PLATFORM,),
    "all": (COMPONENT_FIRST, COMPONENT, UNIT, MONGOMOCK, SIMULATION, EMBEDDED, ENGINE, PLATFORM),
}
