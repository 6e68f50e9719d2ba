"""Words of flags by name: release by release, and as numbers where no header was read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from forensics.absence import Absence
from forensics.haproxy.flags import _TABLES, branch_of, mask_of, named_bits, names_of
from forensics.haproxy.release import Release

BUILDS = Path(__file__).resolve().parents[2] / ".lab/builds"
#: Headers of releases that the lab builds, and the file that defines each kind.
SOURCES = {(2, 2): "haproxy-2.2", (2, 6): "haproxy-2.6", (2, 9): "requeue-race-2.9.6", (3, 0): "haproxy-3.0"}
HEADERS = {
    "SF": "stream-t.h", "CF": "channel-t.h", "AN": "channel-t.h", "CO_FL": "connection-t.h", "TX": "http_ana-t.h",
    "SI_FL": "stream_interface-t.h", "CS_FL": "connection-t.h", "TASK": "task-t.h",
}  # fmt: skip
#: Masks, shorthands and numbers within words: what is no single flag.
NO_FLAGS = re.compile(r"_(MASK|ALL|NONE|SHIFT|NOTIFY_DONE|WAIT_L4L6|RXBLK_ANY)$|^(SF_(ERR|FINST)|TX_S?CK)_(?!PRESENT)")


def release(version: str) -> Release:
    """A release of this version."""
    return Release(version, "", 0, "")


@pytest.mark.parametrize(
    ("version", "branch"),
    [("3.0.11-9e587df", (3, 0)), ("2.6.12-1+deb12u4", (2, 6)), ("3.1-dev4-5151a0d", None), ("strange", None)],
)
def test_a_release_is_of_a_branch_and_a_snapshot_of_none(version: str, branch: tuple[int, int] | None) -> None:
    assert branch_of(release(version)) == branch


def test_an_unknown_release_has_no_branch() -> None:
    assert branch_of(Absence("process.version", "not found")) is None


@pytest.mark.parametrize(
    ("kind", "value", "branch", "names"),
    [
        ("SF", 0xC4A, (3, 0), ("ASSIGNED", "BE_ASSIGNED", "CURR_SESS", "REDIRECTABLE", "HTX")),
        ("SF", 0x34001, (2, 6), ("DIRECT", "ERR_SRVTO", "FINST_H")),
        ("SF", 0x4, (2, 2), ("ADDR_SET",)),
        ("SF", 0x4, (2, 4), ("0x4",)),
        ("SF", 0x4, (3, 0), ("MAYALLOC",)),
        ("SF", 0xF000, (3, 0), ("0xf000",)),
        ("CF", 0x80000001, (2, 2), ("READ_NULL", "ISRESP")),
        ("CF", 0x80000001, (2, 7), ("ISRESP", "0x1")),
        ("CF", 0x80000001, (3, 0), ("READ_EVENT", "ISRESP")),
        ("TX", 0x3060, (3, 0), ("CACHEABLE", "CACHE_COOK", "CK_VALID")),
        ("TASK", 0x48, (3, 0), ("IN_LIST", "0x8")),
        ("TASK", 0x80204, (3, 2), ("QUEUED", "WOKEN_TIMER", "F_WANTS_TIME")),
        ("SI_FL", 0x10, (2, 4), ()),
        ("SF", 0x1, (3, 4), ()),
        ("SF", 0x1, (2, 0), ()),
        ("SF", 0x1, None, ()),
        ("SF", 0, (3, 0), ()),
    ],
)
def test_words_are_named_as_their_release_names_them(
    kind: str, value: int, branch: tuple[int, int] | None, names: tuple[str, ...]
) -> None:
    assert names_of(kind, value, branch) == names


@pytest.mark.parametrize("kind", HEADERS)
@pytest.mark.parametrize("branch", SOURCES)
def test_the_tables_say_what_the_headers_say(kind: str, branch: tuple[int, int]) -> None:
    header = BUILDS / SOURCES[branch] / "src/include/haproxy" / HEADERS[kind]
    if not header.is_file():
        if not (BUILDS / SOURCES[branch] / "src").is_dir():
            pytest.skip(f"needs {SOURCES[branch]} of the lab")
        return  # a header that this release no longer has
    pattern = rf"^(?:#define\s+|\s+)({kind}_\w+)\s*=?\s*0x([0-9A-Fa-f]+)\b"
    single = [(name, int(value, 16)) for name, value in re.findall(pattern, header.read_text(), re.M)]
    single = [(name, value) for name, value in single if value and not NO_FLAGS.search(name)]
    for name, value in single:
        short = name.removeprefix(f"{kind}_").replace("RES_HTTP_PROCESS_BE", "RES_HTTP_PROCESS")
        assert names_of(kind, value, branch) == (short.replace("RES_HTTP_PROCESS_FE", "RES_HTTP_PROCESS"),)
    known = {value for _name, value in single}
    told = {1 << bit for bit in range(32) if names_of(kind, 1 << bit, branch) not in ((), (hex(1 << bit),))}
    in_numbers = {"SF": 0x7F000, "TX": 0x7E0}.get(kind, 0)
    assert {bit for bit in told if not bit & in_numbers} == known


def test_every_table_can_be_read() -> None:
    for kind in _TABLES:
        for branch in ((2, 2), (2, 6), (2, 9), (3, 0)):
            for bit in range(32):
                assert isinstance(names_of(kind, 1 << bit, branch), tuple)


def test_enumerations_of_the_build_name_single_bits() -> None:
    names = {0: "SE_FL_NONE", 1: "SE_FL_T_MUX", 0x100: "SE_FL_SHRD", 0x200: "SE_FL_SHRR", 0x300: "SE_FL_SHR"}
    assert named_bits(names, 0x301, "SE_FL_") == ("T_MUX", "SHRD", "SHRR")
    assert named_bits(names, 0x1001, "SE_FL_") == ("T_MUX", "0x1000")
    assert named_bits({}, 0x1, "SE_FL_") == ()
    assert mask_of(names, "SE_FL_T_MUX", "SE_FL_SHR", "SE_FL_OTHER") == 0x301
