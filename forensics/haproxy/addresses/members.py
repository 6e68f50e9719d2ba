"""Names of members by their offsets."""

from __future__ import annotations

from collections.abc import Iterator

from forensics.absence import Absence
from forensics.haproxy.structs import TypedMemory
from forensics.symbols.layout import Field, Layout

#: Structures within structures; HAProxy's reach four deep.
_DEEPEST = 6


def member_at(space: TypedMemory, struct: str, offset: int) -> str:
    """The member at ``offset`` (bytes) of ``struct``, as C writes it (``wq.node.leaf_p``, ``cache[3].count``).

    "" where none lies there or the layout is not known; of a union it is the first one.
    """
    parts: list[str] = []
    layout: Layout | Absence = space.layout(struct)
    while isinstance(layout, Layout) and len(parts) < _DEEPEST:
        found = _field_at(layout, offset)
        if found is None:
            break
        name, field = found
        offset -= field.offset
        index = offset // field.size if field.size else 0
        parts.append(f"{name}[{index}]" if field.counts else name)
        offset -= index * field.size
        if field.kind not in ("struct", "union"):
            return ".".join(parts) + (f"+{offset}" if offset else "")
        layout = space.layout(field.target)
    return ".".join(parts)


def _field_at(layout: Layout, offset: int) -> tuple[str, Field] | None:
    fields = layout.fields.items()
    return next(((n, f) for n, f in fields if f.offset <= offset < f.offset + f.size * max(f.count, 1)), None)


def iter_members(space: TypedMemory, structs: tuple[str, ...], offset: int) -> Iterator[str]:
    """``struct.member`` for each of the structures that has a member which begins at ``offset``."""
    for struct in structs:
        name = member_at(space, struct, offset) if offset else ""
        # Nobody reads a buffer from its middle on, or what fills the gap to a cache line.
        if name and "+" not in name and "__pad" not in name and (not name.endswith("]") or name.endswith("[0]")):
            yield f"{struct}.{name}"
