"""Where the signatures lie: those that are shipped, and the user's own."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

import forensics
from forensics.errors import SignatureError
from forensics.matching.signature import Signature

# A warm triage only asks whether the files have changed: it needs no paths.
if TYPE_CHECKING:
    from pathlib import Path

#: What the name of a file with test cases ends in; it is no signature.
CASES_SUFFIX = ".cases.toml"


def shipped_directory(package: str = "") -> str:
    """The shipped signatures: inside the package when installed from a wheel, else at the top of the checkout."""
    home = package or os.path.dirname(os.path.abspath(forensics.__file__))
    inside = os.path.join(home, "signatures")
    for directory in (inside, os.path.join(os.path.dirname(home), "signatures")):
        if os.path.isdir(directory):
            return directory
    raise SignatureError("the signatures are not installed", f"expected them in `{inside}`")


def find_signatures(package: Path | None = None) -> Path:
    """As ``shipped_directory``."""
    from pathlib import Path

    return Path(shipped_directory(str(package or "")))


def signature_paths(directory: str) -> list[str]:
    """The signature files below a directory, sorted."""
    if not os.path.isdir(directory):
        raise SignatureError(f"`{directory}` is no directory of signatures", "name a directory that holds `*.toml`")
    return sorted(
        os.path.join(folder, name)
        for folder, _folders, names in os.walk(directory)
        for name in names
        if name.endswith(".toml") and not name.endswith(CASES_SUFFIX)
    )


def signature_files(directory: Path) -> tuple[Path, ...]:
    """The signature files below a directory, in the order of their ids."""
    from pathlib import Path

    return tuple(sorted(map(Path, signature_paths(str(directory)))))


def unique(signatures: Iterable[Signature]) -> tuple[Signature, ...]:
    """The signatures, if each id stands for one."""
    known: dict[str, Signature] = {}
    for each in signatures:
        if each.id in known:
            raise SignatureError(f"`{each.id}` is the id of two signatures", "rename the file of your own")
        known[each.id] = each
    return tuple(known.values())
