"""Single lines worth knowing."""

from __future__ import annotations

import pytest

from forensics.logs import parse
from tests.logs.carriers import lines_of, text_lines

LIBC = [
    "free(): invalid pointer",
    "free(): double free detected in tcache 2",
    "double free or corruption (!prev)",
    "double free or corruption (fasttop)",
    "double free or corruption (out)",
    "corrupted size vs. prev_size while consolidating",
    "corrupted double-linked list (not small)",
    "malloc(): corrupted top size",
    "malloc(): invalid size (unsorted)",
    "malloc_consolidate(): unaligned fastbin chunk detected",
    "realloc(): invalid next size",
    "munmap_chunk(): invalid pointer",
    "*** stack smashing detected ***: terminated",
    "*** buffer overflow detected ***: terminated",
    "*** longjmp causes uninitialized stack frame ***: terminated",
    "*** Error in `/usr/sbin/haproxy': free(): invalid pointer: 0x0000000001 ***",
    "Fatal glibc error: malloc.c:2599 (sysmalloc): assertion failed: (old_top == initial_top (av))",
    "haproxy: malloc.c:2379: sysmalloc: Assertion `(old_top == initial_top (av))' failed.",
]


@pytest.mark.parametrize("text", LIBC)
def test_libc_says_why_it_aborts(text: str) -> None:
    """In a line of its own."""
    (found,) = parse(text_lines(f"{text}\n")).mentions
    assert (found.what, text.startswith(found.value[:20])) == ("libc abort", True)


@pytest.mark.parametrize(
    ("text", "what", "value"),
    [
        ("[NOTICE]   (1) : haproxy version is 2.9.0-fddb8c13b", "version", "2.9.0-fddb8c13b"),
        ("[NOTICE] 083/003912 (1) : haproxy version is 2.3.1", "version", "2.3.1"),
        ("HAProxy version 2.9.0-fddb8c13b 2023/12/05 - https://haproxy.org/", "version", "2.9.0-fddb8c13b"),
        ("HA-Proxy version 2.3.1 2020/11/13 - https://haproxy.org/", "version", "2.3.1"),
        ("[NOTICE]   (1) : path to executable is /usr/sbin/haproxy", "executable", "/usr/sbin/haproxy"),
        ("Status: long-term supported branch - will stop", "status", "long-term supported branch - will stop"),
        ("PANIC: unprotected error in call to Lua API (out of memory)", "lua", "(out of memory)"),
        (
            "crypto/x.c:1: OpenSSL internal error: assertion failed",
            "openssl",
            "OpenSSL internal error: assertion failed",
        ),
        ("FATAL: pool inconsistency detected in thread 3: tag mismatch on free().", "pool", "tag mismatch on free()."),
        (
            "[ALERT]    (1) : A bogus STREAM [0x7f] is spinning at 100001 calls per second and refuses to die",
            "spinning",
            "STREAM [0x7f] is spinning at 100001 calls per second",
        ),
        (
            "This was triggered on purpose from the CLI 'debug dev bug' command.",
            "deliberate",
            "debug dev bug",
        ),
        ("  | 0x559009bccaf9 [0f 0b 0f 1f 44 00 00 48]: debug_parse_cli_bug+0x59/0x5b", "deliberate", "debug dev bug"),
    ],
)
def test_every_mention_is_known_by_its_shape(text: str, what: str, value: str) -> None:
    """Whatever stands before it."""
    assert (what, value) in [(mention.what, mention.value) for mention in parse(text_lines(f"{text}\n")).mentions]


def test_a_pool_report_names_the_two_who_freed() -> None:
    """Pools are merged by size, so the name is no more than a hint."""
    text = (
        "FATAL: pool inconsistency detected in thread 3: tag mismatch on free().\n"
        "  caller: 0x55 (process_table_expire+0x30d/0x3cb)\n"
        "  item: 0x7f\n"
        "  pool: 0x56 ('h2s', size 200, real 256, users 2)\n"
        "Tag does not match (0x57). Tag does not match any other pool.\n"
        "Resolving the tag as a pool_free() location: stksess_free+0x10/0x20\n"
    )
    found = {mention.what: mention.value for mention in parse(text_lines(text)).mentions}
    assert found == {
        "pool": "tag mismatch on free().",
        "pool caller": "process_table_expire+0x30d/0x3cb",
        "pool item": "0x7f",
        "pool name": "h2s",
        "pool free": "stksess_free+0x10/0x20",
    }


def test_a_neighbour_of_a_debug_command_is_not_a_command() -> None:
    """The offset lies beyond the symbol."""
    assert parse(text_lines("  | 0x55 [0f 0b]: debug_parse_cli_bug+0x5900\n")).mentions == ()


def test_the_masters_last_words_name_the_version() -> None:
    """A real log of 2.9.0."""
    found = {mention.what: mention.value for mention in parse(lines_of("2.9.0-debug-dev-panic.log")).mentions}
    assert found["version"] == "2.9.0-fddb8c13b"
    assert found["executable"] == "/usr/local/sbin/haproxy"
    assert found["status"].startswith("development branch")
