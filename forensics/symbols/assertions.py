"""The sentence of an assertion, from the code just before it kills the process.

Until 3.4 the whole line that BUG_ON prints is a literal in .rodata, loaded by a
`lea` before the call that prints it; even a stripped binary gives it away
(include/haproxy/bug.h). From 3.5-dev5 on the line is put together at run time.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator

from forensics.elf.constants import EM_X86_64
from forensics.elf.image import ElfImage
from forensics.record import record

#: `lea reg, [rip + disp32]` with a 64-bit register (Intel SDM, LEA).
_LEA = re.compile(rb"[\x48\x4c]\x8d[\x05\x0d\x15\x1d\x25\x2d\x35\x3d]", re.DOTALL)

_SENTENCE = re.compile(rb'\n?((?:FATAL|WARNING): (?:bug|warn|check) condition "|ABORT at )')

#: Between the load of the sentence and the crash lie two calls and some stores (bytes).
_REACH = 160
#: Where a function continues behind the crash, other assertions may jump back to it (bytes).
_BEHIND = 2048
#: A jump to code that assertions share comes right after the load of the sentence (bytes).
_SOON = 48
_LONGEST = 2048
#: Bytes of code kept of each crash: the longest of them has seven.
_CODE = 8

#: How HAProxy kills itself: `ud2` since 2.8, before that `movb $0, 0x1` or `movl $0, 0x1`.
_SUICIDE = re.compile(rb"\x0f\x0b|[\xc6\xc7]\x04\x25\x01\x00\x00\x00", re.DOTALL)

#: (address of the load, address after it, sentence)
_Load = tuple[int, int, str]


def sentence_before(image: ElfImage, pc: int, start: int) -> str:
    """The sentence that the code before ``pc`` prints, "" when there is none or several share the code.

    ``start`` is where the function (or fragment) begins that holds ``pc``: code
    before it belongs to somebody else.
    """
    if image.header.machine != EM_X86_64:
        return ""
    first = max(start, pc - _BEHIND)
    code = image.read(first, pc + _BEHIND - first)
    if not isinstance(code, bytes):
        code = image.read(first, pc - first)
    if not isinstance(code, bytes):
        return ""
    loads = list(_loads(code, first, lambda address: _sentence_at(image, address)))
    chosen = next((one for one in reversed(loads) if max(start, pc - _REACH) <= one[0] and one[1] <= pc), None)
    if chosen is None or _SUICIDE.search(code, chosen[1] - first, pc - first):
        # A crash in between would make the sentence that one's.
        return ""
    return "" if _is_shared(code, first, loads, chosen, pc) else chosen[2]


def _loads(code: bytes, base: int, sentence_at: Callable[[int], str]) -> Iterator[_Load]:
    """The loads of sentences in ``code``, which begins at address ``base``."""
    for match in _LEA.finditer(code):
        after = match.end() + 4
        if after <= len(code):
            target = base + after + int.from_bytes(code[match.end() : after], "little", signed=True)
            sentence = sentence_at(target)
            if sentence:
                yield base + match.start(), base + after, sentence


def _is_shared(code: bytes, base: int, loads: list[_Load], chosen: _Load, pc: int) -> bool:
    """Whether another assertion jumps into the code between the load and the crash.

    Compilers merge equal ends of assertions; only the first of them then falls through.
    """
    return any(
        chosen[1] <= target <= pc for one in loads if one is not chosen for target in _jumps(code, base, one[1] - base)
    )


def _jumps(code: bytes, base: int, position: int) -> Iterator[int]:
    """Targets of what may be jumps, short or near, within the next bytes and before a crash of their own."""
    crash = _SUICIDE.search(code, position, position + _SOON)
    for place in range(position, min(crash.start() if crash else position + _SOON, len(code) - 5)):
        opcode = code[place]
        if opcode == 0xEB:
            yield base + place + 2 + int.from_bytes(code[place + 1 : place + 2], "little", signed=True)
        elif opcode == 0xE9:
            yield base + place + 5 + int.from_bytes(code[place + 1 : place + 5], "little", signed=True)


def _sentence_at(image: ElfImage, address: int) -> str:
    head = image.read(address, 24)
    if not isinstance(head, bytes) or not _SENTENCE.match(head):
        return ""
    size = _LONGEST
    text = image.read(address, size)
    while not isinstance(text, bytes) and size > 64:
        size //= 2
        text = image.read(address, size)
    return text.split(b"\0", 1)[0].decode("utf-8", "replace").strip("\n") if isinstance(text, bytes) else ""


@record
class Assertion:
    """One assertion of an image: where its sentence is loaded, and where and by which code it then kills the process.

    ``sentence`` is "" where several share the code; ``crash`` is 0 and ``code`` empty
    where nothing kills it near by (a warning).
    """

    load: int
    sentence: str
    crash: int
    code: bytes


def all_assertions(image: ElfImage) -> list[Assertion]:
    """Every assertion of the image, by address."""
    text = image.sections.get(".text")
    code = image.section(".text")
    if text is None or not isinstance(code, bytes) or image.header.machine != EM_X86_64:
        return []
    strings = _sentences_of(image)
    loads = list(_loads(code, text.address, lambda address: strings.get(address, "")))
    starts = [one[0] for one in loads]
    found = []
    for place, one in enumerate(loads):
        crash = _SUICIDE.search(code, one[1] - text.address, one[1] - text.address + _REACH)
        pc = text.address + crash.start() if crash else one[1] + _REACH
        low, high = bisect_left(starts, one[0] - _BEHIND), bisect_left(starts, one[0] + _BEHIND)
        near = [loads[other] for other in range(low, high) if other != place]
        sentence = "" if _is_shared(code, text.address, near, one, pc) else one[2]
        at = crash.start() if crash else 0
        found.append(Assertion(one[0], sentence, pc if crash else 0, code[at : at + _CODE] if crash else b""))
    return found


def _sentences_of(image: ElfImage) -> dict[int, str]:
    """Address and text of each sentence in .rodata."""
    section, data = image.sections.get(".rodata"), image.section(".rodata")
    if section is None or not isinstance(data, bytes):
        return {}
    found = {}
    for match in _SENTENCE.finditer(data):
        end = data.find(b"\0", match.start())
        found[section.address + match.start()] = data[match.start() : end].decode("utf-8", "replace").strip("\n")
    return found


def sentence_from(assertions: list[Assertion], pc: int, start: int) -> str:
    """As ``sentence_before``, from what ``all_assertions`` found."""
    index = bisect_left(assertions, pc, key=lambda one: one.load) - 1
    if index < 0:
        return ""
    return assertions[index].sentence if assertions[index].load >= max(start, pc - _REACH) else ""
