"""The string that groups equal crashes.

``stable`` rests on what every witness says alike: the kind of crash, the assertion, and
the first named culprits: three below an assertion, which says much by itself, else five.
Inlined frames (only DWARF shows them), frames without a name and clone suffixes do not
count, so that HAProxy's own trace, a gdb paste and a core with debug symbols agree. A
witness that cannot name a static function, or never saw the assertion's text, may give
another fingerprint: two strings for one crash, never one for two.
``exact`` adds version, build-id and places: equal only within one build.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from forensics.absence import Absence
from forensics.diagnosis.crashed_stack import crashed_frames, culprits, module_offset, source_tail
from forensics.diagnosis.finding import Fingerprint
from forensics.evidence.fact import Crash
from forensics.unwind.frame import Frame, ThreadStack

#: How many culprits count: below them stands the scheduler, above them the cause.
DEPTH = 5

#: Static functions, which logs cannot name, begin soon; with the assertion fewer frames tell as much.
DEPTH_BELOW_ASSERTION = 3

_DIGITS = 12


def fingerprint(crash: Crash, stacks: tuple[ThreadStack, ...] = (), build_id: str = "") -> Fingerprint:
    """The fingerprint of a crash. When nothing is known it is a word that says so, not a hash."""
    kind = _said(crash, "crash.kind") or "unknown"
    assertion = _assertion(crash)
    frames = culprits(crash)[: DEPTH_BELOW_ASSERTION if any(assertion) else DEPTH]
    walked = crashed_frames(stacks)[:DEPTH]
    if not frames and walked:
        return _of_offsets(crash, kind, assertion, walked, build_id)
    if not frames and not any(assertion):
        return _of_kind(crash, kind, build_id)
    key = (kind, *assertion, *frames)
    basis = " and ".join(name for name, there in (("assertion", any(assertion)), ("stack", bool(frames))) if there)
    return Fingerprint(_hash((*key, *_build(crash, walked, build_id))), _hash(key), frames, basis)


def _of_offsets(
    crash: Crash, kind: str, assertion: tuple[str, str], walked: tuple[Frame, ...], build_id: str
) -> Fingerprint:
    """Offsets mean nothing in another build, so the build-id (else the version) goes into both strings."""
    offsets = tuple(map(module_offset, walked))
    key = (kind, *assertion, build_id or _said(crash, "process.version"), *offsets)
    exact = _hash((*key, *_build(crash, walked, build_id)))
    return Fingerprint(exact, _hash(key), offsets, "offsets: groups crashes of one build only")


def _of_kind(crash: Crash, kind: str, build_id: str) -> Fingerprint:
    """Without stack and assertion the kind alone is left, and it groups nothing."""
    if kind == "unknown":
        return Fingerprint("unknown", "unknown", (), "nothing: no stack, no assertion, no kind of crash")
    exact = _hash((kind, *_build(crash, (), build_id)))
    return Fingerprint(exact, f"unknown-{kind}", (), "the kind of crash alone: too little to group crashes")


def _assertion(crash: Crash) -> tuple[str, str]:
    """File and condition, when an assertion failed. The file alone can be that of any faulting code."""
    condition = "".join(_said(crash, "crash.condition").split())
    return (source_tail(_said(crash, "crash.source_file")), condition) if condition else ("", "")


def _build(crash: Crash, walked: tuple[Frame, ...], build_id: str) -> tuple[str, ...]:
    places = [f"{frame.function}+{frame.offset:#x}:{frame.line}" for frame in walked]
    return (_said(crash, "process.version"), build_id, _said(crash, "crash.source_line"), *places)


def _said(crash: Crash, name: str) -> str:
    fact = crash.get(name)
    return "" if isinstance(fact, Absence) else str(fact.value)


def _hash(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:_DIGITS]
