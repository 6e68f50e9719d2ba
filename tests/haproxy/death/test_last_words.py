"""What buffers in memory say: libc's last message, streams that spin, damaged pools. Made-up memories, damaged ones too."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forensics.absence import Absence
from forensics.elf.core import read_core
from forensics.haproxy.death.last_words import pool_report, spinning_text
from forensics.haproxy.death.libc_message import LibcMessage, read_libc_message
from forensics.haproxy.death.memory_text import MemoryText, find_text, iter_texts
from forensics.memory.random_access import BytesInMemory
from forensics.symbols.find import Places
from forensics.unwind.backtrace import Process
from tests.builders.core import Core, File, Load, Thread

HEAP = 0x7F00_0000_0000
LIBC = 0x7E00_0000_0000

POOL = b"""FATAL: pool inconsistency detected in thread 2: tag mismatch on free().
  caller: 0x55fa88e51d35 (__stksess_free+0x65/0xaf)
  item: 0x7f222c0ed430
  pool: 0x55fa8b2a2b40 ('h2s', size 160, real 192, users 24)
Tag does not match (0x55fa88e53f1d). Tag does not match any other pool.
Resolving the tag as a pool_free() location: process_table_expire+0x30d/0x3cb
Contents around address 0x7f222c0ed430+160=0x7f222c0ed4d0:
"""


def process(memory: bytes, *, libc: bool = False) -> Process:
    loads = [Load(HEAP, memory)]
    files: tuple[File, ...] = ()
    if libc:
        image = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + b"\3\0\x3e\0\1\0\0\0" + bytes(40)
        loads.append(Load(LIBC, image.ljust(4096, b"\0"), flags=4))
        files = (File(LIBC, LIBC + 4096, "/usr/lib/libc.so.6"),)
    core = Core(threads=(Thread(signal=6),), loads=tuple(loads), files=files, siginfo=(6, -6, 1000))
    return Process(read_core(BytesInMemory(core.build(), "core")), Places())


def test_a_pool_report_names_the_pool_and_who_freed_the_object() -> None:
    found = pool_report(process(b"\0" * 100 + POOL.ljust(4096, b"\0")))
    assert not isinstance(found, Absence)
    text, damage = found
    assert (text.address, damage.pool, damage.reason) == (HEAP + 100, "h2s", "tag mismatch on free()")
    assert (damage.first_free, damage.second_free) == ("process_table_expire", "__stksess_free")


def test_a_pool_report_without_its_head_still_tells_who_freed_the_object() -> None:
    """3.0 and later write over the head (pool_inspect_item() of src/pool.c)."""
    rest = POOL[POOL.index(b"Tag does") :]
    found = pool_report(
        process(b"Contents around first corrupted address relative to pool item:.\n" + rest + bytes(4096))
    )
    assert not isinstance(found, Absence)
    _text, damage = found
    assert (damage.first_free, damage.second_free, damage.pool) == ("process_table_expire", "", "")
    assert "after it had been freed" in damage.reason


def test_names_that_stand_for_no_name_are_none() -> None:
    found = pool_report(process(POOL.replace(b"process_table_expire", b"main").ljust(4096, b"\0")))
    assert not isinstance(found, Absence)
    assert found[1].first_free == ""


def test_a_spinning_applet_says_what_and_how_fast() -> None:
    text = b"A bogus APPCTX [0x7f00aa] is spinning at 100001 calls per second and refuses to die"
    found = spinning_text(process(b"\0" * 5000 + text + bytes(4096)).core.memory)
    assert isinstance(found, MemoryText)
    assert (found.groups, found.address) == (("APPCTX", "0x7f00aa", "100001"), HEAP + 5000)


def test_nothing_is_found_where_nothing_is() -> None:
    empty = process(bytes(8192))
    assert isinstance(spinning_text(empty.core.memory), Absence)
    assert isinstance(pool_report(empty), Absence)
    assert isinstance(read_libc_message(empty), Absence)


@pytest.mark.parametrize(
    ("text", "about"),
    [
        (b"double free or corruption (!prev)\n", "heap"),
        (b"malloc(): corrupted top size\n", "heap"),
        (b"*** stack smashing detected ***: terminated\n", "overrun"),
        (b"Fatal glibc error: tpp.c:83 (__pthread_tpp_change_priority): assertion failed: x\n", "assertion"),
        (b"haproxy: conn.c:12: f: Assertion `a == b' failed.\n", "assertion"),
    ],
)
def test_libcs_message_is_found_by_its_form_where_its_file_is_missing(text: bytes, about: str) -> None:
    page = (4096).to_bytes(4, "little") + text
    found = read_libc_message(process(bytes(4096) + page.ljust(4096, b"\0"), libc=True))
    assert isinstance(found, LibcMessage)
    assert (found.text, found.about, found.address) == (text.decode().strip(), about, HEAP + 4096 + 4)


def test_a_text_elsewhere_on_a_page_is_no_message_of_libc() -> None:
    page = bytes(64) + (4096).to_bytes(4, "little") + b"double free or corruption (!prev)"
    assert isinstance(read_libc_message(process(page.ljust(4096, b"\0"), libc=True)), Absence)


def test_a_text_across_two_pieces_is_found_once() -> None:
    memory = bytearray(3 << 20)
    memory[(1 << 20) - 10 : (1 << 20) + 20] = b"A bogus STREAM [0x1] is spinni"
    memory[(1 << 20) + 20 : (1 << 20) + 50] = b"ng at 100001 calls per second\0"
    space = process(bytes(memory)).core.memory
    assert len(list(iter_texts(space, b" is spinning at ", re.compile(rb"A bogus \w+ [^\0]+")))) == 1
    assert isinstance(find_text(space, b"absent", re.compile(rb"absent")), Absence)


@given(st.binary(max_size=3000))
def test_any_memory_gives_an_answer(data: bytes) -> None:
    dead = process(b"FATAL: pool inconsistency detected in thread 1: " + data.ljust(4096, b"\0"), libc=True)
    pool_report(dead)
    read_libc_message(dead)
    spinning_text(dead.core.memory)
