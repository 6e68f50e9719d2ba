"""Names of the stubs in a procedure linkage table: `puts@plt`, as gdb calls them.

No symbol table has them. A stub jumps through a slot of the global offset table, and the relocation of
that slot names the function (System V ABI for x86-64, 5.2; ELF for the Arm 64-bit Architecture, 5.7).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import pairwise

from forensics.elf.constants import EM_AARCH64, EM_X86_64
from forensics.elf.image import ElfImage

_RELA = struct.Struct("<QQq")

#: Relocations of one image: some thousand.
_MOST = 1 << 17

#: Sections that hold stubs, with the bytes of one on x86-64.
_X86_SECTIONS = {".plt.sec": 16, ".plt": 16, ".plt.got": 8}
#: R_X86_64_IRELATIVE and R_AARCH64_IRELATIVE: a function at ``addend`` chooses; gdb calls it `*ABS*+addend`.
_IRELATIVE = {EM_X86_64: 37, EM_AARCH64: 1032}

_JUMP = b"\xff\x25"

#: `adrp x16, page` and `ldr x17, [x16, #offset]`: mask and value of each.
_ADRP, _LDR = (0x9F00001F, 0x90000010), (0xFFC003FF, 0xF9400211)


def stubs_of(image: ElfImage) -> Iterator[tuple[int, int, str]]:
    """(start, size in bytes, name) of each stub whose function is known."""
    machine = image.header.machine
    if machine not in (EM_X86_64, EM_AARCH64):
        return
    slots = _slots(image)
    if not slots:
        return
    for start, size, slot in _x86_stubs(image) if machine == EM_X86_64 else _arm_stubs(image):
        if slot in slots:
            yield start, size, f"{slots[slot]}@plt"


def _slots(image: ElfImage) -> dict[int, str]:
    """Slots of the global offset table, with the function that the dynamic linker puts there."""
    if ".dynsym" not in image.sections or not {".plt", ".plt.sec", ".plt.got"} & image.sections.keys():
        return {}  # gdb names no stubs of static executables either
    names = [symbol.name.decode("utf-8", "replace") for symbol in image.symbols(".dynsym")]
    found = {}
    for section in (".rela.dyn", ".rela.plt"):
        rows = image.section(section)
        data = rows[: min(len(rows) - len(rows) % _RELA.size, _MOST * _RELA.size)] if isinstance(rows, bytes) else b""
        for slot, info, addend in _RELA.iter_unpack(data):
            symbol = info >> 32
            if 0 < symbol < len(names) and names[symbol]:
                found[slot] = names[symbol]
            elif info == _IRELATIVE.get(image.header.machine):
                found[slot] = f"*ABS*+{addend:#x}"
    return found


def _x86_stubs(image: ElfImage) -> Iterator[tuple[int, int, int]]:
    """Stubs of x86-64 and the slots that they jump through."""
    for name, size in _X86_SECTIONS.items():
        section, code = image.sections.get(name), image.section(name)
        if section is None or not isinstance(code, bytes):
            continue
        for start in range(0, len(code) - size + 1, size):
            jump = code.find(_JUMP, start, start + size)
            if jump >= 0 and jump + 6 <= start + size:
                displacement = struct.unpack_from("<i", code, jump + 2)[0]
                yield section.address + start, size, section.address + jump + 6 + displacement


def _arm_stubs(image: ElfImage) -> Iterator[tuple[int, int, int]]:
    """Stubs of aarch64: the page of the slot, then its offset; `bti c` may stand before them."""
    section, code = image.sections.get(".plt"), image.section(".plt")
    if section is None or not isinstance(code, bytes):
        return
    words = [word for (word,) in struct.iter_unpack("<I", code[: len(code) - len(code) % 4])]
    for place, (page, load) in enumerate(pairwise(words)):
        if page & _ADRP[0] != _ADRP[1] or load & _LDR[0] != _LDR[1]:
            continue
        pc = section.address + 4 * place
        high = (page >> 5 & 0x7FFFF) << 2 | page >> 29 & 3
        high -= (high & 1 << 20) << 1
        slot = (pc & ~0xFFF) + (high << 12) + (load >> 10 & 0xFFF) * 8
        guarded = place > 0 and words[place - 1] == 0xD503245F  # bti c
        yield pc - 4 * guarded, 16 + 4 * guarded, slot
