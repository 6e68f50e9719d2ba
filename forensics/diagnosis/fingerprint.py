"""The string that groups equal crashes.

``stable`` rests on what every witness says alike. HAProxy's own trace, gdb, eu-stack, systemd-coredump and a core name
different frames of one stack: static functions, inlined ones, clones, tail calls, signal frames and libc depend on
symbols, and the thread dump of a panic ends above the scheduler. All of them name the functions that HAProxy exports
(``forensics/history/exported.py``): of the callers only the first such one counts. Besides it counts

- for a panic, whether a command asked for it, and the outermost function above the scheduler, or the applet that was
  running: where the signal found the thread is chance;
- for any other death, the function that stopped, by any name that it has. Where a check failed in a static function or
  in a fragment without a name, the catalogue of assertions has it by file and line. Where nobody names it, the failed
  check, or the place in the executable. For code of a library, that library.

Kind and condition take no part otherwise: a journal has systemd-coredump's message without the signal, eu-stack prints
none, and no backtrace tells the condition; without a caller the failed check goes in.

Two witnesses differ where one of them cannot name these: two strings for one crash. One string for two crashes there
is where only a static function tells two panics apart, or two ways to die in one function that has one caller.
``exact`` adds kind, version, build-id, condition and places: equal only within one build.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from forensics.absence import Absence
from forensics.diagnosis.crashed_stack import (
    applet_handler,
    callers,
    crashed_frames,
    module_offset,
    physical_entries,
    source_tail,
)
from forensics.diagnosis.finding import Fingerprint
from forensics.evidence.fact import Crash
from forensics.history.exported import is_exported
from forensics.names import UNNAMED, plain_name
from forensics.record import record, replace
from forensics.unwind.frame import Frame, ThreadStack

#: Frames that count in one build, and where nothing has a name.
_OFFSETS = 5

#: HAProxy ended itself, by an instruction that every witness sees alike: which report came before is known to few.
_STOPPED = ("bug_on", "abort_now", "pool_corruption", "spinning")

#: The function that ends the process, for what only one of them does: `A bogus STREAM ... is spinning` (src/stream.c).
_ENDING = {"spinning": "stream_dump_and_crash"}

#: Kinds of death that say more than function and caller do.
_APART = ("watchdog", "panic", "signal_from_outside")

_DIGITS = 12


_EXPORTED = "functions that HAProxy exports"
_CHECK = "the failed check"
_ONE_BUILD = "groups crashes of one build only"
_TOO_LITTLE = "too little to group crashes"


@record
class _Key:
    """What goes in: ``names`` in order, ``more`` where they are not enough, and what both rest on.

    With ``loose`` many crashes have the same names: it is no group.
    """

    kind: str
    names: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    basis: str = ""
    loose: bool = False

    @property
    def parts(self) -> tuple[str, ...]:
        return (self.kind, *self.names, *self.more)


def fingerprint(crash: Crash, stacks: tuple[ThreadStack, ...] = (), build_id: str = "") -> Fingerprint:
    """The fingerprint of a crash. One that groups nothing begins with `unknown`; that word alone stands for nothing."""
    key, walked = _key(crash), crashed_frames(stacks)[:_OFFSETS]
    named = any(name != UNNAMED for name in key.names) or bool(key.more)
    if not named and walked:
        return _of_offsets(crash, key.kind, walked, build_id)
    if not named:
        return _of_kind(crash, build_id)
    exact = _hash((*key.parts, *_build(crash, walked, build_id)))
    stable = f"{'unknown-' if key.loose else ''}{_hash(key.parts)}"
    return Fingerprint(exact, stable, key.names, key.basis)


def _key(crash: Crash) -> _Key:
    kind, entries = _kind(crash), physical_entries(crash)
    if kind in ("watchdog", "panic"):
        return _panicked(crash, kind, entries)
    where = kind if kind in _APART else "fault"
    library, above = _said(crash, "crash.library"), callers(entries)[:1]
    if library:
        return _Key(where, above, (library,), f"{library} and {_EXPORTED}") if above else _Key(kind)
    return _faulted(crash, kind, where, entries)


def _panicked(crash: Crash, kind: str, entries: Sequence[str]) -> _Key:
    """The first and the last function above the scheduler; a dump without call traces has the last one alone."""
    task = plain_name(_said(crash, "task.function").split("+")[0])
    found = callers(entries) or ((task,) if is_exported(task) else ())
    ends = tuple(dict.fromkeys((*found[:1], *found[-1:])))
    handler = applet_handler(entries, _said(crash, "task.applet"))
    if len(ends) != 1 or handler is None:
        return _Key(kind, ends, (), _EXPORTED if found else "")
    if handler:
        return _Key(kind, tuple(dict.fromkeys((handler, *ends))), (), "the applet that was running")
    return _Key(kind, ends, (), f"that an applet was running: {_TOO_LITTLE}", loose=True)


def _faulted(crash: Crash, kind: str, where: str, entries: Sequence[str]) -> _Key:
    """The function that stopped and its caller, and what stands for the one that is not known."""
    function, below, check = _function(crash, entries), callers(entries[1:])[:1], _condition(crash)
    if function == UNNAMED:
        basis = f"{_CHECK} and the caller" if below else f"{_CHECK}, no caller"
        return _unnamed(crash, _Key(where, (UNNAMED, *below), check, basis), kind)
    if below:
        return _Key(where, (function, *below), (), "the function that stopped and its caller")
    return _Key(where, (function,), check, f"the function that stopped{f' and {_CHECK}' if check else ''}, no caller")


def _unnamed(crash: Crash, key: _Key, kind: str) -> _Key:
    """A function without a name: the check stands for it, else its place; many functions have the same caller."""
    place = _said(crash, "crash.offset")
    if key.more:
        return key
    if not key.names[1:]:
        return _Key(kind)
    if place:
        return replace(key, more=(place,), basis=f"a place in the executable, and the caller: {_ONE_BUILD}")
    return replace(key, more=(kind,), basis=f"the caller of a function without a name: {_TOO_LITTLE}", loose=True)


def _function(crash: Crash, entries: Sequence[str]) -> str:
    """The function that stopped: as its frame says, if all witnesses name it so, else as the releases do."""
    physical = entries[0] if entries else UNNAMED
    released = plain_name(_said(crash, "assertion.function")) or _ENDING.get(_said(crash, "crash.kind"), "")
    return physical if is_exported(physical) else released or physical


def _kind(crash: Crash) -> str:
    """How it died, in the words that most witnesses have."""
    kind = _said(crash, "crash.kind") or "unknown"
    if kind == "watchdog" and _said(crash, "debug.command").split(" ")[0] == "panic":
        return "panic"
    return "stopped" if kind in _STOPPED else kind


def _of_offsets(crash: Crash, kind: str, walked: tuple[Frame, ...], build_id: str) -> Fingerprint:
    """Offsets mean nothing in another build, so the build-id (else the version) goes into both strings."""
    offsets = tuple(map(module_offset, walked))
    key = (kind, build_id or _said(crash, "process.version"), *offsets)
    exact = _hash((*key, *_build(crash, walked, build_id)))
    return Fingerprint(exact, _hash(key), offsets, f"offsets: {_ONE_BUILD}")


def _of_kind(crash: Crash, build_id: str) -> Fingerprint:
    """Without stack and assertion the kind alone is left, and it groups nothing."""
    kind = _said(crash, "crash.kind") or "unknown"
    if kind == "unknown":
        return Fingerprint("unknown", "unknown", (), "nothing: no stack, no assertion, no kind of crash")
    exact = _hash((kind, *_build(crash, (), build_id)))
    return Fingerprint(exact, f"unknown-{kind}", (), f"the kind of crash alone: {_TOO_LITTLE}")


def _condition(crash: Crash) -> tuple[str, ...]:
    """File and condition, when an assertion failed. The file alone can be that of any faulting code."""
    condition = "".join(_said(crash, "crash.condition").split())
    return (source_tail(_said(crash, "crash.source_file")), condition) if condition else ()


def _build(crash: Crash, walked: tuple[Frame, ...], build_id: str) -> tuple[str, ...]:
    places = [f"{frame.function}+{frame.offset:#x}:{frame.line}" for frame in walked]
    said = [_said(crash, name) for name in ("crash.kind", "process.version", "crash.source_line")]
    return (*said, build_id, *_condition(crash), *physical_entries(crash)[:_OFFSETS], *places)


def _said(crash: Crash, name: str) -> str:
    fact = crash.get(name)
    return "" if isinstance(fact, Absence) else str(fact.value)


def _hash(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:_DIGITS]
