"""A real HAProxy whose DWARF was rewritten as packagers do: whole backtraces, and a sample of all addresses."""

from __future__ import annotations

import functools
import shutil
import subprocess
from pathlib import Path

import pytest

from forensics.elf.core import read_core
from forensics.elf.image import ElfImage
from forensics.memory.open import open_bytes
from forensics.memory.random_access import LocalFile
from forensics.symbols.dwarf.locate import DwarfLines, open_dwarf
from forensics.symbols.find import Places
from forensics.symbols.table import functions_of
from forensics.unwind.backtrace import Process, backtraces
from forensics.unwind.frame import ThreadStack
from tests.symbols.members import members_of

LAB = Path(__file__).parents[2] / ".lab"

#: Builds of the lab with DWARF and symbols.
BUILDS = sorted(path.parent.name for path in LAB.glob("builds/*/haproxy"))
NO_LAB = "no HAProxy in .lab/builds: `python -m samples.lab all` makes them"

#: Each ninth function, some addresses of each: all would take a minute a form.
_FUNCTIONS, _ADDRESSES = 9, 11

COMPRESSED = ("zlib", "zlib-gnu", "zstd")
FORMS = (*COMPRESSED, "dwz", "dwz -m", "dwz -m --dwarf-5")


def rewritten(how: str, original: Path, folder: Path) -> tuple[Path, Path | None]:
    """``original`` in another form, and the file that it shares with its twin."""
    tool = "dwz" if how.startswith("dwz") else "objcopy"
    path = shutil.which(tool) or pytest.skip(f"{tool} is not installed")
    one, two, common = folder / "one", folder / "two", folder / "common"
    command: list[str | Path]
    if how in COMPRESSED:
        command = [path, f"--compress-debug-sections={how}", original, one]
    elif how == "dwz":
        command = [path, "-o", one, original]
    else:
        shutil.copy(original, one)
        shutil.copy(original, two)
        command = [path, *(["--dwarf-5"] if how == "dwz -m --dwarf-5" else []), "-m", common, one, two]
    done = subprocess.run(command, check=False, capture_output=True, timeout=120)
    if done.returncode:
        pytest.skip(f"{tool} does not rewrite this file: {done.stderr.decode()[-200:]}")
    return one, common if common.exists() else None


def image_of(path: Path, supplement: Path | None = None) -> ElfImage:
    """The file, with the one that it shares with others."""
    image = ElfImage(LocalFile(str(path)))
    if supplement is not None:
        image.supplement = image_of(supplement)
    return image


def answers(image: ElfImage, addresses: list[int]) -> list[object]:
    """What DWARF says of ``addresses``."""
    dwarf = open_dwarf(image)
    assert isinstance(dwarf, DwarfLines)
    # An absence names the file.
    found: list[object] = [(dwarf.calls(at) or "absent", dwarf.call_sites(at)) for at in addresses]
    found += [members_of(dwarf, name) for name in ("stktable", "task", "session")]
    return found


@functools.cache
def plain_answers(original: Path) -> tuple[list[int], list[object]]:
    """Addresses of a build, and what its DWARF says of them as it is."""
    image = image_of(original)
    if ".debug_info" not in image.sections:
        pytest.skip("this build has no DWARF")
    table = functions_of([image])
    functions = [one for one in table.functions if one[1] and not one[2].startswith("_")]
    addresses = [table.start_of("main") or 0] + [
        at
        for start, size, _name in functions[::_FUNCTIONS]
        for at in range(start, start + size, size // _ADDRESSES + 1)
    ]
    return addresses, answers(image, addresses)


@pytest.mark.skipif(not BUILDS, reason=NO_LAB)
@pytest.mark.parametrize(
    ("name", "how"),
    # One build in all forms, the others in those that differ most.
    [(name, how) for name in BUILDS for how in (FORMS if name == BUILDS[-1] else ("zstd", "dwz -m"))],
)
def test_rewritten_debug_information_answers_alike(name: str, how: str, tmp_path: Path) -> None:
    """Function, file, line, inlined calls, call sites, members."""
    addresses, expected = plain_answers(LAB / "builds" / name / "haproxy")
    other, common = rewritten(how, LAB / "builds" / name / "haproxy", tmp_path)
    found = answers(image_of(other, common), addresses)
    assert len(expected) > 1000
    assert [pair for pair in zip(addresses, expected, found, strict=False) if pair[1] != pair[2]] == []
    assert found == expected


def stacks(core: Path, executable: Path, supplement: Path | None) -> tuple[ThreadStack, ...]:
    """All backtraces of ``core``."""
    process = Process(read_core(open_bytes(str(core))), Places(executable=str(executable)))
    main = next(module for module in process.core.modules if module.main)
    image = process.symbols(main).files.image
    assert image is not None
    if supplement is not None:
        image.supplement = image_of(supplement)
    return backtraces(process)


@pytest.mark.parametrize("how", FORMS)
@pytest.mark.parametrize("name", [name for name in BUILDS if (LAB / "cores" / name / "core").exists()] or [""])
def test_backtraces_do_not_depend_on_the_form(
    name: str, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every frame of every thread."""
    if not name:
        pytest.skip(NO_LAB)
    monkeypatch.setenv("HAPROXY_FORENSICS_CACHE", "")
    core, original = LAB / "cores" / name / "core", LAB / "builds" / name / "haproxy"
    other, common = rewritten(how, original, tmp_path)
    expected, found = stacks(core, original, None), stacks(core, other, common)
    assert sum(len(stack.frames) for stack in expected) > 10

    def frames(all_stacks: tuple[ThreadStack, ...]) -> list[tuple[object, ...]]:
        return [(one.lwp, frame.pc, frame.function, frame.file, frame.line, frame.inlined, frame.status)
                for one in all_stacks for frame in one.frames]  # fmt: skip

    assert frames(found) == frames(expected)
    assert all(function for _lwp, _pc, function, *_rest in frames(found))
