"""Objects that tell their own type: a pointer to ``enum obj_type``, which stands within the object (obj_type-t.h)."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.haproxy.leads import number
from forensics.haproxy.structs import Struct, TypedMemory
from forensics.haproxy.walks import Broken, Walk
from forensics.record import record

#: How HAProxy calls a value that is no type.
INVALID = "!INVAL!"
#: The types of 2.2 to 3.0, for builds whose enumeration is not known.
_TYPES = (
    "NONE", "LISTENER", "PROXY", "SERVER", "APPLET", "APPCTX", "CONN", "SRVRQ", "SC", "STREAM", "CHECK",
)  # fmt: skip
_STRUCTS = {
    "LISTENER": ("listener",), "PROXY": ("proxy",), "SERVER": ("server",), "APPLET": ("applet",),
    "APPCTX": ("appctx",), "CONN": ("connection",), "SRVRQ": ("resolv_srvrq", "dns_srvrq"), "SC": ("stconn",),
    "CS": ("conn_stream",), "STREAM": ("stream",), "CHECK": ("check",),
}  # fmt: skip


@record
class Object:
    """``pointer`` leads to the member ``obj_type`` of the object at ``address``; ``kind`` is its type's name.

    ``NONE`` for a NULL pointer, INVALID for what is no type, "" where the memory cannot be read.
    """

    pointer: int
    kind: str
    address: int

    def struct(self, space: TypedMemory, kind: str) -> Struct | Absence:
        """The object's structure, if it is of ``kind``."""
        if self.kind != kind:
            return Absence(f"object at {self.address:#x}", f"it is no {kind} but {self.kind or 'not in the core'}")
        return space.at(struct_of(space, kind), self.address)


NOTHING = Object(0, "NONE", 0)


def read_object(space: TypedMemory, pointer: int) -> Object:
    """What the pointer to an ``enum obj_type`` leads to."""
    if not pointer:
        return NOTHING
    data = space.memory.read(pointer, 1)
    if isinstance(data, Absence):
        return Object(pointer, "", pointer)
    kind = type_name(space, data[0])
    return Object(pointer, kind, pointer - _offset(space, kind))


def type_name(space: TypedMemory, value: int) -> str:
    """``OBJ_TYPE_CONN`` as HAProxy prints it, without its prefix."""
    names = space.enumeration("obj_type")
    found = names.get(value, "") if names else _TYPES[value] if value < len(_TYPES) else ""
    found = found.removeprefix("OBJ_TYPE_")
    return INVALID if found in ("", "ENTRIES") else found


def of_kind(found: Iterator[Struct] | Absence, kind: str, walk: Walk) -> Iterator[Struct]:
    """What was found, as long as each structure says of itself that it is of this kind; else the walk is broken."""
    for one in found or ():
        value = number(one, "obj_type")
        if type_name(one.space, value) != kind:
            walk.broken = Broken(one.address, value, f"what the link leads to is no {kind.lower()}")
            return
        yield one


def struct_of(space: TypedMemory, kind: str) -> str:
    """The structure of this build that carries the type (``CONN``: connection)."""
    names = _STRUCTS.get(kind, (kind.lower(),))
    return next((name for name in names if space.has_struct(name)), names[0])


def _offset(space: TypedMemory, kind: str) -> int:
    """Where ``obj_type`` stands: it is not the first member of streams up to 2.3."""
    layout = space.layout(struct_of(space, kind)) if kind in _STRUCTS else None
    field = layout.fields.get("obj_type") if layout is not None and not isinstance(layout, Absence) else None
    return field.offset if field is not None else 0
