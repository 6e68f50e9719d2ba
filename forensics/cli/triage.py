"""`triage`: one incident, one report."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

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
from forensics.cli.output import write

if TYPE_CHECKING:
    from forensics.report.document import Report

DESCRIPTION = """\
Diagnose one incident: what died, where and why, whether it is a known bug, what to do now.

Everything given belongs to ONE crash: its core, the log of the worker, of the master or of
the kernel, its configuration. What core and log say differently is shown. The files of a rotated
log are read as one, in order of time.

haproxy-forensics triage core
haproxy-forensics triage core.zst /var/log/haproxy.log /etc/haproxy/haproxy.cfg
journalctl -u haproxy -o json | haproxy-forensics triage -
haproxy-forensics triage core --exe ./haproxy --format markdown > ticket.md"""

#: Best first: a verdict satisfies itself and all that come after it.
_VERDICTS = ("confirmed", "probable", "possible")


def configure(parser: Parser) -> None:
    """The arguments of the command."""
    parser.add_argument(
        "evidence", metavar="EVIDENCE", nargs="+",
        help="Core, logs, haproxy.cfg, executable, in any order; `-` is a log on standard input. "
        "Kinds are recognised by content; .zst .gz .xz .lz4 .bz2 open directly.",
    )  # fmt: skip
    add_format(parser, ("text", "json", "markdown"), "Form of the report.")
    add_output(parser)
    parser.add_argument(
        "--fail-unless", metavar="VERDICT", choices=_VERDICTS,
        help="Exit with 1 unless a finding has at least this verdict: confirmed, probable, possible.",
    )  # fmt: skip
    parser.add_argument(
        "--incident", metavar="N", type=number(int, 1),
        help="Which death, of a log that tells of several: from 1, in order of time. The latest if not given, or that "
        "of the core.",
    )  # fmt: skip
    parser.add_argument("--pid", metavar="PID", type=number(int, 1), help="The death of this process.")
    add_timezone(parser)
    add_no_scrub(parser)
    add_signatures(parser)
    add_places(parser)


def run(chosen: argparse.Namespace) -> int:
    """Triage; the exit status."""
    from forensics.api import Options, triage
    from forensics.report.progress import watching

    scrub = not chosen.no_scrub
    options = Options(places_of(chosen), chosen.signatures, scrub, chosen.incident, chosen.pid, chosen.timezone or "")
    with watching(sys.stderr) as watch:
        report = triage(chosen.evidence, options, watch)
    _show(report, chosen.format, chosen.output)
    return 1 if chosen.fail_unless and not _reaches(report, chosen.fail_unless) else 0


def _show(report: Report, form: str, path: str) -> None:
    if form == "json":
        from forensics.report.render_json import render_json

        write(render_json(report), path)
    elif form == "markdown":
        from forensics.report.markdown import render_markdown

        write(render_markdown(report), path)
    elif path:
        from forensics.report.text import render_text

        write(render_text(report), path)
    else:
        from forensics.report.terminal import print_report

        print_report(report, sys.stdout)


def _reaches(report: Report, wanted: str) -> bool:
    enough = _VERDICTS[: _VERDICTS.index(wanted) + 1]
    return any(finding.verdict in enough for finding in report.findings)
