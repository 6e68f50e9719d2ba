"""How real processes died, as their cores tell: packages without symbols, and builds with all of them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from forensics.api import Options, gather
from forensics.evidence.core_witness import CoreWitness
from forensics.evidence.fact import Crash, Fact
from forensics.symbols.find import Places
from samples.lab import dying
from samples.lab.builds import runnable
from samples.lab.haproxy import PACKAGED, Crashed, crash
from samples.lab.loaded import Runnable

LAB = Path(__file__).parents[3] / ".lab"
#: Debian's own package on this host; those of other suites; builds with DWARF.
PACKAGES = ("package-2.6", "package-3.0", "package-3.2", "package-3.4")
BUILDS = ("haproxy-2.6", "haproxy-3.0")

pytestmark = [
    pytest.mark.xdist_group("haproxy"),
    pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("gdb"), reason="needs root's rights and gdb"),
]


def subject(name: str) -> Runnable:
    """The executable, or a skipped test."""
    if name == "package-2.6":
        if not PACKAGED.is_file():
            pytest.skip("no haproxy is installed")
        return Runnable(PACKAGED)
    found = runnable(LAB, name)
    if not found.executable.is_file():
        pytest.skip(f"the lab has no {name}: python -m samples.lab.builds {name}")
    return found


def examined(one: Runnable, left: Crashed) -> tuple[CoreWitness, Crash]:
    """The core with its files."""
    if left.core is None:
        pytest.skip("the kernel wrote no core here")
    places = Places(executable=str(one.executable), sysroot=str(one.jail or ""))
    _taken, witness, facts = gather([str(left.core)], Options(places))
    assert witness is not None
    return witness, facts


def by_command(one: Runnable, command: str, folder: Path) -> Crashed:
    program, arguments = one.command()
    return crash(program, command, folder, sysroot=one.jail, arguments=arguments)


def value(facts: Crash, name: str) -> object:
    found = facts.get(name)
    return found.value if isinstance(found, Fact) else None


@pytest.mark.parametrize("name", [*PACKAGES, *BUILDS])
def test_a_panic_that_was_asked_for_is_told_by_the_core_alone(name: str, tmp_path: Path) -> None:
    one = subject(name)
    witness, facts = examined(one, by_command(one, "debug dev panic", tmp_path / name))
    assert (witness.death.kind, witness.death.command, witness.death.stall) == ("watchdog", "panic", None)
    assert value(facts, "debug.command") == "panic"
    assert value(facts, "debug.commands_issued") == 1


@pytest.mark.parametrize("name", ["package-2.6", "package-3.0", "package-3.4"])
def test_a_loop_that_was_asked_for_is_stuck_in_the_command_line(name: str, tmp_path: Path) -> None:
    one = subject(name)
    witness, facts = examined(one, by_command(one, "debug dev loop 20000", tmp_path / name))
    assert (witness.death.kind, witness.death.command) == ("watchdog", "loop")
    # 2.6's package names none of the CLI's functions.
    assert value(facts, "watchdog.stuck_in") == ("code" if name == "package-2.6" else "cli")
    assert value(facts, "watchdog.thread") == witness.crashed.number
    assert value(facts, "watchdog.victim") is False
    assert value(facts, "threads.stuck") == 1


@pytest.mark.parametrize("name", ["package-3.0", "package-3.4"])
def test_a_deadlock_is_a_wait_for_a_lock_also_where_that_has_no_name(name: str, tmp_path: Path) -> None:
    one = subject(name)
    witness, facts = examined(one, by_command(one, "debug dev deadlock 2", tmp_path / name))
    assert witness.death.kind == "watchdog"
    assert value(facts, "watchdog.stuck_in") == "lock"
    assert value(facts, "watchdog.victim") is True
    assert "no other thread was at work" in witness.death.explanation


@pytest.mark.parametrize("name", ["package-2.6", "package-3.2"])
def test_a_script_without_end_is_stuck_in_lua(name: str, tmp_path: Path) -> None:
    one = subject(name)
    witness, facts = examined(one, dying.by_lua(one, tmp_path / name, burst=name != "package-2.6"))
    assert witness.death.kind == "watchdog"
    assert value(facts, "watchdog.stuck_in") == "lua"
    assert "Lua code" in witness.death.explanation
    assert ("noted that Lua was running" in witness.death.explanation) == (name != "package-2.6")
    assert value(facts, "debug.command") is None


def test_a_regular_expression_without_end_is_told(tmp_path: Path) -> None:
    one = subject("haproxy-3.0")
    witness, facts = examined(one, dying.by_regex(one, tmp_path / "regex"))
    assert witness.death.kind == "watchdog"
    assert value(facts, "watchdog.stuck_in") == "regex"
    assert "matching a regular expression" in witness.death.explanation
    (stuck,) = facts.all("threads.stuck")
    assert (stuck.value, stuck.source.what) == (1, "flags of ha_thread_ctx[]")


@pytest.mark.parametrize("name", ["package-2.6", "haproxy-3.0"])
def test_libc_that_found_the_heap_damaged_says_what_it_found(name: str, tmp_path: Path) -> None:
    one = subject(name)
    left = dying.by_heap(one, tmp_path / name)
    witness, facts = examined(one, left)
    assert witness.death.kind == "heap_corruption"
    message = str(value(facts, "crash.message"))
    assert message == "free(): invalid size"
    assert message in left.log.read_text(errors="replace"), "what it printed and what it kept are the same"
    assert message in witness.death.explanation


@pytest.mark.parametrize("name", ["haproxy-3.0", "package-3.0", "package-3.2", "package-3.4"])
def test_an_object_that_is_freed_twice_names_both_places(name: str, tmp_path: Path) -> None:
    one = subject(name)
    witness, facts = examined(one, dying.by_double_free(one, tmp_path / name))
    assert witness.death.kind == "pool_corruption"
    assert value(facts, "pool.name") == "stream"
    assert value(facts, "pool.first_free") == value(facts, "pool.second_free") == "stream_free"
    assert value(facts, "pool.damage") == "tag mismatch on free()"


def test_a_pool_that_prints_nothing_is_told_by_the_function_that_checks_it(tmp_path: Path) -> None:
    one = subject("haproxy-2.6")
    witness, _facts = examined(one, dying.by_double_free(one, tmp_path / "2.6"))
    assert (witness.death.kind, witness.death.pool) == ("pool_corruption", None)
    assert "__pool_free()" in witness.death.evidence


@pytest.mark.parametrize("name", BUILDS)
def test_a_stream_that_spins_says_so_in_memory(name: str, tmp_path: Path) -> None:
    one = subject(name)
    witness, facts = examined(one, dying.by_spinning(one, tmp_path / name))
    assert witness.death.kind == "spinning"
    assert str(value(facts, "crash.message")).startswith("A bogus STREAM [0x")
    assert "a stream (0x" in witness.death.explanation
    assert "calls a second" in witness.death.explanation


def test_a_full_stack_is_told_with_the_functions_that_filled_it(tmp_path: Path) -> None:
    one = subject("haproxy-3.0")
    witness, facts = examined(one, dying.by_recursion(one, tmp_path / "recursion"))
    assert witness.death.kind == "segfault"
    assert "the stack of the thread overflowed: cli_parse_show_env() called itself" in witness.death.explanation
    assert value(facts, "stack.recursion") == ("cli_parse_show_env",)


@pytest.mark.parametrize("name", ["package-2.6", "package-3.4"])
def test_a_signal_from_a_shell_names_the_shell(name: str, tmp_path: Path) -> None:
    one = subject(name)
    left, shell = dying.by_signal(one, tmp_path / name, 11)
    witness, facts = examined(one, left)
    assert witness.death.kind == "signal_from_outside"
    assert (value(facts, "signal.sender"), value(facts, "signal.user")) == (shell, 0)
    assert f"process {shell} of user 0" in witness.death.explanation


def test_a_signal_from_its_parent_says_so(tmp_path: Path) -> None:
    one = subject("package-2.6")
    with dying.dying(one, tmp_path / "parent") as (running, left):
        running.process.send_signal(11)
    witness, _facts = examined(one, left[0])
    assert f"process {os.getpid()} of user 0, which had started it" in witness.death.explanation


def test_a_trap_ends_a_process_and_a_debuggers_stop_does_not(tmp_path: Path) -> None:
    """The kernel's core of a SIGTRAP, and one that gdb writes of a process that it stopped."""
    one = subject("package-2.6")
    left, _shell = dying.by_signal(one, tmp_path / "trap", 5)
    witness, _facts = examined(one, left)
    assert witness.process.core.signal is not None
    assert (witness.process.core.signal.name, witness.death.kind) == ("SIGTRAP", "signal_from_outside")
    with dying.dying(one, tmp_path / "alive") as (running, _left):
        core = tmp_path / "gcore"
        dying.gdb(running.pid, f"generate-core-file {core}", "detach")
        running.stop()
    witness, _facts = examined(one, Crashed(core, left.log, left.config, running.pid, None))
    assert witness.process.core.signal is None
    assert "had not crashed" in witness.death.explanation


def test_an_abort_that_nobody_explains_stays_unexplained(tmp_path: Path) -> None:
    one = subject("package-2.6")
    witness, facts = examined(one, dying.by_debugger(one, tmp_path / "abort", "call (void)abort()", "continue"))
    assert witness.death.kind == "unknown"
    assert "something called abort()" in witness.death.explanation
    assert value(facts, "crash.message") is None
