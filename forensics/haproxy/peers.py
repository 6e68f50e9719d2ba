"""Peers: whether any section is configured (peers-t.h)."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.elf.module import Module
from forensics.unwind.backtrace import Process


def peers_configured(process: Process) -> tuple[bool, int] | Absence:
    """Whether ``cfg_peers``, the list of peers sections, is not empty, and the address of the variable."""
    module = process.core.main_module
    if not isinstance(module, Module):
        return module
    address = process.symbols(module).variable("cfg_peers")
    if isinstance(address, Absence):
        return address
    word = process.core.memory.word(module.base + address)
    return word if isinstance(word, Absence) else (word != 0, module.base + address)
