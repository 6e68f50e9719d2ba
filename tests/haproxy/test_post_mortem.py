"""What HAProxy put aside: every shape that releases have, found by its magic, and what cannot be one."""

from __future__ import annotations

import pytest

from forensics.absence import Absence
from forensics.haproxy import post_mortem
from forensics.haproxy.post_mortem import PostMortem, read_post_mortem
from forensics.haproxy.post_mortem_layout import MAGIC, UTSNAME_SIZE, Shape, iter_shapes
from tests.builders.memory import START, memory_of
from tests.builders.typed import MadeUp

PLACE = START + 0x300
PARTS, ARGV, TEXTS = START + 0x4000, START + 0x5000, START + 0x5100

SHAPES = [(magic, shape) for magic in (True, False) for shape in iter_shapes(magic)]


def pieces_of(shape: Shape, magic: bool, *, name: bytes = b"haproxy") -> dict[int, bytes]:
    """The bytes of a process that put everything aside that the shape has room for."""
    numbers = {"pid": (77, 4), "boot_uid": (0, 4), "run_uid": (99, 4), "nb_components": (1, 4), "components": (PARTS, 8),
               "argv": (ARGV, 8), "argc": (2, 1), "boot_lim_fd": (256, 8), "limit_fd": (256, 8)}  # fmt: skip
    found = {PLACE: MAGIC} if magic else {}
    found[PLACE + shape.offsets["utsname"]] = b"Linux".ljust(UTSNAME_SIZE, b"\0") + b"node"
    found[PLACE + shape.offsets["hw_vendor"]] = b"a vendor"
    found |= {
        PLACE + shape.offsets[each]: value.to_bytes(size, "little")
        for each, (value, size) in numbers.items()
        if each in shape.offsets
    }
    if "caps.boot" in shape.offsets:
        found[PLACE + shape.offsets["caps.boot"]] = b"".join(one.to_bytes(4, "little") for one in (1, 2, 3, 4, 5, 6))
    found[PARTS] = name.ljust(32, b"\0") + b"3.2.0".ljust(32, b"\0") + TEXTS.to_bytes(8, "little")
    found[ARGV] = TEXTS.to_bytes(8, "little") + (TEXTS + 8).to_bytes(8, "little")
    found[TEXTS] = b"haproxy\0-f\0"
    return found


@pytest.mark.parametrize(("magic", "shape"), SHAPES)
def test_every_shape_is_told_by_its_content(magic: bool, shape: Shape) -> None:
    space = MadeUp(memory_of({}, pieces=pieces_of(shape, magic)), {} if magic else {"post_mortem": (PLACE, 0)})
    found = read_post_mortem(space)
    assert isinstance(found, PostMortem)
    assert found.address == PLACE
    assert found.platform == {"sysname": "Linux", "nodename": "node", "hw_vendor": "a vendor"}
    assert found.process["pid"] == 77
    assert found.process.get("run_uid", 99) == 99
    assert next(iter(found.limits.values())) == (256, 0)
    assert [(one.name, one.version, one.toolchain) for one in found.components] == [("haproxy", "3.2.0", "haproxy")]
    assert found.arguments == (("haproxy", "-f") if "argv" in shape.offsets else ())
    if "caps.boot" in shape.offsets:
        assert found.capabilities["boot"] == (1 | 4 << 32, 2 | 5 << 32, 3 | 6 << 32)


def test_where_the_content_proves_nothing_only_the_head_is_told() -> None:
    pieces = pieces_of(SHAPES[0][1], True, name=b"other")
    found = read_post_mortem(MadeUp(memory_of({}, pieces=pieces)))
    assert isinstance(found, PostMortem)
    assert found.platform == {"sysname": "Linux", "nodename": "node"}
    assert not found.process
    assert not found.components


def test_a_process_that_died_while_it_started_put_nothing_aside() -> None:
    found = read_post_mortem(MadeUp(memory_of({}), {"post_mortem": (PLACE, 1288)}))
    assert isinstance(found, Absence)
    assert "still empty" in found.reason


def test_a_magic_in_a_wrong_place_is_none() -> None:
    found = read_post_mortem(MadeUp(memory_of({}, pieces={PLACE + 8: MAGIC})))
    assert isinstance(found, Absence)
    assert "not in the memory that was searched" in found.reason


def test_the_search_ends_at_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(post_mortem, "SEARCHED", 0x200)
    space = MadeUp(memory_of({}, pieces=pieces_of(SHAPES[0][1], True)))
    assert isinstance(read_post_mortem(space), Absence)


def test_counts_that_cannot_be_give_nothing() -> None:
    shape = SHAPES[0][1]
    pieces = pieces_of(shape, True)
    pieces[PLACE + shape.offsets["nb_components"]] = b"\xff\xff\xff\xff"
    assert not read_components(pieces)
    pieces = pieces_of(shape, True)
    pieces[PLACE + shape.offsets["components"]] = b"\x01" * 8
    assert not read_components(pieces)


def read_components(pieces: dict[int, bytes]) -> object:
    found = read_post_mortem(MadeUp(memory_of({}, pieces=pieces)))
    assert isinstance(found, PostMortem)
    return found.components
