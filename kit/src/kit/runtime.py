"""What an operation gets from its service: one object, made when the service starts, kept at `app.state.runtime`."""

from dataclasses import dataclass

from kit.clock import Clock
from kit.references.guarded import References
from kit.settings import ServiceSettings
from kit.store import Store


@dataclass(frozen=True)
class Runtime:
    name: str
    settings: ServiceSettings
    store: Store
    references: References
    clock: Clock
    cursor_key: bytes
