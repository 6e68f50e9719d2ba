"""The numbers of DWARF expressions: of the generic type, or of a base type with size and sign (DWARF 5, 2.5.1)."""

from __future__ import annotations

from collections.abc import Callable

from forensics.record import record


@record
class Number:
    """``raw`` is the value as an unsigned number of ``size`` bytes; ``signed`` is None for the generic type."""

    raw: int
    size: int = 8
    signed: bool | None = None

    def replaced(self, value: int) -> Number:
        """The value in this type, wrapped round."""
        return Number(value & (1 << 8 * self.size) - 1, self.size, self.signed)

    @property
    def plain(self) -> int:
        """The value with its sign, where its type has one."""
        return _signed(self.raw, self.size) if self.signed else self.raw

    @property
    def with_sign(self) -> int:
        """The value as the operations that are signed for the generic type take it."""
        return self.raw if self.signed is False else _signed(self.raw, self.size)


def generic(value: int) -> Number:
    """A number of the generic type: as wide as an address."""
    return Number(value & 0xFFFFFFFFFFFFFFFF)


def converted(number: Number, size: int, signed: bool | None) -> Number:
    """The number in another type: cut, or extended as its own type says."""
    return Number(number.plain & (1 << 8 * size) - 1, size, signed)


def _signed(value: int, size: int) -> int:
    bits = 8 * size
    return value - (1 << bits) if value >> bits - 1 else value


def _divide(left: Number, right: Number) -> Number:
    """Towards zero, as C does."""
    a, b = left.with_sign, right.with_sign
    quotient = abs(a) // abs(b)
    return left.replaced(quotient if (a < 0) == (b < 0) else -quotient)


def _shift(number: Number) -> int:
    return min(number.raw, 8 * number.size)


def _compare(test: Callable[[int, int], bool]) -> Callable[[Number, Number], Number]:
    return lambda left, right: generic(int(test(left.with_sign, right.with_sign)))


BINARY: dict[int, Callable[[Number, Number], Number]] = {
    0x1A: lambda left, right: left.replaced(left.raw & right.raw),
    0x1B: _divide,
    0x1C: lambda left, right: left.replaced(left.raw - right.raw),
    0x1D: lambda left, right: left.replaced(left.raw % right.raw),
    0x1E: lambda left, right: left.replaced(left.raw * right.raw),
    0x21: lambda left, right: left.replaced(left.raw | right.raw),
    0x22: lambda left, right: left.replaced(left.raw + right.raw),
    0x24: lambda left, right: left.replaced(left.raw << _shift(right)),
    0x25: lambda left, right: left.replaced(left.raw >> _shift(right)),
    0x26: lambda left, right: left.replaced(_signed(left.raw, left.size) >> _shift(right)),
    0x27: lambda left, right: left.replaced(left.raw ^ right.raw),
    0x29: _compare(lambda a, b: a == b),
    0x2A: _compare(lambda a, b: a >= b),
    0x2B: _compare(lambda a, b: a > b),
    0x2C: _compare(lambda a, b: a <= b),
    0x2D: _compare(lambda a, b: a < b),
    0x2E: _compare(lambda a, b: a != b),
}

UNARY: dict[int, Callable[[Number], Number]] = {
    0x19: lambda one: one.replaced(abs(one.with_sign)),
    0x1F: lambda one: one.replaced(-one.raw),
    0x20: lambda one: one.replaced(~one.raw),
}
