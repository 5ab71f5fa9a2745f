"""The table of ratios: medians of rounds of one run, with goals; as text, JSON and a plot."""

import json
import platform
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import plotext
from rich.console import Console
from rich.table import Table

NAME_CHARACTERS_MAX = 70


@dataclass(frozen=True)
class Goal:
    """A bound on a row's figure, with its unit ("" for a ratio)."""

    at_least: float | None = None
    at_most: float | None = None
    unit: str = ""

    def met_by(self, value: float) -> bool:
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    def __str__(self) -> str:
        sign, bound = ("≥", self.at_least) if self.at_least is not None else ("≤", self.at_most)
        return f"{sign} {bound:g}{' ' if self.unit else ''}{self.unit}"


@dataclass
class Row:
    """One comparison: a figure per round, or the reason why there is none."""

    what: str
    against: str
    goal: Goal
    figures: list[float] = field(default_factory=list)
    notes: str = ""
    profile: str = ""

    @property
    def median(self) -> float | None:
        return statistics.median(self.figures) if self.figures else None

    @property
    def met(self) -> bool | None:
        return None if self.median is None else self.goal.met_by(self.median)

    def take(self, figure: float) -> None:
        self.figures.append(figure)


def interleaved(rounds: int, *sides: Callable[[], float]) -> list[tuple[float, ...]]:
    """Measure the sides in turn, round by round, so that a slow moment of the machine meets all of them."""
    return [tuple(side() for side in sides) for _ in range(rounds)]


def explain(rows: list[Row], profile: Callable[[], str]) -> list[Row]:
    """The rows, with a profile beside those that missed their goal; it is only taken if there are any."""
    missed = [row for row in rows if row.met is False]
    if missed:
        text = profile()
        for row in missed:
            row.profile = text
    return rows


def show(console: Console, rows: list[Row], store: str) -> None:
    """Print the table."""
    table = Table(
        title=f"OmniTrade on {store} · {platform.python_version()} · {platform.machine()}", title_justify="left"
    )
    for heading in ("what", "compared with", "goal", "median", "spread", ""):
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(row.what, row.against, str(row.goal), *_cells(row))
    console.print(table)
    profiles: dict[str, list[str]] = {}
    for row in rows:
        if row.profile:
            profiles.setdefault(row.profile, []).append(row.what)
    for text, names in profiles.items():
        console.print(f"[bold]Where the time goes: {'; '.join(names)}[/]")
        console.print(text, highlight=False, markup=False)


def _cells(row: Row) -> tuple[str, str, str]:
    if row.median is None:
        return "-", row.notes, "[yellow]not measured[/]"
    spread = f"{min(row.figures):.2f} to {max(row.figures):.2f}" if len(row.figures) > 1 else ""
    mark = "[green]met[/]" if row.met else "[red]missed[/]"
    return f"{row.median:.2f}", " ".join(filter(None, (spread, row.notes))), mark


def write(rows: list[Row], store: str, folder: Path) -> list[Path]:
    """Write the figures as JSON and the ratios as a plot beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    figures: list[dict[str, Any]] = [{**asdict(row), "median": row.median, "met": row.met} for row in rows]
    document = {"store": store, "python": platform.python_version(), "rows": figures}
    as_json, as_plot = folder / "bench.json", folder / "bench.html"
    as_json.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    if rows:
        _plot(rows, as_plot)
    return [as_json, as_plot]


def _plot(rows: list[Row], path: Path) -> None:
    """Bars of the median ratios that have a lower bound as their goal."""
    measured = [row for row in rows if row.median is not None and row.goal.at_least]
    figure = plotext.figure
    figure.clear()
    figure.plot_size(150, max(12, 4 * len(measured)))
    names = [f"{row.what} / {row.against} ({row.goal})"[:NAME_CHARACTERS_MAX] for row in measured]
    figure.draw(figure.bar(names, [row.median for row in measured], orientation="horizontal", width=0.4))
    figure.title("median ratio (goal)")
    figure.build().save(str(path))
