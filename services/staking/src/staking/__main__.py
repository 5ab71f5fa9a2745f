"""`python -m staking` serves; `python -m staking --openapi` prints the OpenAPI document, without a store."""

import json
from typing import Annotated

import typer

from kit.service import run
from kit.settings import SettingsRefused
from staking.app import create_app
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


def settings_or_exit() -> StakingSettings:
    """Ends the process with status 2, naming each bad setting, if they are no good."""
    try:
        return load()
    except SettingsRefused as refused:
        typer.echo(str(refused), err=True)
        raise typer.Exit(2) from None


if __name__ == "__main__":
    cli()
