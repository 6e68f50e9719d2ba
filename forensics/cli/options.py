"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from forensics.symbols.places import Places

Exe: TypeAlias = Annotated[
    str,
    typer.Option("--exe", metavar="FILE", help="The executable that ran; used only if its build-id is the core's."),
]
DebugDirectories: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--debug-dir",
        metavar="DIR",
        help="Directory with debug files, executables or libraries: as /usr/lib/debug, or flat. Repeatable.",
    ),
]
Sysroot: TypeAlias = Annotated[
    str,
    typer.Option(
        "--sysroot",
        metavar="DIR",
        help="Copy of the crashed host's root directory; this host's own files are then not used.",
    ),
]
Symbols: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--symbols", metavar="PATH", help="Symbol pack, or directory of symbol packs. Repeatable."),
]
Debuginfod: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--debuginfod", help="Ask the servers in DEBUGINFOD_URLS for what is missing; without it, only their cache."
    ),
]
DebuginfodUrls: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--debuginfod-url", metavar="URL", help="Ask this server instead. Repeatable."),
]
DebuginfodTimeout: TypeAlias = Annotated[
    float,
    typer.Option("--debuginfod-timeout", metavar="SECONDS", min=0, help="For all requests together; 0 stands for 60."),
]
Signatures: TypeAlias = Annotated[
    str, typer.Option("--signatures", metavar="DIR", help="Directory with signatures of your own, used besides ours.")
]
NoScrub: TypeAlias = Annotated[
    bool, typer.Option("--no-scrub", help="Leave addresses, names and secrets of clients in the report.")
]
Output: TypeAlias = Annotated[
    str, typer.Option("--output", "-o", metavar="FILE", help="Write there instead of to standard output.")
]


def places_of(
    exe: str,
    debug_dir: list[str] | None,
    sysroot: str,
    symbols: list[str] | None = None,
    debuginfod: bool = False,
    debuginfod_url: list[str] | None = None,
    debuginfod_timeout: float = 0,
) -> Places:
    """Where symbols are, as the options say. UsageError when servers are to be asked and none is known."""
    from forensics.symbols.places import Places

    places = Places(
        exe, tuple(debug_dir or ()), sysroot, tuple(symbols or ()),
        debuginfod, tuple(debuginfod_url or ()), debuginfod_timeout,
    )  # fmt: skip
    if debuginfod or debuginfod_url:
        from forensics.symbols.debuginfod.settings import settings_of

        settings_of(places)
    return places


class ReportFormat(StrEnum):
    """Renderings of the report."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


class BacktraceFormat(StrEnum):
    """Renderings of backtraces."""

    TEXT = "text"
    JSON = "json"
    GDB = "gdb"


class VerdictWord(StrEnum):
    """Verdicts that a script can insist on."""

    CONFIRMED = "confirmed"
    PROBABLE = "probable"
    POSSIBLE = "possible"
