"""Stack patterns: whether a stack fits a list of frames, surely, possibly, or not at all.

A stack is a tuple of names, innermost first; ``?`` is a frame without a name, and
``[name]`` an inlined one, which only witnesses with DWARF show. The elements of a
pattern:

=============  =================================================================
``name``       a frame of that name, physical or inlined
``a|b|c``      a frame of one of these names
``stktable_*`` a frame whose name begins so
``[name]``     such a frame, or none
``?``          a frame without a name (mostly an alternative: ``name|?``)
``...``        any number of frames
=============  =================================================================

A pattern begins at the innermost frame and ends at the outermost, unless ``...``
stands there. Inlined frames of the stack may be skipped anywhere. A frame without
a name may be the one that the pattern wants or may not: that is undetermined. So is
a stack that was cut (no frame of the scheduler or below closes it) where the pattern
goes on; a name that differs contradicts.

Alignments are weighed by dynamic programming: the time is the length of the stack
times the length of the pattern, whatever they hold.
"""

from __future__ import annotations

from collections.abc import Sequence

from forensics.names import UNNAMED, plain_name
from forensics.record import record

#: Any number of frames.
GAP = "..."

#: Functions behind which only the scheduler, the poll loop and the C library stand: a stack that shows one
#: of them was not cut before the part that patterns speak of.
OUTERMOST = frozenset(
    "process_stream task_run_applet task_process_applet run_tasks_from_lists process_runnable_tasks run_poll_loop "
    "run_thread_poll_loop main start_thread clone clone3 __libc_start_main _start".split()
)

_NO, _MAYBE, _YES = 0, 1, 2
_ANSWER = (False, None, True)


@record
class _Element:
    """One element of a pattern."""

    names: frozenset[str]
    prefixes: tuple[str, ...]
    unnamed: bool
    optional: bool
    gap: bool = False

    def weigh(self, frame: str) -> int:
        """How surely a frame is the one that this element wants."""
        if frame == UNNAMED:
            return _YES if self.unnamed else _MAYBE
        return _YES if frame in self.names or frame.startswith(self.prefixes) else _NO


def matches_stack(pattern: Sequence[str], stack: Sequence[str]) -> bool | None:
    """Whether the stack fits the pattern; None where frames without names leave it open."""
    elements = [_parse(element) for element in pattern]
    reached = _skip_absent([_YES] + [_NO] * len(elements), elements)
    closed = False
    for entry in stack:
        inlined = entry.startswith("[")
        name = plain_name(entry.strip("[]"))
        closed = closed or name in OUTERMOST
        reached = _advance(reached, elements, name, inlined)
    return _ANSWER[max(reached[-1], _NO if closed else min(max(reached), _MAYBE))]


def _advance(reached: list[int], elements: Sequence[_Element], frame: str, inlined: bool) -> list[int]:
    """How surely each prefix of the pattern is used up after one more frame."""
    after = list(reached) if inlined else [_NO] * len(reached)
    for index, element in enumerate(elements):
        if element.gap:
            after[index + 1] = max(after[index + 1], reached[index + 1])
        else:
            after[index + 1] = max(after[index + 1], min(reached[index], element.weigh(frame)))
    return _skip_absent(after, elements)


def _skip_absent(reached: list[int], elements: Sequence[_Element]) -> list[int]:
    """Carry what is reached over the elements that may stand for no frame at all."""
    for index, element in enumerate(elements):
        if element.optional:
            reached[index + 1] = max(reached[index + 1], reached[index])
    return reached


def _parse(text: str) -> _Element:
    if text == GAP:
        return _Element(frozenset(), (), unnamed=True, optional=True, gap=True)
    optional = text.startswith("[")
    names = text.strip("[]").split("|")
    prefixes = tuple(name[:-1] for name in names if name.endswith("*"))
    plain = frozenset(name for name in names if name != UNNAMED and not name.endswith("*"))
    return _Element(plain, prefixes, UNNAMED in names, optional)
