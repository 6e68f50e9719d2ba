"""Stacks that are addresses and no more, named by the executable and by what the same text tells of where it lay.

The addresses are those of functions of real executables, moved to where a kernel could have loaded them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from forensics.absence import Absence
from forensics.api import Options, gather
from forensics.builds import modules_of
from forensics.elf.constants import PF_X, PT_LOAD
from forensics.elf.image import ElfImage
from forensics.evidence.fact import Crash, FactValue
from forensics.memory.open import open_bytes
from forensics.symbols.find import Places
from tests.unwind.test_gdb_oracle import LAB

BIAS = 0x55A2E4C00000
#: Exported in all builds, so that stripped ones have these names; outermost last.
NAMES = ("http_wait_for_request", "process_stream", "run_tasks_from_lists", "process_runnable_tasks")
BUILDS = ("installed", "haproxy-2.6", "haproxy-3.0")


class Subject:
    """An executable, its functions and its mappings."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.symbols = next(modules_of(str(path), Places(executable=str(path))))
        self.image = ElfImage(open_bytes(str(path)))
        self.vaddrs = [self.symbols.address_of(name) for name in NAMES]

    @property
    def addresses(self) -> list[int]:
        """An address in each function, where it lay in memory."""
        return [BIAS + vaddr + 8 for vaddr in self.vaddrs]

    @property
    def text(self) -> tuple[int, int, int]:
        """Start, size and offset of the mapping of the code."""
        one = next(each for each in self.image.segments if each.type == PT_LOAD and each.flags & PF_X)
        first = one.address - one.address % 4096
        end = -(-(one.address + one.file_size) // 4096) * 4096
        return BIAS + first, end - first, one.offset - one.address % 4096


@pytest.fixture(scope="module", params=BUILDS)
def subject(request: pytest.FixtureRequest) -> Subject:
    installed = shutil.which("haproxy")
    path = Path(installed or "") if request.param == "installed" else LAB / "builds" / request.param / "haproxy"
    if not path.is_file():
        pytest.skip(f"{request.param}: no such HAProxy here")
    return Subject(path)


def maps(subject: Subject) -> str:
    start, size, offset = subject.text
    return f"{start:x}-{start + size:x} r-xp {offset:08x} fd:00 1234567                    /usr/sbin/haproxy\n"


def mappings(subject: Subject) -> str:
    """As gdb 12 prints them."""
    start, size, offset = subject.text
    return f"      {start:#x}     {start + size:#x}   {size:#x}   {offset:#x}  r-xp   /usr/sbin/haproxy\n"


def kernel(subject: Subject) -> str:
    start, size, _offset = subject.text
    ip = subject.addresses[0]
    return f"haproxy[7]: segfault at 18 ip {ip:016x} sp 00007fff7b93fa90 error 4 in haproxy[{start:x}+{size:x}]\n"


def bare(subject: Subject) -> str:
    return "".join(f"{address:#x}\n" for address in subject.addresses)


def numbered(subject: Subject) -> str:
    return "".join(f"#{number} 0x{address:016x}\n" for number, address in enumerate(subject.addresses))


def listed(subject: Subject) -> str:
    return "".join(f"> - `{address:#x}`\n" for address in subject.addresses)


def unnamed(subject: Subject) -> str:
    return "".join(f"#{number}  0x{address:016x} in ?? ()\n" for number, address in enumerate(subject.addresses))


def symbols_of_libc(subject: Subject) -> str:
    """As backtrace_symbols() prints them: one with its name, the others without."""
    first, *rest = subject.addresses
    lines = [f"/usr/sbin/haproxy({NAMES[0]}+0x8)[{first:#x}]"] + [
        f"/usr/sbin/haproxy[{address:#x}]" for address in rest
    ]
    return "Backtrace:\n" + "".join(f"{line}\n" for line in lines)


def offsets_of_libc(subject: Subject) -> str:
    """Where no function is exported: offsets from the load address."""
    return "".join(f"/usr/sbin/haproxy(+{address - BIAS:#x})[{address:#x}]\n" for address in subject.addresses)


def coredump(subject: Subject) -> str:
    lines = [
        f"#{number}  0x{address:016x} n/a (haproxy + {address - BIAS:#x})\n"
        for number, address in enumerate(subject.addresses)
    ]
    return "Process 7 (haproxy) of user 188 dumped core.\n\nStack trace of thread 7:\n" + "".join(lines)


Shape = Callable[[Subject], str]
SHAPES: dict[str, tuple[Shape, ...]] = {
    "bare, with maps": (bare, maps),
    "maps first": (maps, bare),
    "numbered, with maps": (numbered, maps),
    "listed in Markdown, with mappings of gdb": (listed, mappings),
    "with the kernel's line": (kernel, bare),
    "frames of gdb, with maps": (unnamed, maps),
    "backtrace_symbols()": (symbols_of_libc,),
    "backtrace_symbols(), by offsets": (offsets_of_libc,),
    "systemd-coredump": (coredump,),
}


def value(crash: Crash, name: str) -> FactValue | None:
    fact = crash.get(name)
    return None if isinstance(fact, Absence) else fact.value


def told(directory: Path, text: str, executable: Path) -> Crash:
    log = directory / "paste.txt"
    log.write_text(text)
    return gather([str(log), str(executable)], Options())[2]


@pytest.mark.parametrize("shape", SHAPES)
def test_addresses_get_the_names_of_the_executable(shape: str, subject: Subject, tmp_path: Path) -> None:
    crash = told(tmp_path, "\n".join(part(subject) for part in SHAPES[shape]), subject.path)
    stack = value(crash, "stack")
    assert isinstance(stack, tuple)
    assert tuple(name for name in stack if not name.startswith("[")) == NAMES
    assert value(crash, "process.version")


def test_a_folder_of_abrt_tells_addresses_and_where_the_executable_lay(subject: Subject, tmp_path: Path) -> None:
    folder = tmp_path / "ccpp-1"
    folder.mkdir()
    frames = [{"address": address} for address in subject.addresses]
    elements = {
        "type": "CCpp",
        "reason": "haproxy killed by SIGSEGV\n",
        "maps": maps(subject),
        "core_backtrace": json.dumps({"signal": 11, "stacktrace": [{"crash_thread": True, "frames": frames}]}),
    }
    for name, text in elements.items():
        (folder / name).write_text(text)
    crash = gather([str(folder), str(subject.path)], Options())[2]
    stack = value(crash, "stack")
    assert isinstance(stack, tuple)
    assert tuple(name for name in stack if not name.startswith("[")) == NAMES


def test_without_a_base_a_gap_says_what_would_tell_it(subject: Subject, tmp_path: Path) -> None:
    crash = told(tmp_path, bare(subject), subject.path)
    (gap,) = [one for one in crash.gaps if one.subject == "names of the stack"]
    assert gap.reason == "nothing tells where the executable lay in memory"
    assert "/proc/PID/maps" in gap.remedy
    assert value(crash, "stack") is None


def test_another_executable_names_nothing(subject: Subject, tmp_path: Path) -> None:
    text = symbols_of_libc(subject).replace(NAMES[0], "listener_accept")
    crash = told(tmp_path, text, subject.path)
    assert [one.subject for one in crash.gaps if "names of the stack" in one.subject] == ["names of the stack"]
    stack = value(crash, "stack")
    assert isinstance(stack, tuple)
    assert set(stack[1:]) == {"?"}


def test_what_no_name_proves_is_assumed(subject: Subject, tmp_path: Path) -> None:
    crash = told(tmp_path, bare(subject) + maps(subject), subject.path)
    assert any(one.subject.startswith("certainty that") for one in crash.gaps)
    version = crash.get("process.version")
    assert not isinstance(version, Absence)
    assert version.trust == "assumed"


def test_a_core_needs_no_names_of_a_list(subject: Subject, tmp_path: Path) -> None:
    """Without an executable a list stays a list."""
    log = tmp_path / "paste.txt"
    log.write_text(bare(subject) + maps(subject))
    crash = gather([str(log)], Options())[2]
    (gap,) = [one for one in crash.gaps if one.subject == "stack"]
    assert gap.reason.endswith("only 4 addresses")
    assert gap.remedy.startswith("the executable that ran, with `--exe`")
