"""Instructions of x86-64 that matter to assertions, found in bytes of code (Intel SDM, volume 2)."""

from __future__ import annotations

import re
from collections.abc import Iterator

#: `lea reg, [rip + disp32]` with a 64-bit register.
_LEA = re.compile(rb"[\x48\x4c]\x8d[\x05\x0d\x15\x1d\x25\x2d\x35\x3d]", re.DOTALL)
#: `mov reg32, imm32`: how code that is linked to a fixed address loads the address of a literal.
_MOV = re.compile(rb"(?=[\xb8-\xbf])", re.DOTALL)
#: `lock inc dword [rip + disp32]`, or `lock add dword [rip + disp32], imm8`.
_COUNT = re.compile(rb"\xf0(\xff\x05|\x83\x05)", re.DOTALL)
#: `jmp rel32` and `jcc rel32`.
_NEAR = re.compile(rb"\xe9|\x0f[\x80-\x8f]", re.DOTALL)

#: How HAProxy kills itself: `ud2` since 2.8, before that `movb $0, 0x1` or `movl $0, 0x1`.
_SUICIDE = re.compile(rb"\x0f\x0b|[\xc6\xc7]\x04\x25\x01\x00\x00\x00", re.DOTALL)


def loads(code: bytes, base: int, fixed: bool) -> Iterator[tuple[int, int, int]]:
    """Where ``code`` loads an address: (address of the load, address after it, what is loaded).

    ``code`` begins at the address ``base``; ``fixed`` for code that was linked to run at one place only.
    """
    for match in _LEA.finditer(code):
        after = match.end() + 4
        if after <= len(code):
            yield base + match.start(), base + after, base + after + _signed(code, match.end())
    for match in _MOV.finditer(code) if fixed else ():
        after = match.start() + 5
        if after <= len(code):
            yield base + match.start(), base + after, _signed(code, match.start() + 1) & 0xFFFFFFFF


def counts(code: bytes, base: int) -> Iterator[tuple[int, int]]:
    """Where ``code`` adds to a 32-bit number that other threads use: (address, address of the number)."""
    for match in _COUNT.finditer(code):
        after = match.end() + (5 if match[1] == b"\x83\x05" else 4)
        if after <= len(code):
            yield base + match.start(), base + after + _signed(code, match.end())


def jumps(code: bytes, base: int, short: range) -> Iterator[tuple[int, int]]:
    """What may be jumps: (address, target). Near ones anywhere, short `jmp` at the positions ``short`` only.

    The length of instructions is not known here, so any byte may seem to begin one. By chance a near jump
    hardly leads to the place that is asked for, a short one well may.
    """
    for match in _NEAR.finditer(code):
        after = match.end() + 4
        if after <= len(code):
            yield base + match.start(), base + after + _signed(code, match.end())
    for place in range(short.start, min(short.stop, len(code) - 1)):
        if code[place] == 0xEB:
            after = base + place + 2
            yield base + place, after + int.from_bytes(code[place + 1 : place + 2], "little", signed=True)


def crash(code: bytes, low: int, high: int) -> int:
    """The position of the first crash within ``low`` and ``high``, -1 for none."""
    found = _SUICIDE.search(code, max(low, 0), high)
    return found.start() if found else -1


def is_trap(code: bytes) -> bool:
    """Whether ``code`` begins with `ud2`."""
    return code.startswith(b"\x0f\x0b")


def is_store(code: bytes) -> bool:
    """Whether ``code`` begins with a store of 0 to the address 1."""
    return code[:1] in (b"\xc6", b"\xc7") and code[1:7] == b"\x04\x25\x01\x00\x00\x00"


def _signed(code: bytes, position: int) -> int:
    return int.from_bytes(code[position : position + 4], "little", signed=True)
