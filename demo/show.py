"""What the demo looks like in a terminal: a line per step, tables, a chart, problem documents."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import plotext
from rich.console import Console
from rich.json import JSON
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

WIDTH_MIN = 80
CHART_WIDTH = 76
CHART_HEIGHT = 14
TITLE_WIDTH = 54
PROBLEM_INDENT = 9


class StepFailedError(Exception):
    """A step did not give what it should; the message says what it gave."""


class Step:
    """The line of the step that runs; `note` is what it says when it has succeeded."""

    def __init__(self) -> None:
        self.note = ""


class Show:
    """Prints, times and counts the steps."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()
        self.steps = 0

    def chapter(self, title: str) -> None:
        self._console.print()
        self._console.rule(Text(title, style="bold cyan"), align="left", style="cyan")

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """One step, timed. StepFailedError passes through after its line."""
        step = Step()
        began = time.monotonic()
        try:
            yield step
        except Exception:
            self._line("✗", "bold red", title, "", began)
            raise
        self.steps += 1
        self._line("✓", "green", title, step.note, began)

    def _line(self, mark: str, style: str, title: str, note: str, began: float) -> None:
        elapsed = f"{(time.monotonic() - began) * 1000:7.0f} ms"
        parts = ((f" {mark} ", style), (f"{title:<{TITLE_WIDTH}}", "bold"), (elapsed, "dim"), f"  {note}")
        self._console.print(Text.assemble(*parts), soft_wrap=True)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str | None = None) -> None:
        table = Table(
            title=title, title_justify="left", title_style="italic", header_style="bold", box=None, padding=(0, 2)
        )
        for number, column in enumerate(columns):
            table.add_column(column, justify="left" if number == 0 else "right")
        for row in rows:
            table.add_row(*("–" if cell is None else str(cell) for cell in row))
        self._console.print(Padding(table, (0, 0, 0, 3)))

    def chart(self, title: str, labels: Sequence[str], values: Sequence[float]) -> None:
        """A line over points in time; the labels name a few of them."""
        figure = plotext.figure
        figure.clear()
        figure.plot_size(CHART_WIDTH, CHART_HEIGHT)
        figure.draw(figure.signal(list(range(len(values))), list(values), marker="braille").lines())
        marks = sorted({0, len(values) // 3, 2 * len(values) // 3, len(values) - 1})
        figure.ruler("x").ticks(marks, [labels[mark] for mark in marks])
        figure.title(title)
        drawn = Text(figure.build().string(colorless=True), style="cyan")
        self._console.print(Padding(drawn, (0, 0, 0, 3)))

    def problem(self, document: Mapping[str, Any]) -> None:
        for line in JSON(json.dumps(document, ensure_ascii=False), indent=2).text.split():
            self._console.print(Text(" " * PROBLEM_INDENT) + line, soft_wrap=True)

    def say(self, text: str, style: str = "") -> None:
        self._console.print(Text(text, style=style), soft_wrap=True)

    def elapsed_s(self) -> float:
        return time.monotonic() - self._began
