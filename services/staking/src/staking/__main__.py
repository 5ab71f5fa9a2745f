"""`python -m staking` serves; `python -m staking --openapi` prints the OpenAPI document, without a store;
`python -m staking audit` checks the ledger, without changing anything."""

import asyncio
import json
from typing import Annotated

import typer

from kit.service import connect_store, run
from kit.settings import SettingsRefused
from staking.app import create_app
from staking.operations.audit.audit import audit_ledger
from staking.operations.audit.report import AuditReport
from staking.settings import StakingSettings, load

cli = typer.Typer(add_completion=False)


@cli.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    openapi: Annotated[bool, typer.Option("--openapi", help="Print the OpenAPI document and end.")] = False,
) -> None:
    """The staking service of OmniTrade."""
    if context.invoked_subcommand is not None:
        return
    settings = settings_or_exit()
    if openapi:
        typer.echo(json.dumps(create_app(settings).openapi(), indent=2))
        return
    run("staking.app:make", settings)


@cli.command()
def audit(
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole report as JSON.")] = False,
) -> None:
    """Check every invariant of the ledger; status 1 if one is broken."""
    report = asyncio.run(audit_store(settings_or_exit()))
    typer.echo(json.dumps(report.body(), indent=2) if as_json else as_text(report))
    raise typer.Exit(0 if report.is_clean else 1)


async def audit_store(settings: StakingSettings) -> AuditReport:
    """The audit of the store that the settings name."""
    client = await connect_store(settings)
    try:
        return await audit_ledger(client.database(settings.database_name))
    finally:
        await client.close()


def as_text(report: AuditReport) -> str:
    """One line per count and finding."""
    lines = [f"{number:>10} {what}" for what, number in sorted(report.counted.items())]
    if report.unsettled:
        lines.append(f"{report.unsettled:>10} documents were changed too often to be compared")
    lines += [f"{one.invariant}: {one.subject}: {one.detail}" for one in report.findings]
    if report.findings_omitted:
        lines.append(f"and {report.findings_omitted} more")
    lines.append("the ledger is right" if report.is_clean else "the ledger is broken")
    return "\n".join(lines)


def settings_or_exit() -> StakingSettings:
    """Ends the process with status 2, naming each bad setting, if they are no good."""
    try:
        return load()
    except SettingsRefused as refused:
        typer.echo(str(refused), err=True)
        raise typer.Exit(2) from None


if __name__ == "__main__":
    cli()
