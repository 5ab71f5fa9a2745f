"""What a race is: acts that delete, and acts against them, on what a resident has."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from simulation.clients import Reply
from simulation.residents import Resident

if TYPE_CHECKING:
    from simulation.workload import Workload

Acts = list[Callable[[], Awaitable[Reply]]]
Race = Callable[["Workload", Resident], Awaitable[tuple[Acts, Acts]]]


def by_name(*races: Race) -> dict[str, Race]:
    """As a person reads it: "user against creates"."""
    return {race.__name__.replace("_", " "): race for race in races}
