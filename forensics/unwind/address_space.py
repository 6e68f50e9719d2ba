"""What lies at an address of a dead process, in a few words: for registers and for what an instruction touched."""

from __future__ import annotations

import os
from bisect import bisect_right

from forensics.absence import Absence
from forensics.elf.constants import PF_W, PT_LOAD
from forensics.elf.module import Module
from forensics.memory.process import Segment
from forensics.symbols.data_symbols import DataSymbols
from forensics.unwind.backtrace import Process, thread_numbers

#: Nothing is mapped below, by `vm.mmap_min_addr`: a null pointer, or a member of a structure that is not there.
_NULL_PAGE = 65536
#: User space of x86-64 and of aarch64 (48 bits); what is between it and the kernel's half can be no address.
_USER_END, _KERNEL = 1 << 47, 0xFFFF800000000000
#: Zeroed data of a module reaches no further than this.
_MOST_BSS = 1 << 28
#: A fault this far below a stack is an overflow.
_GUARD = 1 << 16


class AddressSpace:
    """Names for addresses; symbol tables are opened when one of them is needed."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self._data: dict[int, DataSymbols] = {}
        self._module_starts = [module.start for module in process.core.modules]
        self._files = sorted(process.core.files, key=lambda one: one.start)
        self._file_starts = [one.start for one in self._files]
        self._lowest = min((one.address for one in process.core.memory.segments), default=0)
        self._stacks = self._find_stacks()

    def _find_stacks(self) -> dict[int, int]:
        """Start of the segment that holds a thread's stack, and HAProxy's number of that thread."""
        core, found = self.process.core, dict[int, int]()
        numbers = thread_numbers(core)
        for thread in core.threads:
            registers = self.process.architecture.registers(thread.registers)
            segment = core.memory.find(registers.get(self.process.architecture.sp, 0))
            if isinstance(segment, Segment):
                found.setdefault(segment.address, numbers[thread.lwp])
        return found

    def module_at(self, address: int) -> Module | Absence:
        """The module that holds ``address``; its zeroed data (.bss), which no file backs, counts too."""
        found = self.process.module_at(address)
        if isinstance(found, Module):
            return found
        index = bisect_right(self._module_starts, address) - 1
        if index < 0:
            return found
        module = self.process.core.modules[index]
        # Only this module's file tells how far its data reaches; far away it cannot be.
        if address - module.end > _MOST_BSS or not isinstance(self.process.core.memory.find(address), Segment):
            return found
        images = self.process.symbols(module).images
        ends = [one.address + one.size for image in images for one in image.segments if one.type == PT_LOAD]
        return module if address - module.base < max(ends, default=0) else found

    def symbol(self, address: int) -> str:
        """``name`` or ``name+offset`` (decimal) of a function or a global variable, "" for none."""
        module = self.module_at(address)
        if isinstance(module, Absence) or not self.process.symbols(module).found:
            return ""
        segment = self.process.core.memory.find(address)
        # gcore leaves out what it finds in files: code then has no segment.
        name = "" if isinstance(segment, Segment) and not segment.executable else self._function(module, address)
        if name or (isinstance(segment, Segment) and segment.executable):
            return name
        data = self._data.get(module.start)
        if data is None:
            data = self._data[module.start] = DataSymbols(self.process.symbols(module).images)
        return data.find(address - module.base)

    def _function(self, module: Module, address: int) -> str:
        name, start = self.process.symbols(module).table.find(address - module.base)
        offset = address - module.base - start
        return f"{name}+{offset}" if name and offset else name

    def describe(self, address: int) -> str:
        """Where the address leads: a symbol, a module, a stack, a mapping, or nowhere; "" for a small number."""
        module = self.module_at(address)
        if isinstance(module, Module):
            name, file = self.symbol(address), os.path.basename(module.path)
            return f"{name} in {file}" if name else f"{file}+{address - module.base:#x}"
        segment = self.process.core.memory.find(address)
        if isinstance(segment, Absence):
            return self._nowhere(address)
        if segment.address in self._stacks:
            return f"stack of thread {self._stacks[segment.address]}"
        return self._mapping(address, segment)

    def _mapping(self, address: int, segment: Segment) -> str:
        index = bisect_right(self._file_starts, address) - 1
        if index >= 0 and address < self._files[index].end:
            return f"mapping of {self._files[index].path}"
        return "anonymous memory (heap, pools)" if segment.writable else "memory that cannot be written"

    def _nowhere(self, address: int) -> str:
        if address < _NULL_PAGE:
            return ""
        if _USER_END <= address < _KERNEL:
            return "no address: no process can have it"
        if address >= _KERNEL:
            return ""  # small negative numbers mostly
        if address > max(1 << 32, self._lowest):
            index = bisect_right(self.process.core.memory.segments, address, key=lambda one: one.address)
            above = self.process.core.memory.segments[index : index + 1]
            if above and above[0].address in self._stacks and above[0].address - address <= _GUARD:
                return f"not mapped, right below the stack of thread {self._stacks[above[0].address]}"
            return "not mapped"
        return ""

    def is_mapped(self, address: int) -> bool:
        """Whether the process had memory there."""
        if isinstance(self.process.core.memory.find(address), Segment):
            return True
        return any(one.start <= address < one.end for one in self.process.core.files)

    def constant(self, address: int, size: int) -> bytes | None:
        """Bytes that the proven file of a module maps where nobody can write: code and constants, nobody's secret."""
        module = self.process.module_at(address)
        image = None if isinstance(module, Absence) else self.process.symbols(module).files.image
        if image is None or isinstance(module, Absence):
            return None
        start = address - module.base
        for one in image.segments:
            if one.type == PT_LOAD and not one.flags & PF_W and one.address <= start < one.address + one.size:
                found = image.read(start, size)
                return found if isinstance(found, bytes) else None
        return None
