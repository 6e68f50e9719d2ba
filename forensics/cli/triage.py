"""`triage`: one incident, one report."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from forensics.cli.options import (
    DebugDirectories,
    Debuginfod,
    DebuginfodTimeout,
    DebuginfodUrls,
    Exe,
    NoScrub,
    Output,
    ReportFormat,
    Signatures,
    Symbols,
    Sysroot,
    VerdictWord,
    places_of,
)
from forensics.cli.output import write

if TYPE_CHECKING:
    from forensics.report.document import Report

#: Best first: a verdict satisfies itself and all that come after it.
_VERDICTS = ("confirmed", "probable", "possible")


def triage(
    evidence: Annotated[
        list[str],
        typer.Argument(
            metavar="EVIDENCE...",
            help="Core, logs, haproxy.cfg, executable, in any order; `-` is a log on standard input. "
            "Kinds are recognised by content; .zst .gz .xz .lz4 .bz2 open directly.",
            show_default=False,
        ),
    ],
    format: Annotated[ReportFormat, typer.Option("--format", "-f", help="Form of the report.")] = ReportFormat.TEXT,  # noqa: A002 - the option's name
    output: Output = "",
    exe: Exe = "",
    debug_dir: DebugDirectories = None,
    sysroot: Sysroot = "",
    symbols: Symbols = None,
    debuginfod: Debuginfod = False,
    debuginfod_url: DebuginfodUrls = None,
    debuginfod_timeout: DebuginfodTimeout = 0,
    signatures: Signatures = "",
    no_scrub: NoScrub = False,
    fail_unless: Annotated[
        VerdictWord | None,
        typer.Option(
            "--fail-unless", metavar="VERDICT", help="Exit with 1 unless a finding has at least this verdict."
        ),
    ] = None,
) -> None:
    """Diagnose one incident: what died, where and why, whether it is a known bug, what to do now.

    Everything given belongs to ONE crash: its core, the log of the worker, of the master or of
    the kernel, its configuration. What core and log say differently is shown.

    \b
    haproxy-forensics triage core
    haproxy-forensics triage core.zst /var/log/haproxy.log /etc/haproxy/haproxy.cfg
    journalctl -u haproxy -o json | haproxy-forensics triage -
    haproxy-forensics triage core --exe ./haproxy --format markdown > ticket.md
    """
    from forensics.api import Options, triage

    places = places_of(exe, debug_dir, sysroot, symbols, debuginfod, debuginfod_url, debuginfod_timeout)
    report = triage(evidence, Options(places, signatures, not no_scrub))
    _show(report, format, output)
    if fail_unless is not None and not _reaches(report, fail_unless):
        raise typer.Exit(1)


def _show(report: Report, format: ReportFormat, path: str) -> None:  # noqa: A002 - as the option
    if format is ReportFormat.JSON:
        from forensics.report.render_json import render_json

        write(render_json(report), path)
    elif format is ReportFormat.MARKDOWN:
        from forensics.report.markdown import render_markdown

        write(render_markdown(report), path)
    elif path:
        from forensics.report.text import render_text

        write(render_text(report), path)
    else:
        from forensics.report.terminal import print_report

        print_report(report, sys.stdout)


def _reaches(report: Report, wanted: VerdictWord) -> bool:
    enough = _VERDICTS[: _VERDICTS.index(wanted) + 1]
    return any(finding.verdict in enough for finding in report.findings)
