"""`backtrace`: the stacks of all threads."""

from __future__ import annotations

from typing import Annotated

import typer

from forensics.cli.options import BacktraceFormat, DebugDirectories, Exe, Output, Symbols, Sysroot
from forensics.cli.output import write


def backtrace(
    core: Annotated[str, typer.Argument(metavar="CORE", help="The core, compressed or not.", show_default=False)],
    format: Annotated[  # noqa: A002 - the option's name
        BacktraceFormat,
        typer.Option("--format", "-f", help="`gdb` is gdb's `t a a bt full`, what HAProxy's maintainers ask for."),
    ] = BacktraceFormat.TEXT,
    all_threads: Annotated[bool, typer.Option("--all", help="Every thread on its own, equal stacks too.")] = False,
    thread: Annotated[
        int,
        typer.Option("--thread", metavar="N", help="Only this one: HAProxy's number, or an LWP.", show_default=False),
    ] = 0,
    show_locals: Annotated[
        bool,
        typer.Option(
            "--locals",
            help="Arguments and locals of the crashed thread, or of --thread; needs DWARF. Implies --registers.",
        ),
    ] = False,
    registers: Annotated[
        bool,
        typer.Option(
            "--registers", help="Registers of that thread, and the instruction it died at with the memory it touched."
        ),
    ] = False,
    no_scrub: Annotated[
        bool,
        typer.Option("--no-scrub", help="Show what strings and bytes in variables say, and the command line as it is."),
    ] = False,
    output: Output = "",
    exe: Exe = "",
    debug_dir: DebugDirectories = None,
    sysroot: Sysroot = "",
    symbols: Symbols = None,
) -> None:
    """Show the stacks of all threads of a core; equal ones once, the most telling first.

    The crashed thread comes first, then those that the watchdog stopped, that wait for a lock or
    are busy; idle ones last. `>` marks the culprit: the innermost function that is not part of
    dying itself.

    A core holds secrets. Numbers and pointers of --locals are shown, strings and arrays of bytes
    by their length only, unless --no-scrub is given.

    \b
    haproxy-forensics backtrace core
    haproxy-forensics backtrace core --locals --debug-dir /usr/lib/debug
    haproxy-forensics backtrace core --thread 3 --registers
    haproxy-forensics backtrace core --format gdb > bt.txt
    """
    from forensics.api import Options
    from forensics.stacks import Wanted, open_stacks
    from forensics.symbols.find import Places

    places = Places(exe, tuple(debug_dir or ()), sysroot, tuple(symbols or ()))
    wanted = Wanted(thread, all_threads, show_locals, show_locals or registers, str(format) == "gdb", not no_scrub)
    view = open_stacks(core, Options(places), wanted)
    if format is BacktraceFormat.TEXT and not output:
        from functools import partial

        from forensics.report.backtrace import WIDTH, text_lines
        from forensics.report.terminal import print_lines

        print_lines(partial(text_lines, view), WIDTH)
        return
    from forensics.report.backtrace import render

    write(render(view, str(format)), output)
