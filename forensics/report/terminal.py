"""The same lines on a terminal, with colour. Colour only repeats what the words say."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from forensics.report.document import Report
from forensics.report.text import render_text, report_lines

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
    out = sys.stdout if stream is None else stream
    if not out.isatty() or os.environ.get("NO_COLOR"):
        out.write(render_text(report, width or 100))
        return
    _print_coloured(report, out, width)


def _print_coloured(report: Report, out: TextIO, width: int | None) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(file=out, highlight=False, width=width)
    for line in report_lines(report, width or console.width):
        # Lines are as wide as they should be: rich only colours them.
        console.print(Text(line.text, style=_COLOURS.get(line.style, "")), soft_wrap=True)
