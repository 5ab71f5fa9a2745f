"""`python -m bots` serves; `--openapi` prints the OpenAPI document, without a store; `import-markets FILE` imports."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from bots.app import DOCUMENTS, create_app
from bots.operations.market_pairs import ImportOutcome, import_markets
from bots.schemas.market_pairs import MarketImport
from bots.settings import BotsSettings, load
from kit import strict_json
from kit.clock import SystemClock
from kit.problems import Problem
from kit.service import connect_store, run
from kit.settings import SettingsRefused

REFUSED = 2

cli = typer.Typer(add_completion=False, help="The bots service of OmniTrade.")


@cli.callback(invoke_without_command=True)
def serve(
    context: typer.Context,
    openapi: Annotated[bool, typer.Option("--openapi", help="Print the OpenAPI document and end.")] = False,
) -> None:
    """Serve, unless a command is given."""
    if context.invoked_subcommand is not None:
        return
    settings = _settings()
    if openapi:
        typer.echo(json.dumps(create_app(settings).openapi(), indent=2))
        return
    run("bots.app:make", settings)


@cli.command("import-markets")
def import_markets_command(
    file: Annotated[Path, typer.Argument(help="Markets in ccxt's form.", exists=True, dir_okay=False)],
) -> None:
    """Import an exchange's markets from a file, as POST /v1/market-pairs/import takes them."""
    settings = _settings()
    try:
        markets = MarketImport.model_validate(strict_json.loads(file.read_bytes()))
        outcome = asyncio.run(_import(settings, markets))
    except ValidationError as error:
        lines = [f"/{'/'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors(include_input=False)]
        _refuse("\n".join(lines))
    except Problem as problem:
        _refuse("\n".join([str(problem), *(f"{one.pointer}: {one.detail}" for one in problem.errors)]))
    counts = ("received", "created", "updated", "unchanged", "rejected_count")
    said = ", ".join(f"{getattr(outcome, name)} {name.removesuffix('_count')}" for name in counts)
    typer.echo(f"{outcome.exchange}: {said}")
    for rejection in outcome.rejected:
        typer.echo(f"  {rejection.symbol}: {rejection.code}: {rejection.detail}")


async def _import(settings: BotsSettings, markets: MarketImport) -> ImportOutcome:
    client = await connect_store(settings)
    try:
        store = client.database(settings.database_name)
        await store.prepare(DOCUMENTS)
        return await import_markets(store, SystemClock(), markets.exchange, markets.precision_mode, markets.markets)
    finally:
        await client.close()


def _settings() -> BotsSettings:
    try:
        return load()
    except SettingsRefused as refused:
        _refuse(str(refused))
        raise


def _refuse(why: str) -> None:
    typer.echo(why, err=True)
    raise typer.Exit(REFUSED)


if __name__ == "__main__":
    cli()
