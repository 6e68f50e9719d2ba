"""Backtraces of cores that were built for it, and of a real one that was damaged."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forensics.elf.core import read_core
from forensics.errors import InputError
from forensics.memory.random_access import BytesInMemory
from forensics.symbols.find import Places
from forensics.unwind.backtrace import SIGNAL_HANDLER, Process, backtraces
from forensics.unwind.frame import STATUS, TRUST, Frame, ThreadStack
from forensics.unwind.walk import MAX_FRAMES
from tests.builders.bounds import within_seconds
from tests.builders.core import AT_ENTRY, AT_SYSINFO_EHDR, Core, File, Load, Thread
from tests.builders.elf import Fde, Function, Image

SAMPLE = Path(__file__).parents[2] / "samples" / "foreign" / "core.zst"
BASE, STACK, VDSO = 0x55550000, 0x7FFE0000, 0x7FFF0000

#: Two functions of 16 bytes; both keep nothing but the return address on the stack. The second is the outermost.
IMAGE = Image(
    text=b"\xff\xd0" * 32,  # call *%rax before every even address
    functions=(Function("inner", 0x1000, 16), Function("outer", 0x1010, 16)),
    fdes=(Fde(0x1000, 16), Fde(0x1010, 16, b"\x07\x10")),
)


def stack_of(*words: int) -> bytes:
    """Words from the stack pointer up."""
    return struct.pack(f"<{len(words)}Q", *words)


def core_of(path: str, *words: int, pc: int = 0x1004, image: Image = IMAGE, **more: object) -> Core:
    """One thread in ``image``, mapped from ``path`` at BASE."""
    data = image.build()
    return Core(
        threads=(Thread(1, 11, {"rip": BASE + pc, "rsp": STACK}),),
        loads=(Load(BASE, data, flags=5), Load(STACK, stack_of(*words))),
        files=(File(BASE, BASE + 0x2000, path),),
        auxv={AT_ENTRY: BASE + 0x1000},
        **more,  # type: ignore[arg-type]
    )


def stacks(core: Core, places: Places | None = None) -> tuple[ThreadStack, ...]:
    """The backtraces of ``core``."""
    return backtraces(Process(read_core(BytesInMemory(core.build(), "core")), places or Places()))


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """IMAGE on the disk."""
    path = tmp_path / "program"
    path.write_bytes(IMAGE.build())
    return path


def described(frame: Frame) -> tuple[str, int, str, str]:
    """What a reader sees of a frame."""
    return frame.function, frame.offset, frame.trust, frame.status


def test_frames_have_names_offsets_and_trust(program: Path) -> None:
    """From the symbol table, where there is no DWARF."""
    (stack,) = stacks(core_of(str(program), BASE + 0x1018))
    assert [described(frame) for frame in stack.frames] == [
        ("inner", 4, "context", "symbolicated"), ("outer", 8, "cfi", "symbolicated"),
    ]  # fmt: skip
    assert (stack.lwp, stack.number, stack.crashed) == (1, 1, True)
    assert "outermost" in stack.stop


def test_without_the_executable_a_frame_says_so() -> None:
    """The offset then counts from where the module lies."""
    (stack,) = stacks(core_of("/nonexistent/program", BASE + 0x1018, image=Image()))
    assert [described(frame) for frame in stack.frames] == [("", 0x1004, "context", "no_executable")]


def test_an_executable_of_another_build_gives_no_names(tmp_path: Path) -> None:
    """A wrong name is worse than none."""
    path = tmp_path / "program"
    path.write_bytes(Image(build_id=b"x" * 20, functions=IMAGE.functions).build())
    (stack,) = stacks(core_of(str(path), BASE + 0x1018, image=Image()))
    assert [described(frame) for frame in stack.frames] == [("", 0x1004, "context", "mismatched")]


def test_code_without_symbol_is_not_named_after_its_neighbour(program: Path) -> None:
    """Beyond the end of `outer`."""
    (stack,) = stacks(core_of(str(program), pc=0x1030))
    assert [described(frame) for frame in stack.frames] == [("", 0x1030, "context", "no_symbol")]


def test_code_of_no_module_is_a_frame_without_module(program: Path) -> None:
    """A jump into the stack."""
    core = core_of(str(program), 1, 2)
    core.threads = (Thread(1, 11, {"rip": STACK, "rsp": STACK}),)
    (stack,) = stacks(core)
    assert stack.frames[0].status == "no_module"


def test_a_crash_at_address_0_is_a_backtrace(program: Path) -> None:
    """A null function pointer was called: the callers are what matters."""
    core = core_of(str(program), BASE + 0x1008, BASE + 0x1018)
    core.threads = (Thread(1, 11, {"rip": 0, "rsp": STACK}),)
    (stack,) = stacks(core)
    assert [(frame.pc, frame.function) for frame in stack.frames] == [
        (0, ""), (BASE + 0x1008, "inner"), (BASE + 0x1018, "outer"),
    ]  # fmt: skip


def test_only_the_first_thread_crashed_and_only_if_a_signal_killed_it(program: Path) -> None:
    """gcore crashes nobody."""
    core = core_of(str(program), BASE + 0x1018)
    core.threads = (*core.threads, Thread(2, 0, core.threads[0].registers))
    assert [stack.crashed for stack in stacks(core)] == [True, False]
    core.threads = tuple(Thread(one.lwp, 0, one.registers) for one in core.threads)
    core.siginfo = None
    assert [stack.crashed for stack in stacks(core)] == [False, False]


def test_a_signal_trampoline_is_shown_as_gdb_shows_it() -> None:
    """In the vdso of the core itself, of which no file exists."""
    vdso = Image(build_id=b"v" * 20, augmentation=b"zRS", fdes=(Fde(0x1000, 16),),
                 functions=(Function("__kernel_rt_sigreturn", 0x1000, 16),))  # fmt: skip
    core = Core(
        threads=(Thread(1, 11, {"rip": VDSO + 0x1004, "rsp": STACK}),),
        loads=(Load(VDSO, vdso.build(), flags=5), Load(STACK, stack_of(0, 0))),
        auxv={AT_SYSINFO_EHDR: VDSO},
    )
    (stack,) = stacks(core)
    assert (stack.frames[0].function, stack.frames[0].symbol) == (SIGNAL_HANDLER, "__kernel_rt_sigreturn")
    assert stack.frames[0].status == "signal_handler"


def test_two_builds_of_one_path_are_two_modules(tmp_path: Path) -> None:
    """A library that was upgraded while it was mapped, and then loaded again."""
    old, new = Image(build_id=b"o" * 20, functions=(Function("old", 0x1000, 16),)), IMAGE
    path = tmp_path / "lib.so"
    path.write_bytes(new.build())
    core = Core(
        threads=(Thread(1, 11, {"rip": BASE + 0x1004, "rsp": STACK}),
                 Thread(2, 11, {"rip": 2 * BASE + 0x1004, "rsp": STACK})),
        loads=(Load(BASE, old.build(), flags=5), Load(2 * BASE, new.build(), flags=5), Load(STACK, bytes(64))),
        files=(File(BASE, BASE + 0x2000, f"{path} (deleted)"), File(2 * BASE, 2 * BASE + 0x2000, str(path))),
    )  # fmt: skip
    first, second = stacks(core)
    assert first.frames[0].status == "mismatched"
    assert second.frames[0].function == "inner"


def test_the_second_look_opens_no_file_and_sees_the_same(program: Path) -> None:
    """What the store is for."""
    dump = read_core(BytesInMemory(core_of(str(program), BASE + 0x1018).build(), "core"))
    process = Process(dump, Places())
    first = backtraces(process)
    process.save()
    again = Process(dump, Places())
    assert backtraces(again) == first


def test_debugging_information_in_a_vdso_is_not_read() -> None:
    """It comes from the core: whoever made the core could make us read for hours. The kernel's has none."""
    unit = struct.pack("<HBBI", 5, 1, 8, 0) + b"\x01"
    abbreviations = b"\x01\x11\x00\x11\x01\x12\x06\x00\x00\x00"
    unit += struct.pack("<QI", 0x1000, 16)
    sections = {".debug_info": (0, struct.pack("<I", len(unit)) + unit), ".debug_abbrev": (0, abbreviations)}
    vdso = Image(build_id=b"v" * 20, functions=(Function("f", 0x1000, 16),), extra_sections=sections).build()
    core = Core(
        threads=(Thread(1, 11, {"rip": VDSO + 0x1004, "rsp": STACK}),),
        loads=(Load(VDSO, vdso, flags=5),),
        auxv={AT_SYSINFO_EHDR: VDSO},
    )
    dump = read_core(BytesInMemory(core.build(), "core"))
    process = Process(dump, Places())
    assert not process.symbols(dump.modules[0]).dwarf


hostile = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def examine(data: bytes) -> None:
    """The whole way from bytes to frames."""
    with within_seconds(4):
        try:
            found = backtraces(Process(read_core(BytesInMemory(data, "core")), Places()))
        except InputError:
            return
    for stack in found:
        assert stack.stop
        assert len(stack.frames) <= MAX_FRAMES * 200
        for frame in stack.frames:
            assert frame.trust in TRUST
            assert frame.status in STATUS


@pytest.fixture(scope="module")
def real_core() -> bytes:
    """The smallest of the samples."""
    with SAMPLE.open("rb") as file:
        return zstandard.ZstdDecompressor().stream_reader(file).read()


@hostile
@given(
    flips=st.lists(
        st.tuples(st.integers(0, 8192) | st.integers(0, 9_000_000), st.integers(1, 255)), min_size=1, max_size=20
    ),
    kept=st.none() | st.integers(0, 9_000_000),
)
def test_a_damaged_core_gives_frames_or_an_error_of_ours(
    real_core: bytes, flips: list[tuple[int, int]], kept: int | None
) -> None:
    """Bytes flipped, end cut."""
    data = bytearray(real_core)
    for place, flip in flips:
        data[place % len(data)] ^= flip
    examine(bytes(data[:kept]))


@hostile
@given(
    edits=st.lists(st.tuples(st.integers(0, 0x1200), st.integers(0, 255)), max_size=12),
    instructions=st.binary(max_size=24),
    registers=st.dictionaries(
        st.sampled_from(["rip", "rsp", "rbp", "rbx"]),
        st.sampled_from([0, VDSO, VDSO + 0x1004, STACK, STACK + 64, (1 << 64) - 1]),
    ),
)
def test_a_hostile_vdso_gives_frames_or_an_error_of_ours(
    edits: list[tuple[int, int]], instructions: bytes, registers: dict[str, int]
) -> None:
    """Code, symbols and call frames that the core itself brings."""
    image = bytearray(
        Image(fdes=(Fde(0x1000, 64, instructions),), functions=(Function("f", 0x1000, 64),), text=b"\x90" * 64).build()
    )
    for place, value in edits:
        image[place % len(image)] = value
    registers = {"rip": VDSO + 0x1010, "rsp": STACK} | registers
    stack = stack_of(*(VDSO + 0x1000 + number for number in range(64)))
    core = Core((Thread(1, 11, registers),), (Load(VDSO, bytes(image), flags=5), Load(STACK, stack)),
                auxv={AT_SYSINFO_EHDR: VDSO})  # fmt: skip
    examine(core.build())
