"""Reading core dumps: what they say, and what they lack."""

from __future__ import annotations

import pytest

from forensics.absence import Absence
from forensics.elf.constants import signal_code_name, signal_name
from forensics.elf.core import CoreDump, read_core
from forensics.errors import MalformedInput
from forensics.memory.random_access import BytesInMemory
from tests.builders.bounds import within_bytes, within_seconds
from tests.builders.core import AT_ENTRY, AT_SYSINFO_EHDR, REGISTERS, Core, File, Load, Thread, siginfo_note
from tests.builders.elf import PT_NOTE, Image, note, program_header


def read(data: bytes) -> CoreDump:
    """The core in ``data``."""
    return read_core(BytesInMemory(data, "core"))


def test_each_thread_has_its_number_signal_and_registers() -> None:
    """In the kernel's order of registers."""
    values = {name: 0x1000 + place for place, name in enumerate(REGISTERS)}
    core = read(Core((Thread(42, 6, values), Thread(43, 0))).build())
    assert [thread.lwp for thread in core.threads] == [42, 43]
    assert [thread.signal for thread in core.threads] == [6, 0]
    assert core.threads[0].registers[:27] == tuple(range(0x1000, 0x1000 + 27))


def test_the_thread_pointer_of_aarch64_belongs_to_the_thread_whose_notes_it_follows() -> None:
    """NT_ARM_TLS (0x401), of owner LINUX; of others it means something else."""
    pointer = (0x7F00112233).to_bytes(8, "little")
    notes = note(b"LINUX", 0x401, pointer + bytes(8)) + note(b"CORE", 0x401, bytes(8))
    core = read(Core((Thread(42), Thread(43)), notes=notes, machine=183).build())
    assert core.thread_pointers == {43: 0x7F00112233}


def test_a_fault_has_an_address_and_no_sender() -> None:
    """SEGV_MAPERR at 1 is how HAProxy 2.6 kills itself."""
    signal = read(Core(siginfo=(11, 1, 1)).build()).signal
    assert signal is not None
    assert (signal.name, signal.code_name, signal.address, signal.sender) == ("SIGSEGV", "SEGV_MAPERR", 1, None)


def test_a_signal_that_was_sent_has_a_sender_and_no_address() -> None:
    """kill(2) by somebody else."""
    signal = read(Core(siginfo=(11, 0, 4321)).build()).signal
    assert signal is not None
    assert (signal.code_name, signal.address, signal.sender) == ("SI_USER", None, 4321)


def test_signals_that_nothing_names_keep_their_number() -> None:
    """Real-time signals, codes of the future."""
    assert signal_name(77) == "signal 77"
    assert signal_code_name(11, 99) == "99"
    assert signal_code_name(6, -6) == "SI_TKILL"


@pytest.mark.parametrize("current", [0, 5, 19])
def test_a_core_of_gcore_has_no_fatal_signal(current: int) -> None:
    """The stop that gdb caused killed nobody; gdb writes the process before its threads."""
    notes = Thread(1, current).note() + siginfo_note(current, 0, 0)
    core = read(Core((), siginfo=None, notes=notes).build())
    assert (len(core.threads), core.signal) == (1, None)


@pytest.mark.parametrize(("current", "fatal"), [(5, True), (19, False)])
def test_a_trap_is_fatal_in_a_core_of_the_kernel(current: int, fatal: bool) -> None:
    """The kernel writes the thread that died before anything else."""
    signal = read(Core((Thread(1, current),), siginfo=(current, 128, 0)).build()).signal
    assert (signal is not None) == fatal


def test_a_signal_that_was_sent_has_its_senders_user() -> None:
    """si_uid stands behind si_pid; the signal of a timer has neither."""
    signal = read(Core(siginfo=(11, 0, 7 << 32 | 4321)).build()).signal
    assert signal is not None
    assert (signal.sender, signal.user, signal.system_call) == (4321, 7, None)
    timer = read(Core(siginfo=(11, -2, 3)).build()).signal
    assert timer is not None
    assert (timer.sender, timer.user, timer.code_name) == (None, None, "SI_TIMER")


def test_without_siginfo_the_signal_of_the_first_thread_counts() -> None:
    """And the gap is named."""
    core = read(Core((Thread(1, 6), Thread(2, 0)), siginfo=None).build())
    assert core.signal is not None
    assert core.signal.number == 6
    assert any("NT_SIGINFO" in gap.reason for gap in core.gaps)


def test_the_name_and_the_arguments_of_the_process_are_read() -> None:
    """NT_PRPSINFO."""
    process = read(Core(name="haproxy").build()).process
    assert process is not None
    assert (process.pid, process.name, process.arguments) == (1000, "haproxy", "haproxy -f haproxy.cfg")


def test_mapped_files_have_offsets_in_bytes() -> None:
    """NT_FILE counts in pages."""
    core = read(Core(files=(File(0x1000, 0x3000, "/bin/a"), File(0x3000, 0x4000, "/bin/a", 0x2000))).build())
    assert [(one.start, one.end, one.offset, one.path) for one in core.files] == [
        (0x1000, 0x3000, 0, "/bin/a"), (0x3000, 0x4000, 0x2000, "/bin/a"),
    ]  # fmt: skip


def test_memory_answers_at_the_address_of_its_segment() -> None:
    """Content comes through from file to address."""
    core = read(Core(loads=(Load(0x7000, b"one"), Load(0x9000, b"two!", size=0x1000))).build())
    assert core.memory.read(0x7000, 3) == b"one"
    assert core.memory.read(0x9002, 2) == b"o!"
    assert isinstance(core.memory.read(0x9800, 1), Absence)


def test_code_that_only_the_file_table_lists_is_mapped_and_not_dumped() -> None:
    """gcore writes no program header for it; the process could run it all the same."""
    files = (File(0x1000, 0x2000, "/bin/a"), File(0x2000, 0x5000, "/bin/a", 0x1000), File(0x7000, 0x6000, "/bin/b"))
    memory = read(Core(loads=(Load(0x1000, b"data" * 1024),), files=files).build()).memory
    assert [(one.address, one.end, one.file_size, one.executable) for one in memory.segments] == [
        (0x1000, 0x2000, 0x1000, False), (0x2000, 0x5000, 0, True),
    ]  # fmt: skip
    found = memory.read(0x2100, 4)
    assert isinstance(found, Absence) and "does not hold" in found.reason


def test_more_than_65534_segments_are_counted_in_section_0() -> None:
    """PN_XNUM: a process with vm.max_map_count raised."""
    loads = tuple(Load(0x10000 + number * 0x1000, b"", size=0x1000) for number in range(66_000))
    data = Core(loads=(*loads, Load(0x7F0000000000, b"last")), extended=True).build()
    with within_seconds(5):
        core = read(data)
    assert len(core.memory.segments) == 66_001
    assert core.memory.read(0x7F0000000000, 4) == b"last"


def test_a_core_cut_before_the_count_of_its_segments_says_so() -> None:
    """Section 0 stands at the end of the file: any truncation loses it."""
    data = Core(loads=(Load(0x1000, b"x" * 100),), extended=True).build()
    with pytest.raises(MalformedInput, match="counts its segments") as caught:
        read(data[:-70])
    assert caught.value.hint


def test_a_claim_of_millions_of_segments_is_malformed() -> None:
    """Nothing is allocated for it."""
    with pytest.raises(MalformedInput, match="claims"), within_bytes(1 << 20):
        read(Core(extended=True, claimed_segments=0xFFFFFFF0).build())


def test_program_headers_that_are_cut_off_are_a_gap() -> None:
    """The header promises more than the file holds."""
    data = Core(loads=(Load(0x1000, b""),), claimed_segments=1000).build()
    core = read(data)
    assert any("program headers are cut off" in gap.reason for gap in core.gaps)


def test_a_core_without_file_table_has_memory_and_threads() -> None:
    """Old kernels, and gcore of old gdb: no module, and what would supply it."""
    core = read(Core().build())
    assert core.modules == ()
    assert isinstance(core.main_module, Absence)
    assert "--exe" in core.main_module.remedy


def test_notes_that_are_cut_keep_the_threads_before_the_cut() -> None:
    """A note that reaches past the end is no note."""
    data = Core((Thread(1), Thread(2), Thread(3))).build()
    core = read(data[:-200])
    assert [thread.lwp for thread in core.threads] == [1, 2]


def test_a_core_whose_notes_are_lost_holds_no_thread() -> None:
    """Cut before its first note; the message names the likely culprit."""
    data = Core(loads=(Load(0x1000, b"y" * 5000),), notes_first=False).build()
    with pytest.raises(MalformedInput, match="no thread") as caught:
        read(data[:4000])
    assert "coredumpctl" in caught.value.hint


def test_zero_threads_are_malformed() -> None:
    """A core of nobody."""
    with pytest.raises(MalformedInput, match="no thread"):
        read(Core(threads=()).build())


def test_the_same_thread_twice_is_kept_twice() -> None:
    """The reader does not judge."""
    assert len(read(Core((Thread(7), Thread(7))).build()).threads) == 2


def test_an_empty_file_and_a_text_are_no_elf_files() -> None:
    """Also when they are short."""
    for data in (b"", b"\x7f", b"\x7fEL", b"[ALERT] (1) : FATAL\n" * 9):
        with pytest.raises(MalformedInput, match="no ELF file"):
            read(data)


def test_an_elf_header_that_is_cut_is_malformed() -> None:
    """63 of 64 bytes."""
    with pytest.raises(MalformedInput, match="ends within"):
        read(Core().build()[:63])


def test_an_executable_is_no_core() -> None:
    """The hint tells where it belongs."""
    with pytest.raises(MalformedInput, match="not a core") as caught:
        read(Image().build())
    assert "--exe" in caught.value.hint


def test_another_machine_is_read_as_far_as_it_goes() -> None:
    """Unwinding needs the processor; notes and modules do not."""
    assert read(Core(machine=183).build()).machine == 183


def test_truncation_is_computed_from_the_program_headers() -> None:
    """In bytes, and what was lost."""
    data = Core(loads=(Load(0x1000, b"a" * 4096), Load(0x5000, b"b" * 4096))).build()
    assert read(data).truncation is None
    truncation = read(data[:-5000]).truncation
    assert truncation is not None
    assert (truncation.missing_bytes, truncation.expected_bytes) == (5000, len(data))
    assert truncation.lost == "2 of 3 segments are incomplete, from address 0x1000 on"


def test_a_segment_of_which_one_byte_is_missing_is_incomplete() -> None:
    """The border is exact."""
    data = Core(loads=(Load(0x1000, b"a" * 64),)).build()
    truncation = read(data[:-1]).truncation
    assert truncation is not None
    assert truncation.missing_bytes == 1


def test_a_truncation_that_only_cuts_notes_is_a_truncation() -> None:
    """No PT_LOAD reaches past the end, the PT_NOTE does."""
    data = Core((Thread(1), Thread(2)), loads=(Load(0x1000, b"a" * 64),), notes_first=False).build()
    core = read(data[:-10])
    assert core.truncation is not None
    assert core.truncation.missing_bytes == 10


def test_a_damaged_source_is_a_gap() -> None:
    """What the decompressor lost is said in the report."""
    source = BytesInMemory(Core().build(), "core")
    source.damage = Absence("end of core", "the zstd data is cut", "the complete file")
    assert source.damage in read_core(source).gaps


def test_offsets_past_the_end_of_everything_are_absences() -> None:
    """Also those that no file can have."""
    liars = (Load(0x1000, b"", size=64, file_size=64, offset=1 << 63), Load(0x2000, b"", size=64, file_size=1 << 62))
    core = read(Core(loads=liars).build())
    assert isinstance(core.memory.read(0x1000, 8), Absence)
    assert isinstance(core.memory.read(0x2000, 8), Absence)
    assert core.truncation is not None


def test_more_dumped_bytes_than_mapped_ones_are_ignored() -> None:
    """p_filesz > p_memsz."""
    core = read(Core(loads=(Load(0x1000, b"abcdefgh", size=4),)).build())
    assert core.memory.read(0x1000, 4) == b"abcd"
    assert isinstance(core.memory.read(0x1002, 4), Absence)


def test_a_segment_that_wraps_around_the_address_space_is_harmless() -> None:
    """Address and size add up to more than 64 bits."""
    core = read(Core(loads=(Load((1 << 64) - 8, b"12345678" * 2),)).build())
    assert core.memory.read((1 << 64) - 8, 8) == b"12345678"


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF, 4096])
def test_a_note_that_claims_more_than_there_is_ends_the_notes(size: int) -> None:
    """Those before it count."""
    core = read(Core(notes=note(b"CORE", 1, b"short", size=size)).build())
    assert len(core.threads) == 1


def test_a_note_with_a_huge_name_ends_the_notes() -> None:
    """As above, for the other length."""
    assert len(read(Core(notes=b"\xff\xff\xff\xff" + bytes(60)).build()).threads) == 1


@pytest.mark.parametrize("kind", [1, 3, 6, 0x53494749, 0x46494C45])
@pytest.mark.parametrize("size", [0, 1, 15, 16, 100, 120])
def test_notes_of_any_size_are_read_or_passed_over(kind: int, size: int) -> None:
    """Short descriptors of each kind."""
    assert read(Core(notes=note(b"CORE", kind, b"\xff" * size)).build()).threads


def test_a_file_table_that_claims_more_lines_than_it_has_is_ignored() -> None:
    """count * 24 bytes must fit."""
    data = note(b"CORE", 0x46494C45, (1 << 60).to_bytes(8, "little") + bytes(100))
    assert read(Core(notes=data).build()).files == ()


def test_notes_of_other_owners_are_not_taken_for_threads() -> None:
    """LINUX and GNU use the same numbers."""
    assert len(read(Core(notes=note(b"LINUX", 1, bytes(336)) + note(b"GNU", 1, bytes(336))).build()).threads) == 1


def test_a_register_set_has_no_more_words_than_a_processor() -> None:
    """A note of megabytes must not become as many numbers."""
    data = Core((Thread(1), Thread(2)), notes=note(b"CORE", 1, bytes(8 << 20))).build()
    with within_bytes(64 << 20):
        core = read(data)
    assert all(len(thread.registers) < 1024 for thread in core.threads)


def test_thousands_of_note_segments_over_the_same_bytes_are_bounded() -> None:
    """65,000 headers that all point at the same notes would be read 65,000 times."""
    notes, count = note(b"GNU", 99, b"") * 4096, 60_000
    headers = program_header(PT_NOTE, 64 + 56 * (count + 1), 0, 1 << 21) * count
    data = Core(notes=notes, extra_headers=headers).build()
    with within_seconds(10):
        read(data)


def test_a_file_table_of_thousands_of_images_with_thousands_of_segments_is_bounded() -> None:
    """Each path asks for its identity; the image may lie about its size."""
    image = bytearray(Image().build())
    image[56:58] = (0xFFFE).to_bytes(2, "little")  # e_phnum
    image += bytes(0xFFFE * 56)
    files = tuple(File(0x400000, 0x401000, f"/lib/{number}.so") for number in range(1000))
    data = Core(loads=(Load(0x400000, bytes(image)),), files=files).build()
    with within_seconds(5):
        read(data)


def test_the_vdso_is_a_module() -> None:
    """Its image lies in the core."""
    image = Image(build_id=b"vdso-of-a-kernel-one").build()
    core = read(Core(loads=(Load(0x7FFF0000, image),), auxv={AT_SYSINFO_EHDR: 0x7FFF0000}).build())
    assert [(one.path, one.start, one.base, one.main) for one in core.modules] == [
        ("linux-vdso", 0x7FFF0000, 0x7FFF0000, False)
    ]
    assert core.modules[0].build_id == b"vdso-of-a-kernel-one".hex()


@pytest.mark.parametrize("where", [0, 0x1234, (1 << 64) - 1])
def test_a_vdso_that_is_not_there_is_no_module(where: int) -> None:
    """AT_SYSINFO_EHDR may lie."""
    assert read(Core(auxv={AT_SYSINFO_EHDR: where, AT_ENTRY: 1}).build()).modules == ()


def test_a_vdso_in_a_huge_segment_is_no_vdso() -> None:
    """It has two pages, not two megabytes."""
    core = read(Core(loads=(Load(0x10000, b"\x7fELF", size=2 << 20),), auxv={AT_SYSINFO_EHDR: 0x10000}).build())
    assert core.modules == ()
