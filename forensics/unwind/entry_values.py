"""What the arguments of a function were when it was entered: the caller's call site tells (DWARF 5, 3.4.2).

Optimised code forgets an argument once it has used it. The caller often still knows what it
passed: a constant, or what lies in a register that calls preserve.
"""

from __future__ import annotations

from collections.abc import Iterator

from forensics.symbols.dwarf.call_sites import AT_CALL_RETURN_PC, call_site_entries
from forensics.symbols.dwarf.entry import Entry
from forensics.symbols.dwarf.expression import number_of
from forensics.symbols.dwarf.functions import AT_ABSTRACT_ORIGIN, Function, children_of
from forensics.symbols.dwarf.info import AT_LOW_PC
from forensics.symbols.dwarf.location import FrameContext, Unavailable
from forensics.symbols.dwarf.location_lists import AT_LOCATION
from forensics.symbols.dwarf.types import block_of

_PARAMETERS = frozenset((0x49, 0x410A))
AT_CALL_VALUE, AT_GNU_CALL_VALUE = 0x7E, 0x2111
AT_CALL_DATA_VALUE, AT_GNU_CALL_DATA_VALUE = 0x86, 0x2112
AT_CALL_PARAMETER = 0x80

_DEREF, _DEREF_SIZE, _REGVAL_TYPE = 0x06, 0x94, (0xA5, 0xF5)


def call_site_at(function: Function, return_pc: int) -> Entry | None:
    """The entry of the call in ``function`` that returns to ``return_pc`` (the image's own address)."""
    if not function.entry.abbreviation.children:
        return None
    for entry in call_site_entries(function.entry):
        if (entry.address(AT_CALL_RETURN_PC, 0) or entry.address(AT_LOW_PC, 0)) == return_pc:
            return entry
    return None


def value_at_entry(code: bytes, site: Entry, caller: FrameContext) -> int:
    """What the place ``code`` (one register, or a slot of the stack) held on entry. Raises Unavailable."""
    dereferenced = code[-1:] == bytes((_DEREF,)) or code[-2:-1] == bytes((_DEREF_SIZE,))
    if dereferenced:
        # What the caller knows is the memory that the argument points to.
        wanted = _register_of(code[: -1 if code[-1] == _DEREF else -2])
        names = (AT_CALL_DATA_VALUE, AT_GNU_CALL_DATA_VALUE)
    else:
        wanted, names = _register_of(code), (AT_CALL_VALUE, AT_GNU_CALL_VALUE)
    for parameter in _parameters(site):
        place = block_of(parameter, AT_LOCATION)
        if (wanted and _register_of(place) == wanted) or place == code:
            return _evaluated(parameter, names, caller)
    raise Unavailable


def value_of_parameter(offset: int, site: Entry, caller: FrameContext) -> int:
    """What was passed for the parameter whose entry is at ``offset``, one that has no place any more."""
    for parameter in _parameters(site):
        for name in (AT_CALL_PARAMETER, AT_ABSTRACT_ORIGIN):
            found = parameter.reference(name)
            if found is not None and found.offset == offset:
                return _evaluated(parameter, (AT_CALL_VALUE, AT_GNU_CALL_VALUE), caller)
    raise Unavailable


def _parameters(site: Entry) -> Iterator[Entry]:
    return children_of(site, _PARAMETERS) if site.abbreviation.children else iter(())


def _evaluated(parameter: Entry, names: tuple[int, int], caller: FrameContext) -> int:
    code = block_of(parameter, names[0]) or block_of(parameter, names[1])
    if not code:
        raise Unavailable
    return number_of(code, parameter, caller)


def _register_of(code: bytes) -> int:
    """1 + the register that ``code`` names: DW_OP_reg, DW_OP_breg with offset 0, DW_OP_regval_type; 0 for none."""
    if len(code) == 1 and 0x50 <= code[0] <= 0x6F:
        return code[0] - 0x50 + 1
    if len(code) == 2 and 0x70 <= code[0] <= 0x8F and code[1] == 0:
        return code[0] - 0x70 + 1
    if len(code) >= 3 and code[0] in _REGVAL_TYPE:
        return code[1] + 1  # a register above 127 is none that arguments are passed in
    return 0
