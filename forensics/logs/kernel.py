"""What the kernel says of a fault (dmesg, the journal's kernel transport)."""

from __future__ import annotations

import re

from forensics.logs.clues import Clue
from forensics.logs.limits import Kept
from forensics.logs.line import Origin, Record, origin_field
from forensics.record import record, replace

CLUES = (Clue(b"segfault at "), Clue(b"general protection"), Clue(b"] trap ", b"[a-z]"), Clue(b"Code: ", b"[0-9a-f<]"))

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
#: The code line follows its fault at once; others of the ring buffer may come between.
_CODE_WITHIN = 8


@record
class KernelFault:
    """A fault as the kernel logged it.

    ``kind`` is segfault, trap or general protection; ``trap`` names the trap ("invalid
    opcode": the ud2 of BUG_ON since 2.8). ``pid`` is the thread's id (LWP). ``address`` is
    None where the kernel does not print it. ``base`` and ``size`` are those of the mapping
    that holds ``ip``, ``module_offset`` is the file offset of ``ip`` on kernels that print
    it. ``code`` are the bytes around ``ip``, which is at index ``code_ip`` in them.
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


class KernelRecogniser:
    """Collects the faults that the kernel logged, of any program."""

    def __init__(self) -> None:
        self.found: Kept[KernelFault] = Kept()
        self._last: KernelFault | None = None

    def feed(self, record: Record) -> None:
        """Read one record."""
        text = record.text
        if "segfault at " in text or " sp:" in text:
            if fault := parse_fault(record):
                self.found.append(fault)
                self._last = fault
        elif "Code: " in text and self._last:
            self._add_code(self._last, record)

    def close(self) -> None:
        """Nothing stays open: the code is added to the fault that it follows."""

    def _add_code(self, fault: KernelFault, record: Record) -> None:
        match = _CODE.search(record.text)
        if match and fault.kind == "segfault" and fault.code is None and record.line - fault.line <= _CODE_WITHIN:
            # Damage may have taken the blanks: bytes are two digits each, whatever stands between.
            words = _BYTE.findall(match[1])
            marked = next((index for index, word in enumerate(words) if word.startswith("<")), None)
            code = bytes.fromhex("".join(word.strip("<>") for word in words))
            self._last = replace(fault, code=code, code_ip=marked)
            self.found.amend(fault, self._last)


def parse_fault(record: Record) -> KernelFault | None:
    """The fault that a line of the kernel reports; None for any other line."""
    match = _FAULT.search(record.text)
    if match is None:
        return None
    mapping = _MAPPING.match(record.text, match.end())
    part = mapping.groupdict() if mapping else {}
    return KernelFault(
        pid=int(match["pid"]),
        comm=match["comm"],
        kind="segfault" if match["address"] else "trap" if match["trap"] else "general protection",
        trap=match["trap"],
        address=_number(match["address"]),
        ip=int(match["ip"] or match["trap_ip"], 16),
        sp=int(match["sp"] or match["trap_sp"], 16),
        error=int(match["error"] or match["trap_error"], 16),
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
