"""Code without a name: its borders, its assertions, the file it comes from; on programs of our own."""

from __future__ import annotations

from pathlib import Path

import pytest

from forensics.elf.image import ElfImage
from forensics.memory.random_access import LocalFile
from forensics.symbols.assertions import all_assertions, is_fatal, is_fatal_by, sentences_before
from forensics.symbols.checks import checks_of
from forensics.symbols.fragments import Fragment, FragmentTable, fragments_of
from forensics.symbols.hints import Reference, all_references, hint_of, references_from, references_in
from forensics.symbols.machine_code import machine_code
from forensics.symbols.sentence import place_of
from forensics.symbols.table import functions_of
from tests.symbols.programs import build, strip

MACHINES = ("x86-64", "aarch64")


class Stripped:
    """A stripped program and where its functions are, as the twin with symbols tells."""

    def __init__(self, folder: Path, machine: str, *flags: str) -> None:
        program = build(folder, machine, *flags)
        twin = ElfImage(LocalFile(str(program)))
        self.image = ElfImage(LocalFile(str(strip(program, machine))))
        self.where = {name: (start, start + size) for start, size, name in functions_of([twin]).functions}
        fragments = fragments_of(self.image)
        assert isinstance(fragments, FragmentTable)
        self.fragments = fragments

    def fragment(self, name: str) -> Fragment:
        found = self.fragments.find(self.where[name][0])
        assert isinstance(found, Fragment)
        return found

    def crash_in(self, name: str) -> int:
        """The first crash of a function, or of its cold part."""
        machine = machine_code(self.image.header.machine)
        assert machine is not None
        for place in (name, f"{name}.cold"):
            low, high = self.where.get(place, (0, 0))
            code = self.image.read(low, high - low)
            assert isinstance(code, bytes)
            position = machine.crash(code, 0, len(code))
            if position >= 0:
                return low + position
        raise AssertionError(f"{name} has no crash")

    def sentences(self, name: str) -> tuple[str, ...]:
        pc = self.crash_in(name)
        fragment = self.fragments.find(pc)
        assert isinstance(fragment, Fragment)
        return sentences_before(self.image, pc, fragment.start, fragment.end)

    def hint(self, name: str) -> str:
        pc = self.crash_in(name)
        fragment = self.fragments.find(pc)
        assert isinstance(fragment, Fragment)
        return hint_of(references_in(self.image, fragment, checks_of(self.image)), pc)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("flags", [(), ("-no-pie",), ("-mno-outline-atomics",)], ids=["pie", "fixed", "inline"])
def test_each_crash_names_its_assertion(tmp_path: Path, machine: str, flags: tuple[str, ...]) -> None:
    if flags == ("-mno-outline-atomics",) and machine != "aarch64":
        pytest.skip("a flag of aarch64")
    program = Stripped(tmp_path, machine, *flags)
    assert [place_of(one) for one in program.sentences("first")] == [("src/one.c", 11)]
    assert [place_of(one) for one in program.sentences("second")] == [("src/two.c", 21)]
    assert program.sentences("bare") == ()
    assert program.sentences("late") == (), "a warning ended nothing"


@pytest.mark.parametrize("machine", MACHINES)
def test_since_3_5_the_entry_of_the_check_gives_the_sentence(tmp_path: Path, machine: str) -> None:
    program = Stripped(tmp_path, machine, "-DENTRY_ONLY")
    assert program.sentences("second") == ('FATAL: bug condition "n < -3" matched at src/two.c:21\nwhy n < -3',)
    told = {place_of(one.sentence) for one in all_assertions(program.image) if one.sentence}
    assert {("src/two.c", 21), ("include/haproxy/x.h", 40)} <= told


@pytest.mark.parametrize("machine", MACHINES)
def test_a_hint_names_file_and_check_where_all_agree(tmp_path: Path, machine: str) -> None:
    program = Stripped(tmp_path, machine)
    assert program.hint("first") == "in src/one.c, with the check of first() at line 11"
    assert program.hint("second") == "in src/two.c, with the check of second() at line 21"
    assert program.hint("mixed") == "", "two files"
    assert program.hint("header") == "", "a header is in many files"
    assert program.hint("bare") == "", "nothing"


@pytest.mark.parametrize("machine", MACHINES)
def test_a_static_function_never_has_its_neighbours_name(tmp_path: Path, machine: str) -> None:
    program = Stripped(tmp_path, machine)
    table = functions_of([program.image], program.fragments)
    for name in ("first", "second", "mixed", "header", "bare", "late"):
        start, end = program.where[name]
        assert {table.find_within(address, program.fragments) for address in range(start, end)} == {("", 0)}
    start, end = program.where["exported"]
    assert {table.find_within(address, program.fragments)[0] for address in range(start, end)} == {"exported"}


@pytest.mark.parametrize("machine", MACHINES)
def test_checks_are_read_from_the_file(tmp_path: Path, machine: str) -> None:
    for flags in ((), ("-no-pie",)):
        program = Stripped(tmp_path, machine, *flags)
        checks = checks_of(program.image)
        told = {(one.kind, one.file, one.line, one.function, one.condition, one.explanation) for one in checks.all}
        assert ("bug", "src/two.c", 21, "second", "n < -3", "why n < -3") in told
        assert ("count", "src/one.c", 10, "first", "n & 1", "why n & 1") in told
        assert len(checks) == len(told) == 8


def test_whether_a_check_ends_the_process_is_told_by_its_sentence(tmp_path: Path) -> None:
    program = Stripped(tmp_path, "x86-64")
    table = all_assertions(program.image)
    for file, line, fatal in (("src/one.c", 11, True), ("src/two.c", 20, False), ("src/one.c", 1, None)):
        assert is_fatal(program.image, file, line) is fatal
        assert is_fatal_by(table, file, line) is fatal


def test_packs_give_the_same_references_from_their_table(tmp_path: Path) -> None:
    program = Stripped(tmp_path, "x86-64")
    checks = checks_of(program.image)
    table = all_references(program.image, checks)
    for name in ("first", "second"):
        fragment = program.fragments.find(program.crash_in(name))
        assert isinstance(fragment, Fragment)
        assert references_from(table, fragment) == references_in(program.image, fragment, checks) != []


def test_only_the_references_of_a_fragment_count() -> None:
    rows = [Reference(10, "src/a.c", 1), Reference(30, "src/b.c", 2)]
    assert references_from(rows, Fragment(0, 100)) == rows
    assert references_from(rows, Fragment(0, 30)) == rows[:1]
    assert references_from(rows, Fragment(0, 1 << 40)) == []


def test_the_check_whose_code_just_ended_is_named_before_one_that_is_nearer() -> None:
    references = [Reference(100, "src/a.c", 1), Reference(150, "src/a.c", 2), Reference(400, "include/x.h", 3)]
    assert hint_of(references, 140).endswith("line 1")
    assert hint_of(references, 180).endswith("line 2")
    assert hint_of(references, 300).endswith("line 2")
    assert hint_of([], 300) == ""


@pytest.mark.parametrize(
    ("sentence", "place"),
    [
        ('FATAL: bug condition "x" matched at y:1" matched at src/x.c:3', ("src/x.c", 3)),
        ('FATAL: bug condition "a" matched at src/x.c:3\nnot " matched at src/y.c:4', ("src/x.c", 3)),
        ('WARNING: warn condition "a" matched at src/x.c:3 (please report to developers)', ("src/x.c", 3)),
        ("ABORT at src/debug.c:1183: on purpose", ("src/debug.c", 1183)),
        ("ABORT at src/debug.c:1183", ("src/debug.c", 1183)),
        ("something else", ("", 0)),
        ("", ("", 0)),
    ],
)
def test_the_place_of_a_sentence_is_the_last_one_of_its_first_line(sentence: str, place: tuple[str, int]) -> None:
    assert place_of(sentence) == place
