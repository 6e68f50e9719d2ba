"""What mail, forums and web pages do to the lines that are pasted there."""

from __future__ import annotations

import html
from collections.abc import Callable

import pytest

from forensics.api import crash_of_text
from forensics.logs.pasted_text import unpasted

BUG = """\
FATAL: bug condition "one->next > two" matched at src/one.c:42
  call trace(4):
  | 0x55d000001234 <00 00 00 e8 31 f3 ff ff]: one_reader+0x42/0x50 > ha_backtrace_to_stderr
  | 0x55d000001334 <00 00 00 e8 31 f3 ff ff]: process_stream+0x142/0x500 > one_reader
"""
PANIC = """\
HAProxy version 3.0.5-8e879a5 2024/09/19 - https://haproxy.org/
Thread 2 is about to kill the process.
  Thread 1 : id=0x7f0000000001 act=0 glob=0 wq=1 rq=0 tl=0 tlsz=0 rqsz=0
      1/1    stuck=0 prof=0 harmless=1 isolated=0
*>Thread 2 : id=0x7f0000000002 act=1 glob=0 wq=1 rq=0 tl=0 tlsz=0 rqsz=0
      1/2    stuck=1 prof=0 harmless=0 isolated=0
             fct=0x55d000001000(process_stream) ctx=0x7f0000000042
             call trace(3):
             | 0x55d000001234 [00 00 00 e8 31 f3 ff ff]: wdt_handler+0x42/0x50
             | 0x55d000001334 [00 00 00 e8 31 f3 ff ff]: one_loop+0x142/0x500
"""
GDB = """\
Program terminated with signal SIGABRT, Aborted.
#0  0x00007f0000000001 in raise () from /lib64/libc.so.6
#1  0x00007f0000000002 in abort () from /lib64/libc.so.6
#2  0x000055d000001234 in ha_panic () at src/debug.c:20
#3  <signal handler called>
#4  0x000055d000001334 in one_loop (it=it@entry=0x7f0000000042, what=<optimized out>) at src/one.c:42
"""
LIBC = """\
*** Error in `haproxy': free(): invalid pointer: 0x000055d000000042 ***
======= Backtrace: =========
/lib/x86_64-linux-gnu/libc.so.6(+0x70bfb)[0x7f0000000bfb]
haproxy(one_reader+0x42)[0x55d000001234]
haproxy(process_stream+0x42)[0x55d000001334]
"""
COLLECTED = """\
Process 42 (haproxy) of user 99 dumped core.

Stack trace of thread 42:
#0  0x000055d000001234 one_reader (haproxy)
#1  0x000055d000001334 process_stream (haproxy)
"""
KERNEL = (
    "kernel: haproxy[42]: segfault at 8 ip 000055d000001234 sp 00007f0000000042 error 4 in haproxy[55d000000000+1000]\n"
)
TEXTS = {"bug": BUG, "panic": PANIC, "gdb": GDB, "libc": LIBC, "collected": COLLECTED}
TEXTS |= {f"{name} by syslog": "".join(f"Apr  2 10:00:00 one haproxy[42]: {line}" for line in text.splitlines(True))
          for name, text in TEXTS.items()}  # fmt: skip
TEXTS["kernel"] = f"Apr  2 10:00:00 one {KERNEL}"

PASTES: dict[str, Callable[[str], str]] = {
    "quoted": lambda line: f"> {line}",
    "quoted twice": lambda line: f"> > {line}",
    "quoted tight": lambda line: f">> {line}",
    "code in Markdown": lambda line: f"    {line}",
    "behind a tab": lambda line: f"\t{line}",
    "Windows": lambda line: f"{line}\r",
    "entities": html.escape,
    "entities twice quoted": lambda line: f"&gt; {html.escape(line, quote=False)}",
    "line breaks of HTML": lambda line: f"{line}<br />",
    "blanks that do not break": lambda line: line.replace("  ", "\u00a0 "),
    "blanks that do not break, first": lambda line: line.replace("  ", " \u00a0"),
    "blanks without width": lambda line: line.replace("#", "#\u200b"),
    "quotation marks of a word processor": lambda line: line.replace("'", "\u2019"),
    "blanks collapsed": lambda line: " ".join(line.split()),
}


def told(text: str) -> dict[str, object]:
    """Every fact, without its place."""
    crash = crash_of_text(text)
    return {fact.name: fact.value for fact in reversed(crash.facts)}


@pytest.mark.parametrize("paste", PASTES)
@pytest.mark.parametrize("name", TEXTS)
def test_a_paste_tells_what_the_text_told(name: str, paste: str) -> None:
    text = TEXTS[name]
    assert told("".join(f"{PASTES[paste](line)}\n" for line in text.splitlines())) == told(text) != {}


def test_a_page_as_it_was_saved() -> None:
    assert told(f"<pre><code>{html.escape(BUG)}</code></pre>\n") == told(BUG)


@pytest.mark.parametrize(
    "line", [">Thread 2 : id=0x7f act=1", "*>Thread 2 : id=0x7f act=1", "a > b", "  | 0x55d0 <00 ff]: one > two", "&c;"]
)
def test_marks_that_mean_something_stay(line: str) -> None:
    assert unpasted(line) == line
