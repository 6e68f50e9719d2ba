"""Where code without a name comes from: the assertions that it refers to name their source file.

A hint is an inference and never a name: the compiler may have put a function of one file into
another's, and so only what a fragment's own code loads counts, and only when all of it agrees.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from forensics.record import record
from forensics.symbols.assertions import sentences_in
from forensics.symbols.checks import COUNT_OFFSET, Checks
from forensics.symbols.fragments import Fragment
from forensics.symbols.machine_code import machine_code
from forensics.symbols.sentence import place_of

if TYPE_CHECKING:
    from forensics.elf.image import ElfImage

#: Larger pieces of code than any function of HAProxy are not searched (bytes).
_MOST_CODE = 1 << 17

#: Behind the load of a sentence stands the code that prints it and ends the process (bytes).
_SAME_BLOCK = 64


@record
class Reference:
    """The code at ``address`` refers to an assertion of ``file`` and ``line``; ``function`` where that is told."""

    address: int
    file: str
    line: int
    function: str = ""


def references_in(image: ElfImage, fragment: Fragment, checks: Checks) -> list[Reference]:
    """The assertions that the code of ``fragment`` refers to, by address; ``checks`` are those of the image."""
    size = fragment.end - fragment.start
    code = image.read(fragment.start, size) if 0 < size <= _MOST_CODE else b""
    return _references(image, code, fragment.start, checks) if isinstance(code, bytes) else []


def all_references(image: ElfImage, checks: Checks) -> list[Reference]:
    """The assertions that any code of the image refers to, by address."""
    text, code = image.sections.get(".text"), image.section(".text")
    return _references(image, code, text.address, checks) if text is not None and isinstance(code, bytes) else []


def references_from(references: list[Reference], fragment: Fragment) -> list[Reference]:
    """Those of ``all_references`` that stand in ``fragment``."""
    if fragment.end - fragment.start > _MOST_CODE:
        return []
    low = bisect_left(references, fragment.start, key=lambda one: one.address)
    return references[low : bisect_left(references, fragment.end, key=lambda one: one.address)]


def _references(image: ElfImage, code: bytes, base: int, checks: Checks) -> list[Reference]:
    machine = machine_code(image.header.machine)
    if machine is None:
        return []
    found = []
    for at, sentence in sentences_in(image, code, base):
        file, line = place_of(sentence)
        check = checks.get(file, line)
        if file:
            found.append(Reference(at, file, line, check.function if check else ""))
    for at, target in machine.counts(code, base):
        check = checks.by_address.get(target - COUNT_OFFSET)
        if check is not None:
            found.append(Reference(at, check.file, check.line, check.function))
    return sorted(found, key=lambda one: one.address)


def hint_of(references: list[Reference], address: int) -> str:
    """Where the code at ``address`` comes from, in words; "" where its references do not agree or there are none.

    Code of header files is in many functions: it says nothing of whose this one is.
    """
    own = [one for one in references if one.file.endswith(".c")]
    if not own or len({one.file for one in own}) > 1:
        return ""
    before = [one for one in own if one.address < address <= one.address + _SAME_BLOCK]
    nearest = before[-1] if before else min(own, key=lambda one: (abs(one.address - address), one.address))
    whose = f" of {nearest.function}()" if nearest.function else ""
    return f"in {nearest.file}, with the check{whose} at line {nearest.line}"
