"""What `make up` shows: a coloured prefix per process before each line, and the supervisor's own words."""

import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deploy.local.plan import ProcessPlan, StorePlan

COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "bright_cyan", "bright_green", "bright_magenta")
SUPERVISOR = "omnitrade"


class Output:
    """Writes whole lines only; a reader that went away (a closed pipe) is reported once, by `closed`."""

    def __init__(self, console: Console, names: Sequence[str]) -> None:
        self._console = console
        self._styles = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(names)}
        self._width = max(map(len, (*names, SUPERVISOR)))
        self._began = time.monotonic()
        self.closed = False

    def line(self, name: str, text: str) -> None:
        """A line of a process's log."""
        prefix = (f"{name:<{self._width}} │ ", self._styles.get(name, "white"))
        self._write(Text.assemble(prefix, Text.from_ansi(text)))

    def say(self, text: str, style: str = "bold") -> None:
        """A line of the supervisor's."""
        self._write(Text.assemble((f"{SUPERVISOR:<{self._width}} │ ", "bold"), (text, style)))

    def elapsed_s(self) -> float:
        return time.monotonic() - self._began

    def ready(self, plans: Sequence[ProcessPlan], store: StorePlan, gateway_url: str, admin: str) -> None:
        """What listens where, once everything answers."""
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for plan in plans:
            note = store.description if plan.name == "store" else ""
            table.add_row(
                Text(plan.name, style=self._styles.get(plan.name, "white")), plan.address, Text(note, style="dim")
            )
        if store.process is None:
            table.add_row("store", "given", Text(store.description, style="dim"))
        self._write(Text())
        self._write(table)
        self._write(Text())
        self.say(f"ready after {self.elapsed_s():.1f} s: {gateway_url}/docs", style="bold green")
        self.say(admin, style="")
        self.say("Ctrl-C stops all of it; `make demo` in another terminal shows the main job", style="")

    def _write(self, renderable: Text | Table) -> None:
        if self.closed:
            return
        try:
            self._console.print(renderable, soft_wrap=isinstance(renderable, Text), highlight=False)
            self._console.file.flush()
        except (BrokenPipeError, ValueError):
            self.closed = True


def first_admin(email: str, data_folder: Path, *, known_before: bool) -> str:
    """Where the first admin's credentials are; the password itself only when this run made it."""
    file = data_folder / "secrets" / "ADMIN_PASSWORD"
    who = f"first admin {email}"
    if not file.exists():
        return f"{who}: password as given in ADMIN_PASSWORD"
    if known_before:
        return f"{who}: password in {file}"
    return f"{who}: password {file.read_text().strip()} (made now, kept in {file})"
