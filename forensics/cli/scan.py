"""`scan`: many incidents, a line each, equal crashes grouped."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, TextIO

from forensics.cli.arguments import Parser, number
from forensics.cli.options import (
    add_format,
    add_no_scrub,
    add_output,
    add_places,
    add_signatures,
    add_timezone,
    places_of,
)
from forensics.errors import UnreadableInput

if TYPE_CHECKING:
    from forensics.batch.groups import Groups
    from forensics.batch.result import ScanResult
    from forensics.batch.scan import Tally
    from forensics.batch.terminal import Terminal


DESCRIPTION = """\
Diagnose many incidents: every input on its own, one line each, then equal crashes grouped.
A log that tells of several deaths has one line for each.

An input that takes too long, or too much memory, or that nothing can be made of, is
reported and does not keep the others. Exit status 1 when there was one.

haproxy-forensics scan /var/lib/systemd/coredump
haproxy-forensics scan crashes/ --symbols packs/ --jobs 8
haproxy-forensics scan '/srv/**/core*' --format json > crashes.jsonl"""


def configure(parser: Parser) -> None:
    """The arguments of the command."""
    parser.add_argument(
        "paths", metavar="PATH", nargs="+",
        help="Cores and logs, compressed or not; directories, of which every core is analysed and every text that "
        "tells of a crash; patterns in quotes.",
    )  # fmt: skip
    add_format(parser, ("text", "json"), "`json` is one report a line, as JSON Lines.")
    add_output(parser)
    parser.add_argument(
        "-j", "--jobs", metavar="N", type=number(int, 1), help="Worker processes; if not given, as many as processors."
    )
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=number(float, 0.1), default=120.0,
        help="Time that one input may take; 120 if not given.",
    )  # fmt: skip
    parser.add_argument(
        "--memory", metavar="MIB", type=number(int, 256), default=2048,
        help="Memory that one worker may take; 2048 if not given.",
    )  # fmt: skip
    add_timezone(parser)
    add_no_scrub(parser)
    add_signatures(parser)
    add_places(parser)


def run(chosen: argparse.Namespace) -> int:
    """Scan; the exit status."""
    from forensics.api import Options
    from forensics.batch.groups import Groups
    from forensics.batch.scan import Tally, scan
    from forensics.batch.terminal import Terminal

    options = Options(places_of(chosen), chosen.signatures, not chosen.no_scrub, timezone=chosen.timezone or "")
    tally, groups = Tally(), Groups()
    with _destination(chosen.output) as out, closing(Terminal(out, sys.stderr)) as terminal:
        results = scan(chosen.paths, options, chosen.jobs, chosen.timeout, chosen.memory, tally)
        try:
            with closing(results):
                _follow(results, terminal, chosen.format, groups, tally)
        except KeyboardInterrupt:
            terminal.close()
            sys.stderr.write(f"interrupted: {groups.total} done, the rest was not analysed\n")
            return 130
        _conclude(terminal, chosen.format, groups, tally)
    return 1 if groups.failed_count else 0


@contextmanager
def _destination(path: str) -> Iterator[TextIO]:
    """Standard output, or the file that was named."""
    if not path:
        yield sys.stdout
        return
    try:
        file = open(path, "w", encoding="utf-8")  # noqa: SIM115 - closed below
    except OSError as error:
        raise UnreadableInput(f"cannot write `{path}`: {error.strerror}", "choose another --output") from error
    with file:
        yield file


def _follow(
    results: Iterator[ScanResult],
    terminal: Terminal,
    form: str,
    groups: Groups,
    tally: Tally,
) -> None:
    """One line for each result as it comes."""
    from forensics.batch.digest import digest
    from forensics.batch.lines import Columns, input_line

    columns = Columns.of(terminal.width)
    for result in results:
        one = digest(result)
        groups.add(one)
        terminal.expect(tally.total)
        if one.first:
            terminal.advance()
        if form == "json":
            terminal.write(result.to_json_line())
        else:
            terminal.show(input_line(one, columns))


def _conclude(
    terminal: Terminal,
    form: str,
    groups: Groups,
    tally: Tally,
) -> None:
    """The groups, and on standard error what was done."""
    from forensics.batch.lines import group_lines, summary

    terminal.close()
    if form == "text":
        for line in group_lines(groups, terminal.width):
            terminal.show(line)
    sys.stderr.write(summary(groups, tally.ignored))
