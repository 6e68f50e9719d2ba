"""The sentence of an assertion, read from the code before it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from forensics.elf.image import ElfImage
from forensics.memory.random_access import BytesInMemory, LocalFile
from forensics.symbols.assertions import (
    all_assertions,
    sentence_before,
    sentence_from,
    sentences_before,
)
from forensics.symbols.fragments import Fragment, FragmentTable, fragments_of
from forensics.symbols.table import functions_of
from tests.builders.elf import EM_AARCH64, TEXT, Image
from tests.oracles.programs import COMPILER, compile_c

ROOT = Path(__file__).parents[2]
SENTENCE = 'FATAL: bug condition "x > 3" matched at src/task.c:12'

SOURCE = r"""
#include <stdio.h>
#include <stdlib.h>
static volatile int sink;
__attribute__((noinline)) void complain(const char *text) { fputs(text, stderr); sink++; }
#define BUG_ON(c) do { if (__builtin_expect(!!(c), 0)) { \
	complain("\nFATAL: bug condition \"" #c "\" matched at src/sample.c:" LINE(__LINE__) "\n"); \
	__builtin_trap(); } } while (0)
#define LINE(n) STRING(n)
#define STRING(n) #n
#define WARN_ON(c) do { if (c) complain("\nWARNING: warn condition \"" #c "\" matched at src/sample.c:1\n"); } while (0)
__attribute__((noinline)) int first(int n) { BUG_ON(n > 3); WARN_ON(n == 2); BUG_ON(n < -3); return n * sink; }
__attribute__((noinline)) int traps(int n) { sink = n; __builtin_trap(); }
int main(int argc, char **argv) { return argc > 50 ? traps(argc) : first(argc) + !argv; }
"""


def lea(at: int, target: int) -> bytes:
    """`lea rdi, [rip + ...]` at address ``at``."""
    return b"\x48\x8d\x3d" + (target - at - 7).to_bytes(4, "little", signed=True)


def image_of(code_after: bytes, text: bytes = b"\n" + SENTENCE.encode() + b"\n\0", machine: int = 62) -> ElfImage:
    """`lea` of the text, then ``code_after``."""
    size = 7 + len(code_after)
    code = lea(TEXT, TEXT + size + -size % 16) + code_after
    return ElfImage(BytesInMemory(Image(text=code, rodata=text + bytes(64), machine=machine).build(), "image"))


CALL = b"\xe8\0\0\0\0"


def test_the_sentence_loaded_before_the_crash_is_found() -> None:
    """`lea`, `call`, `ud2`."""
    image = image_of(CALL + b"\x0f\x0b")
    assert sentence_before(image, TEXT + 12, TEXT) == SENTENCE
    assert [(one.load, one.sentence) for one in all_assertions(image)] == [(TEXT, SENTENCE)]
    assert sentence_from(all_assertions(image), TEXT + 12, TEXT) == SENTENCE


def test_the_sentence_of_another_crash_is_not_taken() -> None:
    """Between it and this crash stands its own `ud2`."""
    assert sentence_before(image_of(CALL + b"\x0f\x0b" + CALL + b"\x0f\x0b"), TEXT + 19, TEXT) == ""


def test_code_before_the_function_belongs_to_somebody_else() -> None:
    """``start`` bounds the search."""
    image = image_of(CALL + b"\x0f\x0b")
    assert sentence_before(image, TEXT + 12, TEXT + 7) == ""
    assert sentence_from(all_assertions(image), TEXT + 12, TEXT + 7) == ""


def test_a_sentence_far_before_the_crash_is_not_taken() -> None:
    """Some hundred bytes on, something else crashed."""
    image = image_of(CALL + b"\x90" * 300 + b"\x0f\x0b")
    assert sentence_before(image, TEXT + 12 + 300, TEXT) == ""
    assert sentence_from(all_assertions(image), TEXT + 12 + 300, TEXT) == ""


@pytest.mark.parametrize("text", [b"plain text\0", b"", b"\nFATAL: bug condit", b"\xff" * 64])
def test_other_texts_are_no_sentences(text: bytes) -> None:
    """Nor is a text that the file cuts."""
    assert sentence_before(image_of(CALL, text), TEXT + 12, TEXT) == ""


def test_other_processors_have_other_instructions() -> None:
    """No guess."""
    image = image_of(CALL, machine=EM_AARCH64)
    assert sentence_before(image, TEXT + 12, TEXT) == ""
    assert all_assertions(image) == []


@pytest.mark.parametrize("pc", [0, TEXT, TEXT + 3, TEXT + 6, 1 << 60, (1 << 64) - 1])
def test_a_pc_anywhere_gives_no_sentence_and_no_error(pc: int) -> None:
    """Stacks can be wrong."""
    assert sentence_before(image_of(CALL), pc, 0) == ""


def test_a_sentence_without_end_is_bounded() -> None:
    """No NUL before the file ends."""
    image = image_of(CALL, b'\nFATAL: bug condition "' + b"x" * 5000)
    assert len(sentence_before(image, TEXT + 12, TEXT)) <= 2048


@pytest.mark.parametrize("flags", [("-O2",), ("-O1",), ("-O2", "-s", "-rdynamic"), ("-O2", "-no-pie")])
def test_compiled_assertions_have_their_own_sentences(tmp_path: Path, flags: tuple[str, ...]) -> None:
    """Two in one function, and a crash that has none."""
    if not COMPILER or not shutil.which("objdump"):
        pytest.skip("cc or objdump is not installed")
    program = compile_c(tmp_path, "sample", SOURCE, *flags)
    listing = subprocess.run(["objdump", "-d", program], capture_output=True, text=True, check=True).stdout
    if "lea " not in listing.split("<complain", 1)[0] and "-no-pie" in flags and not re.search(r"lea .*# ", listing):
        pytest.skip("this compiler loads literals by their absolute address")
    traps = [int(at, 16) for at in re.findall(r"^\s*([0-9a-f]+):.*\bud2", listing, re.MULTILINE)]
    image = ElfImage(LocalFile(str(program)))
    table = functions_of([image])
    found = [sentence_before(image, at, table.find(at)[1] or at - 160) for at in traps]
    conditions = sorted(match[1] for one in found if (match := re.search(r'condition "(.*?)"', one)))
    assert conditions == ["n < -3", "n > 3"]
    assert len(traps) >= 3


def test_a_crash_that_two_assertions_share_has_no_sentence(tmp_path: Path) -> None:
    """`gcc -Os` lets the second `lea` fall into, and the first one jump to, one `call` and `ud2`: which was it?"""
    if not COMPILER or not shutil.which("objdump"):
        pytest.skip("cc or objdump is not installed")
    program = compile_c(tmp_path, "sample", SOURCE, "-Os")
    listing = subprocess.run(["objdump", "-d", "--disassemble=first", program], capture_output=True, text=True,
                             check=True).stdout  # fmt: skip
    traps = [int(at, 16) for at in re.findall(r"^\s*([0-9a-f]+):.*\bud2", listing, re.MULTILINE)]
    if len(traps) != 1:
        pytest.skip("this compiler does not merge the two")
    image = ElfImage(LocalFile(str(program)))
    assert sentence_before(image, traps[0], functions_of([image]).start_of("first") or 0) == ""


executables = [path for path in (*ROOT.glob(".lab/builds/*/haproxy"), *ROOT.glob(".lab/roots/*/usr/sbin/haproxy"),
               Path(shutil.which("haproxy") or "/nonexistent")) if path.exists()]  # fmt: skip


@pytest.mark.skipif(not executables, reason="no haproxy: neither in .lab nor installed")
@pytest.mark.parametrize("path", executables, ids=lambda path: "-".join(path.parts[-5:]))
def test_assertions_of_real_executables_are_found_both_ways(path: Path) -> None:
    """From the code before a crash, and from the table of all of them, which packs carry."""
    image = ElfImage(LocalFile(str(path)))
    table = all_assertions(image)
    if not table:
        pytest.skip("a build without assertions (DEBUG_STRICT is off up to 2.5)")
    told = [one.sentence for one in table if one.sentence]
    assert all(re.match(r"(FATAL|WARNING): (bug|warn|check) condition|ABORT at", text) for text in told)
    fragments = fragments_of(image)
    assert isinstance(fragments, FragmentTable)
    agreed = 0
    for place, one in enumerate(table):
        behind = table[place + 1].load if place + 1 < len(table) else 1 << 64
        fragment = fragments.find(one.load)
        if not one.crash or behind < one.crash or not isinstance(fragment, Fragment):
            continue
        found = sentences_before(image, one.crash, fragment.start, fragment.end)
        assert (found == (one.sentence,)) if one.sentence else len(found) > 1
        assert sentence_from(table, one.crash, fragment.start) == one.sentence
        agreed += 1
    assert agreed > 100
