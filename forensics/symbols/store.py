"""The symbol store: what was extracted from builds, kept by build-id.

A directory of symbol packs (``symbols/pack.py``), one build each, named after it:
``$HAPROXY_FORENSICS_SYMBOLS``, else ``$XDG_DATA_HOME/haproxy-forensics/symbols``. It is no cache: the files that an
entry was made from may be gone. Entries are written beside their place and then renamed, so that a
reader sees the old one or the new one, whoever writes at the same time. An entry of
another format is refused, and ``symbols add`` makes it again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from forensics.absence import Absence
from forensics.symbols.pack import SymbolPack, open_pack, open_packs
from forensics.symbols.pack_writer import write_pack
from forensics.symbols.places import pack_name, store_directory

_ENDING = pack_name("")


class SymbolStore:
    """The entries of one directory."""

    def __init__(self, directory: str | None = None) -> None:
        self.directory = store_directory() if directory is None else directory

    def path(self, build_id: str) -> str:
        """Where the entry of a build is or would be."""
        return os.path.join(self.directory, pack_name(build_id))

    def find(self, build_id: str) -> SymbolPack | Absence:
        """The entry of a build, or why there is none."""
        path = self.path(build_id)
        if not self.directory or not os.path.isfile(path):
            return Absence(f"symbols of {build_id}", "the symbol store has no entry", "`haproxy-forensics symbols add`")
        return open_pack(path, build_id)

    def add(self, build_id: str, entry: bytes) -> str:
        """Keep ``entry``, in the place of what was there; its path. OSError when it cannot be written."""
        os.makedirs(self.directory, mode=0o700, exist_ok=True)
        path = self.path(build_id)
        write_pack(path, [entry])
        return path

    def entries(self) -> Iterator[tuple[str, SymbolPack | Absence]]:
        """Build-id and entry of each file of the store, by build-id."""
        try:
            names = sorted(os.listdir(self.directory)) if self.directory else []
        except OSError:
            names = []
        for name in names:
            if name.endswith(_ENDING) and not name.startswith("."):
                build_id = name.removesuffix(_ENDING)
                yield build_id, open_pack(os.path.join(self.directory, name), build_id)


def opened(packs: Iterable[str]) -> Iterator[tuple[str, SymbolPack | Absence]]:
    """Build-id (or path) and entry of all builds of ``packs`` (paths), of the store when there are none."""
    if not packs:
        yield from SymbolStore().entries()
    for path in packs:
        found = open_packs(path)
        if isinstance(found, Absence):
            yield path, found
        else:
            yield from ((one.build_id, one) for one in found)
