"""Results as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.timing import Result

MIB = 1 << 20


def row(cells: Iterable[str]) -> str:
    """One row of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def table(head: tuple[str, ...], rows: Iterable[Iterable[str]]) -> list[str]:
    """A Markdown table; all columns but the first hold numbers."""
    return [row(head), row(["---", *["---:"] * (len(head) - 1)]), *(row(cells) for cells in rows)]


def against(results: list[Result], others: tuple[str, ...]) -> list[str]:
    """Seconds, ratio to each of ``others`` (names of contestants; those that did not run are left out), peak memory."""
    seconds = {result.name: result.seconds for result in results}
    known = [name for name in others if name in seconds]
    head = ("whole process", "seconds", *(f"of the time of {name}" for name in known), "peak memory", "read")
    rows = []
    for each in results:
        ratios = (f"{each.seconds / seconds[name]:.2f}" for name in known)
        rows.append((each.name, f"{each.seconds:.3f}", *ratios, *memory(each)))
    return table(head, rows)


def memory(result: Result) -> tuple[str, str]:
    """Peak and bytes read, as table cells."""
    return f"{result.peak / MIB:.0f} MiB", f"{result.read / MIB:.1f} MiB"
