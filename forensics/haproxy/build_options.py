"""What the build was made with, as `haproxy -vv` has it: ``build_opts_list``, of struct build_opts_str (init-t.h)."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.haproxy.structs import TypedMemory
from forensics.haproxy.walks import Walk, iter_list

#: The list's link comes first, then the pointer to the text; so in 2.2 to 3.4.
_TEXT = 16
_MOST = 1000
_LONGEST = 4096


def read_build_options(space: TypedMemory) -> tuple[str, ...] | Absence:
    """The texts, in HAProxy's order; each may have several lines."""
    head = space.variable("build_opts_list")
    if isinstance(head, Absence):
        return Absence("build options", head.reason, head.remedy)
    walk, found = Walk(), []
    for address in iter_list(space.memory, head, walk, _MOST):
        pointer = space.memory.word(address + _TEXT)
        text = pointer if isinstance(pointer, Absence) else space.text(pointer, _LONGEST)
        if isinstance(text, Absence):
            return Absence("build options", text.reason, text.remedy)
        found.append(text)
    if walk.broken is not None:
        return Absence("build options", f"the list is broken at {walk.broken.address:#x}: {walk.broken.reason}")
    return tuple(found)
