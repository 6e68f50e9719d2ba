"""The shapes in which deaths are written, of all releases: what facts each gives. Real lines, or made as the source prints.

The sections name the part of a dying HAProxy's words: its prefix, checks, call traces, watchdog, dumps, loops, pools and
memory, master, kernel, systemd, collectors and debuggers.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from forensics.api import crash_of_text
from forensics.evidence.fact import Crash, FactValue
from tests.logs.carriers import CARRIERS, DATA, lines_of

Facts = dict[str, FactValue | None]


def value(crash: Crash, name: str) -> FactValue | None:
    return next((fact.value for fact in crash.all(name)), None)


def check(text: str, facts: Facts) -> None:
    """Each fact has this value; None stands for none."""
    crash = crash_of_text(text)
    assert {name: value(crash, name) for name in facts} == facts


NONE: Facts = {"crash.kind": None, "crash.signal": None, "stack": None}

PREFIXES = {
    "2.3": "[ALERT] 083/003912 (44441) : Current worker #1 (44443) exited with code 139 (Segmentation fault)",
    "2.4": "[ALERT]    (24661) : Current worker (24663) exited with code 139 (Segmentation fault)",
    "former": "[WARNING]  (1) : Former worker (7) exited with code 139 (Segmentation fault)",
    "former 2.4": "[WARNING] 083/003912 (1) : Former worker #2 (7) exited with code 139 (Segmentation fault)",
    "reloads": "[WARNING]  (1) : Former worker (7) exited with code 139 (Segmentation fault), as it exceeds max reloads (2)",
    "load": "[ALERT]    (1) : Failed to load worker (7) exited with code 139 (Segmentation fault)",
}


@pytest.mark.parametrize("name", PREFIXES)
def test_a_workers_end_is_a_death_however_harmless_it_looks(name: str) -> None:
    check(PREFIXES[name] + "\n", {"crash.signal": "SIGSEGV"})


@pytest.mark.parametrize(
    ("code", "signal"),
    [(132, "SIGILL"), (134, "SIGABRT"), (135, "SIGBUS"), (136, "SIGFPE"), (137, "SIGKILL"), (139, "SIGSEGV")],
)
def test_exit_codes_are_signals(code: int, signal: str) -> None:
    """Though musl's or another locale's words for it are unknown."""
    check(f"[ALERT]    (1) : Current worker (7) exited with code {code} (whatever)\n", {"crash.signal": signal})


@pytest.mark.parametrize("code", [0, 1, 130, 143])
def test_ordinary_ends_are_none(code: int) -> None:
    text = (
        f"[ALERT]    (1) : Current worker (7) exited with code {code} (Exit)\n"
        "[WARNING]  (1) : A worker process unexpectedly died and this can only be explained by a bug in haproxy or its"
        " dependencies.\n"
        "Please check that you are running an up to date and maintained version of haproxy and open a bug report.\n"
        "HAProxy version 3.0.11-1 2025/06/03 - https://haproxy.org/\n"
        "Status: long-term supported branch - will stop receiving fixes around Q2 2029.\n"
        "Running on: Linux 6.1.0 #1 SMP x86_64\n"
    )
    check(text, {"crash.kind": None, "stack": None, "process.version": "3.0.11-1"})


CHECKS: dict[str, tuple[str, Facts]] = {
    "BUG_ON": (
        'FATAL: bug condition "one > zero" matched at src/debug.c:652',
        {"crash.kind": "bug_on", "crash.condition": "one > zero", "crash.source_line": 652},
    ),
    "quotes": (
        'FATAL: bug condition "strcmp(a, "x" matched at ") == 0" matched at include/haproxy/x.h:7',
        {"crash.condition": 'strcmp(a, "x" matched at ") == 0', "crash.source_file": "include/haproxy/x.h"},
    ),
    "WARN_ON made fatal": (
        'FATAL: warn condition "x" matched at src/a.c:1', {"crash.kind": "bug_on", "crash.condition": "x"},
    ),
    "CHECK_IF made fatal": (
        'FATAL: check condition "x" matched at src/a.c:1', {"crash.kind": "bug_on", "crash.condition": "x"},
    ),
    "explained": (
        'FATAL: bug condition "x" matched at src/a.c:1\nA session must not outlive its stream.',
        {"crash.explanation": "A session must not outlive its stream."},
    ),
    "ABORT_NOW with words": (
        "ABORT at src/debug.c:1183: This was triggered on purpose from the CLI 'debug dev abort' command.",
        {"crash.kind": "abort_now", "crash.source_line": 1183, "debug.command": "abort"},
    ),
    "ABORT_NOW without": (
        "  call trace(2):\n  | 0x5647e96d6d79 [c6 04 25 01 00 00 00 00]: guilty+0x59/0x5b\n",
        {"crash.kind": "abort_now", "stack": ("guilty",), "crash.source_file": None},
    ),
    "not crashing": (
        ('WARNING: bug condition "x" matched at src/a.c:1 (not crashing but process is untrusted now, please report to'
        " developers)"),
        {**NONE, "warnings.checks": ("bug_on x at src/a.c:1",)},
    ),
    "WARN_ON": (
        ('WARNING: warn condition "x" matched at src/a.c:1 (please report to developers)\n'
        "This was triggered on purpose from the CLI 'debug dev warn' command.\n"
        "  call trace(2):\n"
        "  | 0x5628ea88f681 [eb b2 66 66 2e 0f 1f 84]: debug_parse_cli_warn+0x61/0x63\n"
        "  | 0x5628ea83b27f [85 c0 0f 85 f4 00 00 00]: main+0xde21f\n"),
        {**NONE, "warnings.checks": ("warn_on x at src/a.c:1",), "debug.command": None},
    ),
    "CHECK_IF": (
        'WARNING: check condition "x" matched at src/a.c:1 (please report to developers)',
        {**NONE, "warnings.checks": ("check_if x at src/a.c:1",)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHECKS)
def test_checks_that_end_the_process_are_told_from_those_that_warn(name: str) -> None:
    check(CHECKS[name][0] + "\n", CHECKS[name][1])


TRACES = {
    "at": "| 0x559009bccaf9 [0f 0b 0f 1f 44 00 00 48]: guilty+0x59/0x5b",
    "before": "| 0x559cd2002902 <37 20 00 e8 5e ff ff ff]: guilty+0x42/0x44 > complain_with_dbg",
    "short": "|       0x501e56 [0f 0b 0f 1f 44 00 00 48]: guilty+0x59/0x5b",
    "unreadable": "| 0x559cd2002902 <-- -- -- -- -- -- -- --]: guilty+0x42/0x44",
}


@pytest.mark.parametrize("shape", TRACES)
def test_every_form_of_a_call_traces_line_is_read(shape: str) -> None:
    """Up to 3.1 and since 3.2, of a PIE and not."""
    text = f'FATAL: bug condition "x" matched at src/a.c:1\n  call trace(3):\n  {TRACES[shape]}\n'
    text += "  | 0x559cd2002903 [00 00 00 00 00 00 00 00]: libc:+0x3c050\n"
    text += "  | 0x559cd2002904 [00 00 00 00 00 00 00 00]: main-0x1220\n"
    check(text, {"stack": ("guilty", "?", "?")})


WATCHDOG = """\
Thread 1 is about to kill the process.
*>Thread 1 : id=0x7f01 act=1 glob=0 wq=1 rq=0 tl=0 tlsz=0 rqsz=0
{second}
             cpu_ns: poll=8153 now=2067816190 diff=2067808037
             curr_task=0x55 (task) calls=1 last=0
               fct=0x55(process_stream+0x1/0x20) ctx=0x5
{lua}             call trace(2):
             | 0x55d0 [eb b2 66 66 2e 0f 1f 84]: guilty+0x1/0x63
"""
SECOND_LINES = {
    "2.0": "             stuck=1 fdcache=0 prof=0 harmless=0 wantrdv=0",
    "2.2": "             stuck=1 prof=0 harmless=0 wantrdv=0",
    "2.5": "      1/1    stuck=1 prof=0 harmless=0 wantrdv=0",
    "2.8": "      1/1    stuck=1 prof=0 harmless=0 isolated=0",
    "3.3": "      1/1    loops=8 ctxsw=17 stuck=1 prof=0 harmless=0 isolated=0 locks=0",
}


@pytest.mark.parametrize("release", SECOND_LINES)
def test_the_watchdogs_dump_is_read_in_the_form_of_every_release(release: str) -> None:
    facts: Facts = {
        "crash.kind": "watchdog",
        "threads.stuck": 1,
        "stack": ("guilty",),
        "task.function": "process_stream",
    }
    check(WATCHDOG.format(second=SECOND_LINES[release], lua=""), facts)


@pytest.mark.parametrize(
    "header",
    [
        "Thread 1 is about to kill the process.",
        "PANIC! Thread 1 is about to kill the process (pid 7).",
        "lb1 haproxy[7]: Thread 1 is about to kill the process.",
    ],
)
def test_every_header_of_a_panic_is_known(header: str) -> None:
    check(header + "\n", {"crash.kind": "watchdog", "crash.signal": "SIGABRT"})


def test_warnings_of_blocked_traffic_come_before_a_panic_and_are_no_death() -> None:
    """A real log of 3.4.7, whose first checks were made to fail by commands that did not end it."""
    log = (DATA / "3.4.7-warnings-and-watchdog.log").read_text()
    facts: Facts = {"warnings.blocked_traffic": 2, "threads.stuck": 1, "debug.command": "loop"}
    check(log, {**facts, "crash.kind": "watchdog", "process.version": "3.4.7-1"})
    check(log.partition("PANIC!")[0], {"crash.kind": None, "stack": None, "warnings.blocked_traffic": 2})


SPINNING: dict[str, tuple[str, Facts]] = {
    "2.6 to 2.8": (
        (DATA / "2.6.12-spinning.log").read_text(),
        {"spinning.object": "STREAM", "spinning.rate": 305000001, "spinning.frontend": "web", "spinning.backend": "web",
         "spinning.analysers": ("request 0x200", "response 0x0")},
    ),
    "2.9 on": (
        (DATA / "3.0.11-spinning.log").read_text(),
        {"spinning.rate": 271600001, "spinning.frontend": "web", "spinning.backend": "<NONE>",
         "spinning.analysers": ("request 0x200", "response 0x0")},
    ),
    "an applet": (
        ("[ALERT]    (7) : A bogus APPCTX [0x7f01] is spinning at 100001 calls per second and refuses to die, aborting now!"
        " Please report this error to developers [strm=0x55,c00 src=unix fe=GLOBAL be=GLOBAL dst=<CLI> rqa=0 rpa=80000000"
        " filters={} applet=0x55(cli_applet) handler=0x56(cli_io_handler+0/0x81c)]\n"),
        {"spinning.object": "APPCTX", "spinning.rate": 100001, "spinning.applet": "cli_io_handler",
         "spinning.analysers": ("request 0x0", "response 0x80000000")},
    ),
    "an end of a connection": (
        "A bogus CONN_STREAM [0x7f01] is spinning at 100001 calls per second and refuses to die, aborting now!\n",
        {"spinning.object": "CONN_STREAM", "spinning.rate": 100001, "spinning.frontend": None},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SPINNING)
def test_what_spins_is_told_with_its_stream(name: str) -> None:
    text, facts = SPINNING[name]
    check(text, {**facts, "crash.kind": "spinning"})


HEADER = """\
FATAL: pool inconsistency detected in thread 3: {reason}.
  caller: 0x5559a9492566 (__stksess_kill+0xf6/0x11d)
  item: 0x7f839928e750
  pool: 0x5559a9f3a280 ('h2s', size 200, real 208, users 2)
"""
POOLS: dict[str, tuple[str, Facts]] = {
    "silent, up to 2.8": (
        (DATA / "2.8.25-double-free.log").read_text(),
        {"pool.damage": "tag mismatch on free()", "pool.second_free": "stream_free", "pool.first_free": None},
    ),
    "freed twice": (
        (DATA / "3.2.26-double-free.log").read_text(),
        {"pool.damage": "tag mismatch on free()", "pool.name": "stream", "pool.first_free": "stream_free",
         "pool.second_free": "stream_free"},
    ),
    "written to when free, without a header": (
        (DATA / "3.0.11-cache-corruption.log").read_text(),
        {"pool.damage": "it was written to after it had been freed", "pool.first_free": "stream_free",
         "pool.second_free": None, "crash.source_file": None},
    ),
    "written to when free, with one": (
        HEADER.format(reason="cache corruption detected") + "Tag does not match (0x55). \n",
        {"pool.damage": "cache corruption detected", "pool.name": "h2s", "pool.second_free": "__stksess_kill"},
    ),
    "freed to another pool": (
        HEADER.format(reason="tag mismatch on free()").replace("  pool:", "  pole:")
        + "Tag does not match (0x55). Possible origin pool(s):\n"
        "  tag: @0x7f839928e818 = 0x5559a9f3a281 (stksess, size 200, real 208, users 2)\n",
        {"pool.name": "stksess", "pool.first_free": None},
    ),
    "no function at the tag": (
        HEADER.format(reason="tag mismatch on free()")
        + "Tag does not match (0x55). Tag does not match any other pool.\n"
        "Resolving the tag as a pool_free() location:  (no match).\n"
        "Recorded caller if pool 'h2s':\n  @0x7f839928e820 (+0208) = 0x5559a9492567 (h2s_destroy+0x10/0x200)\n",
        {"pool.first_free": "h2s_destroy", "pool.second_free": "__stksess_kill"},
    ),
    "a static function": (
        HEADER.format(reason="tag mismatch on free()")
        + "Resolving the tag as a pool_free() location: main+0x30d\n",
        {"pool.first_free": None, "pool.second_free": "__stksess_kill"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", POOLS)
def test_a_report_of_a_pool_tells_what_it_knows_of_both_frees(name: str) -> None:
    text, facts = POOLS[name]
    check(text, {**facts, "crash.kind": "pool_corruption"})


OLD_LIBC = """\
*** Error in `/usr/sbin/haproxy': double free or corruption (fasttop): 0x00000000023c9a80 ***
======= Backtrace: =========
/lib64/libc.so.6(+0x81609)[0x7f7f1c9f5609]
/lib64/libc.so.6(cfree+0x4c)[0x7f7f1c9f5610]
/usr/sbin/haproxy(stream_free+0xe8)[0x563a46f17d58]
/usr/sbin/haproxy[0x563a46f17f58]
/usr/sbin/haproxy(process_stream+0x1e8)[0x563a46f17e58]
======= Memory map: ========
00400000-0052c000 r-xp 00000000 fd:00 2884 /usr/sbin/haproxy
"""
ABORTED: dict[str, tuple[str, Facts]] = {
    "old libc": (OLD_LIBC, {"crash.kind": "heap_corruption", "stack": ("stream_free", "?", "process_stream")}),
    "new libc": ("double free or corruption (out)\n", {"crash.kind": "heap_corruption", "stack": None}),
    "a stack that was smashed": (
        "*** stack smashing detected ***: terminated\n", {"crash.kind": "heap_corruption"},
    ),
    "an assertion of libc": (
        "Fatal glibc error: malloc.c:2599 (sysmalloc): assertion failed: (old_top == initial_top (av))\n",
        {"crash.kind": "heap_corruption"},
    ),
    "an assertion of a library": (
        "haproxy: lapi.c:99: lua_call: Assertion `L != NULL' failed.\n",
        {"crash.kind": "unknown", "crash.message": "haproxy: lapi.c:99: lua_call: Assertion `L != NULL' failed"},
    ),
    "Lua": (
        "PANIC: unprotected error in call to Lua API (not enough memory)\n",
        {"crash.kind": "unknown", "crash.message": "(not enough memory)"},
    ),
    "OpenSSL": (
        "crypto/bio/b_dump.c:1: OpenSSL internal error: assertion failed: x\n",
        {"crash.kind": "unknown", "crash.message": "OpenSSL internal error: assertion failed: x"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ABORTED)
def test_libraries_that_abort_leave_their_words(name: str) -> None:
    text, facts = ABORTED[name]
    check(text, {**facts, "crash.signal": "SIGABRT"})


def test_address_sanitizer_tells_who_freed_what_was_used() -> None:
    """A real report, of a program compiled for it."""
    facts: Facts = {
        "crash.kind": "heap_corruption", "crash.address": 0x604000000014, "crash.source_file": "a.c",
        "crash.explanation": "heap-use-after-free, READ of size 1 by stksess_use, freed by give, allocated by main",
    }  # fmt: skip
    check((DATA / "asan-use-after-free.log").read_text(), facts)
    segv = "==7==ERROR: AddressSanitizer: SEGV on unknown address 0x000000000010 (pc 0x55 bp 0x7f sp 0x7f T0)\n"
    segv += "==7==The signal is caused by a READ memory access.\n    #0 0x55 in guilty /src/a.c:1:2\n    #1 0x56 in main /a.c:3\n"
    check(segv, {"crash.address": 16, "crash.explanation": "SEGV, READ by guilty", "stack": ("guilty", "main")})


HAPROXY = "haproxy[13726]: segfault at {at} ip 0000558b178329b6 sp 00007fff7b93fa90 error {error} in haproxy[558b1782e000+1dd000]\n"
ARM = "haproxy[123]: unhandled exception: {what} in haproxy[aaaac5f40000+200000]\n"
KERNEL: dict[str, tuple[str, Facts]] = {
    "a write to address 1": (
        HAPROXY.format(at=1, error=6) + "Code: e8 ff 42 17 00 <c6> 04 25 01 00 00 00 00 e8 00\n",
        {"crash.kind": "bug_on", "crash.signal": "SIGSEGV"},
    ),
    "the same of 2.5": (
        HAPROXY.format(at=1, error=6) + "Code: e8 <c7> 04 25 01 00 00 00 00 00 00 00 e8 00\n", {"crash.kind": "bug_on"},
    ),
    "the same without its code": (HAPROXY.format(at=1, error=6), {"crash.kind": "bug_on"}),
    "a read of address 1": (HAPROXY.format(at=1, error=4), {"crash.kind": "segfault"}),
    "another write to address 1": (
        HAPROXY.format(at=1, error=6) + "Code: c6 04 25 01 00 00 00 00 <88> 10 c6 04 25 01 00 00 00 00\n",
        {"crash.kind": "segfault"},
    ),
    "a wild pointer": (HAPROXY.format(at=18, error=4), {"crash.kind": "segfault", "crash.address": 0x18}),
    "a trap of another kind": (
        "traps: haproxy[7] trap divide error ip:55d0 sp:7ffd error:0 in haproxy[55d000000000+1dd000]\n",
        {"crash.kind": "segfault", "crash.signal": "SIGFPE"},
    ),
    "a breakpoint": (
        "traps: haproxy[7] trap int3 ip:55d0 sp:7ffd error:0 in haproxy[55d000000000+1dd000]\n",
        {"crash.kind": None, "crash.signal": "SIGTRAP"},
    ),
    "an illegal instruction in a library": (
        "traps: haproxy[7] trap invalid opcode ip:55d0 sp:7ffd error:0 in libcrypto.so.3[55d000000000+1dd000]\n",
        {"crash.kind": None, "crash.signal": "SIGILL"},
    ),
    "arm64": (
        ARM.format(what="DABT (lower EL), ESR 0x0000000092000006, level 2 translation fault"),
        {"crash.kind": "segfault", "crash.signal": "SIGSEGV", "crash.address": None},
    ),
    "arm64, its own end": (ARM.format(what="undefined instruction"), {"crash.kind": "bug_on", "crash.signal": "SIGILL"}),
    "arm64, older": (
        "haproxy[123]: unhandled level 2 translation fault (11) at 0x00000001, esr 0x92000046, in haproxy[aaaac5f40000+200000]\n",
        {"crash.kind": "bug_on", "crash.address": 1},
    ),
    "arm64, older still": (
        "haproxy[123]: unhandled level 1 translation fault (11) at 0x00000010, esr 0x92000005\n",
        {"crash.kind": "segfault", "crash.address": 16},
    ),
    "arm64, a stack pointer that is none": (
        ARM.format(what="SP Alignment, ESR 0x000000009a000000, SP/PC alignment exception"),
        {"crash.kind": "segfault", "crash.signal": "SIGBUS"},
    ),
    "arm64, memory tagging": (
        ARM.format(what="DABT (lower EL), ESR 0x0000000092000051, synchronous tag check fault"),
        {"crash.kind": "segfault", "crash.signal": "SIGSEGV"},
    ),
    "memory of a cgroup": (
        "Memory cgroup out of memory: Killed process 7 (haproxy) total-vm:1kB, anon-rss:1kB\n",
        {"crash.kind": "oom", "stack": None},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", KERNEL)
def test_the_kernel_tells_faults_from_ends_on_purpose(name: str) -> None:
    text, facts = KERNEL[name]
    check("".join(f"[  12.345678] {line}\n" for line in text.splitlines()), facts)


def test_arm64_registers_below_a_fault_are_read() -> None:
    from forensics.logs import parse

    text = ARM.format(what="DABT (lower EL), ESR 0x92000046, level 2 translation fault") + (
        "CPU: 1 PID: 123 Comm: haproxy Not tainted 6.1.0\npc : 0000aaaac5f4abcd\nlr : 0000aaaac5f4abc0\n"
        "sp : 0000fffff5f4abc0\nCode: aa0003e1 d2800000 (b900001f) 00000000\n"
    )
    (fault,) = parse(f"[ 1.2] {line}\n".encode() for line in text.splitlines()).kernel_faults
    assert (fault.ip, fault.sp, fault.error) == (0xAAAAC5F4ABCD, 0xFFFFF5F4ABC0, 0x92000046)
    assert fault.code is not None and fault.code_ip == 8
    assert fault.code[8:12] == bytes.fromhex("1f0000b9")


LLDB = """\
* thread #1, name = 'haproxy', stop reason = signal SIGILL: illegal instruction operand
  * frame #0: 0x000055a2e4ce1d16 haproxy`__task_queue(task=0x000055a31cf225a0, wq=0x000055a2e5059818) at task.c:285:2
    frame #1: 0x000055a2e4bf7a3e haproxy`stktable_requeue_exp [inlined] _task_queue(caller=<unavailable>) at task.h:318:3
    frame #2: 0x000055a2e4bf7a3e haproxy`stktable_requeue_exp(t=0x000055a31cf2cc30) at stick_table.c:613
    frame #3: 0x000055a2e4bf7a3f haproxy`___lldb_unnamed_symbol1234 + 133
    frame #4: 0x00007f00e4bf7a3e libc.so.6`__libc_start_main + 133
  thread #2, name = 'haproxy', stop reason = signal 0
    frame #0: 0x00007f00e4bf7a3e libc.so.6`epoll_wait + 94
    frame #1: 0x00007f00e4bf7a3f haproxy`_do_poll(p=0x1) at ev_epoll.c:232
"""
GDB = """\
Program terminated with signal SIGILL, Illegal instruction.
#0  0x000055a2e4ce1d16 in __task_queue (task=task@entry=0x55a31cf225a0, wq=0x55a
2e5059818) at src/task.c:285
285\t\tBUG_ON(task->expire == TICK_ETERNITY);
   ^~~~~~
#1  0x000055a2e4bf9257 in stktable_touch_with_exp (t=0x55a31cf2cc30) at src/stick_table.c:442
        oldexp = 3
--Type <RET> for more, q to quit, c to continue without paging--c
#2  0x000055a2e4bb78a7 in process_stream (t=<optimized out>, context=0x55a31cf18b20) at src/stream.c:2033
No locals.
(More stack frames follow...)
"""
STACK = ("__task_queue", "stktable_touch_with_exp", "process_stream")


@pytest.mark.parametrize("before", ["", "> ", ">> ", " > "])
@pytest.mark.parametrize("fence", ["", "```\n", "```gdb\n"])
def test_a_paste_of_gdb_is_read_wrapped_quoted_fenced_and_paged(before: str, fence: str) -> None:
    text = "".join(f"{before}{line}\n" for line in (fence + GDB + fence).splitlines())
    check(text, {"crash.signal": "SIGILL", "crash.kind": "bug_on", "stack": STACK, "crash.source_line": 285})


def test_a_paste_of_lldb_is_read() -> None:
    stack = ("__task_queue", "[_task_queue]", "stktable_requeue_exp", "?", "__libc_start_main")
    facts: Facts = {"crash.signal": "SIGILL", "stack": stack, "crash.source_line": 285}
    check(LLDB, {**facts, "threads.functions": ("_do_poll", "epoll_wait")})


def test_a_paste_of_eu_stack_is_read() -> None:
    text = "PID 7 - core\nTID 7:\n#0  0x000055d000001234 stream_free - 1\n#1  0x000055d000002234 process_stream - 1\n"
    check(text, {"stack": ("stream_free", "process_stream")})


def test_addresses_alone_stay_without_names_and_are_counted() -> None:
    crash = crash_of_text("Backtrace:\n0x000055a2e4ce1d16\n0x000055a2e4ce1d17\n[0x55a2e4ce1d18]\n")
    (gap,) = [one for one in crash.gaps if one.subject == "stack"]
    assert gap.reason.endswith("only 3 addresses")


@pytest.mark.parametrize("line", ["[0x55a2e4ce1d18]", "haproxy(main+0x1)[0x55a2e4ce1d18]", "0x55a2e4ce1d18"])
def test_one_address_is_no_backtrace(line: str) -> None:
    check(f"Backtrace:\nnothing\nnothing\nnothing\n{line}\n", NONE)


def test_a_signal_that_a_collector_names_is_a_death_without_a_stack() -> None:
    for text in ("haproxy killed by SIGSEGV\n", "ProblemType: Crash\nSignal: 11\n", "SignalName: SIGSEGV\n"):
        check(text, {"crash.signal": "SIGSEGV", "crash.kind": "segfault", "stack": None})


@pytest.mark.parametrize(
    "line",
    [
        "Process 7(haproxy) has RLIMIT_CORE set to 1",
        "coredump: 7(haproxy): |/usr/lib/systemd/systemd-coredump pipe failed",
    ],
)
def test_a_core_that_the_kernel_refused_is_a_gap(line: str) -> None:
    crash = crash_of_text(f"[ 1.2] {HAPROXY.format(at=18, error=4)}[ 1.3] {line}\n[ 1.4] Aborting core\n")
    assert [gap.subject for gap in crash.gaps if "kernel" in gap.reason] == ["core of the process"]


COREDUMPCTL = """\
           PID: 1032 (haproxy)
        Signal: 6 (ABRT)
    Executable: /usr/sbin/haproxy
       Storage: /var/lib/systemd/coredump/core.haproxy.188.x.1032.1705573385000000.zst (truncated)
       Message: Process 1032 (haproxy) of user 188 dumped core.

                Module libgcc_s.so.1 from deb gcc-14-14.2.0-4ubuntu2~24.04.amd64
                Stack trace of thread 1043:
                #0  0x00007fd2b748bedc __pthread_kill_implementation (libc.so.6 + 0x8bedc)
                #1  0x0000561267417df2 n/a (haproxy + 0x205df2)
                #2  0x0000561267417df3 ha_panic (haproxy)
                #3  0x0000561267417df4 guilty (haproxy)
                ELF object binary architecture: AMD x86-64
"""
COLLECTED: dict[str, tuple[str, Facts]] = {
    "coredumpctl info": (
        COREDUMPCTL, {"crash.kind": "watchdog", "crash.signal": "SIGABRT", "process.pid": 1032, "stack": ("guilty",)},
    ),
    "systemd-coredump without stacks": (
        "systemd-coredump[2]: \U0001f855 Process 1032 (haproxy) of user 188 dumped core.\n", {"process.pid": 1032},
    ),
    "systemd-coredump of old": (
        "Process 1032 (haproxy) of user 188 terminated abnormally with signal 11/SEGV, processing...\n",
        {"crash.kind": "segfault", "crash.signal": "SIGSEGV", "process.pid": 1032},
    ),
    "systemd, with a master": (
        ("systemd[1]: haproxy.service: Main process exited, code=exited, status=139/n/a\n"
        "systemd[1]: haproxy.service: Failed with result 'exit-code'.\n"),
        {"crash.signal": "SIGSEGV", "crash.kind": None},
    ),
    "systemd, without": (
        ("systemd[1]: haproxy.service: Main process exited, code=dumped, status=6/ABRT\n"
        "systemd[1]: haproxy.service: Failed with result 'core-dump'.\n"),
        {"crash.signal": "SIGABRT", "crash.kind": None},
    ),
    "systemd, out of memory": (
        "systemd[1]: haproxy.service: Failed with result 'oom-kill'.\n", {"crash.kind": "oom", "crash.signal": None},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", COLLECTED)
def test_systemd_and_its_collector_are_witnesses(name: str) -> None:
    check(*COLLECTED[name])


REPORTS = [
    "2.6.12-spinning.log", "2.8.25-double-free.log", "3.0.11-cache-corruption.log", "3.0.11-spinning.log",
    "3.2.26-double-free.log", "3.4.7-warnings-and-watchdog.log", "asan-use-after-free.log",
]  # fmt: skip


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_report_gives_the_same_facts_whatever_carried_it(
    name: str, carrier: Callable[[list[bytes]], list[bytes]]
) -> None:
    plain = b"".join(lines_of(name)).decode("utf-8", "replace").replace("\0", "")
    carried = b"".join(carrier(plain.encode().splitlines(keepends=True))).decode()
    told, again = ({(fact.name, fact.value) for fact in crash_of_text(text).facts} for text in (plain, carried))
    assert again == told


@pytest.mark.parametrize(
    "line",
    [
        "FATAL: malloc() function not found.",
        "FATAL ERROR: invalid code detected -- cannot go further, please recompile!",
        "[ALERT]    (7) : Lua function 'x': runtime error: /etc/haproxy/x.lua:1: attempt to index a nil value",
        "[WARNING]  (7) : Failed to setup watchdog timer for thread 1, disabling lockup detection.",
        "[WARNING]  (7) : All workers exited. Exiting... (0)",
        "haproxy invoked oom-killer: gfp_mask=0xcc0, order=0, oom_score_adj=0",
        "==7==ERROR: LeakSanitizer: detected memory leaks",
        "src/http_ana.c:1:2: runtime error: signed integer overflow",
    ],
)
def test_what_sounds_like_a_death_and_is_none(line: str) -> None:
    check(line + "\n", NONE)
