"""Which tests there are, and what each suite needs."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

STORES = ("mongomock", "embedded", "engine")


@dataclass(frozen=True)
class Suite:
    """One run of pytest. `store` is the one that a behaviour suite must really have run on."""

    name: str
    paths: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    store: str | None = None
    needs: str | None = None

    @property
    def missing(self) -> str | None:
        """The setting without which it cannot run."""
        return self.needs if self.needs and not os.environ.get(self.needs) else None


def _behaviour(store: str, needs: str | None = None) -> Suite:
    return Suite(f"behaviour on {store}", ("tests/behaviour",), {"STORE": store}, store=store, needs=needs)


RULES = Suite("unit, component, contract", ("tests/unit", "tests/component", "tests/contract"))
MONGOMOCK = _behaviour("mongomock")
EMBEDDED = _behaviour("embedded")
ENGINE = _behaviour("engine", needs="MONGODB_URL")
PLATFORM = Suite("platform", ("tests/platform",))

GROUPS: Mapping[str, Sequence[Suite]] = {
    "quick": (RULES, MONGOMOCK),
    "stores": (EMBEDDED, ENGINE),
    "platform": (PLATFORM,),
    "all": (RULES, MONGOMOCK, EMBEDDED, ENGINE, PLATFORM),
}
