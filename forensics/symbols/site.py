"""What is known of one address of code."""

from __future__ import annotations

from forensics.record import record


@record
class Call:
    """One function active at an address: the innermost inlined call first, the physical function last.

    ``line`` is 1-based, 0 when unknown; ``file`` is as the compiler recorded it.
    """

    function: str
    file: str
    line: int


@record
class CodeSite:
    """Names for one address.

    ``symbol`` is the entry of the symbol table ("" for code that has none) and
    ``start`` its address in the image; ``calls`` come from DWARF and are empty
    where there is none.
    """

    symbol: str
    start: int
    calls: tuple[Call, ...]

    def to_plain(self) -> list[object]:
        """For the store: plain lists, as JSON holds them."""
        return [self.symbol, self.start, [[call.function, call.file, call.line] for call in self.calls]]

    @classmethod
    def from_plain(cls, plain: list[object]) -> CodeSite:
        """The inverse of ``to_plain``."""
        symbol, start, calls = plain
        return cls(str(symbol), int(start), tuple(Call(*call) for call in calls))  # type: ignore[call-overload,attr-defined]  # JSON loses the shape that to_plain wrote


#: An address without any name.
UNKNOWN_SITE = CodeSite("", 0, ())
