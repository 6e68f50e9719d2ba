"""Fixes that the running release lacks and that touch code seen in this crash. Leads, not a diagnosis."""

from __future__ import annotations

import math
import re
from collections import Counter
from functools import cache
from typing import Any

from forensics.absence import Absence
from forensics.diagnosis.crashed_stack import culprits, source_tail
from forensics.diagnosis.finding import CandidateFix
from forensics.diagnosis.releases import branches, read_table
from forensics.evidence.fact import Crash
from forensics.names import plain_name
from forensics.record import record
from forensics.versions import Version

#: How many leads a reader can follow.
LIMIT = 8

#: Functions in nearly every stack: that a fix touches them says nothing.
EVERYWHERE = frozenset(
    "main run_poll_loop run_thread_poll_loop run_tasks_from_lists process_runnable_tasks wake_expired_tasks "
    "process_stream process_session fd_update_events _do_poll start_thread clone __clone3 __libc_start_main "
    "__libc_start_call_main _start ha_panic ha_thread_dump ha_thread_dump_fill ha_thread_dump_one ha_task_dump "
    "ha_backtrace_to_stderr ha_thread_relax sched_yield wdt_handler debug_handler abort raise gsignal ?? "
    "task_run_applet tasklet_wakeup task_wakeup init deinit deinit_and_exit".split()
)

#: Integer literals differ where a macro expands differently in another release.
_INTEGER = re.compile(r"\b\d+[uUlL]*\b")


@record
class Fix:
    """One line of the fix table. ``first`` is the first mainline release, ``stable`` the first of each branch."""

    commit: str
    severity: str
    area: str
    first: Version
    first_text: str
    stable: dict[str, str]
    introduced: tuple[Version, ...]
    names: frozenset[str]
    conditions: tuple[tuple[str, str], ...]
    issues: tuple[int, ...]


@record
class _Match:
    """How well a fix fits: sorts by assertion, then by number of functions, then by how rare they are."""

    assertion: bool
    functions: tuple[str, ...]
    weight: float

    @property
    def rank(self) -> tuple[bool, bool, float]:
        return self.assertion, len(self.functions) > 1, self.weight


def candidate_fixes(crash: Crash, version: Version | Absence) -> tuple[CandidateFix, ...]:
    """The fixes that ``version`` lacks and that name the assertion or culprits of the crash, best first."""
    if not isinstance(version, Version):
        return ()
    ranked = []
    for fix in _fixes():
        match = _match(fix, crash)
        if match is not None and lacks(fix, version):
            ranked.append((match, fix))
    ranked.sort(key=lambda pair: (pair[0].rank, pair[1].first), reverse=True)
    return tuple(_candidate(fix, match, version) for match, fix in ranked[:LIMIT])


def lacks(fix: Fix, version: Version) -> bool:
    """Whether the release has the bug's code and not the fix, as far as tags tell."""
    start = _version(f"{version.branch}.0")
    if fix.first <= version and (fix.first <= start or version < start):
        return False
    backport = fix.stable.get(version.branch)
    if backport is not None:
        return version < _version(backport)
    # Not backported: a bug that came after this branch began never was in it.
    return not fix.introduced or max(fix.introduced) <= version


@cache
def _fixes() -> tuple[Fix, ...]:
    return tuple(_fix(row) for row in read_table("fixes.json"))


def _fix(row: dict[str, Any]) -> Fix:
    names = (*row.get("functions", ()), *row.get("frames", ()))
    return Fix(
        commit=row["commit"],
        severity=row.get("severity", ""),
        area=row.get("area", ""),
        first=_version(row["first"]),
        first_text=row["first"],
        stable=row.get("stable", {}),
        introduced=tuple(_version(text) for text in row.get("introduced", ())),
        names=frozenset(map(plain_name, names)) - EVERYWHERE,
        conditions=tuple((bare(text), source_tail(file)) for text, file in row.get("conditions", ())),
        issues=tuple(row.get("issues", ())),
    )


@cache
def _version(text: str) -> Version:
    """A version of our own tables, all of which parse (a test says so)."""
    version = Version.parse(text)
    assert isinstance(version, Version), text
    return version


@cache
def _frequency() -> Counter[str]:
    return Counter(name for fix in _fixes() for name in fix.names)


def bare(condition: str) -> str:
    """A condition without whitespace, its integers masked."""
    return _INTEGER.sub("0", "".join(condition.split()))


def _match(fix: Fix, crash: Crash) -> _Match | None:
    assertion = _names_assertion(fix, crash)
    functions = tuple(name for name in culprits(crash) if name in fix.names)
    if not assertion and not functions:
        return None
    return _Match(assertion, functions, sum(1 / (1 + math.log2(_frequency()[name])) for name in functions))


def _names_assertion(fix: Fix, crash: Crash) -> bool:
    condition, file = crash.get("crash.condition"), crash.get("crash.source_file")
    if not condition or isinstance(condition, Absence) or isinstance(file, Absence):
        return False
    return (bare(str(condition.value)), source_tail(str(file.value))) in fix.conditions


def _candidate(fix: Fix, match: _Match, version: Version) -> CandidateFix:
    because = ["names the same assertion"] if match.assertion else []
    because += [f"touches {name}" for name in match.functions]
    order = branches()
    later = [b for b in order if b in fix.stable and order.index(b) >= _position(version.branch)]
    fixed_in = (*(fix.stable[branch] for branch in later), fix.first_text)
    return CandidateFix(fix.commit, fix.severity, fix.area, fixed_in, tuple(because), fix.issues)


def _position(branch: str) -> int:
    order = branches()
    return order.index(branch) if branch in order else len(order)
