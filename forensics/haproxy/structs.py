"""HAProxy's structures in the memory of the dead process: typed reading, member by member.

The layout of a structure is that of the very build (DWARF, or a symbol pack made from it), else the one
that is kept for its release, which is trusted less. A member that a build does not have is an Absence: readers
look for the newest name first, and never ask for the version.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from forensics.absence import Absence
from forensics.elf.module import Module
from forensics.haproxy.static_roots import VARIABLES, Root, find_roots
from forensics.memory.process import Memory
from forensics.symbols.layout import OF_THIS_BUILD, Field, Layout
from forensics.unwind.backtrace import Process

if TYPE_CHECKING:
    from forensics.haproxy.fitting import Fit
    from forensics.symbols.kept import KeptLayouts

#: Longest string read through a pointer, in bytes.
LONGEST = 1024
#: Most elements of an array that are handed out: MAX_THREADS is 1,024 at most, a file descriptor's table 2^20.
_MOST = 1 << 20

NO_SYMBOLS = "the debug symbols of this build"


class TypedMemory:
    """The memory of one process, read by HAProxy's own types: those of the build, else ones kept for its release.

    With ``kept`` it is read by these, believed or not: so they are checked.
    """

    def __init__(self, process: Process, kept: KeptLayouts | None = None) -> None:
        self.process = process
        self._kept = kept
        self.memory: Memory = process.core.memory
        self._layouts: dict[str, Layout | Absence] = {}
        self._names: dict[int, str] = {}
        #: How far the layouts that were used so far are to be trusted: the least trusted one decides.
        self.trust = OF_THIS_BUILD
        #: Variables that were asked for and that only ``post_mortem`` leads to.
        self.rooted: dict[str, Root] = {}

    @cached_property
    def module(self) -> Module | Absence:
        """The executable."""
        return self.process.core.main_module

    def layout(self, name: str) -> Layout | Absence:
        """The layout of ``struct name``."""
        found = self._layouts.get(name)
        if found is None:
            found = self._layouts[name] = self._find_layout(name)
            if isinstance(found, Layout) and found.trust != OF_THIS_BUILD:
                self.trust = found.trust
        return found

    def _find_layout(self, name: str) -> Layout | Absence:
        if self._kept is not None:
            return self._kept.struct(name)
        if isinstance(self.module, Absence):
            return self.module
        symbols = self.process.symbols(self.module)
        found = symbols.struct(name)
        if isinstance(found, Layout) or symbols.declares_types:
            return found if isinstance(found, Layout) else Absence(found.subject, found.reason, NO_SYMBOLS)
        fit = self.fit
        return Absence(f"struct {name}", fit.reason, NO_SYMBOLS) if isinstance(fit, Absence) else fit.layout(name)

    @cached_property
    def fit(self) -> Fit | Absence:
        """The layouts that are kept for builds like this one, for want of its debug information."""
        from forensics.haproxy.fitting import find_fit

        return find_fit(self.process)

    def has_struct(self, name: str) -> bool:
        """Whether the layout of ``struct name`` is known."""
        return isinstance(self.layout(name), Layout)

    def enumeration(self, name: str) -> dict[int, str]:
        """The names of ``enum name`` by value, {} where they are not known."""
        if isinstance(self.module, Absence):
            return {}
        symbols = self.process.symbols(self.module)
        found = symbols.enumeration(name)
        if isinstance(found, Absence) and not symbols.declares_types and not isinstance(self.fit, Absence):
            found = self.fit.enumeration(name)
        return {} if isinstance(found, Absence) else found

    def at(self, name: str, address: int) -> Struct | Absence:
        """The ``struct name`` at ``address``."""
        layout = self.layout(name)
        if isinstance(layout, Absence):
            return layout
        data = self.memory.read(address, layout.size)
        if isinstance(data, Absence):
            return Absence(f"struct {name} at {address:#x}", data.reason, data.remedy)
        return Struct(self, layout, address, data)

    def variable(self, name: str) -> int | Absence:
        """The address of a global variable."""
        found = self.extent(name)
        return found if isinstance(found, Absence) else found[0]

    def extent(self, name: str) -> tuple[int, int] | Absence:
        """Address and size (bytes) of a global variable.

        Of one that the symbol tables do not list, but ``post_mortem`` leads to, the size is the largest possible.
        """
        found = self.listed(name)
        root = self._roots.get(name) if isinstance(found, Absence) and name in VARIABLES else None
        if root is None:
            return found
        self.rooted[name] = root
        return root.address, root.room

    @cached_property
    def _roots(self) -> Mapping[str, Root]:
        """What ``post_mortem`` leads to, searched for once.

        Releases that have it export all of these variables: a table with one of them has all that there are.
        """
        return find_roots(self) if isinstance(self.listed("global"), Absence) else {}

    def listed(self, name: str) -> tuple[int, int] | Absence:
        """Address and size (bytes) of a global variable that the symbol tables list."""
        if isinstance(self.module, Absence):
            return self.module
        found = self.process.symbols(self.module).extent(name)
        return found if isinstance(found, Absence) else (found[0] + self.module.base, found[1])

    def object(self, variable: str, struct: str) -> Struct | Absence:
        """The ``struct`` that is the global ``variable``."""
        address = self.variable(variable)
        return address if isinstance(address, Absence) else self.at(struct, address)

    def pointed(self, variable: str, struct: str) -> Struct | Absence:
        """The ``struct`` that the global pointer ``variable`` leads to."""
        target = self.word(variable)
        if isinstance(target, Absence):
            return target
        return self.at(struct, target) if target else Absence(variable, f"the pointer {variable} is NULL")

    def array(self, variable: str, struct: str, most: int = _MOST) -> Iterator[Struct]:
        """The elements of a global array, at most ``most``; those that cannot be read end it.

        The size of the symbol bounds it; what has none (an assembler's symbol) has one element.
        """
        extent, layout = self.extent(variable), self.layout(struct)
        if isinstance(extent, Absence) or isinstance(layout, Absence) or not layout.size:
            return
        for index in range(min(max(extent[1] // layout.size, 1), most)):
            element = self.at(struct, extent[0] + index * layout.size)
            if isinstance(element, Absence):
                return
            yield element

    def number(self, variable: str, size: int, *, signed: bool = False) -> int | Absence:
        """A global integer of ``size`` bytes."""
        address = self.variable(variable)
        if isinstance(address, Absence):
            return address
        data = self.memory.read(address, size)
        return data if isinstance(data, Absence) else int.from_bytes(data, "little", signed=signed)

    def word(self, variable: str) -> int | Absence:
        """A global pointer or ``unsigned long``."""
        return self.number(variable, 8)

    def text(self, address: int, most: int = LONGEST) -> str | Absence:
        """The string at ``address``, from the core, or from the executable where the core leaves constants out."""
        if not address:
            return Absence("string", "the pointer is NULL")
        found = self.memory.string(address, most)
        module = self.process.module_at(address)
        if isinstance(found, Absence) and isinstance(module, Module):
            return self.process.symbols(module).text(address - module.base, most)
        return found

    def function_name(self, address: int) -> str:
        """The function that begins at ``address`` (``name+0x..`` within one), "" where no symbol tells."""
        found = self._names.get(address)
        if found is None:
            name, start = self.process.function_at(address)
            found = name if address == start or not name else f"{name}+{address - start:#x}"
            self._names[address] = found
        return found

    def is_code(self, address: int) -> bool:
        """Whether a module of the process is executable there."""
        segment = self.memory.find(address)
        return not isinstance(segment, Absence) and segment.executable


class Struct:
    """One structure in memory; its bytes were read when it was made.

    A ``path`` names a member, or a member of a structure within it: ``conf.line``.
    """

    __slots__ = ("address", "data", "layout", "space")

    def __init__(self, space: TypedMemory, layout: Layout, address: int, data: bytes) -> None:
        self.space = space
        self.layout = layout
        self.address = address
        self.data = data

    def field(self, path: str) -> Field | Absence:
        """The member, its offset counted from this structure's start."""
        layout, offset = self.layout, 0
        name, _dot, rest = path.partition(".")
        while True:
            field = layout.fields.get(name)
            if field is None:
                return Absence(f"{layout.name}.{name}", _no_member(layout))
            if not rest:
                return field if not offset else _moved(field, offset)
            inner = self.space.layout(field.target) if field.kind in ("struct", "union") else None
            if not isinstance(inner, Layout):
                return inner or Absence(f"{layout.name}.{name}", "the member is no structure")
            layout, offset = inner, offset + field.offset
            name, _dot, rest = rest.partition(".")

    def has(self, path: str) -> bool:
        """Whether this build's structure has the member."""
        return isinstance(self.field(path), Field)

    def first(self, *paths: str) -> str | Absence:
        """The first of the ``paths`` that this build has."""
        found = next((path for path in paths if self.has(path)), None)
        if found is not None:
            return found
        return Absence(f"{self.layout.name}.{paths[0]}", f"struct {self.layout.name} has no member {', '.join(paths)}")

    def number(self, path: str, index: int = 0) -> int | Absence:
        """An integer, an enumeration, a flag or a pointer; ``index`` counts elements of an array."""
        field = self.field(path)
        if isinstance(field, Absence):
            return field
        start = field.offset + index * field.size
        data = self.data[start : start + field.size]
        if len(data) < field.size or index < 0 or (field.counts and index >= max(field.count, 1)):
            return Absence(f"{self.layout.name}.{path}[{index}]", "it lies beyond the end of the structure")
        value = int.from_bytes(data, "little", signed=field.kind == "int" and not field.bits)
        if not field.bits:
            return value
        value = value >> field.bit & ((1 << field.bits) - 1)
        return value - (1 << field.bits) if field.kind == "int" and value >> (field.bits - 1) else value

    def any_number(self, *paths: str) -> int | Absence:
        """The number that is the first of the members that this build has."""
        if len(paths) == 1:  # nearly always, and there are many
            return self.number(paths[0])
        path = self.first(*paths)
        return path if isinstance(path, Absence) else self.number(path)

    def numbers(self, path: str) -> tuple[int, ...]:
        """All elements of an array of numbers, () where there is none."""
        field = self.field(path)
        if isinstance(field, Absence):
            return ()
        found = (self.number(path, index) for index in range(min(field.count, _MOST)))
        return tuple(one for one in found if not isinstance(one, Absence))

    def text(self, path: str, most: int = LONGEST) -> str | Absence:
        """A string: that of an array of characters, or the one that a pointer leads to."""
        field = self.field(path)
        if isinstance(field, Absence):
            return field
        if field.kind == "char" and field.counts:
            data = self.data[field.offset : field.offset + min(field.count, most)]
            return data.split(b"\0", 1)[0].decode("utf-8", "replace")
        pointer = self.number(path)
        return pointer if isinstance(pointer, Absence) else self.space.text(pointer, most)

    def address_of(self, path: str, index: int = 0) -> int | Absence:
        """The address of the member, or of one element of the array that it is."""
        field = self.field(path)
        return field if isinstance(field, Absence) else self.address + field.offset + index * field.size

    def inner(self, path: str, index: int = 0) -> Struct | Absence:
        """The structure that the member is; ``index`` counts elements of an array."""
        field = self.field(path)
        if isinstance(field, Absence):
            return field
        layout = self.space.layout(field.target)
        start = field.offset + index * field.size
        if isinstance(layout, Absence):
            return layout
        if start + layout.size > len(self.data) or index < 0:
            # A flexible array stands behind what was read.
            return self.space.at(field.target, self.address + start)
        return Struct(self.space, layout, self.address + start, self.data[start : start + layout.size])

    def follow(self, path: str, struct: str = "", index: int = 0) -> Struct | Absence:
        """The structure that a pointer leads to: ``struct``, or what the pointer's type says."""
        field, target = self.field(path), self.number(path, index)
        if isinstance(field, Absence):
            return field
        if isinstance(target, Absence):
            return target
        if not target:
            return Absence(f"{self.layout.name}.{path}", "the pointer is NULL")
        return self.space.at(struct or field.target, target)


def _no_member(layout: Layout) -> str:
    """Why a member is missing: what is kept for a release may not have all."""
    if layout.trust == OF_THIS_BUILD:
        return f"struct {layout.name} of this build has no such member"
    return f"struct {layout.name} has no such member in the {layout.source}"


def _moved(field: Field, offset: int) -> Field:
    return Field(field.offset + offset, field.size, field.kind, field.target, field.counts, field.bit, field.bits)


def known(value: int | Absence, otherwise: int = 0) -> int:
    """The number, or ``otherwise`` where it is absent: for what is only asked whether it is set."""
    return otherwise if isinstance(value, Absence) else value


def known_text(value: str | Absence, otherwise: str = "") -> str:
    """The text, or ``otherwise`` where it is absent."""
    return otherwise if isinstance(value, Absence) else value
