"""Where a fact was read, precisely enough that a reader can go and check."""

from __future__ import annotations

from forensics.record import record


@record
class Source:
    """The place of one fact.

    ``input`` is the path as the user gave it; ``what`` says what was read there
    ("register rip", "NT_SIGINFO", "bug line", "struct stktable in DWARF").
    The other members are set when they apply: ``address`` (virtual), ``thread``
    (LWP), ``frame`` (index in that thread's backtrace), ``line`` (1-based line of
    a text input).
    """

    input: str
    what: str
    address: int | None = None
    thread: int | None = None
    frame: int | None = None
    line: int | None = None

    def describe(self) -> str:
        """One phrase for a report, such as ``core: thread 4242 frame 0 (unwound)``."""
        where = []
        if self.line is not None:
            where.append(f"line {self.line}")
        if self.thread is not None:
            where.append(f"thread {self.thread}")
        if self.frame is not None:
            where.append(f"frame {self.frame}")
        if self.address is not None:
            where.append(f"at {self.address:#x}")
        place = f"{self.input}: {' '.join(where)}" if where else self.input
        return f"{place} ({self.what})" if self.what else place
