"""Damaged pools and heaps, and libraries that abort."""

from __future__ import annotations

import pytest

from tests.logs.carriers import DATA
from tests.logs.shapes.facts import Facts, check

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
