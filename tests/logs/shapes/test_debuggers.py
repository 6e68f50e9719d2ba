"""What people paste from debuggers."""

from __future__ import annotations

import pytest

from forensics.api import crash_of_text
from tests.logs.shapes.facts import NONE, Facts, check

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
