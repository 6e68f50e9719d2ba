"""What libc said before it aborted: ``__abort_msg``, which glibc keeps for debuggers (sysdeps/posix/libc_fatal.c).

The variable points to ``struct abort_msg_s { unsigned int size; char msg[]; }`` in pages of its own; ``size`` is
that of the pages. Assertions of any library that uses assert() go the same way (assert/assert.c).
"""

from __future__ import annotations

import re

from forensics.absence import Absence
from forensics.elf.module import Module
from forensics.haproxy.death.memory_text import iter_writable
from forensics.record import record
from forensics.unwind.backtrace import Process

_SUBJECT = "message of libc"
_LIBC = re.compile(r"libc(?:-2\.\d+)?\.so")
#: Largest size of the pages that is believed, longest message that is read, in bytes.
_LARGEST, _LONGEST = 1 << 20, 1024
_PAGE = 4096
#: The size that stands before a message of less than a page.
_ONE_PAGE = _PAGE.to_bytes(4, "little")

#: glibc's words about a damaged heap (malloc/malloc.c), and about a stack or buffer that was overrun (debug/).
_HEAP = re.compile(
    r"double free or corruption|corrupted (?:size|double-linked)|(?:free|malloc|realloc|calloc|munmap_chunk"
    r"|mremap_chunk|malloc_consolidate|memalign)\(\): |invalid (?:fastbin|chunk)|malloc assertion failure"
    r"|\b(?:malloc|arena)\.c:\d"
)
_OVERRUN = re.compile(r"stack smashing detected|buffer overflow detected|longjmp causes")
_ASSERTION = re.compile(r"Assertion [`'].*' failed|assertion failed", re.S)
#: The same where no symbol tells the place: the head of a page of its own, behind the size.
_SHAPE = re.compile(
    rb"(?:double free or corruption|corrupted (?:size|double)|(?:free|malloc|realloc|munmap_chunk"
    rb"|malloc_consolidate)\(\): |\*\*\* (?:stack smashing|buffer overflow)|Fatal glibc error: "
    rb"|[\w./+-]{1,64}: [^\0\n]{1,200}Assertion `)[^\0]{1,900}"
)


@record
class LibcMessage:
    """``text`` as libc printed it, without its line end, at ``address``; ``how`` it was found."""

    text: str
    address: int
    how: str

    @property
    def about(self) -> str:
        """``heap``, ``overrun`` (of a buffer on the stack or of known size), ``assertion`` or ``other``."""
        for word, shape in (("heap", _HEAP), ("overrun", _OVERRUN), ("assertion", _ASSERTION)):
            if shape.search(self.text):
                return word
        return "other"


def read_libc_message(process: Process) -> LibcMessage | Absence:
    """The message with which libc aborted; an Absence where it said nothing."""
    module = next((one for one in process.core.modules if _LIBC.match(one.name)), None)
    if module is None:
        return Absence(_SUBJECT, "the process had no glibc")
    variable = process.symbols(module).variable("__abort_msg")
    if isinstance(variable, Absence):
        return _searched(process)
    return _pointed(process, module, variable)


def _pointed(process: Process, module: Module, variable: int) -> LibcMessage | Absence:
    memory = process.core.memory
    pointer = memory.word(module.base + variable)
    if isinstance(pointer, Absence):
        return Absence(_SUBJECT, pointer.reason, pointer.remedy)
    if not pointer:
        return Absence(_SUBJECT, "libc said nothing before the process died (__abort_msg is NULL)")
    size = memory.read(pointer, 4)
    if isinstance(size, Absence) or not 4 < int.from_bytes(size, "little") <= _LARGEST:
        return Absence(_SUBJECT, f"__abort_msg leads to {pointer:#x}, where no message is")
    text = memory.string(pointer + 4, min(int.from_bytes(size, "little") - 4, _LONGEST))
    if isinstance(text, Absence):
        return Absence(_SUBJECT, text.reason, text.remedy)
    return LibcMessage(text.strip(), pointer + 4, "variable __abort_msg of libc")


def _searched(process: Process) -> LibcMessage | Absence:
    """The message by its shape: libc's file is not at hand, so that nobody says where its variable lies."""
    for start, data in iter_writable(process.core.memory):
        for place in range(-start % _PAGE, len(data) - _PAGE + 1, _PAGE):
            if data[place : place + 4] != _ONE_PAGE:
                continue
            match = _SHAPE.match(data, place + 4, place + _PAGE)
            if match:
                text = match[0].decode("utf-8", "replace").strip()
                return LibcMessage(text, start + place + 4, "a page that has the form of libc's last message")
    return Absence(
        _SUBJECT, "no file of libc is at hand, and no page of memory has its form", "libc's file: `--sysroot`"
    )
