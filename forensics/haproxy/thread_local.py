"""Thread-local variables of the executable: where each thread has its own ``trash`` and ``now_ms``.

The block of a thread lies right below its thread pointer on x86-64 and behind two words on aarch64 (ELF Handling
For Thread-Local Storage, variants II and I): the executable's own block needs no table of modules.
"""

from __future__ import annotations

from forensics.absence import Absence
from forensics.elf.constants import EM_AARCH64, EM_X86_64
from forensics.elf.notes import ThreadStatus
from forensics.haproxy.structs import TypedMemory

#: Place of fs_base among the words of pr_reg on x86-64 (linux/user_64.h).
_FS_BASE = 21
#: PT_TLS (elf.h).
_PT_TLS = 7
#: Bytes between the thread pointer and the first block on aarch64: struct tcbhead has two words (glibc's tls.h).
_HEAD = 16


def thread_pointer(space: TypedMemory, thread: ThreadStatus) -> int | Absence:
    """The thread pointer (glibc's pthread_t, too) of a thread, as NT_PRSTATUS has it."""
    core = space.process.core
    if core.machine == EM_X86_64 and len(thread.registers) > _FS_BASE and thread.registers[_FS_BASE]:
        return thread.registers[_FS_BASE]
    pointer = core.thread_pointers.get(thread.lwp, 0)
    return pointer or Absence(f"thread pointer of LWP {thread.lwp}", "the core's notes do not hold it")


def thread_variable(space: TypedMemory, name: str, thread: ThreadStatus) -> int | Absence:
    """The address of this thread's copy of the thread-local variable ``name`` of the executable.

    On x86-64 the thread pointer points to itself (glibc: tcbhead_t): in memory that a dumper left out it does not.
    """
    module = space.module
    if isinstance(module, Absence):
        return module
    symbols = space.process.symbols(module)
    found, pointer = symbols.extent(name, thread_local=True), thread_pointer(space, thread)
    if isinstance(found, Absence) or isinstance(pointer, Absence):
        return found if isinstance(found, Absence) else pointer
    blocks = [one for image in symbols.images for one in image.segments if one.type == _PT_TLS]
    if not blocks:
        return Absence(f"variable {name}", "no file with the program headers of the executable is at hand", "`--exe`")
    if space.process.core.machine == EM_X86_64 and space.memory.word(pointer) != pointer:
        return Absence(f"variable {name}", "the core does not hold the block of this thread")
    align = max(blocks[0].align, 1)
    if space.process.core.machine == EM_AARCH64:
        return pointer + (_HEAD + align - 1) // align * align + found[0]
    return pointer - (blocks[0].size + align - 1) // align * align + found[0]
