"""`backtrace`: the stacks of all threads."""

from __future__ import annotations

from typing import Annotated

import typer

from forensics.cli.options import (
    BacktraceFormat,
    DebugDirectories,
    Debuginfod,
    DebuginfodTimeout,
    DebuginfodUrls,
    Exe,
    Output,
    Symbols,
    Sysroot,
    places_of,
)
from forensics.cli.output import write


def backtrace(
    core: Annotated[str, typer.Argument(metavar="CORE", help="The core, compressed or not.", show_default=False)],
    format: Annotated[  # noqa: A002 - the option's name
        BacktraceFormat, typer.Option("--format", "-f", help="`gdb` is what HAProxy's maintainers ask for.")
    ] = BacktraceFormat.TEXT,
    all_threads: Annotated[bool, typer.Option("--all", help="Every thread on its own, equal stacks too.")] = False,
    output: Output = "",
    exe: Exe = "",
    debug_dir: DebugDirectories = None,
    sysroot: Sysroot = "",
    symbols: Symbols = None,
    debuginfod: Debuginfod = False,
    debuginfod_url: DebuginfodUrls = None,
    debuginfod_timeout: DebuginfodTimeout = 0,
) -> None:
    """Show the stacks of all threads of a core; equal ones once, the crashed one first.

    \b
    haproxy-forensics backtrace core
    haproxy-forensics backtrace core --format gdb > bt.txt
    """
    from forensics.api import Options, open_core
    from forensics.report.backtrace import render

    places = places_of(exe, debug_dir, sysroot, symbols, debuginfod, debuginfod_url, debuginfod_timeout)
    process, stacks = open_core(core, Options(places))
    process.save()
    write(render(stacks, process.core, str(format), all_threads), output)
