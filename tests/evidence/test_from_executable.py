"""The executable beside a log: the kernel's fault line and call traces, of HAProxys that are crashed on the spot."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from forensics.absence import Absence
from forensics.api import Options, gather, open_core, triage
from forensics.builds import modules_of
from forensics.elf.image import ElfImage
from forensics.evidence.fact import Crash, FactValue
from forensics.evidence.from_executable import Located, locate_fault
from forensics.logs import KernelFault, parse
from forensics.memory.open import open_bytes
from forensics.symbols.find import Places
from samples import golden
from samples.lab import builds
from samples.lab.haproxy import Crashed, crash
from samples.lab.loaded import Runnable
from tests.unwind.test_gdb_oracle import LAB, skip_unless_it_runs

pytestmark = [pytest.mark.xdist_group("haproxy")]

#: What kernels print around the place: bytes before it, and from it on.
BEFORE, AFTER = 42, 22

#: As Linux 6.18 printed it of a build of 2.6.12, whose text segment has p_offset and p_vaddr 0x3c000.
RECENT = "haproxy[30311]: segfault at 1 ip 000055a840f7a475 sp 00007ffe8b1d4150 error 6 in haproxy[3d475,55a840f79000+181000]"


def value(found: Crash, name: str) -> FactValue | None:
    fact = found.get(name)
    return None if isinstance(fact, Absence) else fact.value


#: Each build dies once for all tests here.
Dying = Callable[[str], tuple[Crashed, Path]]


@pytest.fixture(scope="module")
def died(tmp_path_factory: pytest.TempPathFactory) -> Dying:
    """What makes a build of the lab (or the installed one, "") die by `debug dev bug`: what it left, its executable."""
    return cache(lambda name: bug_of(name, tmp_path_factory.mktemp(name or "installed")))


def bug_of(name: str, directory: Path) -> tuple[Crashed, Path]:
    installed = shutil.which("haproxy")
    if not name and installed is None:
        pytest.skip("haproxy is not installed (Debian: apt-get install haproxy)")
    subject = builds.runnable(LAB, name) if name else Runnable(Path(str(installed)))
    skip_unless_it_runs(subject)
    executable, arguments = subject.command()
    crashed = crash(Path(executable), "debug dev bug", directory, sysroot=subject.jail, arguments=arguments)
    if crashed.core is None:
        pytest.skip("the kernel writes no core here: see /proc/sys/kernel/core_pattern")
    return crashed, subject.executable


def kernel_lines(crashed: Crashed, executable: Path, *, recent: bool, code: bool) -> str:
    """What the kernel logs of this crash, from the core's registers and mappings; the code from the executable."""
    process, stacks = open_core(str(crashed.core), Options(Places(executable=str(executable))))
    pc, signal = stacks[0].frames[0].pc, process.core.signal
    assert signal is not None
    one = next(each for each in process.core.files if each.start <= pc < each.end)
    offset = f"{pc - one.start + one.offset:x}," if recent else ""
    place = f"in haproxy[{offset}{one.start:x}+{one.end - one.start:x}]"
    number = crashed.pid
    if signal.number == 4:
        return f"traps: haproxy[{number}] trap invalid opcode ip:{pc:x} sp:7ffc8419e490 error:0 {place}\n"
    text = f"haproxy[{number}]: segfault at {signal.address:x} ip {pc:016x} sp 00007fff7b93fa90 error 6 {place}\n"
    module = process.module_at(pc)
    assert not isinstance(module, Absence)
    shown = ElfImage(open_bytes(str(executable))).read(pc - module.base - BEFORE, BEFORE + AFTER)
    assert isinstance(shown, bytes)
    words = [f"<{byte:02x}>" if at == BEFORE else f"{byte:02x}" for at, byte in enumerate(shown)]
    return text + (f"Code: {' '.join(words)}\n" if code else "")


def told(log: Path, executable: Path) -> Crash:
    return gather([str(log), str(executable)], Options())[2]


@pytest.mark.parametrize("recent", [True, False], ids=["offset", "mapping"])
@pytest.mark.parametrize("name", ["haproxy-2.6", "haproxy-3.0"])
def test_a_kernel_line_and_the_executable_give_function_file_and_line(
    name: str, recent: bool, tmp_path: Path, died: Dying
) -> None:
    """The same as the core of that process says."""
    crashed, executable = died(name)
    log = tmp_path / "kernel.log"
    log.write_text(kernel_lines(crashed, executable, recent=recent, code=True))
    found = told(log, executable)
    core = gather([str(crashed.core), str(executable)], Options())[2]
    for each in ("crash.kind", "crash.condition", "crash.source_file", "crash.source_line", "process.version"):
        assert value(found, each) == value(core, each), each
    assert value(found, "crash.function") == "debug_parse_cli_bug"
    assert value(found, "crash.condition") == "one > zero"
    place = found.get("crash.source_line")
    assert not isinstance(place, Absence)
    # The kernel prints no code with a trap.
    assert place.trust == ("derived" if name == "haproxy-2.6" else "assumed")
    report = triage([str(log), str(executable)])
    assert report.crash.function == "debug_parse_cli_bug"
    assert report.crash.source == f"src/debug.c:{value(core, 'crash.source_line')}"


def test_without_code_in_the_log_the_report_says_that_nothing_proves_the_executable(
    tmp_path: Path, died: Dying
) -> None:
    crashed, executable = died("haproxy-2.6")
    log = tmp_path / "kernel.log"
    log.write_text(kernel_lines(crashed, executable, recent=False, code=False))
    found = told(log, executable)
    assert value(found, "crash.function") == "debug_parse_cli_bug"
    assert [gap.reason for gap in found.gaps if gap.subject.startswith("certainty that ")] == [
        "the kernel printed no code to compare it with: only the size of the mapping fits"
    ]


def test_a_stripped_package_still_tells_the_assertion_by_its_text(tmp_path: Path, died: Dying) -> None:
    crashed, haproxy = died("")
    log = tmp_path / "kernel.log"
    log.write_text(kernel_lines(crashed, haproxy, recent=True, code=True))
    found = told(log, haproxy)
    assert value(found, "crash.kind") == "bug_on"
    assert value(found, "crash.condition") == "one > zero"
    assert value(found, "assertion.function") == "debug_parse_cli_bug"
    assert str(value(found, "process.version"))[:2] in ("2.", "3.")


def test_the_line_that_this_kernel_logged_is_read_like_one_made_of_the_core(tmp_path: Path, died: Dying) -> None:
    crashed, executable = died("haproxy-2.6")
    _process, stacks = open_core(str(crashed.core))
    ring = subprocess.run(["dmesg"], capture_output=True, text=True, errors="replace", check=False).stdout
    lines = re.findall(rf"^.*haproxy\[{stacks[0].lwp}\]: segfault .*\n(?:.*Code: .*\n)?", ring, re.M)
    if not lines:
        pytest.skip("the kernel's log cannot be read here, or has no room for every fault")
    log = tmp_path / "kernel.log"
    log.write_text(lines[-1])
    found = told(log, executable)
    assert value(found, "crash.function") == "debug_parse_cli_bug"
    assert value(found, "crash.condition") == "one > zero"


def fault(text: str) -> KernelFault:
    (one,) = parse(line.encode() for line in text.splitlines(keepends=True)).kernel_faults
    return one


def image() -> ElfImage:
    """The executable of a sample's recipe, if it is there."""
    path = builds.runnable(LAB, "haproxy-2.6").executable
    if not path.is_file():
        pytest.skip("python -m samples.lab.builds haproxy-2.6")
    return ElfImage(open_bytes(str(path)))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("3d475,", "fffffffffffffff,"), "it has no code at offset 0xfffffffffffffff"),
        (("3d475,", "1,"), "it has no code at offset 0x1"),
        (("3d475,55a840f79000+181000", "55a840f79000+1dd000"), "it has no code of 0x1dd000 bytes, as the mapping had"),
        (("3d475,55a840f79000+181000", "0+181000"), "it has no code of 0x181000 bytes, as the mapping had"),
        (("000055a840f7a475", "ffffffffffffffff"), None),
        (("181000]", "181000]\nCode: 90 90 <c6> 04"), "its code at that place is not what the kernel printed"),
        (("181000]", "181000]\nCode: <c6>"), None),
    ],
)
def test_what_does_not_fit_the_executable_is_refused(change: tuple[str, str], reason: str | None) -> None:
    answer = locate_fault(fault(RECENT.replace(*change) + "\n"), image())
    if reason is None:
        assert not isinstance(answer, Absence) or "not the executable that ran" in answer.reason
    else:
        assert isinstance(answer, Absence)
        assert answer.reason.endswith(reason)


def test_both_notations_give_one_address() -> None:
    old = RECENT.replace("3d475,", "")
    assert locate_fault(fault(RECENT), image()) == locate_fault(fault(old), image()) == Located(0x3D475, False)


def test_a_line_without_a_mapping_tells_nothing() -> None:
    answer = locate_fault(
        fault("haproxy[7]: segfault at 0 ip 0000000000000000 sp 00007ffe8b1d4150 error 14\n"), image()
    )
    assert isinstance(answer, Absence)
    assert answer.reason == "the kernel's line tells no mapping"


def test_a_fault_of_a_library_is_not_looked_for_in_haproxy(tmp_path: Path) -> None:
    log = tmp_path / "kernel.log"
    log.write_text(RECENT.replace("in haproxy", "in libc.so.6") + "\n")
    found = told(log, Path(image().path))
    assert value(found, "crash.kind") == "segfault"
    assert value(found, "crash.function") is None


def test_frames_of_a_call_trace_get_the_names_and_lines_of_the_executable(tmp_path: Path, died: Dying) -> None:
    """`main+0x1234` and the like: the same functions as the core of that process says."""
    crashed, executable = died("haproxy-2.6")
    bare, named = gather([str(crashed.log)])[2], told(crashed.log, executable)
    stack = value(named, "stack")
    assert isinstance(stack, tuple)
    assert "?" in str(value(bare, "stack")) or value(bare, "stack") is None
    core = value(gather([str(crashed.core), str(executable)])[2], "stack")
    assert isinstance(core, tuple)
    # Those of libc have no name in the log: its file is not given.
    own = stack.index("?")
    assert own > 6
    assert stack[:own] == core[:own]
    places = value(named, "stack.places")
    assert isinstance(places, tuple)
    assert places[0] == "[debug_parse_cli_bug] at src/debug.c:389"
    report = triage([str(crashed.log), str(executable)])
    thread = report.crashed_thread
    assert thread is not None
    assert thread.frames[0].function == "debug_parse_cli_bug"
    assert (thread.frames[0].file, thread.frames[0].line) == ("src/debug.c", 389)
    assert str(report.process.version).startswith("2.6.12")


def test_a_stripped_executable_leaves_a_frame_without_name_and_the_check_gives_the_hint(died: Dying) -> None:
    crashed, haproxy = died("")
    thread = triage([str(crashed.log), str(haproxy)]).crashed_thread
    assert thread is not None
    assert thread.frames[0].function == ""
    assert thread.frames[0].hint == "the check stands in debug_parse_cli_bug() in HAProxy's releases"
    assert "run_poll_loop" in [frame.function for frame in thread.frames]


def test_a_panic_is_named_with_the_lines_of_all_its_threads(tmp_path: Path) -> None:
    executable = LAB / "builds" / "sharding-with-peers-2.9.6" / "haproxy"
    if not executable.is_file():
        pytest.skip("the lab has not built sharding-with-peers-2.9.6")
    log = golden.SAMPLES / "sharding-with-peers-2.9.6" / "worker.log"
    bare, named = gather([str(log)])[2], told(log, executable)
    stack = value(named, "stack")
    assert isinstance(stack, tuple)
    assert "[stream_track_stkctr]" in stack
    physical = tuple(each for each in stack if not each.startswith("["))
    before = value(bare, "stack")
    assert isinstance(before, tuple)
    assert len(physical) == len(before)
    assert all(old in ("?", new) for old, new in zip(before, physical, strict=True))


def test_an_executable_of_another_build_names_nothing_and_is_told(tmp_path: Path) -> None:
    log = golden.SAMPLES / "requeue-race-2.9.6" / "worker.log"
    found = told(log, Path(image().path))
    (gap,) = [gap for gap in found.gaps if gap.subject == "names of the call trace"]
    assert "is not the executable that ran: it" in gap.reason
    assert value(found, "stack") == value(gather([str(log)])[2], "stack")
    assert value(found, "process.version") is None


def test_a_damaged_executable_beside_a_log_leaves_the_log(tmp_path: Path) -> None:
    damaged = tmp_path / "haproxy"
    damaged.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\x00\x3e\x00" + b"\xff" * 60)
    log = golden.SAMPLES / "requeue-race-2.9.6" / "worker.log"
    found = told(log, damaged)
    assert value(found, "crash.condition") == "task->expire == 0"
    assert any(gap.subject.startswith("executable ") for gap in found.gaps)


def test_no_executable_is_opened_where_the_log_has_no_address(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    log.write_text("[ALERT]    (7) : Current worker (9) exited with code 139 (Segmentation fault)\n")
    damaged = tmp_path / "haproxy"
    damaged.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\x00\x3e\x00" + b"\xff" * 60)
    assert not [gap for gap in told(log, damaged).gaps if gap.subject.startswith("executable ")]
    assert next(modules_of(image().path, Places())).found
