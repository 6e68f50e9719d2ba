"""Frozen records: what dataclasses are, without their cost.

A dataclass compiles its methods when the module is imported, and importing ``dataclasses`` itself takes a
fifth of a warm triage. A record compiles ``__init__`` when the first one is made, shares its other
methods, and becomes a dataclass only for those who ask (``dataclasses.fields``). That nothing
changes it is enforced by the type checker, not at run time.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeVar, dataclass_transform

    _Class = TypeVar("_Class")
    _Thing = TypeVar("_Thing")
else:

    def dataclass_transform(**_options):  # noqa: ANN003, ANN201, D103 - stands for typing's, which takes long to import
        return lambda function: function


class _Missing:
    """No default."""


_MISSING = _Missing()


class Member:
    """One member of a record: its name, its default or what makes it, and how it takes part.

    ``repr`` and ``compare`` say whether it is shown and compared; ``metadata`` is for
    those who write records down.
    """

    __slots__ = ("compare", "default", "factory", "metadata", "name", "repr")

    def __init__(
        self,
        default: object,
        factory: Callable[[], object] | None,
        repr: bool,  # noqa: A002 - as dataclasses call it
        compare: bool,
        metadata: Any,
    ) -> None:
        self.name = ""
        self.default = default
        self.factory = factory
        self.repr = repr
        self.compare = compare
        self.metadata: Mapping[str, Any] = metadata or {}


def field(
    *,
    default: Any = _MISSING,
    default_factory: Callable[[], Any] | None = None,
    repr: bool = True,  # noqa: A002 - as dataclasses call it
    compare: bool = True,
    metadata: Mapping[str, Any] | None = None,
) -> Any:
    """A member that needs more than a default value; the arguments are those of ``dataclasses.field``."""
    return Member(default, default_factory, repr, compare, metadata)


def members(thing: Any) -> tuple[Member, ...]:
    """The members of a record or of its class, in their order."""
    return tuple(thing.__record_members__.values())


def is_record(thing: object) -> bool:
    """Whether ``thing`` is a record (not the class of one)."""
    return hasattr(type(thing), "__record_members__")


def replace(thing: _Thing, **changes: Any) -> _Thing:
    """The record with some members changed."""
    values = {name: getattr(thing, name) for name in thing.__record_members__}  # type: ignore[attr-defined]
    return type(thing)(**(values | changes))


class _DataclassFields:
    """``__dataclass_fields__``, worked out when somebody asks: then ``dataclasses`` takes records for its own."""

    def __get__(self, _thing: object, cls: type) -> dict[str, Any]:
        import dataclasses

        parts = []
        for member in members(cls):
            options: dict[str, Any] = {"repr": member.repr, "compare": member.compare, "metadata": member.metadata}
            if member.factory is not None:
                options["default_factory"] = member.factory
            elif member.default is not _MISSING:
                options["default"] = member.default
            parts.append((member.name, cls.__annotations__[member.name], dataclasses.field(**options)))
        twin = dataclasses.make_dataclass(cls.__name__, parts, eq=False, repr=False)
        found: dict[str, Any] = twin.__dataclass_fields__  # type: ignore[attr-defined]
        return found


def _equals(one: Any, other: object) -> bool:
    return _values(one) == _values(other) if other.__class__ is one.__class__ else NotImplemented


def _hash(one: Any) -> int:
    return hash(_values(one))


def _values(one: Any) -> tuple[Any, ...]:
    return tuple(getattr(one, name) for name, each in one.__record_members__.items() if each.compare)


def _shown(one: Any) -> str:
    parts = (f"{name}={getattr(one, name)!r}" for name, each in one.__record_members__.items() if each.repr)
    return f"{type(one).__qualname__}({', '.join(parts)})"


def _first_init(self: Any, *arguments: Any, **named: Any) -> None:
    """Compile ``__init__`` for this class, and from then on use it."""
    cls = type(self)
    cls.__init__ = _compiled_init(cls)
    cls.__init__(self, *arguments, **named)


def _compiled_init(cls: Any) -> Any:
    given: dict[str, Any] = {"MISSING": _MISSING}
    parameters, body = ["self"], []
    for name, member in cls.__record_members__.items():
        given[f"default_{name}"] = member.default if member.factory is None else _MISSING
        given[f"make_{name}"] = member.factory
        required = member.default is _MISSING and member.factory is None
        parameters.append(name if required else f"{name}=default_{name}")
        value = name if member.factory is None else f"make_{name}() if {name} is MISSING else {name}"
        body.append(f" self.{name} = {value}")
    exec(f"def __init__({', '.join(parameters)}):\n" + "\n".join(body or [" pass"]), given)  # noqa: S102 - names of members only
    return given["__init__"]


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: type[_Class]) -> type[_Class]:
    """The class as a slotted record, frozen for the type checker, compared and hashed by its values."""
    return _made(cls)


@dataclass_transform(field_specifiers=(field,))
def open_record(cls: type[_Class]) -> type[_Class]:
    """A record whose members may be changed while what it stands for is still being read."""
    return _made(cls)


def _made(cls: type[_Class]) -> type[_Class]:
    own = dict(cls.__dict__)
    found = {}
    for name in own.get("__annotations__", {}):
        default = own.pop(name, _MISSING)
        assert type(default).__module__ != "dataclasses", f"{cls.__name__}.{name}: use field() of this module"
        member = default if isinstance(default, Member) else Member(default, None, True, True, None)
        member.name = name
        found[name] = member
    for name in ("__dict__", "__weakref__"):
        own.pop(name, None)
    own["__slots__"] = own["__match_args__"] = tuple(found)
    own["__record_members__"] = found
    own["__dataclass_fields__"] = _DataclassFields()
    own["__init__"] = _first_init
    for name, method in (("__eq__", _equals), ("__hash__", _hash), ("__repr__", _shown)):
        own.setdefault(name, method)
    made: Any = type(cls)
    made = made(cls.__name__, cls.__bases__, own)
    made.__qualname__ = cls.__qualname__
    return made  # type: ignore[no-any-return]  # the same class again, with slots
