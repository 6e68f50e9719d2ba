"""What the executable's own structures betray: members of ``struct stktable`` (stick_table-t.h)."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.elf.module import Module
from forensics.symbols.layout import Layout
from forensics.unwind.backtrace import Process

#: ``shards[]`` since 3.0-dev7 (1a088da7c), ``buckets[]`` since 3.3-dev14.
_SHARDED = ("shards", "buckets")


def stktable_layout(process: Process) -> Layout | Absence:
    """The layout of ``struct stktable`` in this very build.

    From DWARF or a symbol pack. HAProxy's version string does not show a patch, the
    layout does.
    """
    module = process.core.main_module
    if not isinstance(module, Module):
        return module
    found = process.symbols(module).struct("stktable")
    if isinstance(found, Absence):
        return Absence("struct stktable", found.reason, "the debug symbols of this build")
    return found


def is_sharded(layout: Layout) -> bool:
    """Whether the table's entries are spread over an array of trees, each with its own lock."""
    return any(name in layout.fields for name in _SHARDED)
