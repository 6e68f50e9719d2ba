"""Fabricated reports, one of each kind that readers meet."""

from __future__ import annotations

from forensics.absence import Absence
from forensics.diagnosis.finding import Answer, CandidateFix, Evidence, Exclusion, Finding, Fingerprint, Question
from forensics.evidence.timeline.entry import TimelineEntry
from forensics.report.document import (
    CrashSummary,
    Disagreement,
    Input,
    ModuleEntry,
    Process,
    Report,
    StackFrame,
    Thread,
    ThreadRef,
    Tool,
    Truncation,
    group_threads,
)
from forensics.source import Source

CORE = "/var/lib/systemd/coredump/core.haproxy.4242"
LOG = "/var/log/haproxy-worker.log"
BUILD_ID = "9f1c2ab04d5e6f708192a3b4c5d6e7f8091a2b3c"

CULPRITS = (
    ("__task_queue", "src/task.c", 285),
    ("stktable_requeue_exp", "src/stick_table.c", 612),
    ("stktable_touch_with_exp", "src/stick_table.c", 655),
    ("process_stream", "src/stream.c", 1763),
    ("run_tasks_from_lists", "src/task.c", 596),
    ("process_runnable_tasks", "src/task.c", 876),
    ("run_poll_loop", "src/haproxy.c", 3049),
    ("run_thread_poll_loop", "src/haproxy.c", 3251),
)


def frame(index: int, function: str, file: str = "", line: int | None = None, **more: object) -> StackFrame:
    """One frame of haproxy itself, unwound by CFI."""
    given = {
        "pc": 0x55D0C0100000 + 64 * index,
        "offset": 0x1A2B3C + index,
        "module": "/usr/sbin/haproxy",
        "trust": "cfi",
    }
    given["status"] = "symbolicated" if function else "no_symbol"
    return StackFrame(index=index, function=function, file=file, line=line, **{**given, **more})  # type: ignore[arg-type]


def crashed_thread(*, named: bool = True) -> Thread:
    """The stack of a failed check, with libc's own way to it on top."""
    head = StackFrame(0, 0x7F0000001000, "raise", 0x18D, module="/lib/x86_64-linux-gnu/libc.so.6", trust="context")
    rest = [
        frame(at, function if named else "", file if named else "", line if named else None)
        for at, (function, file, line) in enumerate(CULPRITS, 1)
    ]
    inlined = frame(2, "task_queue", "include/haproxy/task.h", 320, inlined=True)
    frames = (head, rest[0], *((inlined,) if named else ()), *rest[1:])
    return Thread(4243, 2, True, "running a task", frames, "")


def waiting_thread(number: int) -> Thread:
    """A thread that waits for events, as most threads do."""
    names = ("epoll_wait", "_do_poll", "run_poll_loop", "run_thread_poll_loop", "start_thread", "__clone3")
    return Thread(4241 + number, number, False, "waiting", tuple(frame(at, name) for at, name in enumerate(names)))


def requeue_race(verdict: str = "confirmed", missing: tuple[Absence, ...] = ()) -> Finding:
    """The finding of a race in stick-table expiry."""
    stack = tuple(name for name, _, _ in CULPRITS)
    return Finding(
        signature="stick-table/requeue-expiry-race",
        title="Race between two threads that requeue the expiry of one stick-table",
        kind="bug",
        verdict=verdict,
        evidence=(
            Evidence("crash.condition", "task->expire == 0", Source(LOG, "bug line", line=3)),
            Evidence("stack", stack, Source(CORE, "unwound", thread=4243, frame=1)),
            Evidence("process.version", "2.9.6-9eafce5", Source(CORE, "version string", address=0x55D0C0654321)),
        ),
        affected=True,
        fixed_in=("2.9.7", "3.0-dev7"),
        upgrade_to="2.9.15",
        explanation=(
            "Two threads refreshed entries of the same stick-table at once. One of them cleared the date at which the "
            "table's expiry task is due, while the other was just putting that task into the queue of timers. HAProxy "
            "checks that a queued task has a date, found none, and stopped itself to avoid losing the task.\n\n"
            "It needs several threads and traffic that touches one table often; no memory is damaged."
        ),
        remedy="Upgrade to 2.9.7 or later.",
        workaround="run with `nbthread 1`, or remove `expire` from tables that need none.",
        references=("https://github.com/haproxy/haproxy/issues/2508",),
        missing=missing,
    )


def lookalike() -> Exclusion:
    """A known crash with the same failed check, refuted by the stack."""
    against = Evidence("stack", ("__task_queue", "stktable_requeue_exp"), Source(CORE, "unwound", thread=4243), False)
    return Exclusion(
        "listener/queue-without-date",
        "Listener task queued without a date",
        "the stack goes through stick-tables, not through listener_accept",
        (against,),
    )


def complete() -> Report:
    """A confirmed crash with everything there is to say."""
    threads = (waiting_thread(1), crashed_thread(), waiting_thread(3), waiting_thread(4))
    return Report(
        tool=Tool("0.1.0", "2026.11", "2026-08-21"),
        inputs=(
            Input(CORE, "core", "ab" * 32, 1_288_490_188, Truncation(52_428_800, "thread 4's stack", "disk full")),
            Input(LOG, "log", "cd" * 32, 8123),
        ),
        process=Process(
            "2.9.6-9eafce5",
            "2024-02-26",
            BUILD_ID,
            "/usr/sbin/haproxy",
            "haproxy -Ws -f /etc/haproxy/haproxy.cfg -p /run/haproxy.pid",
            4242,
            4,
            ("+EPOLL", "+THREAD", "+OPENSSL"),
            {"machine": "x86_64", "system": "Debian 12", "libc": "glibc 2.36"},
        ),
        crash=CrashSummary(
            "bug_on",
            "SIGILL",
            "ILL_ILLOPN",
            0x55D0C0100040,
            "task->expire == 0",
            "src/task.c:285",
            "__task_queue",
            ThreadRef(4243, 2),
            "2024-04-02 03:12:44 UTC",
        ),
        threads=threads,
        thread_groups=group_threads(threads),
        modules=(
            ModuleEntry("/usr/lib/x86_64-linux-gnu/libssl.so.3", "aa" * 20, "missing", ("/usr/lib/debug", "the store")),
        ),
        state={"stick_tables": [{"name": "st_src", "size": 102400}], "locks": []},
        timeline=(
            TimelineEntry("2024-03-30T01:10:00Z", "", -172.5, "reload", "the master reloads"),
            TimelineEntry(
                "2024-03-30T01:12:00Z",
                "2024-03-30T01:12:52Z",
                -52.5,
                "traffic",
                "26 requests: all ended normally",
                26,
                Source("worker.log", "", line=3),
            ),
            TimelineEntry("2024-03-30T01:12:52.500Z", "", 0.0, "death", "task->expire == 0 at src/task.c:285"),
        ),
        findings=(requeue_race(),),
        excluded=(lookalike(),),
        fingerprint=Fingerprint(
            "a1b2c3d4e5f6", "0f1e2d3c4b5a", tuple(n for n, _, _ in CULPRITS[:5]), "assertion and stack"
        ),
        disagreements=(Disagreement("number of threads", "4", "8", "the log may be of an earlier worker"),),
        gaps=(Absence("memory of thread 4", "the core ends before it", "a core that was written whole"),),
        next_steps=(
            "Upgrade to 2.9.15 (2025-03-21, the last 2.9 known on 2026-08-21); fixed in 2.9.7, 3.0-dev7",
            "Plan a move to a newer branch: 2.9 had no release after 2025-03-21 (newest known: 3.4.1)",
            "Until then: run with `nbthread 1`, or remove `expire` from tables that need none",
        ),
    )


def unexplained() -> Report:
    """A crash without symbols that nothing matches."""
    return Report(
        inputs=(Input(CORE, "core", "ab" * 32, 88_490_188),),
        process=Process("2.8.3", "2023-09-07", BUILD_ID, "/usr/sbin/haproxy", threads=16),
        crash=CrashSummary("segfault", "SIGSEGV", "SEGV_MAPERR", 0x10, thread=ThreadRef(4243, 2)),
        threads=(crashed_thread(named=False), *(waiting_thread(n) for n in range(3, 17))),
        candidate_fixes=(
            CandidateFix(
                "5fc1afb341be",
                "MEDIUM",
                "stick-tables",
                ("2.9.7", "3.0-dev7"),
                ("touches stktable_requeue_exp",),
                (2508,),
            ),
        ),
        fingerprint=Fingerprint(
            "a1b2c3d4e5f6", "0f1e2d3c4b5a", ("haproxy+0x1a2b3d",), "offsets: groups crashes of one build only"
        ),
        gaps=(
            Absence(
                "symbols of haproxy", "stripped, and no debug file was found", f"debug symbols of build-id {BUILD_ID}"
            ),
        ),
        next_steps=(
            "Try 2.8.25 (2026-06-26): 2.8.3 is 22 releases behind (as known on 2026-08-21)",
            "No known crash matches: report it with this document at https://github.com/haproxy/haproxy/issues",
            f"Missing symbols of haproxy: debug symbols of build-id {BUILD_ID}",
        ),
    )


def from_log_alone() -> Report:
    """A possible finding from a few log lines."""
    missing = (Absence("stktable.sharded", "no core was given", "the core with debug symbols of its build-id"),)
    return Report(
        inputs=(Input(LOG, "log", "cd" * 32, 812),),
        crash=CrashSummary("bug_on", condition="task->expire == 0", source="src/task.c:285"),
        findings=(requeue_race("possible", missing), requeue_race("possible")),
        next_steps=("Do not act on `stick-table/requeue-expiry-race` yet: only possible, not proven",),
    )


def hostile() -> Report:
    """Escapes, direction marks, markup and megabytes in every string that an input can set."""
    bad = "\x1b[31m\x1b]0;owned\x07\x9b2J\u202e</pre><script>alert(1)</script> ![x](http://e.vil/?q=1) | "
    bad += "`a` ``` [y](javascript:x) <b> @admin #12 \\| # h\r\n- b\r\n\r\n# c"
    stack = Thread(1, 1, True, bad, (frame(0, bad, bad, 1, module=bad), frame(1, "A" * 5000)), bad)
    return Report(
        inputs=(Input(bad, bad, bad, 1, Truncation(1, bad, bad)),),
        process=Process(bad, bad, bad, bad, bad * 10_000, 1, 1, (bad,), {bad: bad}),
        crash=CrashSummary(bad, bad, bad, 1, bad, bad, bad, ThreadRef(1, 1), bad, bad),
        threads=(stack, Thread(2, 2, False, bad, (frame(0, bad),))),
        modules=(ModuleEntry(bad, bad, bad, (bad,)),),
        questions=(Question(bad, bad, bad, (Answer(bad, "fits", bad, bad),)),),
        state={bad: [bad], "x": bad},
        timeline=(TimelineEntry(bad, bad, -1.0, bad, bad, 2, Source(bad, bad, line=1)), TimelineEntry(what=bad)),
        findings=(
            Finding(
                bad, bad, bad, bad, (Evidence(bad, bad, Source(bad, bad), True, bad),), None, (bad,), bad, bad, bad
            ),
        ),
        excluded=(Exclusion(bad, bad, bad),),
        candidate_fixes=(CandidateFix(bad, bad, bad, (bad,), (bad,)),),
        fingerprint=Fingerprint(bad, bad, (bad,), bad),
        disagreements=(Disagreement(bad, bad, bad, bad),),
        gaps=(Absence(bad, bad, bad),),
        next_steps=(bad,),
    )


ALL = {made.__name__: made for made in (Report, complete, unexplained, from_log_alone, hostile)}
