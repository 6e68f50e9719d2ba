"""What the kernel says of a fault (dmesg, the journal's kernel transport)."""

from __future__ import annotations

import re

from forensics.logs.clues import Clue
from forensics.logs.limits import Kept
from forensics.logs.line import Origin, Record, origin_field
from forensics.record import record, replace

CLUES = (
    Clue(b"segfault at "), Clue(b"general protection"), Clue(b"] trap ", b"[a-z]"), Clue(b"Code: ", b"[0-9a-f<(]"),
    Clue(b"]: unhandled ", b"[a-z]"),
)  # fmt: skip

_FAULT = re.compile(
    r"(?:^|\s)(?P<comm>\S{1,64})\[(?P<pid>\d{1,10})\][: ]{1,2}"
    r"(?:segfault at (?P<address>[0-9a-f]{1,16}) ip (?P<ip>[0-9a-f]{1,16}) sp (?P<sp>[0-9a-f]{1,16})"
    r" error (?P<error>[0-9a-f]{1,8})"
    r"|(?:trap (?P<trap>[a-z][a-z0-9 ]{0,39}?)|general protection(?: fault)?)"
    r" ip:(?P<trap_ip>[0-9a-f]{1,16}) sp:(?P<trap_sp>[0-9a-f]{1,16}) error:(?P<trap_error>[0-9a-f]{1,8}))"
)
#: Recent kernels add the file offset of ip before the mapping; old ones have no mapping at all.
_MAPPING = re.compile(
    r" in (?P<module>[^\[\]]{1,512})"
    r"\[(?:(?P<offset>[0-9a-f]{1,16}),)?(?P<base>[0-9a-f]{1,16})\+(?P<size>[0-9a-f]{1,16})\]"
)
_CODE = re.compile(r"(?:^|\s)Code: ((?:<?[0-9a-f]{2}>? ?){1,128})\s*$")
_BYTE = re.compile(r"<?[0-9a-f]{2}>?")
#: arm64 prints instructions, the one that faulted in parentheses.
_WORDS = re.compile(r"(?:^|\s)Code: ((?:\(?[0-9a-f]{8}\)? ?){1,32})\s*$")
#: arch/arm64/mm/fault.c and kernel/traps.c: the number and address up to 4.16, the class of the exception after.
_ARM = re.compile(
    r"(?:^|\s)(?P<comm>\S{1,64})\[(?P<pid>\d{1,10})\]: unhandled (?:exception: )?"
    r"(?:[A-Z][\w ()/]{0,63}, ESR 0x(?P<esr>[0-9a-f]{1,16}), )?(?P<what>[A-Za-z][^,\[]{0,63}?)"
    r"(?: \(\d{1,3}\) at 0x(?P<address>[0-9a-f]{1,16}), esr 0x(?P<old_esr>[0-9a-f]{1,16}))?(?=,? in \S|\s*$)"
)
_WORD = re.compile(r"\(?[0-9a-f]{8}\)?")
_REGISTER = re.compile(r"\b(pc|sp) : \[?<?([0-9a-f]{8,16})\b")
#: The signal that follows a trap (arch/x86/kernel/traps.c); all that is not here is a SIGSEGV.
_SIGNALS = {
    "invalid opcode": "SIGILL", "undefined instruction": "SIGILL", "divide error": "SIGFPE", "int3": "SIGTRAP",
    "debug": "SIGTRAP", "stack segment": "SIGBUS", "alignment check": "SIGBUS", "fp exception": "SIGFPE",
    "x87": "SIGFPE", "SIMD": "SIGFPE", "alignment fault": "SIGBUS",
    "alignment exception": "SIGBUS", "synchronous external abort": "SIGBUS",
}  # fmt: skip
#: The class of an arm64 syndrome is in its bits 26 to 31; the error codes of x86 are small.
_SYNDROME = 1 << 26
_WRITE = "a write to address 1"
#: How HAProxy up to 2.7 ends itself: writes of 0 to address 1 (include/haproxy/bug.h), as the kernel shows the code.
_OWN_END = (b"\xc6\x04\x25\x01\x00\x00\x00\x00", b"\xc7\x04\x25\x01\x00\x00\x00\x00")
#: Lines of the kernel: the code line follows its fault at once; others of the ring buffer may come between.
_CODE_WITHIN = 8
#: The registers of an arm64 stand before it.
_ARM_WITHIN = 24
#: Lines of the kernel between two faults that are printed at one time.
_TOGETHER = 2
#: Lines of a log in which others write too.
_FAR = 2000


@record
class KernelFault:
    """A fault as the kernel logged it.

    ``kind`` is segfault, trap or general protection; ``trap`` names the trap ("invalid
    opcode": the ud2 of BUG_ON since 2.8). ``pid`` is the thread's id (LWP). ``address`` is
    None where the kernel does not print it. ``base`` and ``size`` are those of the mapping
    that holds ``ip``, ``module_offset`` is the file offset of ``ip`` on kernels that print
    it. ``code`` are the bytes around ``ip``, which is at index ``code_ip`` in them. On arm64 ``ip`` and ``sp``
    are 0 where the registers are not printed, and ``error`` is the syndrome (ESR).
    """

    pid: int
    comm: str
    kind: str
    trap: str | None
    address: int | None
    ip: int
    sp: int
    error: int
    module: str | None
    module_offset: int | None
    base: int | None
    size: int | None
    code: bytes | None
    code_ip: int | None
    line: int
    origin: Origin = origin_field()

    @property
    def signal(self) -> str:
        """The signal that the kernel sends for it."""
        trap = self.trap or ""
        return next((signal for word, signal in _SIGNALS.items() if word in trap), "SIGSEGV")

    @property
    def deliberate(self) -> str:
        """The instruction by which HAProxy ended itself, "" where the line does not show one.

        `ud2` and `udf` are such an instruction anywhere in its own code; a write to address 1 is one by its code,
        or where that is not shown, by being a write (bit 1 of the error on x86, bit 6 of the syndrome on arm64).
        """
        if self.signal == "SIGILL":
            return "an instruction that is made to fail"
        if self.address != 1:
            return ""
        if self.error < _SYNDROME and self.code is not None and self.code_ip is not None:
            return _WRITE if self.code[self.code_ip :].startswith(_OWN_END) else ""
        return _WRITE if self.error & (0x40 if self.error >= _SYNDROME else 2) else ""


class KernelRecogniser:
    """Collects the faults that the kernel logged, of any program."""

    def __init__(self) -> None:
        self.found: Kept[KernelFault] = Kept()
        self._last: KernelFault | None = None
        self._since = 0
        self._doubt = False

    def feed(self, record: Record) -> None:
        """Read one record."""
        text = record.text
        self._since += 1
        if "segfault at " in text or " sp:" in text:
            self._begin(parse_fault(record))
        elif "]: unhandled " in text:
            self._begin(_parse_arm(record))
        elif "Code: " in text and self._last:
            self._add_code(self._last, record)
        elif " : " in text and self._last:
            self._add_registers(self._last, record)

    def close(self) -> None:
        """Nothing stays open: the code is added to the fault that it follows."""

    def _begin(self, fault: KernelFault | None) -> None:
        if fault is not None:
            last = self._last
            self._doubt = last is not None and self._since <= _TOGETHER and _both_await_code(last, fault)
            self.found.append(fault)
            self._last, self._since = fault, 0

    def _within(self, fault: KernelFault, record: Record, lines: int) -> bool:
        """Whether a line can still be about the fault: lines of other writers do not count."""
        return self._since <= lines and record.line - fault.line <= _FAR

    def _add_code(self, fault: KernelFault, record: Record) -> None:
        if fault.code is not None or self._doubt:
            return
        code, marked, arm = _read_code(record.text)
        # No code follows the `traps:` lines of x86.
        if (
            code
            and (arm or fault.kind == "segfault")
            and self._within(fault, record, _ARM_WITHIN if arm else _CODE_WITHIN)
        ):
            self._amend(fault, replace(fault, code=code, code_ip=marked))

    def _amend(self, fault: KernelFault, complete: KernelFault) -> None:
        self._last = complete
        self.found.amend(fault, complete)

    def _add_registers(self, fault: KernelFault, record: Record) -> None:
        """arm64 prints them below the fault."""
        if (fault.ip and fault.sp) or not self._within(fault, record, _ARM_WITHIN):
            return
        found = {name: int(value, 16) for name, value in _REGISTER.findall(record.text)}
        if found:
            self._amend(fault, replace(fault, ip=fault.ip or found.get("pc", 0), sp=fault.sp or found.get("sp", 0)))


def _both_await_code(one: KernelFault, other: KernelFault) -> bool:
    """Whether two processors print at one time: a code line names no process. Equal places have equal code."""
    places = [fault.ip - (fault.base or 0) for fault in (one, other)]
    return one.kind == other.kind == "segfault" and one.code is None and places[0] != places[1]


def _read_code(text: str) -> tuple[bytes, int | None, bool]:
    """The bytes of a code line, where the marked instruction begins, and whether it is arm64's."""
    if match := _CODE.search(text):
        # Damage may have taken the blanks: bytes are two digits each, whatever stands between.
        words = _BYTE.findall(match[1])
        code = bytes.fromhex("".join(word.strip("<>") for word in words))
        return code, next((at for at, word in enumerate(words) if word.startswith("<")), None), False
    if match := _WORDS.search(text):
        words = _WORD.findall(match[1])
        code = b"".join(bytes.fromhex(word.strip("()"))[::-1] for word in words)
        return code, next((4 * at for at, word in enumerate(words) if word.startswith("(")), None), True
    return b"", None, False


def _parse_arm(record: Record) -> KernelFault | None:
    """The fault that an arm64 kernel reports (`print-fatal-signals`, `exception-trace`)."""
    match = _ARM.search(record.text)
    if match is None:
        return None
    segfault = "translation fault" in match["what"] or "permission fault" in match["what"]
    return _fault(
        record,
        match,
        _MAPPING.search(record.text, match.end()),
        kind="segfault" if segfault else "trap",
        trap=None if segfault else match["what"],
        ip=None,
        sp=None,
        error=match["esr"] or match["old_esr"] or "0",
    )


def parse_fault(record: Record) -> KernelFault | None:
    """The fault that a line of the kernel reports; None for any other line."""
    match = _FAULT.search(record.text)
    if match is None:
        return None
    return _fault(
        record,
        match,
        _MAPPING.match(record.text, match.end()),
        kind="segfault" if match["address"] else "trap" if match["trap"] else "general protection",
        trap=match["trap"],
        ip=match["ip"] or match["trap_ip"],
        sp=match["sp"] or match["trap_sp"],
        error=match["error"] or match["trap_error"],
    )


def _fault(
    record: Record, said: re.Match[str], mapping: re.Match[str] | None, *,
    kind: str, trap: str | None, ip: str | None, sp: str | None, error: str,
) -> KernelFault:  # fmt: skip
    """The fault of one line; ``said`` has the process and the address, numbers are hexadecimal text."""
    part = mapping.groupdict() if mapping else {}
    return KernelFault(
        pid=int(said["pid"]),
        comm=said["comm"],
        kind=kind,
        trap=trap,
        address=_number(said["address"]),
        ip=_number(ip) or 0,
        sp=_number(sp) or 0,
        error=int(error, 16),
        module=part.get("module"),
        module_offset=_number(part.get("offset")),
        base=_number(part.get("base")),
        size=_number(part.get("size")),
        code=None,
        code_ip=None,
        line=record.line,
        origin=record.origin,
    )


def _number(text: str | None) -> int | None:
    return None if text is None else int(text, 16)
