"""Where a batch is shown: lines to a file or a terminal, progress on standard error."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, TextIO

from forensics.batch.lines import WIDTH
from forensics.report.lines import Line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

#: Colour only repeats what the words say.
_COLOURS = {
    "confirmed": "bold red",
    "probable": "bold yellow",
    "possible": "bold cyan",
    "heading": "bold blue",
    "warning": "yellow",
    "dim": "dim",
}


class Terminal:
    """Lines for ``out``, coloured where it is a terminal, and a bar on ``errors`` where that is one.

    rich is loaded for a terminal only.
    """

    def __init__(self, out: TextIO, errors: TextIO) -> None:
        self._out = out
        self._shares = out.isatty()
        self._console = _console(out) if out.isatty() and not os.environ.get("NO_COLOR") else None
        self._bar = _bar(errors)
        self.width = shutil.get_terminal_size((WIDTH, 24)).columns if out.isatty() else WIDTH

    def write(self, text: str) -> None:
        """Text as it is."""
        self._pause()
        self._out.write(text)
        self._out.flush()
        self._resume()

    def show(self, line: Line) -> None:
        """One line."""
        if self._console is None:
            self.write(f"{line.text}\n")
            return
        from rich.text import Text

        self._pause()
        self._console.print(Text(line.text, style=_COLOURS.get(line.style, "")), soft_wrap=True)
        self._resume()

    def advance(self) -> None:
        """One more input is done."""
        if self._bar is not None:
            self._bar.advance(self._bar.task_ids[0])
            self._bar.refresh()

    def expect(self, total: int | None) -> None:
        """How many inputs there are; None as long as nobody knows."""
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], total=total)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _pause(self) -> None:
        """The bar must not stand in the midst of lines for the same screen."""
        if self._bar is not None and self._shares:
            self._bar.stop()

    def _resume(self) -> None:
        if self._bar is not None and self._shares:
            self._bar.start()


def _console(stream: TextIO) -> Console:
    from rich.console import Console

    return Console(file=stream, highlight=False)


def _bar(stream: TextIO) -> Progress | None:
    """A bar that is redrawn when told to, and leaves nothing behind; None where it cannot be drawn."""
    if not stream.isatty():
        return None
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

    console = _console(stream)
    if not console.is_interactive:
        return None
    bar = Progress(
        MofNCompleteColumn(), BarColumn(), TimeElapsedColumn(),
        console=console, transient=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False,
    )  # fmt: skip
    bar.add_task("inputs", total=None)
    bar.start()
    return bar
