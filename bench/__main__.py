"""`python -m bench`: measure what is promised, side by side, in one run; print the table, write it as JSON and plot."""

import asyncio
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench.cascades import cascade_rows
from bench.creates import create_rows
from bench.load import MissingToolError, tool
from bench.parents import PREFIX
from bench.races import race_rows
from bench.reads import constant_rows, read_rows
from bench.run import Run
from bench.stage import Stage, stage
from bench.starts import start_rows
from bench.table import Row, show, write
from kit.store.administration import drop_databases

FOLDER = Path(".bench")
GROUPS = ("reads", "creates", "races", "cascades", "starts")


def main(
    rounds: Annotated[int, typer.Option(min=1, max=20, help="rounds of each comparison; the median counts")] = 5,
    seconds: Annotated[int, typer.Option(min=1, max=20, help="seconds of load per side and round")] = 3,
    only: Annotated[str, typer.Option(help=f"some of {', '.join(GROUPS)}, with commas")] = ",".join(GROUPS),
) -> None:
    """Exit status 0 if everything could be measured, also where a goal is missed; the table says which. What was
    measured before something failed is shown all the same."""
    console = Console(highlight=False, width=max(Console().width, 140))
    groups = groups_of(only)
    try:
        for name in ("wrk", "nginx"):
            tool(name)
    except MissingToolError as error:
        console.print(f"[red]{error}[/]: the rows are ratios to it")
        sys.exit(2)
    with tempfile.TemporaryDirectory(prefix="omnitrade-bench-") as folder:
        run = Run(rounds, seconds, Path(folder), os.environ.get("MONGODB_URL"))
        rows: list[Row] = []
        try:
            for more in measure(run, groups, console):
                rows += more
        finally:
            if rows:
                show(console, rows, run.store)
                for path in write(rows, run.store, FOLDER):
                    console.print(f"written to {path}")


def groups_of(only: str) -> list[str]:
    """Raises BadParameter, which ends the process with status 2, for a group that there is not."""
    groups = [one.strip() for one in only.split(",")]
    unknown = [one for one in groups if one not in GROUPS]
    if unknown:
        named = ", ".join(repr(one) for one in unknown)
        raise typer.BadParameter(f"there is no group {named}; there are {', '.join(GROUPS)}", param_hint="--only")
    return groups


def measure(run: Run, only: Sequence[str], console: Console) -> Iterator[list[Row]]:
    """The rows of the groups asked for, in the order of the table, each when it was measured."""
    settings = {"MONGODB_URL": run.mongodb_url} if run.mongodb_url else {"STORE_KIND": "embedded"}
    if "reads" in only:
        console.print("constant upstream …")
        yield constant_rows(run)
    groups: dict[str, Callable[[Run, Stage], list[Row]]] = {
        "reads": read_rows,
        "creates": create_rows,
        "races": race_rows,
        "cascades": cascade_rows,
        "starts": start_rows,
    }
    with _own_databases(run), stage(run.folder / "data", DATABASE_PREFIX=PREFIX, **settings) as running:
        for name, group in groups.items():
            if name in only:
                console.print(f"{name} …")
                running.sign_in()
                yield group(run, running)


@contextmanager
def _own_databases(run: Run) -> Iterator[None]:
    """A store that stays has none of the bench's afterwards, nor before, whatever became of an earlier run."""
    if run.mongodb_url is None:
        yield
        return
    asyncio.run(drop_databases(run.mongodb_url, PREFIX))
    try:
        yield
    finally:
        asyncio.run(drop_databases(run.mongodb_url, PREFIX))


if __name__ == "__main__":
    typer.run(main)
