"""The same lines on a terminal, with colour. Colour only repeats what the words say."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from functools import partial
from typing import TextIO

from forensics.report.document import Report
from forensics.report.lines import Line
from forensics.report.text import report_lines

_COLOURS = {
    "title": "bold",
    "confirmed": "bold red",
    "probable": "bold yellow",
    "possible": "bold cyan",
    "nothing": "bold",
    "heading": "bold blue",
    "step": "green",
    "warning": "yellow",
    "culprit": "bold red",
    "dim": "dim",
}


def print_report(report: Report, stream: TextIO | None = None, width: int | None = None) -> None:
    """Print the report: coloured on a terminal, plain in a pipe or where ``NO_COLOR`` is set."""
    print_lines(partial(report_lines, report), 100, stream, width)


def print_lines(
    lines: Callable[[int], Iterable[Line]], plain_width: int, stream: TextIO | None = None, width: int | None = None
) -> None:
    """Print what ``lines`` makes for a width: that of the terminal, or ``plain_width`` in a pipe."""
    out = sys.stdout if stream is None else stream
    if out.isatty() and not os.environ.get("NO_COLOR"):
        _print_coloured(lines, out, width)
        return
    out.write("".join(f"{line.text}\n" for line in lines(width or plain_width)))
    out.flush()


def _print_coloured(lines: Callable[[int], Iterable[Line]], out: TextIO, width: int | None) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(file=out, highlight=False, width=width)
    for line in lines(width or console.width):
        # Lines are as wide as they should be: rich only colours them.
        console.print(Text(line.text, style=_COLOURS.get(line.style, "")), soft_wrap=True)
