"""Stripped executables against their unstripped twins: no wrong name, no wrong file, no wrong assertion."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from forensics.absence import Absence
from forensics.elf.constants import EM_AARCH64, EM_X86_64
from forensics.elf.image import ElfImage
from forensics.memory.random_access import LocalFile
from forensics.symbols.assertions import sentences_before
from forensics.symbols.checks import COUNT_OFFSET, checks_of
from forensics.symbols.dwarf.locate import DwarfLines, open_dwarf
from forensics.symbols.fragments import Fragment, FragmentTable, fragments_of
from forensics.symbols.hints import hint_of, references_in
from forensics.symbols.machine_code import machine_code
from forensics.symbols.sentence import place_of
from forensics.symbols.table import functions_of

ROOT = Path(__file__).parents[2]
BUILDS = sorted(ROOT.glob(".lab/builds/*/haproxy"))
STRIP = {EM_X86_64: shutil.which("strip"), EM_AARCH64: shutil.which("aarch64-linux-gnu-strip")}

pytestmark = pytest.mark.skipif(not BUILDS, reason="the lab has no build of HAProxy: python -m samples.lab all")
each_build = pytest.mark.parametrize("path", BUILDS, ids=lambda path: path.parent.name)


@cache
def opened(path: Path) -> ElfImage:
    return ElfImage(LocalFile(str(path)))


def stripped(path: Path, folder: Path) -> ElfImage:
    """A stripped copy: .dynsym is all that is left of the names."""
    strip = STRIP.get(opened(path).header.machine)
    if strip is None:
        pytest.skip("no strip for this machine is installed")
    copy = folder / "stripped"
    subprocess.run([strip, "--strip-all", "-o", copy, path], check=True, timeout=60)
    return ElfImage(LocalFile(str(copy)))


def borders(image: ElfImage) -> FragmentTable:
    found = fragments_of(image)
    assert isinstance(found, FragmentTable)
    return found


def dwarf_of(path: Path) -> DwarfLines:
    if ".debug_info" not in opened(path).sections:
        pytest.skip("a build without DWARF")
    found = open_dwarf(opened(path))
    assert not isinstance(found, Absence)
    return found


def code_of(image: ElfImage) -> Iterator[Fragment]:
    """The fragments in .text."""
    text, table = image.sections[".text"], borders(image)
    for index in range(len(table)):
        fragment = table.at(index)
        if isinstance(fragment, Fragment) and text.address <= fragment.start < text.address + text.size:
            yield fragment


@each_build
def test_a_stripped_executable_gives_no_function_a_wrong_name(path: Path, tmp_path: Path) -> None:
    """Several addresses of each function, and of the gaps between them."""
    twin, image = opened(path), stripped(path, tmp_path)
    if ".symtab" not in twin.sections:
        pytest.skip("the twin is stripped itself")
    table, fragments = functions_of([image], borders(image)), borders(image)
    aliases: dict[int, set[str]] = {}
    truth = functions_of([twin])
    for start, _size, name in truth.functions:
        aliases.setdefault(start, set()).add(name)
    wrong, named, unnamed = [], 0, 0
    for start, size, name in truth.functions:
        for address in {start, start + 1, start + size // 2, start + max(size - 1, 0), start + size}:
            found, _start = table.find_within(address, fragments)
            true_name, true_start = truth.find(address)
            named, unnamed = named + bool(found), unnamed + (not found)
            if found and found not in aliases.get(true_start, {true_name}):
                wrong.append((hex(address), name, found, true_name))
    assert wrong == []
    # A static executable has no exported names at all.
    assert unnamed > 1000
    assert named > 1000 or not table.functions


@each_build
def test_hints_name_the_file_that_the_code_comes_from(path: Path, tmp_path: Path) -> None:
    """DWARF has lines of that file in the very function, and the check of that line where the code refers to it."""
    dwarf, image = dwarf_of(path), stripped(path, tmp_path)
    table, fragments, checks = functions_of([image], borders(image)), borders(image), checks_of(image)
    wrong, told = [], 0
    for fragment in code_of(image):
        references = references_in(image, fragment, checks)
        hint = hint_of(references, (fragment.start + fragment.end) // 2)
        if not hint or table.find_within(fragment.start, fragments)[0]:
            continue
        told += 1
        file = hint.removeprefix("in ").split(",")[0]
        calls = [dwarf.calls(address) for address in range(fragment.start, fragment.end, 4)]
        if file not in {found[-1].file for found in calls if isinstance(found, tuple) and found}:
            wrong.append((hex(fragment.start), hint))
    assert wrong == []
    if path.parent.name != "haproxy-2.2":  # there assertions are off
        assert told > 40


@each_build
def test_each_crash_site_has_its_own_assertion_or_says_which_it_may_be(path: Path) -> None:
    """The line that DWARF gives to the crash is the one that the sentence names."""
    dwarf, image = dwarf_of(path), opened(path)
    machine = machine_code(image.header.machine)
    assert machine is not None
    right, silent, wrong = 0, 0, []
    for fragment in code_of(image):
        code = image.read(fragment.start, fragment.end - fragment.start)
        position = machine.crash(code, 0, len(code)) if isinstance(code, bytes) else -1
        while isinstance(code, bytes) and position >= 0:
            pc = fragment.start + position
            calls = dwarf.calls(pc)
            lines = {(call.file, call.line) for call in calls} if isinstance(calls, tuple) else set()
            found = sentences_before(image, pc, fragment.start, fragment.end)
            places = [place_of(one) for one in found if one]
            if not found:
                silent += 1
            elif not lines & set(places):
                wrong.append((hex(pc), found, calls))
            else:
                right += len(found) == 1
            position = machine.crash(code, position + 2, len(code))
    assert wrong == []
    assert silent < 50  # traps of the compiler, ABORT_NOW() without text
    assert right > 100 or path.parent.name == "haproxy-2.2"


EXECUTABLES = [*BUILDS, *sorted(ROOT.glob(".lab/roots/*/usr/sbin/haproxy"))]


@pytest.mark.parametrize("path", EXECUTABLES, ids=lambda path: "-".join(path.parts[-4:]))
def test_the_check_that_counts_before_a_crash_is_the_one_that_it_prints(path: Path) -> None:
    """Two ways to the same assertion, in builds that have both: the loaded sentence, and the counter's entry."""
    image = ElfImage(LocalFile(str(path)))
    checks, machine = checks_of(image), machine_code(image.header.machine)
    if not checks or machine is None:
        pytest.skip("a build that does not count its checks")
    agreed, differ = 0, []
    for fragment in code_of(image):
        code = image.read(fragment.start, fragment.end - fragment.start)
        assert isinstance(code, bytes)
        counted = [(at, checks.by_address.get(to - COUNT_OFFSET)) for at, to in machine.counts(code, fragment.start)]
        previous, position = fragment.start, machine.crash(code, 0, len(code))
        while position >= 0:
            pc = fragment.start + position
            found = sentences_before(image, pc, fragment.start, fragment.end)
            places = [(one.file, one.line) for at, one in counted if one and previous <= at < pc and "bug" in one.kind]
            if len(found) == 1 and places and not found[0].startswith("ABORT"):
                agreed += 1
                differ += [] if place_of(found[0]) == places[-1] else [(hex(pc), found, places[-1])]
            previous, position = pc, machine.crash(code, position + 2, len(code))
    assert differ == []
    assert agreed > 500
