"""Call frame information at one address: how to find the caller's registers."""

from __future__ import annotations

from forensics.record import record

#: How to recover one register (DWARF 5, 6.4.1):
#: ("same",) ("undefined",) ("offset", n) saved at CFA+n, ("value", n) is CFA+n,
#: ("register", r) in another one, ("expression", hex) saved where it says, ("value_expression", hex).
Rule = tuple[str, int | str]

SAME: Rule = ("same", 0)
UNDEFINED: Rule = ("undefined", 0)


@record
class UnwindRow:
    """One row of the call frame table.

    ``cfa`` is ("register", number, offset) or ("expression", hex, 0); ``rules``
    maps DWARF register numbers; ``return_register`` holds the caller's pc;
    ``signal`` marks the frame of a signal handler, whose caller was interrupted
    and not calling.
    """

    cfa: tuple[str, int | str, int]
    rules: dict[int, Rule]
    return_register: int
    signal: bool

    def to_plain(self) -> list[object]:
        """For the store: plain lists, as JSON holds them."""
        rules = [[register, kind, value] for register, (kind, value) in sorted(self.rules.items())]
        return [list(self.cfa), rules, self.return_register, int(self.signal)]

    @classmethod
    def from_plain(cls, plain: list[object]) -> UnwindRow:
        """The inverse of ``to_plain``."""
        cfa, rules, register, signal = plain
        return cls(
            tuple(cfa),  # type: ignore[arg-type]  # JSON loses the shape that to_plain wrote
            {number: (kind, value) for number, kind, value in rules},  # type: ignore[attr-defined]  # as above
            int(register),  # type: ignore[call-overload]  # as above
            bool(signal),
        )
