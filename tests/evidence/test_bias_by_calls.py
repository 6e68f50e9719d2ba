"""Where an executable lay, told by return addresses alone: the calls of real executables, as a disassembler finds them."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from forensics.absence import Absence
from forensics.api import Options, gather
from forensics.builds import modules_of
from forensics.elf.image import ElfImage
from forensics.evidence.bias_by_calls import bias_by_calls
from forensics.memory.open import open_bytes
from forensics.symbols.find import Places
from tests.unwind.test_gdb_oracle import LAB

BIAS = 0x55A2E4C00000
FUNCTIONS = ("process_stream", "run_poll_loop", "http_wait_for_request", "listener_accept", "stream_new", "main")
BUILDS = ("installed", "haproxy-2.6", "haproxy-3.0", "haproxy-3.0-lto")


@pytest.fixture(scope="module", params=BUILDS)
def path(request: pytest.FixtureRequest) -> Path:
    installed = shutil.which("haproxy")
    found = Path(installed or "") if request.param == "installed" else LAB / "builds" / request.param / "haproxy"
    if not found.is_file():
        pytest.skip(f"{request.param}: no such HAProxy here")
    return found


@pytest.fixture(scope="module")
def image(path: Path) -> ElfImage:
    found = ElfImage(open_bytes(str(path)))
    if found.header.machine != 62:
        pytest.skip("not of x86-64")
    return found


@pytest.fixture(scope="module")
def returns(path: Path, image: ElfImage) -> list[int]:
    """The addresses behind all calls of some functions, direct and indirect ones, in the image."""
    from capstone import CS_ARCH_X86, CS_GRP_CALL, CS_MODE_64, Cs

    symbols = next(modules_of(str(path), Places(executable=str(path))))
    machine = Cs(CS_ARCH_X86, CS_MODE_64)
    machine.detail = True
    found: list[int] = []
    for address in filter(None, map(symbols.address_of, FUNCTIONS)):
        code = image.read(address, 2048)
        assert isinstance(code, bytes)
        found += [one.address + one.size for one in machine.disasm(code, address) if one.group(CS_GRP_CALL)]
    return found


def test_a_stack_of_calls_tells_where_the_executable_lay(image: ElfImage, returns: list[int]) -> None:
    chosen = random.Random(2508)
    for depth in (6, 9, 20):
        for _stack in range(25):
            stack = [BIAS + 8, *(BIAS + each for each in chosen.sample(returns, depth))]
            assert bias_by_calls(stack, image) == BIAS


def test_frames_of_libraries_do_not_count(image: ElfImage, returns: list[int]) -> None:
    libraries = [0x7FD2B748BEDC, 0x7FD2B748BEDD, 0x7FFE00000123]
    assert bias_by_calls([BIAS, *libraries, *(BIAS + each for each in returns[:8])], image) == BIAS


def test_a_short_stack_tells_nothing(image: ElfImage, returns: list[int]) -> None:
    found = bias_by_calls([BIAS, *(BIAS + each for each in returns[:5])], image)
    assert found == Absence("where the executable lay", "5 return addresses are too few to tell it")


def test_addresses_that_stand_behind_no_calls_fit_nowhere(image: ElfImage, returns: list[int]) -> None:
    found = bias_by_calls([BIAS, *(BIAS + each + 1 for each in returns[:9])], image)
    assert found == Absence("where the executable lay", "0 places fit the calls of this executable")


def test_hostile_addresses_are_refused(image: ElfImage) -> None:
    for stack in ([], [0], [0] * 50, list(range(1 << 64, (1 << 64) + 20)), list(range(20))):
        assert isinstance(bias_by_calls(stack, image), Absence)


def test_a_paste_of_addresses_needs_no_more_than_the_executable(path: Path, returns: list[int], tmp_path: Path) -> None:
    log = tmp_path / "paste.txt"
    log.write_text("".join(f"{BIAS + each:#x}\n" for each in [returns[0], *returns[:8]]))
    crash = gather([str(log), str(path)], Options())[2]
    stack = crash.get("stack")
    assert not isinstance(stack, Absence)
    assert isinstance(stack.value, tuple)
    assert "process_stream" in stack.value
    assert any(gap.subject.startswith("certainty that") for gap in crash.gaps)
