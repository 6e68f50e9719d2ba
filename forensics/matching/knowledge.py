"""The signatures as parsed before: reading TOML costs more than matching."""

from __future__ import annotations

import json
import os

from forensics import __version__
from forensics.matching.locate import shipped_directory, signature_paths, unique
from forensics.matching.signature import Signature, from_plain, to_plain


def load_knowledge(extra: str = "", directory: str = "") -> tuple[Signature, ...]:
    """The shipped signatures and those in ``extra`` ("" for none), parsed only when a file changed.

    ``directory`` is where the parsed form is kept; "" keeps nothing.
    """
    places = [shipped_directory(), *([extra] if extra else [])]
    state = _state(places)
    path = os.path.join(directory, "signatures.json")
    known = _read(path, state) if directory else None
    if known is not None:
        return known
    from pathlib import Path

    from forensics.matching.load import load_signatures

    found = unique(each for place in places for each in load_signatures(Path(place)))
    if directory:
        _write(path, state, found)
    return found


def _state(places: list[str]) -> list[list[object]]:
    """What a change of any signature changes."""
    state: list[list[object]] = [[__version__, str(places)]]
    for place in places:
        for path in signature_paths(place):
            status = os.stat(path)
            state.append([path, status.st_size, status.st_mtime_ns])
    return state


def _read(path: str, state: list[list[object]]) -> tuple[Signature, ...] | None:
    try:
        with open(path, "rb") as file:
            data = json.load(file)
        if data["state"] == state:
            return tuple(from_plain(each) for each in data["signatures"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def _write(path: str, state: list[list[object]], found: tuple[Signature, ...]) -> None:
    """Keep them; a cache that cannot be written is no error."""
    import tempfile

    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".new-")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"state": state, "signatures": [to_plain(each) for each in found]}, file)
        os.replace(temporary, path)
    except OSError:
        return
