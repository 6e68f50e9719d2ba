"""Where the signatures lie: those that are shipped, and the user's own."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import forensics
from forensics.errors import SignatureError
from forensics.matching.signature import Signature

#: What the name of a file with test cases ends in; it is no signature.
CASES_SUFFIX = ".cases.toml"


def find_signatures(package: Path | None = None) -> Path:
    """The shipped signatures: inside the package when installed from a wheel, else at the top of the checkout."""
    home = package or Path(forensics.__file__).parent
    for directory in (home / "signatures", home.parent / "signatures"):
        if directory.is_dir():
            return directory
    raise SignatureError("the signatures are not installed", f"expected them in `{home / 'signatures'}`")


def signature_files(directory: Path) -> tuple[Path, ...]:
    """The signature files below a directory, in the order of their ids."""
    if not directory.is_dir():
        raise SignatureError(f"`{directory}` is no directory of signatures", "name a directory that holds `*.toml`")
    return tuple(sorted(each for each in directory.rglob("*.toml") if not each.name.endswith(CASES_SUFFIX)))


def unique(signatures: Iterable[Signature]) -> tuple[Signature, ...]:
    """The signatures, if each id stands for one."""
    known: dict[str, Signature] = {}
    for each in signatures:
        if each.id in known:
            raise SignatureError(f"`{each.id}` is the id of two signatures", "rename the file of your own")
        known[each.id] = each
    return tuple(known.values())
