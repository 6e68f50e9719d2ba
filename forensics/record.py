"""Frozen records: dataclasses whose methods are shared.

A frozen dataclass compiles six methods of its own; for the classes of this program that
took a third of a warm triage. Records compile only ``__init__``. That nothing changes
them is enforced by the type checker, not at run time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar, dataclass_transform

_Class = TypeVar("_Class")


def _values(one: Any) -> tuple[Any, ...]:
    return tuple(getattr(one, name) for name, each in one.__dataclass_fields__.items() if each.compare)


def _equals(one: Any, other: object) -> bool:
    return _values(one) == _values(other) if other.__class__ is one.__class__ else NotImplemented


def _hash(one: Any) -> int:
    return hash(_values(one))


def _shown(one: Any) -> str:
    parts = (f"{name}={getattr(one, name)!r}" for name, each in one.__dataclass_fields__.items() if each.repr)
    return f"{type(one).__qualname__}({', '.join(parts)})"


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: type[_Class]) -> type[_Class]:
    """The class as a slotted dataclass, frozen for the type checker, compared and hashed by its values."""
    for name, method in (("__eq__", _equals), ("__hash__", _hash), ("__repr__", _shown)):
        if name not in cls.__dict__:
            setattr(cls, name, method)
    return dataclass(slots=True, eq=False, repr=False)(cls)
