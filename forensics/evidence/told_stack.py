"""The stack that a text tells, as the fact ``stack`` writes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from forensics.absence import Absence
from forensics.evidence.fact import Fact
from forensics.logs import PastedBacktrace, TraceFrame, culprit_frames
from forensics.names import UNNAMED
from forensics.record import replace
from forensics.source import Source

_BACKTRACE = "the core; gdb's backtrace of it; or the call trace of the worker's log"


def traced(frames: Sequence[TraceFrame], source: Source) -> Iterator[Fact | Absence]:
    """The stack of a call trace; what an executable named of it is derived, and shown with its lines."""
    found = stack_fact(tuple(name for frame in culprit_frames(frames) for name in _entries(frame)), source)
    places = tuple(place for frame in frames for place in frame.places or (frame.function,))
    if isinstance(found, Absence) or not any(frame.places for frame in frames):
        yield found
        return
    source = replace(source, what=f"{source.what}, named by the executable")
    yield replace(found, source=source, trust="derived")
    yield Fact("stack.places", places, source, "derived")


def _entries(frame: TraceFrame) -> Iterator[str]:
    """The frame as the fact ``stack`` writes it: inlined functions in brackets, then the physical one."""
    yield from (place.partition(" at ")[0] for place in frame.places if place.startswith("["))
    yield frame.function


def stack_fact(names: tuple[str, ...], source: Source) -> Fact | Absence:
    """The functions, innermost first from the culprit on; an Absence where none has a name."""
    if any(name != UNNAMED for name in names):
        return Fact("stack", names, source)
    where = f"line {source.line} of {source.input}" if source.line else source.input
    addresses = f", only {len(names)} addresses" if names else ""
    reason = f"{where}: no call trace with a name stands there{addresses}"
    remedy = "the executable that ran, with `--exe`; or the core" if names else _BACKTRACE
    return Absence("stack", reason, remedy)


def entries_of(paste: PastedBacktrace) -> tuple[str, ...]:
    """The functions of a list of addresses that an executable named, inlined ones in brackets."""
    return tuple(
        f"[{frame.function}]" if frame.inlined_guess and frame.function != UNNAMED else frame.function
        for frame in paste.threads[0].frames
    )
