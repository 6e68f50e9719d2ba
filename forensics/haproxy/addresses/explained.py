"""What an address of a dead process is: whose stack, which variable, which object of HAProxy, allocated or free.

Every statement carries how sure it is (``read``: bytes of the core say so; ``derived``: it follows from what was
read; ``assumed``: likely, not proven) and what proves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from forensics.absence import Absence
from forensics.elf.module import VDSO, Module
from forensics.haproxy.addresses.members import iter_members, member_at
from forensics.haproxy.addresses.owners import VARIABLES, Owned, Owners
from forensics.haproxy.addresses.poison import Poison, poison_of
from forensics.haproxy.pool import INTEGRITY, POISON, UAF, Pools
from forensics.haproxy.pools.content import ObjectType, ObjectTypes
from forensics.haproxy.pools.free_objects import overwritten
from forensics.haproxy.pools.heap import Chunk, iter_chunks
from forensics.haproxy.pools.lookup import PoolLookup, PoolObject
from forensics.haproxy.state import State
from forensics.memory.process import Segment
from forensics.record import record
from forensics.symbols.data_symbols import variable_at
from forensics.symbols.layout import OF_THIS_BUILD, Layout
from forensics.unwind.address_space import AddressSpace
from forensics.unwind.frame import ThreadStack

#: vm.mmap_min_addr: nothing is mapped below.
NULL_PAGE = 1 << 16
#: User space of x86-64 and of aarch64 with 48 bits; the kernel's half; what lies between can be no address.
_USER_END, _KERNEL = 1 << 47, 0xFFFF800000000000
#: A fault this far below a stack is taken for an overflow of it, in bytes.
_OVERFLOW = 1 << 16
#: Structures whose members are told for small offsets from NULL, the ones that crashes are about first.
_LIKELY = (
    "stream", "session", "connection", "stconn", "sedesc", "appctx", "task", "stktable", "stksess", "proxy", "server",
    "listener", "channel", "http_txn", "peer", "check", "pool_head",
)  # fmt: skip
_MOST_MEMBERS = 6
#: Place of fs_base among the words of pr_reg on x86-64 (linux/user_64.h). The executable's thread-local storage ends
#: there (variant II of the TLS ABI), and glibc's struct pthread, of some 0x900 bytes, begins there.
_FS_BASE, _THREAD_LOCAL, _THREAD_HEAD = 21, 1024, 0x900
#: In 2.2 and 2.3 pools are elements of a global array.
_POOLS = "pool_base_start"
#: Objects of the configuration that are looked at: those of a small one in a triage, all of it when asked.
FEW, MANY = 500, 1_000_000
#: Free objects of pools that a triage lists: some ten milliseconds.
_FEW_FREE = 5000


@record
class Detail:
    """One more statement about an address."""

    what: str
    trust: str
    proof: str


@record
class Explained:
    """What ``address`` is.

    ``kind`` is one of ``null``, ``non-canonical``, ``kernel``, ``unmapped``, ``guard``, ``stack``, ``thread-local``,
    ``module``, ``vdso``, ``mapping``, ``pool object``, ``freed object``, ``object`` (of HAProxy, in no pool), ``heap``
    (malloc's, not known whose) and ``anonymous``. ``what`` says it in words. ``pool`` is the pool's name, ``freed``
    None where nothing tells; ``poison`` names the pattern that the address, or the memory there, is made of.
    """

    address: int
    kind: str
    what: str
    trust: str
    proof: str
    details: tuple[Detail, ...] = ()
    pool: str = ""
    freed: bool | None = None
    poison: str = ""

    @property
    def summary(self) -> str:
        """All of it on one line."""
        return "; ".join((self.what, *(one.what for one in self.details)))


class Addresses:
    """Explains addresses of one process; ``most`` bounds the objects of the configuration that are looked at."""

    def __init__(self, state: State, most: int = MANY) -> None:
        self.state = state
        self.pools = Pools(state.space)
        self._thorough = most == MANY
        self._space = state.space
        self._memory = state.space.memory
        self._lookup = PoolLookup(self.pools, MANY if self._thorough else _FEW_FREE)
        self._types = ObjectTypes(self.pools)
        self._owners = Owners(self.pools, most)

    @cached_property
    def _names(self) -> AddressSpace:
        return AddressSpace(self.state.process)

    def explain(self, address: int) -> Explained:
        """What the address is."""
        if address < NULL_PAGE:
            return self.near_null(address)
        if _USER_END <= address < _KERNEL and not isinstance(self._memory.find(address), Segment):
            return self._impossible(address)
        if address >= _KERNEL:
            negative = f"minus {(1 << 64) - address}" if (1 << 64) - address < NULL_PAGE else "the kernel's half"
            return Explained(address, "kernel", f"no address of a process: {negative}", "read", "its value")
        thread = self._thread_local(address)
        if thread:
            what = f"thread-local storage of thread {thread}"
            return Explained(address, "thread-local", what, "derived", "it lies at the thread pointer")
        stack = self._stack(address)
        if stack is not None:
            return stack
        module = self._module_at(address)
        if isinstance(module, Module):
            return self._module(address, module)
        segment = self._memory.find(address)
        return self._mapped(address, segment) if isinstance(segment, Segment) else self._unmapped(address)

    def near_null(self, address: int, pointers: tuple[tuple[str, str], ...] = ()) -> Explained:
        """A small address; ``pointers`` are variables of the code that used it, and their structures."""
        details = []
        named = [f"{variable}->{member}" for variable, struct in pointers if (member := self._member(struct, address))]
        members = [] if named else list(iter_members(self._space, _LIKELY, address))
        if named:
            proof = "types of the variables of this code, and layouts of this build"
            details.append(Detail(f"it may be {_some(tuple(dict.fromkeys(named)))}", "assumed", proof))
        elif members:
            details.append(Detail(f"members at this offset: {_some(members)}", "assumed", "layouts of this build"))
        what = "NULL" if not address else f"NULL + {address:#x}: a member of a structure whose pointer was NULL"
        return Explained(address, "null", what, "derived" if address else "read", "its value", tuple(details))

    def _member(self, struct: str, offset: int) -> str:
        """The member that begins at ``offset`` of ``struct``, "" for none."""
        return next(iter_members(self._space, (struct,), offset), "").removeprefix(f"{struct}.")

    def _impossible(self, address: int) -> Explained:
        poison = poison_of(address, self.pools)
        what = "non-canonical: no process can have this address"
        if poison is None:
            return Explained(address, "non-canonical", what, "read", "its value")
        detail = Detail(poison.meaning, poison.trust, "its value")
        return Explained(address, "non-canonical", what, "read", "its value", (detail,), poison=poison.name)

    # Stacks

    @cached_property
    def _stacks(self) -> dict[int, ThreadStack]:
        """The start of the segment that each thread's stack lies in."""
        found: dict[int, ThreadStack] = {}
        by_lwp = {stack.lwp: stack for stack in self.state.stacks}
        architecture = self.state.process.architecture
        for thread in self.state.process.core.threads:
            pointer = architecture.registers(thread.registers).get(architecture.sp, 0)
            segment = self._memory.find(pointer)
            if isinstance(segment, Segment) and not segment.writable:
                segment = self._memory.find(segment.end)  # the thread ran into the guard page
            if isinstance(segment, Segment) and thread.lwp in by_lwp:
                found.setdefault(segment.address, by_lwp[thread.lwp])
        return found

    def _stack(self, address: int) -> Explained | None:
        segment = self._memory.find(address)
        if isinstance(segment, Segment) and segment.address in self._stacks:
            return self._in_stack(address, self._stacks[segment.address])
        above = next((one for one in self._memory.segments_from(address) if one.address > address), None)
        if above is None or above.address not in self._stacks:
            return None
        number = self._stacks[above.address].number
        # A debugger's core has zeros for a page that nobody may read; the kernel's has nothing.
        guarding = isinstance(segment, Segment) and segment.end == above.address
        if isinstance(segment, Segment) and guarding and not segment.writable and not segment.executable:
            what = f"guard page of the stack of thread {number}: the stack overflowed"
            return Explained(address, "guard", what, "derived", "nobody may touch this page, and a stack lies above it")
        if isinstance(segment, Absence) and above.address - address <= _OVERFLOW:
            what = f"{above.address - address} bytes below the stack of thread {number}: the stack overflowed"
            return Explained(address, "guard", what, "derived", "nothing is mapped there, and a stack lies above it")
        return None

    def _thread_local(self, address: int) -> int:
        """HAProxy's number of the thread whose thread-local storage of the executable this is, 0 for none."""
        architecture, numbers = self.state.process.architecture, {one.lwp: one.number for one in self.state.stacks}
        for thread in self.state.process.core.threads if architecture.name == "x86-64" else ():
            pointer = thread.registers[_FS_BASE] if len(thread.registers) > _FS_BASE else 0
            if pointer - _THREAD_LOCAL <= address < pointer + _THREAD_HEAD:
                return numbers.get(thread.lwp, 0)
        return 0

    def _in_stack(self, address: int, stack: ThreadStack) -> Explained:
        what = f"stack of thread {stack.number} (kernel id {stack.lwp})"
        frame, trust = self._frame(address, stack)
        proof = "the thread's stack pointer lies in this mapping"
        details = (Detail(frame, trust, "stack pointers of its frames"),) if frame else ()
        return Explained(address, "stack", what, "read", proof, details)

    def _frame(self, address: int, stack: ThreadStack) -> tuple[str, str]:
        """Which frame the address lies in, in words, and how far the frame is to be trusted."""
        register = self.state.process.architecture.sp
        physical = [one for one in stack.frames if not one.inlined and register in one.registers]
        if not physical:
            return "", ""
        if address < physical[0].registers[register]:
            return "below all frames: left by functions that have returned", "derived"
        # A frame reaches up to the stack pointer of its caller.
        above = (place for place, one in enumerate(physical) if address < one.registers[register])
        caller = next(above, len(physical))
        frame = physical[caller - 1]
        name = f"{frame.function}()" if frame.function else f"code at {frame.pc:#x}"
        certain = frame.trust in ("context", "cfi") and caller < len(physical)
        return f"frame {frame.index}, {name}", "derived" if certain else "assumed"

    # Modules

    def _module_at(self, address: int) -> Module | Absence:
        """The module that holds the address, zeroed data included, which only the module's file bounds."""
        found = self.state.process.module_at(address)
        below = [one for one in self.state.process.core.modules if one.start <= address][-1:]
        return self._names.module_at(address) if not found and below and self._may_open(below[0]) else found

    def _may_open(self, module: Module) -> bool:
        """Whether to look for files of the module: a report misses none because a register leads there."""
        opened = (files.module.start for files in self.state.process.files)
        return self._thorough or module.main or module.start in opened

    def _module(self, address: int, module: Module) -> Explained:
        if module.path == VDSO:
            name = self.state.process.function_at(address)[0] if self._may_open(module) else ""
            return Explained(address, "vdso", f"{name or 'code'} of the vdso", "read", "AT_SYSINFO_EHDR")
        segment = self._memory.find(address)
        writable = isinstance(segment, Segment) and segment.writable
        look = self._variable if writable else self._code
        found = look(address, module) if self._may_open(module) else None
        if found is not None:
            return found
        kind = "data" if writable else "code" if self._space.is_code(address) else "constants"
        what = f"{kind} of {module.name}+{address - module.base:#x}"
        return Explained(address, "module", what, "read", "the modules that the core lists")

    def _code(self, address: int, module: Module) -> Explained | None:
        name = self._space.function_name(address)
        if name and (self._space.is_code(address) or isinstance(self._memory.find(address), Absence)):
            what = f"code of {module.name}: {name}"
            return Explained(address, "module", what, "derived", "the symbol table of this build")
        return self._variable(address, module)

    def _variable(self, address: int, module: Module) -> Explained | None:
        found = variable_at(self.state.process.symbols(module), address - module.base)
        if isinstance(found, Absence):
            return None
        name, offset = found
        owned = self._owners.find(address) if name == _POOLS else None
        if isinstance(owned, Owned):
            return self._owned(address, owned)
        what = f"variable {name} of {module.name}" + (f" + {offset:#x}" if offset else "")
        struct, layout = VARIABLES.get(name, ""), self._space.layout(VARIABLES.get(name, ""))
        if module.main and isinstance(layout, Layout) and layout.size:
            number, rest = divmod(offset, layout.size)
            extent = self._space.extent(name)
            several = isinstance(extent, tuple) and extent[1] > layout.size
            member = member_at(self._space, struct, rest)
            what = f"variable {name}{f'[{number}]' if several else ''}{f'.{member}' if member else ''} of {module.name}"
        return Explained(address, "module", what, "derived", "the symbol table of this build")

    # The heap, and whatever else is mapped

    def _mapped(self, address: int, segment: Segment) -> Explained:
        file = next((one for one in self.state.process.core.files if one.start <= address < one.end), None)
        if file is not None:
            return Explained(address, "mapping", f"mapping of {file.path}", "read", "NT_FILE")
        if not segment.writable:
            return Explained(address, "mapping", "memory that cannot be written", "read", "flags of its mapping")
        found = self._lookup.find(address)
        if isinstance(found, PoolObject) and found.trust == "read":
            return self._pooled(address, found)
        owned = self._owners.find(address)
        if isinstance(owned, Owned):
            return self._owned(address, owned)
        if isinstance(found, PoolObject):
            return self._pooled(address, found)
        chunk = next(iter_chunks(self._memory, address), None)
        return self._heap(address, chunk) if chunk is not None else self._anonymous(address)

    def _owned(self, address: int, owned: Owned) -> Explained:
        what = f"{owned.label}: {self._place(owned.struct, address - owned.start)}"
        return Explained(address, "object", what, "read", f"{owned.proof} leads to it")

    def _heap(self, address: int, chunk: Chunk) -> Explained:
        what = f"heap: {chunk.size} bytes of malloc() at {chunk.start:#x}, + {address - chunk.start:#x}"
        proof = "sizes of chunks that lead from one to the next"
        freed = True if chunk.freed else None
        details = (Detail("the next chunk calls it free", "assumed", proof),) if chunk.freed else ()
        return Explained(address, "heap", what, "assumed", proof, details, freed=freed)

    def _anonymous(self, address: int) -> Explained:
        return Explained(address, "anonymous", "anonymous memory", "read", "no file is mapped there")

    def _place(self, struct: str, offset: int) -> str:
        member = member_at(self._space, struct, offset)
        return (
            f"struct {struct}" + (f" + {offset:#x}" if offset else "") + (f" ({member})" if member and offset else "")
        )

    def _pooled(self, address: int, found: PoolObject) -> Explained:
        typed, offset = self._types.find(found), address - found.start
        details = []
        if typed.struct and offset >= typed.offset:
            place = self._place(typed.struct, offset - typed.offset)
            place += f" of {typed.function}()" if typed.function else ""
            place = f"once a {place}" if found.freed else place
            layout = self._space.layout(typed.struct)
            known = isinstance(layout, Layout) and layout.trust == OF_THIS_BUILD
            details.append(Detail(place, typed.trust if known else "assumed", typed.proof))
        elif typed.struct:
            details.append(Detail(f"data before the struct {typed.struct}", typed.trust, typed.proof))
        elif typed.users:
            details.append(
                Detail(f"an object of {' or '.join(typed.users)}", "derived", "variables that hold this pool")
            )
        if found.pool.merged and not typed.struct:
            more = f"the pool serves {found.pool.users} types of objects of about this size"
            details.append(Detail(more, "read", "users of struct pool_head"))
        if found.others:
            details.append(Detail(f"or of pool {', '.join(found.others)}", "assumed", found.proof))
        poison, more_details = self._contents(address, found, typed)
        state = {True: "free object", False: "allocated object", None: "object"}[found.freed]
        kept = (
            f", in the cache of thread {found.thread}"
            if found.thread
            else ", in the shared list"
            if found.freed
            else ""
        )
        what = f"{state} of pool {found.pool.name} at {found.start:#x}" + (f" + {offset:#x}" if offset else "") + kept
        kind = "freed object" if found.freed else "pool object"
        layout = self._space.layout("pool_head")
        # What a kept layout says of another build is one step further from the bytes.
        known = isinstance(layout, Layout) and layout.trust == OF_THIS_BUILD
        trust = found.trust if known or found.trust != "read" else "derived"
        return Explained(
            address, kind, what, trust, found.proof, (*details, *more_details), found.pool.name, found.freed,
            poison.name if poison else "",
        )  # fmt: skip

    def _contents(self, address: int, found: PoolObject, typed: ObjectType) -> tuple[Poison | None, list[Detail]]:
        """What patterns and marks within and behind the object say."""
        details, flags = [], self.pools.debugging or 0
        word = self._memory.word(address & ~7)
        mode = INTEGRITY if found.freed else POISON
        poison = poison_of(word, self.pools) if isinstance(word, int) and flags & mode else None
        if poison is not None:
            details.append(
                Detail(f"the memory there holds {poison.meaning.split(':')[0]}", "read", "bytes of the core")
            )
        if found.freed and flags & INTEGRITY:
            place = overwritten(self._memory, found.start, found.pool.size)
            if place >= 0:
                member = member_at(self._space, typed.struct, place - typed.offset) if typed.struct else ""
                what = f"it was written to after it was freed, at offset {place:#x}" + (
                    f" ({member})" if member else ""
                )
                details.append(Detail(what, "derived", "the fill pattern is overwritten there"))
        mark = self._memory.word(found.start + found.pool.size) if found.pool.alloc_size > found.pool.size else 0
        if found.freed and isinstance(mark, int) and self._space.is_code(mark):
            name = self._space.function_name(mark)
            details.append(Detail(f"freed by {name or f'code at {mark:#x}'}", "read", "the mark behind the object"))
        return poison, details

    def _unmapped(self, address: int) -> Explained:
        if (self.pools.debugging or 0) & UAF:
            detail = Detail("an object that was freed, perhaps: `-dMuaf` unmaps them", "assumed", "pool_debugging")
            return Explained(address, "unmapped", "not mapped", "read", "the core's segments", (detail,))
        poison = poison_of(address, self.pools)
        details = (Detail(poison.meaning, poison.trust, "its value"),) if poison else ()
        name = poison.name if poison else ""
        return Explained(address, "unmapped", "not mapped", "read", "the core's segments", details, poison=name)


def _some(names: Sequence[str]) -> str:
    """The first few of them."""
    return ", ".join(names[:_MOST_MEMBERS]) + (", ..." if len(names) > _MOST_MEMBERS else "")
