"""The report document: one a crash, from which every rendering is made.

The names are a contract with scripts: add to them, never rename. Everything has a
default, so that a report is filled with what is there. What could not be had stands in
``gaps``. Findings, exclusions, candidate fixes and the fingerprint are those of
``forensics.diagnosis.finding``; sources those of ``forensics.source``.
"""

from __future__ import annotations

from collections.abc import Mapping

from forensics.absence import Absence
from forensics.diagnosis.finding import CandidateFix, Diagnosis, Exclusion, Finding, Fingerprint, Question
from forensics.evidence.timeline.entry import TimelineEntry
from forensics.record import field, record, replace
from forensics.unwind.frame import Frame, ThreadStack

#: Semantic version of the document's form: minor for new names, major never so far.
SCHEMA_VERSION = "1.0"

CRASH_KINDS = (
    "bug_on",
    "abort_now",
    "watchdog",
    "segfault",
    "pool_corruption",
    "spinning",
    "heap_corruption",
    "oom",
    "signal_from_outside",
    "exit",
    "unknown",
)

MODULE_STATUS = ("found", "missing", "mismatched", "malformed")


@record
class Tool:
    """The program that wrote the report, and the age of what it knows."""

    version: str = ""
    signatures_version: str = ""
    releases_known_until: str = ""


@record
class Truncation:
    """How much of an input is missing, what is lost with it, and the likely cause."""

    missing_bytes: int | None = None
    lost: str = ""
    likely_cause: str = ""


@record
class Input:
    """One input as the user gave it. ``kind``: core, log, journal, config, executable, archive ..."""

    path: str = ""
    kind: str = ""
    sha256: str = ""
    size: int | None = None
    truncated: Truncation | None = field(default=None, metadata={"nullable": True})


@record
class Process:
    """The HAProxy process that died. ``threads`` is their number; ``platform`` holds machine, system, libc ..."""

    version: str = ""
    release_date: str = ""
    build_id: str = ""
    executable: str = ""
    command_line: str = ""
    pid: int | None = None
    threads: int | None = None
    features: tuple[str, ...] = ()
    platform: Mapping[str, str] = field(default_factory=dict)


@record
class ThreadRef:
    """Which thread: the kernel's LWP, and HAProxy's own number (from 1)."""

    lwp: int | None = None
    number: int | None = None


@record
class DatedAssertion:
    """What HAProxy's releases tell of the assertion that failed, where the inputs do not name function or version.

    ``function`` is the one that holds it, ``releases`` are ranges of those that have it at its line (``X.Y.*``: to
    the last one known); ``trust`` is ``derived`` where the line told it, ``assumed`` where only the condition did.
    ``basis`` says what was compared. ``candidates`` are several checks that may be the one, each with its releases.
    """

    function: str = ""
    releases: tuple[str, ...] = ()
    trust: str = ""
    basis: str = ""
    candidates: tuple[str, ...] = ()


@record
class CrashSummary:
    """How it died. ``source`` is ``file:line``, ``address`` the faulting address (an int here).

    ``assertion`` is there where the assertion tells more than the inputs say. ``time`` is a date of ISO 8601, with a Z
    where its zone is known. ``command`` is that of `debug dev` which was carried out, "" where none is told.
    """

    kind: str = "unknown"
    signal: str = ""
    code: str = ""
    address: int | None = None
    condition: str = ""
    source: str = ""
    function: str = ""
    thread: ThreadRef | None = None
    time: str = ""
    explanation: str = ""
    assertion: DatedAssertion | None = None
    command: str = ""


@record
class StackFrame:
    """One frame; ``pc`` is an int here and a hex string in the document, ``offset`` stays a number of bytes.

    ``hint`` says in words where code without a name comes from. It is inferred from the assertions that the
    code refers to, and is no name.
    """

    index: int = 0
    pc: int | None = None
    function: str = ""
    offset: int | None = None
    file: str = ""
    line: int | None = None
    module: str = ""
    inlined: bool = False
    trust: str = ""
    status: str = ""
    tail_call: bool = False
    hint: str = ""

    @classmethod
    def of(cls, frame: Frame) -> StackFrame:
        """The document's form of an unwound frame."""
        return cls(
            index=frame.index,
            pc=frame.pc,
            function=frame.function,
            offset=frame.offset,
            file=frame.file,
            line=frame.line or None,
            module=frame.module,
            inlined=frame.inlined,
            trust=frame.trust,
            status=frame.status,
            tail_call=frame.tail_call,
            hint=frame.hint,
        )

    @property
    def name(self) -> str:
        """The function, or ``module+0x1a2b3c`` where nothing names the code."""
        if self.function:
            return self.function
        module = self.module.rsplit("/", 1)[-1]
        if module and self.offset is not None:
            return f"{module}+{self.offset:#x}"
        return module or ("?" if self.pc is None else f"{self.pc:#x}")


@record
class Thread:
    """One thread with its frames, innermost first. ``state`` in a few words, ``stop`` why the walk ended."""

    lwp: int | None = None
    number: int | None = None
    crashed: bool = False
    state: str = ""
    frames: tuple[StackFrame, ...] = ()
    stop: str = ""

    @classmethod
    def of(cls, stack: ThreadStack, state: str = "") -> Thread:
        """The document's form of an unwound stack."""
        frames = tuple(StackFrame.of(frame) for frame in stack.frames)
        return cls(stack.lwp, stack.number, stack.crashed, state, frames, stack.stop)


@record
class ThreadGroup:
    """Threads whose stacks are equal, shown once."""

    count: int = 0
    lwps: tuple[int, ...] = ()
    frames: tuple[str, ...] = ()


@record
class ModuleEntry:
    """One mapped file: was its image found (``MODULE_STATUS``), and what was tried."""

    path: str = ""
    build_id: str = ""
    status: str = ""
    tried: tuple[str, ...] = ()


@record
class Disagreement:
    """What core and log say differently about one subject."""

    subject: str = ""
    core: str = ""
    log: str = ""
    note: str = ""


@record
class Report:
    """The whole document."""

    schema_version: str = SCHEMA_VERSION
    tool: Tool = field(default_factory=Tool)
    inputs: tuple[Input, ...] = ()
    process: Process = field(default_factory=Process)
    crash: CrashSummary = field(default_factory=CrashSummary)
    threads: tuple[Thread, ...] = ()
    thread_groups: tuple[ThreadGroup, ...] = ()
    modules: tuple[ModuleEntry, ...] = ()
    state: Mapping[str, object] = field(default_factory=dict)
    timeline: tuple[TimelineEntry, ...] = ()
    findings: tuple[Finding, ...] = ()
    excluded: tuple[Exclusion, ...] = ()
    questions: tuple[Question, ...] = ()
    candidate_fixes: tuple[CandidateFix, ...] = ()
    fingerprint: Fingerprint = field(default_factory=Fingerprint)
    disagreements: tuple[Disagreement, ...] = ()
    gaps: tuple[Absence, ...] = ()
    next_steps: tuple[str, ...] = ()

    @property
    def crashed_thread(self) -> Thread | None:
        """The thread that died, where it is known."""
        return next((thread for thread in self.threads if thread.crashed), None)


def with_diagnosis(report: Report, diagnosis: Diagnosis) -> Report:
    """The report with everything a diagnosis says."""
    return replace(
        report,
        findings=diagnosis.findings,
        excluded=diagnosis.excluded,
        questions=diagnosis.questions,
        candidate_fixes=diagnosis.candidate_fixes,
        fingerprint=diagnosis.fingerprint,
        next_steps=diagnosis.next_steps,
    )


def holds(group: ThreadGroup, thread: Thread) -> bool:
    """Whether a thread is in the group; a call trace of a log has no kernel id."""
    if thread.lwp is not None:
        return thread.lwp in group.lwps
    return tuple(frame.name for frame in thread.frames) == group.frames


def group_threads(threads: tuple[Thread, ...]) -> tuple[ThreadGroup, ...]:
    """Equal stacks once, with their count; the crashed thread's first, then the most frequent."""
    groups: dict[tuple[str, ...], list[Thread]] = {}
    for thread in threads:
        groups.setdefault(tuple(frame.name for frame in thread.frames), []).append(thread)
    ordered = sorted(groups.items(), key=lambda item: (not any(t.crashed for t in item[1]), -len(item[1])))
    return tuple(
        ThreadGroup(len(members), tuple(t.lwp for t in members if t.lwp is not None), names)
        for names, members in ordered
    )
