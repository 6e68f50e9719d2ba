"""The document's terms in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from forensics.culprit import culprit_index
from forensics.diagnosis.finding import Answer, Evidence, Finding
from forensics.evidence.catalogue import KINDS as FACT_KINDS
from forensics.evidence.fact import DEATH, FactValue
from forensics.names import UNNAMED
from forensics.report.document import CrashSummary, DatedAssertion, Report, StackFrame, Thread

#: How it died, as the end of a sentence that starts with the process.
KINDS = {
    "bug_on": "stopped itself: one of its own checks failed (BUG_ON)",
    "abort_now": "stopped itself at a point it must never reach (ABORT_NOW)",
    "watchdog": "was stopped by its watchdog: a thread made no progress",
    "segfault": "was killed for touching memory it must not touch (segfault)",
    "pool_corruption": "stopped itself: its memory pools are damaged",
    "spinning": "stopped itself: something was called again and again without progress",
    "heap_corruption": "was stopped because its heap is damaged",
    "oom": "was killed because memory ran out",
    "signal_from_outside": "was killed by a signal from outside",
    "exit": "ended by itself",
    "unknown": "died, and what was read does not say how",
}

SIGNALS = {
    "SIGILL": "illegal instruction, which is how HAProxy stops itself",
    "SIGTRAP": "trap, which is how HAProxy stops itself on some machines",
    "SIGABRT": "abort, called by the program or by the C library",
    "SIGSEGV": "access to memory that is not there or not allowed",
    "SIGBUS": "access to memory that cannot be reached",
    "SIGFPE": "arithmetic that cannot be done, such as division by zero",
    "SIGKILL": "kill, sent by the kernel or by someone",
    "SIGTERM": "request to end",
    "SIGQUIT": "request to end with a core",
    "SIGXCPU": "limit of CPU time passed",
    "SIGSYS": "system call that is not allowed",
}

#: Signals that the processor raises, unless somebody sends them.
FAULTS = ("SIGILL", "SIGTRAP", "SIGSEGV", "SIGBUS", "SIGFPE")

#: What each verdict rests on, for the reader who asks how sure it is.
VERDICTS = {
    "confirmed": "the facts fit, and the memory of the process agrees",
    "probable": "the stack or the failed check fits, and so does the version; memory does not prove it",
    "possible": "it looks alike, but the facts are too few to act on",
}

MODULES = {
    "missing": "not found",
    "mismatched": "found, but of another build (its build-id differs)",
    "malformed": "found, but damaged",
}

#: Functions of a stack shown for one fact.
_SHOWN = 8


def how_sure(finding: Finding) -> str:
    """What the verdict of the finding rests on."""
    if finding.verdict == "probable" and finding.affected is None:
        return "the stack or the failed check fits, and no version is ruled out; memory does not prove it"
    return VERDICTS.get(finding.verdict, "")


def answer_text(answer: Answer) -> str:
    """What a candidate says to a question: what would speak for it, prove it or rule it out."""
    speaking = "proven by" if answer.telling == "proves" else "fits"
    parts = [f"{speaking} {answer.expects}"] if answer.expects else []
    if answer.refuted_by:
        parts.append(f"ruled out by {answer.refuted_by}")
    return f"{answer.signature}: {'; '.join(parts)}"


def fact_name(fact: str) -> str:
    """What a reader calls the fact."""
    return FACT_KINDS[fact].label if fact in FACT_KINDS else fact


def fact_value(fact: str, value: FactValue | None) -> str:
    """The value in words: yes and no, and for a stack what was called by what."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        between = " <- " if fact == "stack" else ", "
        more = f"{between}{len(value) - _SHOWN} more" if len(value) > _SHOWN else ""
        return between.join(value[:_SHOWN]) + more
    return "" if value is None else str(value)


def evidence_text(each: Evidence) -> str:
    """One phrase for one piece of evidence."""
    return f"{fact_name(each.fact)}: {fact_value(each.fact, each.value)}"


def signal_text(crash: CrashSummary) -> str:
    """The signal with a gloss: ``SIGSEGV (access to memory that is not there ...), SEGV_MAPERR, address 0x10``.

    Where HAProxy stopped itself, code and address say nothing about the cause.
    """
    gloss = SIGNALS.get(crash.signal, "")
    if crash.kind in ("bug_on", "abort_now") and crash.signal == "SIGSEGV":
        gloss = "by a write to address 1, which is how HAProxy stops itself up to 2.7"
    if crash.kind == "signal_from_outside" and crash.signal in FAULTS:
        gloss = "sent by somebody, not raised by what the program did"
    parts = [crash.signal + (f" ({gloss})" if gloss else "")] if crash.signal else []
    if crash.kind not in ("segfault", "unknown"):
        return ", ".join(parts)
    parts += [crash.code] if crash.code else []
    parts += [f"address {crash.address:#x}"] if crash.address is not None else []
    return ", ".join(parts)


def is_alive(report: Report) -> bool:
    """Whether nothing died: a core of a living process, or logs that tell of no death."""
    if report.crash.kind != "unknown" or report.crash.signal or report.crash.function:
        return False
    if report.threads:
        return report.crashed_thread is None
    return any(gap.subject == DEATH for gap in report.gaps)


def title(report: Report) -> str:
    """What died and how, in one line."""
    version = f" {report.process.version}" if report.process.version else ""
    if is_alive(report):
        if report.threads:
            return f"HAProxy{version} had not crashed: this core was taken of a living process"
        return f"HAProxy{version} did not crash, as far as these inputs tell"
    if report.crash.kind == "watchdog" and report.crash.command.split(" ")[0] == "panic":
        return f"HAProxy{version} panicked on command (`debug dev panic`), not by its watchdog"
    return f"HAProxy{version} {KINDS.get(report.crash.kind, f'died ({report.crash.kind})')}"


def where(report: Report) -> str:
    """Function and place of the crash, as far as they are known."""
    crash, frame = report.crash, culprit_frame(report.crashed_thread)
    function = crash.function or (frame.name if frame and frame.name != UNNAMED else "")
    place = crash.source or (frame_place(frame) if frame and frame.file else "")
    return ", ".join(part for part in (function, place) if part)


def asserted_in(report: Report) -> str:
    """The function that holds the failed check in HAProxy's releases, where no witness names it."""
    told = report.crash.assertion
    if told and told.candidates:
        more = f"; and {len(told.candidates) - _SHOWN} more" if len(told.candidates) > _SHOWN else ""
        return f"one of {'; '.join(told.candidates[:_SHOWN])}{more}"
    return f"{told.function}(), by the {_basis(told)}; a hint, no frame" if told and told.function else ""


def possible_releases(report: Report) -> str:
    """The releases that have the failed check at its line, where no witness names the version."""
    told = report.crash.assertion
    if told is None or not told.releases:
        return ""
    more = f" and {len(told.releases) - _SHOWN} more ranges" if len(told.releases) > _SHOWN else ""
    return f"one of {', '.join(told.releases[:_SHOWN])}{more}, by the {_basis(told)}"


def _basis(told: DatedAssertion) -> str:
    return "line of the check" if told.trust == "derived" else f"check, not its line ({told.basis})"


def thread_text(report: Report) -> str:
    """Which thread died, of how many."""
    ref = report.crash.thread
    thread = report.crashed_thread
    number = ref.number if ref else thread.number if thread else None
    lwp = ref.lwp if ref else thread.lwp if thread else None
    total = f" of {report.process.threads}" if report.process.threads else ""
    named = [f"{number}{total}"] if number is not None else []
    named += [f"kernel id {lwp}"] if lwp is not None else []
    return ", ".join(named)


def frame_place(frame: StackFrame) -> str:
    """``src/task.c:285``, or the module's file name for code without lines, unless the frame's name has it."""
    if frame.file:
        return f"{frame.file}:{frame.line}" if frame.line else frame.file
    return frame.module.rsplit("/", 1)[-1] if frame.function else ""


def culprit_frame(thread: Thread | None) -> StackFrame | None:
    """The first frame that is not there because the process was dying."""
    if thread is None:
        return None
    at = culprit_position(thread.frames)
    return thread.frames[at] if at < len(thread.frames) else None


def culprit_position(frames: Sequence[StackFrame]) -> int:
    """The index of the culprit in all frames; their number when all of them are dying."""
    handlers = [at for at, frame in enumerate(frames) if frame.status == "signal_handler"]
    start = handlers[-1] + 1 if handlers else 0
    rest = frames[start:]
    return start + culprit_index([frame.function or UNNAMED for frame in rest], [frame.module for frame in rest])


def input_names(report: Report) -> dict[str, str]:
    """The inputs by their file names where these are different; the paths stand in the list of inputs."""
    short = {each.path: each.path.rsplit("/", 1)[-1] for each in report.inputs}
    used = list(short.values())
    return {path: name if name and used.count(name) == 1 else path for path, name in short.items()}


def plural(count: int, noun: str) -> str:
    """``1 thread``, ``2 threads``."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def size_text(size: int) -> str:
    """A number of bytes as people say it: ``1.2 GiB``."""
    value, unit = float(size), "bytes"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{size} bytes" if unit == "bytes" else f"{value:.1f} {unit}"
