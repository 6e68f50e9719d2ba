"""Where debug sections come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from forensics.absence import Absence


class DebugSections(Protocol):
    """An ELF image, or a symbol pack that kept its sections."""

    path: str
    #: Where files of split DWARF may lie, besides the places that the skeletons name.
    split_directories: tuple[str, ...]

    @property
    def sections(self) -> Mapping[str, object]:
        """The sections that there are, by name."""

    @property
    def supplement(self) -> DebugSections | None:
        """The supplementary file that dwz moved common parts to."""

    def section(self, name: str) -> bytes | Absence:
        """The bytes of a section, decompressed."""

    def joined(self, name: str) -> bytes:
        """The bytes of all sections of this name, one after another."""
