"""Cores of samples with some of their memory overwritten."""

from __future__ import annotations

from pathlib import Path

from forensics.elf.core import read_core
from forensics.memory.open import open_bytes
from forensics.memory.process import Segment


def overwritten(core: Path, folder: Path, *changes: tuple[int, bytes]) -> Path:
    """A copy of the core, as ``folder/core``, with these bytes at these addresses of the process."""
    source = open_bytes(str(core))
    whole = bytearray(source.read(0, source.size))
    memory = read_core(source).memory
    for address, data in changes:
        segment = memory.find(address)
        assert isinstance(segment, Segment), f"{address:#x} is not in the core"
        place = segment.offset + address - segment.address
        whole[place : place + len(data)] = data
    path = folder / "core"
    path.write_bytes(whole)
    return path
