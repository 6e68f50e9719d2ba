"""How a process died, by the stack that somebody pasted."""

from __future__ import annotations

import pytest

from forensics.api import crash_of_text

HEAD = "Program terminated with signal SIGSEGV, Segmentation fault.\n"


def told(text: str) -> dict[str, object]:
    """Kind, signal and stack, where a text tells them."""
    crash = crash_of_text(text)
    names = ("crash.kind", "crash.signal", "stack")
    return {name: crash.all(name)[0].value for name in names if crash.all(name)}


def frames(*functions: str) -> str:
    """A backtrace with these functions."""
    return "".join(f"#{at}  0x000055d00000{at:04x} in {name} ()\n" for at, name in enumerate(functions))


def test_musl_ends_a_process_whose_heap_is_damaged() -> None:
    """In a_crash(), with an instruction that is made to fault."""
    text = HEAD + frames("a_crash", "get_meta", "__libc_free", "free", "my_own_free", "process_stream")
    stack = ("get_meta", "__libc_free", "free", "my_own_free", "process_stream")
    assert told(text) == {"crash.kind": "heap_corruption", "crash.signal": "SIGSEGV", "stack": stack}


def test_free_alone_is_a_fault_like_any_other() -> None:
    assert told(HEAD + frames("free", "my_own_free"))["crash.kind"] == "segfault"


@pytest.mark.parametrize("function", ["malloc_printerr", "__fortify_fail", "__stack_chk_fail"])
def test_glibc_names_itself(function: str) -> None:
    text = frames("raise", "abort", "__libc_message", function, "_int_free", "free", "stream_free")
    found = told(text)
    assert (found["crash.kind"], found["crash.signal"]) == ("heap_corruption", "SIGABRT")


@pytest.mark.parametrize("last", ["abort", "__GI_abort"])
def test_a_panic_ends_in_abort_where_nobody_names_the_signal(last: str) -> None:
    text = frames("raise", last, "ha_panic", "wdt_handler") + "#4  <signal handler called>\n"
    found = told(text + "#5  0x000055d000000005 in one_long_loop ()\n")
    assert found == {"crash.kind": "watchdog", "crash.signal": "SIGABRT", "stack": ("one_long_loop",)}


def test_collectors_stacks_end_in_abort_too() -> None:
    text = (
        "Process 42 (haproxy) of user 99 dumped core.\n\nStack trace of thread 42:\n"
        "#0  0x00007f0000000001 raise (libc.so.6)\n#1  0x00007f0000000002 abort (libc.so.6)\n"
        "#2  0x0000000000460001 ha_panic (haproxy)\n#3  0x0000000000460002 one_long_loop (haproxy)\n"
    )
    assert told(text) == {"crash.kind": "watchdog", "crash.signal": "SIGABRT", "stack": ("one_long_loop",)}


LEAK = """\
==77==ERROR: LeakSanitizer: detected memory leaks

Direct leak of 24 byte(s) in 1 object(s) allocated from:
    #0 0x7f0000000035 in malloc (/lib64/libasan.so.8+0xd8035)
    #1 0x55d000001234 in make_one src/one.c:12
    #2 0x55d000001334 in make_many src/many.c:13
"""
SUMMARY = "SUMMARY: AddressSanitizer: 24 byte(s) leaked in 1 allocation(s).\n"


@pytest.mark.parametrize("end", ["", SUMMARY])
def test_a_leak_is_no_death(end: str) -> None:
    """The process ended by itself, and was asked what it had not given back."""
    crash = crash_of_text(LEAK + end)
    assert not crash.died
    assert told(LEAK + end) == {}


@pytest.mark.parametrize("end", ["", SUMMARY])
def test_a_crash_below_a_leak_is_one(end: str) -> None:
    found = told(LEAK + end + HEAD + frames("one_reader", "process_stream"))
    assert found["stack"] == ("one_reader", "process_stream")


def test_wrong_use_of_memory_is_a_death() -> None:
    text = (
        "==77==ERROR: AddressSanitizer: heap-use-after-free on address 0x602000000010 at pc 0x55d0 bp 0x7f sp 0x7f\n"
        "READ of size 8 at 0x602000000010 thread T0\n    #0 0x55d000001234 in one_reader src/one.c:12\n"
    )
    assert told(text)["crash.kind"] == "heap_corruption"


def test_of_two_stacks_the_one_with_names_counts() -> None:
    """A first frame that the debugger could not name, shown when it started."""
    text = HEAD + "#0  0x0000000000000042 in ?? ()\n(gdb) bt\n" + frames("one_reader", "process_stream")
    assert told(text)["stack"] == ("one_reader", "process_stream")


@pytest.mark.parametrize(
    ("reason", "signal"),
    [
        ("EXC_BAD_ACCESS (code=1, address=0x18)", "SIGSEGV"),
        ("EXC_BAD_ACCESS (code=2, address=0x100)", "SIGBUS"),
        ("EXC_BAD_INSTRUCTION (code=EXC_I386_INVOP, subcode=0x0)", "SIGILL"),
        ("signal SIGBUS", "SIGBUS"),
    ],
)
def test_lldb_of_a_mac_names_exceptions(reason: str, signal: str) -> None:
    text = (
        "HAProxy version 2.6.12 2023/03/28 - https://haproxy.org/\n"
        f"* thread #3, stop reason = {reason}\n"
        "  * frame #0: 0x0000000100123d10 haproxy`one_reader(it=0x0000600003a10000) at one.c:19:9 [opt]\n"
        "    frame #1: 0x0000000100124f44 haproxy`process_stream(t=0x00) at stream.c:29:14 [opt] [artificial]\n"
    )
    found = told(text)
    assert (found["crash.signal"], found["stack"]) == (signal, ("one_reader", "process_stream"))
    assert crash_of_text(text).all("crash.source_line")[0].value == 19
