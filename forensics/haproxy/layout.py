"""What the executable's own structures betray: members of ``struct stktable`` (stick_table-t.h)."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.elf.module import Module
from forensics.unwind.backtrace import Process

#: Functions of stick_table.c, newest name first: their unit declares the structure.
_ANCHORS = ("stktable_requeue_exp", "stktable_touch_with_exp", "__stktable_store")

#: ``shards[]`` since 3.0-dev7 (1a088da7c), ``buckets[]`` since 3.3-dev14.
_SHARDED = ("shards", "buckets")


def stktable_members(process: Process) -> dict[str, int] | Absence:
    """Members of ``struct stktable`` in this very build, with their offsets in bytes; "" holds its size.

    From DWARF or a symbol pack. HAProxy's version string does not show a patch, the
    layout does.
    """
    module = process.core.main_module
    if not isinstance(module, Module):
        return module
    kept = process.symbols(module).records.records("layouts")
    if "stktable" not in kept:
        found = _find(process, module)
        # That there is none is worth keeping, too: it costs a reading of the symbol tables to know.
        kept["stktable"] = found if isinstance(found, dict) else {}
    if not kept["stktable"]:
        return Absence(
            "struct stktable", "no debug symbols of this build declare it", "the debug symbols of this build"
        )
    return {str(name): int(offset) for name, offset in kept["stktable"].items()}


def _find(process: Process, module: Module) -> dict[str, int] | Absence:
    symbols = process.symbols(module)
    found: dict[str, int] | Absence = Absence("struct stktable", "no function of stick_table.c is in the symbol table")
    for anchor in _ANCHORS:
        address = symbols.address_of(anchor)
        if address:
            found = symbols.layout("stktable", address)
            if isinstance(found, dict):
                break
    return found


def is_sharded(members: dict[str, int]) -> bool:
    """Whether the table's entries are spread over an array of trees, each with its own lock."""
    return any(name in members for name in _SHARDED)
