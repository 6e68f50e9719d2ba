"""What a stuck thread was stuck in, told from made-up stacks; real ones are in test_real_deaths.py."""

from __future__ import annotations

import pytest

from forensics.elf.core import read_core
from forensics.haproxy.death.record import Stall, Stuck
from forensics.haproxy.death.stall import explain, find_stall
from forensics.haproxy.death.stuck import KINDS, stuck_in
from forensics.memory.random_access import BytesInMemory
from forensics.symbols.find import Places
from forensics.unwind.backtrace import SIGNAL_HANDLER, Process
from forensics.unwind.frame import Frame, ThreadStack
from tests.builders.core import Core, Load, Thread

HEAP = 0x7F00_0000_0000


def process(memory: bytes = bytes(4096), threads: int = 1) -> Process:
    core = Core(
        threads=tuple(Thread(lwp=1000 + number, signal=6) for number in range(threads)),
        loads=(Load(HEAP, memory),),
        siginfo=(6, -6, 1000),
    )
    return Process(read_core(BytesInMemory(core.build(), "core")), Places())


def stack(*functions: str, number: int = 1, handler: bool = True) -> ThreadStack:
    """A thread that was interrupted in these functions, innermost first; ``lib.so!name`` names the library."""
    dying = ("abort", "ha_panic", "wdt_handler", SIGNAL_HANDLER) if handler else ()
    frames = []
    for index, name in enumerate((*dying, *functions)):
        module, _mark, function = name.rpartition("!")
        frames.append(Frame(index, 0, function, function, 0, "", 0, module or "haproxy", False, "cfi", "symbolicated"))
    return ThreadStack(999 + number, number, number == 1, tuple(frames), "")


@pytest.mark.parametrize(
    ("functions", "what", "function"),
    [
        (("pl_wait_unlock_long.isra.0", "stktable_touch_with_exp", "process_stream"), "lock", "stktable_touch_with_exp"),
        (("thread_isolate", "cli_parse_add_map"), "isolation", "thread_isolate"),
        (("__lll_lock_wait_private", "_int_free", "free", "h1_release"), "malloc", "_int_free"),
        (("madvise", "systrim", "mtrim", "__malloc_trim", "trim_all_pools"), "malloc_trim", "mtrim"),
        (("libpcre2-8.so.0!", "libpcre2-8.so.0!pcre2_match_8", "regex_exec_match2", "process_stream"), "regex",
         "pcre2_match_8"),
        (("re_search_internal", "__regexec", "http_replace_hdrs"), "regex", "re_search_internal"),
        (("luaV_execute", "lua_resume", "hlua_ctx_resume"), "lua", "luaV_execute"),
        (("liblua5.4.so.0!", "liblua5.4.so.0!", "process_stream"), "lua", ""),
        (("recv", "__res_nsend", "getaddrinfo", "str2ip2"), "dns", "__res_nsend"),
        (("libcrypto.so.3!BN_mod_exp", "libssl.so.3!SSL_do_handshake"), "ssl", "BN_mod_exp"),
        (("strcmp", "pat_ref_find_elt", "cli_io_handler"), "map", "pat_ref_find_elt"),
        (("ebmb_lookup", "stktable_lookup_key"), "tree", "ebmb_lookup"),
        (("stats_dump_proxies", "cli_io_handler"), "cli", "stats_dump_proxies"),
        (("my_function", "process_stream"), "code", "my_function"),
        (("", "run_tasks_from_lists", "main"), "code", ""),
    ],
)  # fmt: skip
def test_the_functions_that_were_interrupted_tell(functions: tuple[str, ...], what: str, function: str) -> None:
    found = stuck_in(process(), stack(*functions))
    assert (found.what, found.function) == (what, function)
    assert found.what in KINDS
    assert found.evidence


def test_a_lock_within_lua_is_a_lock() -> None:
    found = stuck_in(process(), stack("pl_take_s", "hlua_socket_new", "lua_resume"))
    assert (found.what, found.function) == ("lock", "hlua_socket_new")


def test_a_victim_is_told_from_its_culprit() -> None:
    """The thread that panics waits for a lock; one is at work, one waits too, one is idle."""
    stacks = (
        stack("pl_wait_unlock_long", "stktable_touch_with_exp"),
        stack("debug_handler", SIGNAL_HANDLER, "process_table_expire", "run_tasks_from_lists", number=2, handler=False),
        stack("debug_handler", SIGNAL_HANDLER, "pl_wait_unlock_long", "peer_send_msgs", number=3, handler=False),
        stack("debug_handler", SIGNAL_HANDLER, "epoll_wait", "_do_poll", number=4, handler=False),
    )
    stall = find_stall(process(threads=4), stacks[0], stacks)
    assert (stall.stuck.what, stall.victim, stall.suspects) == ("lock", True, (2,))
    assert "it is a victim: thread 2 at work may have what it waits for" in explain(stall)


def test_thread_dumps_in_memory_tell_who_was_stuck() -> None:
    """Of a build whose structures are not known; the thread that panics is not the one that was marked."""
    dump = b"  Thread 1 : id=0x7f01 act=0 glob=0\n *>Thread 2 : id=0x7f02 act=1 glob=0\n >Thread 3 : id=0x7f03 act=1\n"
    memory = (b"xx" + dump.replace(b" *>", b"*>")).ljust(4096, b"\0")
    stacks = (stack("epoll_wait"), stack("luaV_execute", number=2), stack("luaV_execute", number=3))
    stall = find_stall(process(memory, 3), stacks[0], stacks)
    assert (stall.number, stall.marked_by, stall.stuck.thread) == (2, "thread dumps in memory", 2)
    assert explain(stall).endswith("1 more thread was stuck")


def test_every_kind_can_be_said() -> None:
    for what in KINDS:
        assert "stuck in" in explain(Stall(Stuck(what, 1)))
    many = Stall(Stuck("lock", 1, "f"), 5, "", True, (2, 3, 4, 5, 6))
    assert explain(many).endswith(
        "threads 2, 3, 4 and 2 more at work may have what it waits for; 4 more threads were stuck"
    )
