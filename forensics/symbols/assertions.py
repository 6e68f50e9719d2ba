"""The sentence of an assertion, from the code just before it kills the process.

Until 3.4 the whole line that BUG_ON prints is a literal in .rodata, loaded before the call
that prints it; even a stripped binary gives it away (include/haproxy/bug.h). From 3.5-dev5 on
the line is put together at run time, from the entry of ``dbg_cnt`` that is loaded instead.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator

from forensics.elf.constants import ET_EXEC
from forensics.elf.image import ElfImage
from forensics.record import record
from forensics.symbols.checks import Check, checks_of
from forensics.symbols.fragments import Fragment, FragmentTable, fragments_of
from forensics.symbols.machine_code import MachineCode, machine_code
from forensics.symbols.sentence import bug_sentence, place_of

_SENTENCE = re.compile(rb'\n?((?:FATAL|WARNING): (?:bug|warn|check) condition "|ABORT at )')
#: Every release that prints whole literals has some of these.
_LITERAL = b'FATAL: bug condition "'
#: Between the load of the sentence and the crash lie two calls and some stores (bytes).
_REACH = 160
#: Where a function continues behind the crash, other assertions may jump back to it (bytes).
_BEHIND = 2048
#: A jump to code that assertions share comes right after the load of the sentence (bytes).
_SOON = 48
_LONGEST = 2048
#: The largest function of HAProxy 3.4 has 40 KiB.
_MOST_CODE = 1 << 17
#: Bytes of code kept of each crash: the longest of them has seven.
_CODE = 8


#: (address of the load, address after it, sentence)
_Load = tuple[int, int, str]
#: (address of the jump, its target)
_Jump = tuple[int, int]


def sentence_before(image: ElfImage, pc: int, start: int, end: int = 0) -> str:
    """The sentence that the code before ``pc`` prints, "" when there is none or several share the code."""
    found = sentences_before(image, pc, start, end)
    return found[0] if len(found) == 1 else ""


def sentences_before(image: ElfImage, pc: int, start: int, end: int = 0) -> tuple[str, ...]:
    """The sentences one of which the code before ``pc`` printed: the one loaded last, then those that may jump there.

    ``start`` and ``end`` are those of the function (or fragment) that holds ``pc``: other code belongs to
    somebody else; without ``end`` some of what follows is read. Compilers merge equal ends of assertions: the
    first of them then falls through, the others jump there. A "" at the end stands for jumps from elsewhere.
    """
    machine = machine_code(image.header.machine)
    code, first = _code_around(image, pc, start, end)
    if machine is None or not code:
        return ()
    loads = list(_loads(machine, code, first, _fixed(image), _sentence_reader(image)))
    chosen = next((one for one in reversed(loads) if max(start, pc - _REACH) <= one[0] and one[1] <= pc), None)
    if chosen is None or not _kills(chosen) or machine.crash(code, chosen[1] - first, pc - first) >= 0:
        # A crash in between would make the sentence that one's; a warning returns to the code that goes on.
        return ()
    others = _sharing(machine, code, first, loads, list(_jumps(machine, code, first, loads)), chosen, pc)
    ordered = [chosen[2], *(one for one in others if one), *(one for one in others if not one)]
    return tuple(dict.fromkeys(ordered))


def _code_around(image: ElfImage, pc: int, start: int, end: int) -> tuple[bytes, int]:
    """The code of the function, or what of it is near ``pc``, and its address; b"" when the file holds none."""
    first = max(start, pc - _MOST_CODE // 2)
    for last in (min(end, pc + _MOST_CODE // 2) if end else pc + _BEHIND, pc):
        code = image.read(first, last - first) if last > first else b""
        if isinstance(code, bytes):
            return code, first
    return b"", first


def _fixed(image: ElfImage) -> bool:
    """Whether the image was linked to run at one place only."""
    return image.header.type == ET_EXEC


def _kills(load: _Load) -> bool:
    """Whether the sentence is of an assertion that ends the process."""
    return not load[2].startswith("WARNING")


def _loads(
    machine: MachineCode, code: bytes, base: int, fixed: bool, sentence_at: Callable[[int], str]
) -> Iterator[_Load]:
    """The loads of sentences in ``code``, which begins at address ``base``."""
    for at, after, target in machine.loads(code, base, fixed):
        sentence = sentence_at(target)
        if sentence:
            yield at, after, sentence


def _sharing(
    machine: MachineCode, code: bytes, base: int, loads: list[_Load], jumps: list[_Jump], chosen: _Load, pc: int
) -> list[str]:
    """The sentences of those that jump in between the load of ``chosen`` and the crash; "" for unknown ones."""
    return [
        _sentence_at_jump(machine, code, base, loads, source)
        for source, target in jumps
        if chosen[1] <= target <= pc and not chosen[0] <= source <= pc
    ]


def _jumps(machine: MachineCode, code: bytes, base: int, loads: list[_Load]) -> Iterator[_Jump]:
    """The jumps of ``code``; short ones right behind the load of a sentence, before a crash of its own."""
    yield from machine.jumps(code, base, range(0))
    for one in loads:
        low = one[1] - base
        crash = machine.crash(code, low, low + _SOON)
        high = crash if crash >= 0 else low + _SOON
        yield from ((source, target) for source, target in machine.jumps(code[low:high], one[1], range(high - low)))


def _sentence_at_jump(machine: MachineCode, code: bytes, base: int, loads: list[_Load], source: int) -> str:
    """The sentence that was loaded when the code at ``source`` jumps; "" when none was, or a crash lies between."""
    last = next((one for one in reversed(loads) if one[1] <= source), None)
    if last is None or source - last[1] > _REACH or not _kills(last):
        return ""
    return "" if machine.crash(code, last[1] - base, source - base) >= 0 else last[2]


def _sentence_reader(image: ElfImage) -> Callable[[int], str]:
    """What tells the sentence at an address: a literal, or an entry of ``dbg_cnt`` where there are no literals."""
    rodata = image.section(".rodata") if "dbg_cnt" in image.sections else b""
    if isinstance(rodata, bytes) and _LITERAL not in rodata and "dbg_cnt" in image.sections:
        entries = _sentences_of_checks(image)
        return lambda address: entries.get(address) or _sentence_at(image, address)
    return lambda address: _sentence_at(image, address)


def sentence_of(check: Check) -> str:
    """The line that HAProxy prints for a check, "" for one that only counts."""
    if check.kind not in ("bug", "bug_once"):
        return ""
    return bug_sentence(check.condition, check.file, check.line, check.explanation)


def is_fatal(image: ElfImage, file: str, line: int) -> bool | None:
    """Whether the assertion at this place ends the process, by its literal; None where there is no literal."""
    rodata = image.section(".rodata")
    if not isinstance(rodata, bytes):
        return None
    for match in re.finditer(b'" matched at %s:%d(?=[\n ])' % (re.escape(file.encode()), line), rodata):
        begin = rodata.rfind(b"\0", max(0, match.start() - _LONGEST), match.start()) + 1
        if _SENTENCE.match(rodata, begin):
            return rodata[begin : begin + 6].lstrip(b"\n")[:5] == b"FATAL"
    return None


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
    text, machine = image.sections.get(".text"), machine_code(image.header.machine)
    code = image.section(".text")
    if text is None or machine is None or not isinstance(code, bytes):
        return []
    strings = _sentences_of(image)
    loads = list(_loads(machine, code, text.address, _fixed(image), lambda address: strings.get(address, "")))
    found: list[Assertion] = []
    for start, end, members in _by_fragment(image, loads):
        low, high = max(start - text.address, 0), end - text.address
        found += _assertions(machine, code[low:high], text.address + low, members)
    return sorted(found, key=lambda one: one.load)


def sentences_in(image: ElfImage, code: bytes, base: int) -> Iterator[tuple[int, str]]:
    """The sentences that ``code`` at the address ``base`` loads, each with the address of the load."""
    machine = machine_code(image.header.machine)
    if machine is not None:
        for at, _after, sentence in _loads(machine, code, base, _fixed(image), _sentence_reader(image)):
            yield at, sentence


def _by_fragment(image: ElfImage, loads: list[_Load]) -> Iterator[tuple[int, int, list[_Load]]]:
    """The loads of each fragment, with its borders; those of code without borders together with what is near."""
    fragments = fragments_of(image)
    groups: dict[tuple[int, int], list[_Load]] = {}
    for one in loads:
        found = fragments.find(one[0]) if isinstance(fragments, FragmentTable) else fragments
        if isinstance(found, Fragment) and found.end - found.start <= _MOST_CODE:
            borders = found.start, found.end
        else:
            borders = one[0] // _BEHIND * _BEHIND, one[0] // _BEHIND * _BEHIND + 2 * _BEHIND
        groups.setdefault(borders, []).append(one)
    for (start, end), members in groups.items():
        yield start, end, members


def _assertions(machine: MachineCode, code: bytes, base: int, loads: list[_Load]) -> Iterator[Assertion]:
    """The assertions of one function (or fragment)."""
    jumps = list(_jumps(machine, code, base, loads))
    for one in loads:
        low = one[1] - base
        position = machine.crash(code, low, low + _REACH) if _kills(one) else -1
        if position < 0:
            yield Assertion(one[0], one[2], 0, b"")
            continue
        pc = base + position
        shared = _sharing(machine, code, base, loads, jumps, one, pc)
        alone = not any(other != one[2] for other in shared)
        yield Assertion(one[0], one[2] if alone else "", pc, code[position : position + _CODE])


def _sentences_of(image: ElfImage) -> dict[int, str]:
    """Address and text of each sentence in .rodata; of each check that is counted where there are no literals."""
    section, data = image.sections.get(".rodata"), image.section(".rodata")
    if section is None or not isinstance(data, bytes):
        return {}
    found = {}
    for match in _SENTENCE.finditer(data):
        end = data.find(b"\0", match.start())
        found[section.address + match.start()] = data[match.start() : end].decode("utf-8", "replace").strip("\n")
    if _LITERAL not in data:
        found |= _sentences_of_checks(image)
    return found


def _sentences_of_checks(image: ElfImage) -> dict[int, str]:
    """What each entry of ``dbg_cnt`` prints, by its address; not the first: who walks through all loads that, too."""
    return {check.address: text for check in checks_of(image).all[1:] if (text := sentence_of(check))}


def sentence_from(assertions: list[Assertion], pc: int, start: int) -> str:
    """As ``sentence_before``, from what ``all_assertions`` found."""
    index = bisect_left(assertions, pc, key=lambda one: one.load) - 1
    if index < 0 or assertions[index].load < max(start, pc - _REACH):
        return ""
    one = assertions[index]
    return "" if one.sentence.startswith("WARNING") else one.sentence


def is_fatal_by(assertions: list[Assertion], file: str, line: int) -> bool | None:
    """As ``is_fatal``, from what ``all_assertions`` found."""
    said = [one.sentence for one in assertions if one.sentence and place_of(one.sentence) == (file, line)]
    return said[0].startswith("FATAL") if said else None
