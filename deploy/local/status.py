"""`python -m deploy.local status`: what runs on this data folder, and whether it answers."""

import asyncio

import aiohttp
from rich.console import Console
from rich.table import Table

from deploy.local.lock import running_state
from deploy.local.plan import READY_PATH
from deploy.local.settings import LocalSettings

NOTHING_RUNS = 3
TIMEOUT_S = 3.0


def show_status(settings: LocalSettings, console: Console) -> int:
    """0 if everything is ready, 1 if something is not, 3 if nothing runs."""
    state = running_state(settings.data_folder)
    if state is None:
        console.print(f"nothing runs on {settings.data_folder}")
        return NOTHING_RUNS
    ready = asyncio.run(_ask(state.addresses))
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("process", "pid", "address", "state"):
        table.add_column(column)
    for name, address in state.addresses.items():
        pid = str(state.pids.get(name, "-"))
        table.add_row(name, pid, address, "[green]ready" if ready[name] else "[red]not ready")
    console.print(f"since {state.started_at}, supervisor {state.pid}")
    console.print(table)
    return 0 if all(ready.values()) else 1


async def _ask(addresses: dict[str, str]) -> dict[str, bool]:
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        answers = await asyncio.gather(*(_is_ready(session, address) for address in addresses.values()))
    return dict(zip(addresses, answers, strict=True))


async def _is_ready(session: aiohttp.ClientSession, address: str) -> bool:
    try:
        if not address.startswith("http"):
            host, _, port = address.rpartition(":")
            _, writer = await asyncio.wait_for(asyncio.open_connection(host, int(port)), TIMEOUT_S)
            writer.close()
            return True
        async with session.get(address + READY_PATH) as answer:
            return answer.ok
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False
