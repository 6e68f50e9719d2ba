"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, TypeAlias

import typer

_SYMBOLS = "Where symbols are"

Exe: TypeAlias = Annotated[
    str,
    typer.Option("--exe", metavar="FILE", help="The executable that ran; used only if its build-id is the core's."),
]
DebugDirectories: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--debug-dir",
        metavar="DIR",
        help="Directory with .build-id/xx/yyyy.debug files, as /usr/lib/debug. Repeatable.",
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
Signatures: TypeAlias = Annotated[
    str, typer.Option("--signatures", metavar="DIR", help="Directory with signatures of your own, used besides ours.")
]
NoScrub: TypeAlias = Annotated[
    bool, typer.Option("--no-scrub", help="Leave addresses, names and secrets of clients in the report.")
]
Output: TypeAlias = Annotated[
    str, typer.Option("--output", "-o", metavar="FILE", help="Write there instead of to standard output.")
]


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


class ListFormat(StrEnum):
    """Renderings of lists."""

    TEXT = "text"
    JSON = "json"


class VerdictWord(StrEnum):
    """Verdicts that a script can insist on."""

    CONFIRMED = "confirmed"
    PROBABLE = "probable"
    POSSIBLE = "possible"
