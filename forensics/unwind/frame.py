"""One frame of a backtrace."""

from __future__ import annotations

from collections.abc import Mapping

from forensics.record import field, record

#: How a frame was found, most trusted first.
TRUST = ("context", "cfi", "frame_pointer", "scan")

#: What a frame's module and names were worth: a closed list.
STATUS = ("symbolicated", "no_symbol", "no_executable", "mismatched", "no_module", "signal_handler")


@record
class Frame:
    """One frame, physical or inlined.

    ``pc`` is the program counter as unwound (a return address in all frames but
    the first and those interrupted by a signal); ``offset`` is ``pc`` minus the
    start of ``function`` (bytes), or minus the module's load bias when no function
    is known. ``symbol`` is the linkage name with its clone suffix. ``function``
    and ``symbol`` are "" where nothing names the code. ``tail_call`` marks a
    function that ended by jumping to the next one: call sites prove that it was there,
    the stack does not hold it. ``hint`` says in words where code without a name comes from: it is
    inferred from the assertions that this very piece of code refers to, and is never a name.
    ``lookup`` is the address that names and variables are looked up with, ``registers`` are the
    values in this frame by DWARF number; neither is compared.
    """

    index: int
    pc: int
    function: str
    symbol: str
    offset: int
    file: str
    line: int
    module: str
    inlined: bool
    trust: str
    status: str
    tail_call: bool = False
    hint: str = ""
    lookup: int = field(default=0, compare=False, repr=False)
    registers: Mapping[int, int] = field(default_factory=dict, compare=False, repr=False)


@record
class ThreadStack:
    """All frames of one thread, innermost first, and why the walk ended; ``number`` is HAProxy's own, from 1."""

    lwp: int
    number: int
    crashed: bool
    frames: tuple[Frame, ...]
    stop: str
