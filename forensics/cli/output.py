"""Where words go: data to stdout or a file, complaints to stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from forensics.errors import ForensicsError, UnreadableInput

if TYPE_CHECKING:
    from forensics.absence import Absence


def complain(error: ForensicsError) -> None:
    """One error with its hint, on stderr."""
    from forensics.report.safe_text import one_line

    sys.stderr.write(f"error: {one_line(error.message)}\n")
    if error.hint:
        sys.stderr.write(f"\nhint: {one_line(error.hint)}\n")


def warn(gap: Absence) -> None:
    """What an answer lacks, on stderr."""
    from forensics.report.safe_text import one_line

    sys.stderr.write(f"missing: {one_line(gap.subject)}: {one_line(gap.reason)}\n")
    if gap.remedy:
        sys.stderr.write(f"  would supply it: {one_line(gap.remedy)}\n")


def write(text: str, path: str) -> None:
    """Write ``text`` to the file ``path``, or to stdout when it is ""."""
    write_pieces((text,), path)


def write_pieces(pieces: Iterable[str], path: str) -> None:
    """Write the pieces of a long text one after the other, as ``write`` does."""
    if not path:
        for piece in pieces:
            sys.stdout.write(piece)
        sys.stdout.flush()
        return
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(pieces)
    except OSError as error:
        raise UnreadableInput(f"cannot write `{path}`: {error.strerror}", "choose another --output") from error


def close_quietly() -> None:
    """Keep Python from complaining about a closed stdout when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
