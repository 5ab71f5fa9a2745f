"""`python -m users` serves; `python -m users --openapi` prints the OpenAPI document, without a store."""

import json
from typing import Annotated

import typer

from kit.service import run
from kit.settings import SettingsRefused
from users.app import create_app
from users.settings import load


def main(
    openapi: Annotated[bool, typer.Option("--openapi", help="Print the OpenAPI document and end.")] = False,
) -> None:
    """The users service of OmniTrade."""
    try:
        settings = load()
    except SettingsRefused as refused:
        typer.echo(str(refused), err=True)
        raise typer.Exit(2) from None
    if openapi:
        typer.echo(json.dumps(create_app(settings).openapi(), indent=2))
        return
    run("users.app:make", settings)


if __name__ == "__main__":
    typer.run(main)
