"""`scan`: many incidents, a line each, equal crashes grouped."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from forensics.cli.options import (
    DebugDirectories,
    Debuginfod,
    DebuginfodTimeout,
    DebuginfodUrls,
    Exe,
    NoScrub,
    Output,
    Signatures,
    Symbols,
    Sysroot,
    places_of,
)
from forensics.errors import UnreadableInput

if TYPE_CHECKING:
    from forensics.batch.groups import Groups
    from forensics.batch.result import ScanResult
    from forensics.batch.scan import Tally
    from forensics.batch.terminal import Terminal


class ScanFormat(StrEnum):
    """Renderings of a batch."""

    TEXT = "text"
    JSON = "json"


def scan(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="Cores and logs, compressed or not; directories, of which every core is analysed and every text that "
            "tells of a crash; patterns in quotes.",
            show_default=False,
        ),
    ],
    format: Annotated[  # noqa: A002 - the option's name
        ScanFormat, typer.Option("--format", "-f", help="`json` is one report a line, as JSON Lines.")
    ] = ScanFormat.TEXT,
    output: Output = "",
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", "-j", metavar="N", min=1, help="Worker processes; as many as processors when not given."
        ),
    ] = None,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", min=0.1, help="Time that one input may take.")] = 120,
    memory: Annotated[int, typer.Option(metavar="MIB", min=256, help="Memory that one worker may take.")] = 2048,
    exe: Exe = "",
    debug_dir: DebugDirectories = None,
    sysroot: Sysroot = "",
    symbols: Symbols = None,
    debuginfod: Debuginfod = False,
    debuginfod_url: DebuginfodUrls = None,
    debuginfod_timeout: DebuginfodTimeout = 0,
    signatures: Signatures = "",
    no_scrub: NoScrub = False,
) -> None:
    """Diagnose many incidents: every input on its own, one line each, then equal crashes grouped.

    An input that takes too long, or too much memory, or that nothing can be made of, is
    reported and does not keep the others. Exit status 1 when there was one.

    \b
    haproxy-forensics scan /var/lib/systemd/coredump
    haproxy-forensics scan crashes/ --symbols packs/ --jobs 8
    haproxy-forensics scan '/srv/**/core*' --format json > crashes.jsonl
    """
    from forensics.api import Options
    from forensics.batch.groups import Groups
    from forensics.batch.scan import Tally, scan
    from forensics.batch.terminal import Terminal

    places = places_of(exe, debug_dir, sysroot, symbols, debuginfod, debuginfod_url, debuginfod_timeout)
    options, tally, groups = Options(places, signatures, not no_scrub), Tally(), Groups()
    with _destination(output) as out, closing(Terminal(out, sys.stderr)) as terminal:
        results = scan(paths, options, jobs, timeout, memory, tally)
        try:
            with closing(results):
                _follow(results, terminal, format, groups, tally)
        except KeyboardInterrupt:
            terminal.close()
            sys.stderr.write(f"interrupted: {groups.total} done, the rest was not analysed\n")
            raise typer.Exit(130) from None
        _conclude(terminal, format, groups, tally)
    if groups.failed_count:
        raise typer.Exit(1)


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
    format: ScanFormat,  # noqa: A002 - as the option
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
        terminal.advance()
        if format is ScanFormat.JSON:
            terminal.write(result.to_json_line())
        else:
            terminal.show(input_line(one, columns))


def _conclude(
    terminal: Terminal,
    format: ScanFormat,  # noqa: A002 - as the option
    groups: Groups,
    tally: Tally,
) -> None:
    """The groups, and on standard error what was done."""
    from forensics.batch.lines import group_lines, summary

    terminal.close()
    if format is ScanFormat.TEXT:
        for line in group_lines(groups, terminal.width):
            terminal.show(line)
    sys.stderr.write(summary(groups, tally.ignored))
