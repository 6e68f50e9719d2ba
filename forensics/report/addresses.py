"""The address that was touched and the registers that lead somewhere, as the report's ``state`` has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from forensics.report.lines import Line, wrapped
from forensics.report.safe_text import one_line

#: Registers that the text shows; the document has all of them.
_MOST = 8
#: Statements about one address.
_MOST_DETAILS = 4


def address_lines(name: str, value: object, width: int) -> Iterator[Line]:
    """The lines of ``state.address`` or ``state.registers``; a document may hold anything there."""
    if name == "address":
        yield from _touched(value, width)
    elif name == "pools":
        for one in value[:_MOST] if isinstance(value, list | tuple) else ():
            where, at, what = (_member(one, each) for each in ("where", "address", "what"))
            shown = f"{at:#x}" if isinstance(at, int) else str(at)
            yield from wrapped(one_line(f"{where} is broken at {shown}: {what}"), width, "warning", "  ", "    ")
    elif isinstance(value, list | tuple):
        yield Line("plain", "  registers of the thread that died lead to:")
        for one in value[:_MOST]:
            if isinstance(one, Mapping):
                told = f"{one.get('register', '')} {one.get('value', '')}: {one.get('what', '')}"
                yield from wrapped(one_line(told), width, "plain", "    ", "      ")
        if len(value) > _MOST:
            yield Line("dim", f"    and {len(value) - _MOST} more")


def _touched(value: object, width: int) -> Iterator[Line]:
    address, what = _member(value, "address"), _member(value, "what")
    shown = f"{address:#x}" if isinstance(address, int) else str(address or "")
    yield from wrapped(one_line(f"address {shown}: {what or ''}"), width, "plain", "  ", "    ")
    yield from wrapped(_sure(value), width, "dim", "      ")
    details = _member(value, "details")
    for each in details[:_MOST_DETAILS] if isinstance(details, list | tuple) else ():
        yield from wrapped(one_line(str(_member(each, "what"))), width, "plain", "    + ", "      ")
        yield from wrapped(_sure(each), width, "dim", "      ")


def _sure(value: object) -> str:
    return one_line(f"{_member(value, 'trust')}: {_member(value, 'proof')}")


def _member(value: object, name: str) -> object:
    """A member of a record, or of what a document holds in its place."""
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
