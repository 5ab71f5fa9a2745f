"""`python -m deploy.audit`: every reference and the ledger, read-only; status 1 on an orphan, a relationship that could
not be read whole, or a broken invariant, 2 if there is no store to read."""

import asyncio
import json
import sys
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console

from deploy.audit.platform import PlatformAudit, audit_platform
from deploy.audit.show import show_audit
from deploy.audit.stores import reachable_store
from deploy.local.ports import PortsBusyError
from deploy.local.settings import LocalSettings
from deploy.local.stores import StoreUnusableError
from kit.store.errors import StoreUnavailable

NOT_AUDITED = 2
WIDTH_MIN = 124


async def run(settings: LocalSettings) -> PlatformAudit:
    async with reachable_store(settings) as store:
        return await audit_platform(store.url, settings.database_prefix, is_live=store.is_live)


def main(as_json: Annotated[bool, typer.Option("--json", help="Print the whole report as JSON.")] = False) -> None:
    """Audit the platform that the settings name, whether it runs or not."""
    try:
        audit = asyncio.run(run(LocalSettings()))
    except (StoreUnusableError, StoreUnavailable, PortsBusyError, ValidationError) as error:
        Console(stderr=True, highlight=False).print(
            f"not audited: {error}", style="bold red", markup=False, soft_wrap=True
        )
        sys.exit(NOT_AUDITED)
    if as_json:
        sys.stdout.write(json.dumps(audit.body(), indent=2) + "\n")
    else:
        console = Console(highlight=False)
        show_audit(audit, console if console.width >= WIDTH_MIN else Console(highlight=False, width=WIDTH_MIN))
    sys.exit(0 if audit.is_clean else 1)


if __name__ == "__main__":
    typer.run(main)
