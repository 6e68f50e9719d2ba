"""Where words go: data to stdout or a file, complaints to stderr."""

from __future__ import annotations

import os
import sys

from forensics.errors import ForensicsError, UnreadableInput


def complain(error: ForensicsError) -> None:
    """One error with its hint, on stderr."""
    from forensics.report.safe_text import one_line

    sys.stderr.write(f"error: {one_line(error.message)}\n")
    if error.hint:
        sys.stderr.write(f"\nhint: {one_line(error.hint)}\n")


def write(text: str, path: str) -> None:
    """Write ``text`` to the file ``path``, or to stdout when it is ""."""
    if not path:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UnreadableInput(f"cannot write `{path}`: {error.strerror}", "choose another --output") from error


def close_quietly() -> None:
    """Keep Python from complaining about a closed stdout when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
