"""The document as plain text: one screen that answers, then what it rests on."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.report.details import details
from forensics.report.document import Report
from forensics.report.first_screen import first_screen
from forensics.report.lines import Line, bounded


def report_lines(report: Report, width: int = 100) -> Iterator[Line]:
    """All lines, each with its style."""
    width = bounded(width)
    yield from first_screen(report, width)
    yield from details(report, width)


def render_text(report: Report, width: int = 100) -> str:
    """The report for a pipe or a file, ``width`` columns wide (80 to 120)."""
    return "".join(f"{line.text}\n" for line in report_lines(report, width))
