"""Pointers to structures in scope where a thread stopped: where a small address was touched, one was NULL."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.unwind.backtrace import Process
from forensics.unwind.frame import Frame

#: Variables that are looked at; HAProxy's longest function has some hundred.
_MOST = 500


def pointers_at(process: Process, frame: Frame) -> tuple[tuple[str, str], ...]:
    """(variable, structure that it points to) for the arguments and locals at ``frame``, innermost call first.

    Only what DWARF declares, so that it is the same for each crash at this place: it is kept with the build's records.
    """
    module = process.module_at(frame.lookup)
    if isinstance(module, Absence):
        return ()
    symbols = process.symbols(module)
    kept = symbols.records.records("pointers")
    key = f"{frame.lookup - module.base:x}"
    if key not in kept:
        if isinstance(symbols.dwarf, Absence):
            return ()
        kept[key] = [list(one) for one in _declared(process, frame)]
    try:
        return tuple((str(name), str(struct)) for name, struct in kept[key])
    except (TypeError, ValueError):
        del kept[key]  # a record of another shape is as good as none
        return ()


def _declared(process: Process, frame: Frame) -> Iterator[tuple[str, str]]:
    from forensics.symbols.dwarf.info import AT_NAME
    from forensics.symbols.dwarf.locate import DAMAGE
    from forensics.symbols.dwarf.types import type_of
    from forensics.symbols.dwarf.variables import declarations_at

    module = process.module_at(frame.lookup)
    dwarf = module if isinstance(module, Absence) else process.symbols(module).dwarf
    if isinstance(dwarf, Absence) or isinstance(module, Absence):
        return
    pc = frame.lookup - module.base
    try:
        function = dwarf.function_at(pc)
        for each in reversed(function.active(pc) if function else []):
            for declared in declarations_at(each.entry, pc)[:_MOST]:
                pointer = type_of(declared.typed)
                found = type_of(pointer.entry) if pointer.kind == "pointer" and pointer.entry is not None else pointer
                if pointer.kind == "pointer" and found.kind == "struct" and found.entry is not None:
                    yield declared.name, found.entry.text(AT_NAME)
    except DAMAGE:
        return
