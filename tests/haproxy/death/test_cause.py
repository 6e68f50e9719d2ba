"""How it died, told from signal, code and stack: each way with the smallest core that shows it."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from forensics.api import Options, open_core
from forensics.elf.core import read_core
from forensics.haproxy.counters import Counters, read_counters
from forensics.haproxy.death.cause import decide
from forensics.haproxy.death.own_crash import ABORT as _ABORT
from forensics.haproxy.death.own_crash import SENTENCE as _SENTENCE
from forensics.haproxy.death.recursion import Recursion, find_recursion
from forensics.memory.random_access import BytesInMemory
from forensics.symbols.find import Places
from forensics.unwind.backtrace import Process, backtraces
from forensics.unwind.frame import Frame, ThreadStack
from tests.builders.core import Core, Load, Thread
from tests.builders.elf import note

PID = 1000
STACK_START = 0x7FFF_0000_0000


def process(signal: int, code: int, word: int, *, rsp: int = STACK_START + 0x8000) -> Process:
    """A HAProxy of one thread that ``signal`` ended; ``word`` is si_addr or the sender."""
    thread = Thread(lwp=PID, signal=signal, registers={"rip": 0x55_0000_1000, "rsp": rsp})
    core = Core(threads=(thread,), loads=(Load(STACK_START, bytes(0x10000)),), siginfo=(signal, code, word))
    return Process(read_core(BytesInMemory(core.build(), "core")), Places())


def stack(*functions: str) -> ThreadStack:
    """The crashed thread's stack."""
    frames = tuple(
        Frame(index, 0, name, name, 0, "", 0, "/usr/sbin/haproxy", False, "cfi", "symbolicated")
        for index, name in enumerate(functions)
    )
    return ThreadStack(PID, 1, True, frames, "")


@pytest.mark.parametrize(
    ("signal", "code", "word", "kind", "words"),
    [
        (11, 1, 0x18, "segfault", "null pointer"),
        (11, 2, 0x7F00_0000_0000, "segfault", "had not"),
        (11, 128, 0, "segfault", "overwritten memory"),
        (11, 1, STACK_START - 64, "segfault", "overflowed"),
        (8, 1, 0x55_0000_1000, "segfault", "division by zero"),
        (7, 2, 0x7F00_0000_0000, "segfault", "a mapped file was truncated"),
        (7, 4, 0x7F00_0000_0000, "segfault", "the memory itself is defective"),
        (11, 4, 0x7F00_0000_0000, "segfault", "protection key"),
        (11, 0, 4711, "signal_from_outside", "process 4711"),
        (11, -6, PID, "signal_from_outside", "the process itself"),
        (4, 2, 0x55_0000_1000, "unknown", "the code itself is not at hand"),
        (31, 1, 0, "unknown", "seccomp"),
        (24, 128, 0, "unknown", "RLIMIT_CPU"),
        (25, 128, 0, "unknown", "RLIMIT_FSIZE"),
        (5, 128, 0, "unknown", "trap instruction"),
        (3, 128, 0, "unknown", "terminal"),
        (11, 0, 0, "signal_from_outside", "outside of its PID namespace"),
        (11, -1, 7 << 32 | 4711, "signal_from_outside", "process 4711 of user 7"),
        (6, -6, PID, "unknown", "aborted itself"),
        (6, 0, 1, "signal_from_outside", "process 1"),
    ],
)
def test_signals_tell_faults_from_what_was_sent(signal: int, code: int, word: int, kind: str, words: str) -> None:
    rsp = word + 32 if kind == "segfault" and word == STACK_START - 64 else STACK_START + 0x8000
    dead = process(signal, code, word, rsp=STACK_START + 16 if rsp != STACK_START + 0x8000 else rsp)
    death = decide(dead, backtraces(dead)[0])
    assert death.kind == kind
    assert words in death.explanation


def test_a_panic_in_a_signal_handler_is_the_watchdogs() -> None:
    dead = process(6, -6, PID)
    by_watchdog = decide(dead, stack("abort", "ha_panic", "<signal handler called>", "process_stream"))
    by_hand = decide(dead, stack("abort", "ha_panic", "cli_io_handler"))
    assert by_watchdog.kind == by_hand.kind == "watchdog"
    assert "made no progress" in by_watchdog.explanation
    assert "not by the watchdog" in by_hand.explanation


def test_libc_that_finds_the_heap_damaged_is_heap_corruption() -> None:
    dead = process(6, -6, PID)
    assert decide(dead, stack("raise", "abort", "__libc_message", "malloc_printerr", "free")).kind == "heap_corruption"
    assert decide(dead, stack("raise", "abort", "some_library")).kind == "unknown"


@pytest.mark.parametrize(
    ("function", "kind", "words"),
    [
        ("_ZN6__asan18ReportGenericErrorEmmmmbmjb", "heap_corruption", "AddressSanitizer"),
        ("__asan::ReportGenericError", "heap_corruption", "AddressSanitizer"),
        ("__ubsan_handle_divrem_overflow_abort", "unknown", "UndefinedBehaviorSanitizer"),
        ("__tsan_report", "unknown", "ThreadSanitizer"),
    ],
)
def test_sanitizers_are_told_by_their_functions(function: str, kind: str, words: str) -> None:
    death = decide(process(6, -6, PID), stack("raise", "abort", function, "process_stream"))
    assert (death.kind, words in death.explanation) == (kind, True)


def test_a_process_that_ends_by_itself_says_so() -> None:
    thread = Thread(lwp=PID, signal=0, registers={"rip": 1, "rsp": STACK_START})
    living = Process(read_core(BytesInMemory(Core(threads=(thread,), siginfo=None).build(), "core")), Places())
    ending = decide(living, stack("write", "__run_exit_handlers", "exit", "main"))
    assert (ending.kind, "ending by itself" in ending.explanation) == ("exit", True)
    crashed = decide(process(11, 1, 0x18), stack("free", "deinit", "deinit_and_exit", "main"))
    assert crashed.explanation.endswith("while the process was ending by itself")


def test_a_system_call_that_was_refused_has_its_number() -> None:
    thread = Thread(lwp=PID, signal=31, registers={"rip": 0x55_0000_1000, "rsp": STACK_START + 0x8000})
    siginfo = struct.pack("<iiiiQiI", 31, 0, 1, 0, 0x55_0000_1000, 59, 0xC000003E).ljust(128, b"\0")
    core = Core(threads=(thread,), loads=(Load(STACK_START, bytes(0x10000)),), siginfo=None,
                notes=note(b"CORE", 0x53494749, siginfo))  # fmt: skip
    dead = Process(read_core(BytesInMemory(core.build(), "core")), Places())
    assert "system call number 59" in decide(dead, backtraces(dead)[0]).explanation


@pytest.mark.parametrize("round_of", [("f",), ("f", "g"), ("lua_call", "luaD_precall", "hlua_x")])
def test_functions_that_repeat_are_a_recursion(round_of: tuple[str, ...]) -> None:
    found = find_recursion(stack("memcpy", *round_of * 40, "process_stream", "main"))
    assert isinstance(found, Recursion)
    assert sorted(found.functions) == sorted(round_of)
    assert not find_recursion(stack(*(f"f{number}" for number in range(100))))
    assert not find_recursion(stack())


def test_the_command_that_crashed_it_is_named_by_its_function() -> None:
    dead = process(6, -6, PID)
    assert decide(dead, stack("abort", "ha_panic", "debug_parse_cli_panic")).command == "panic"
    assert decide(dead, stack("abort", "ha_panic", "process_stream")).command == ""


def test_a_process_without_a_signal_had_not_crashed() -> None:
    thread = Thread(lwp=PID, signal=0, registers={"rip": 1, "rsp": STACK_START})
    living = Process(read_core(BytesInMemory(Core(threads=(thread,), siginfo=None).build(), "core")), Places())
    assert "had not crashed" in decide(living, backtraces(living)[0]).explanation


@pytest.mark.parametrize(
    ("sentence", "condition", "file", "line", "explanation"),
    [
        ('FATAL: bug condition "a == 0" matched at src/x.c:12', "a == 0", "src/x.c", "12", None),
        ('FATAL: bug condition "s == "b"" matched at src/x.c:1\nWhy not.', 's == "b"', "src/x.c", "1", "Why not."),
        ('FATAL: bug condition "x" matched at y" matched at src/x.c:3', 'x" matched at y', "src/x.c", "3", None),
        ('WARNING: warn condition "w" matched at a.h:7 (please report to developers)', "w", "a.h", "7", None),
    ],
)
def test_sentences_of_assertions_are_taken_apart(
    sentence: str, condition: str, file: str, line: str, explanation: str | None
) -> None:
    match = _SENTENCE.match(sentence)
    assert match
    assert match.groups()[2:] == (condition, file, line, explanation)


def test_an_abort_has_a_place_and_perhaps_a_reason() -> None:
    assert _ABORT.match("ABORT at src/debug.c:1183: on purpose").groups() == ("src/debug.c", "1183", "on purpose")  # type: ignore[union-attr]
    assert _ABORT.match("ABORT at src/pool.c:9").groups() == ("src/pool.c", "9", None)  # type: ignore[union-attr]


LAB = Path(__file__).parents[3] / ".lab" / "cores"
BUGS = sorted(LAB.glob("*-bug"))


@pytest.mark.skipif(not BUGS, reason="the lab has no cores of `debug dev bug`: python -m samples.lab")
@pytest.mark.parametrize("folder", BUGS, ids=lambda folder: folder.name)
def test_real_cores_of_a_failed_check_name_it(folder: Path) -> None:
    """Of both machines and many releases, stripped and not, also where an emulator wrote no siginfo."""
    if not (folder / "executable").is_file() or not (folder / "haproxy.core").is_file():
        pytest.skip("the lab kept no core or executable of this run")
    places = Places(executable=(folder / "executable").read_text().strip())
    dead, stacks = open_core(str(folder / "haproxy.core"), Options(places))
    if stacks[0].frames[0].status == "no_module":
        pytest.skip("this core does not tell that the code belongs to the executable")
    counters = read_counters(dead)
    death = decide(dead, stacks[0], counters)
    assert (death.kind, death.condition, death.file) == ("bug_on", "one > zero", "src/debug.c")
    assert death.contradiction == ""
    if isinstance(counters, Counters):
        assert (death.file, death.line) in [one.place for one in counters.fatal()]
