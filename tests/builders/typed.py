"""Typed memory made up for tests: bytes at addresses, with the variables and layouts that a test names."""

from __future__ import annotations

from collections.abc import Mapping

from forensics.absence import Absence
from forensics.haproxy.structs import TypedMemory
from forensics.memory.process import Memory
from forensics.symbols.layout import Field, Layout


class MadeUp(TypedMemory):
    """A process that consists of ``memory``: ``variables`` have an address and a size (bytes), no file is at hand."""

    def __init__(
        self, memory: Memory, variables: Mapping[str, tuple[int, int]] | None = None, *layouts: Layout
    ) -> None:
        self.memory = memory
        self._extents = dict(variables or {})
        self._known = {one.name: one for one in layouts}

    @property
    def module(self) -> Absence:
        """None."""
        return Absence("executable", "the memory is made up")

    def layout(self, name: str) -> Layout | Absence:
        """One of those that were given."""
        return self._known.get(name) or Absence(f"struct {name}", "it was not given")

    def extent(self, name: str) -> tuple[int, int] | Absence:
        """One of the variables that were given."""
        return self._extents.get(name) or Absence(f"variable {name}", "it was not given")

    def listed(self, name: str) -> tuple[int, int] | Absence:
        """As ``extent``."""
        return self.extent(name)

    def text(self, address: int, most: int = 1024) -> str | Absence:
        """The string there."""
        return self.memory.string(address, most)


def layout_of(name: str, **offsets: int) -> Layout:
    """A structure whose members are unsigned numbers of 32 bits at these offsets."""
    return Layout(name, max(offsets.values()) + 4, {each: Field(at, 4, "uint") for each, at in offsets.items()})
