"""Records behave as frozen dataclasses with slots do, and are taken for such by who asks."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys
from typing import Any

import pytest

from forensics.record import field, is_record, members, open_record, record, replace


@record
class Point:
    """A point."""

    x: int
    y: int = 2
    notes: list[str] = field(default_factory=list, compare=False, repr=False, metadata={"json": "n"})

    @property
    def sum(self) -> int:
        return self.x + self.y


@open_record
class Count:
    value: int = 0


def test_members_are_set_by_place_by_name_and_by_default() -> None:
    assert (Point(1).x, Point(1).y, Point(x=3, y=4).sum) == (1, 2, 7)
    first, second = Point(1), Point(1)
    first.notes.append("own")
    assert second.notes == []


def test_a_missing_or_unknown_member_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        Point()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
        Point(1, z=2)  # type: ignore[call-arg]
    with pytest.raises(AttributeError):
        Point(1).z = 3  # type: ignore[attr-defined]


def test_records_are_compared_hashed_and_shown_by_what_takes_part() -> None:
    one, other = Point(1, 2, ["a"]), Point(1, 2, ["b"])
    assert one == other
    assert hash(one) == hash(other)
    assert one != Point(2)
    assert one.__eq__((1, 2)) is NotImplemented
    assert repr(one) == "Point(x=1, y=2)"


def test_replace_gives_another_record() -> None:
    one = Point(1)
    assert replace(one, y=9) == Point(1, 9)
    assert one == Point(1)
    made: Any = one
    assert dataclasses.replace(made, y=9) == Point(1, 9)


def test_records_are_pickled_and_copied() -> None:
    one = Point(1, 5, ["a"])
    assert pickle.loads(pickle.dumps(one)).notes == ["a"]
    assert copy.deepcopy(one) == one


def test_dataclasses_takes_records_for_its_own() -> None:
    assert dataclasses.is_dataclass(Point(1))
    made: Any = Point
    assert [one.name for one in dataclasses.fields(made)] == [one.name for one in members(Point)] == ["x", "y", "notes"]
    assert dataclasses.asdict(made(1)) == {"x": 1, "y": 2, "notes": []}
    assert dataclasses.fields(made)[2].metadata["json"] == "n"
    assert is_record(Point(1))
    assert not is_record(Point)


def test_an_open_record_may_be_changed() -> None:
    count = Count()
    count.value += 1
    assert count == Count(1)


def test_a_field_of_dataclasses_is_refused() -> None:
    with pytest.raises(AssertionError, match="use field"):

        @record
        class _Wrong:
            x: int = dataclasses.field(default=1)


def test_records_import_neither_dataclasses_nor_typing() -> None:
    program = "import sys, forensics.record; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-S", "-c", program], capture_output=True, text=True, check=True)
    assert not {"dataclasses", "inspect", "typing"} & set(done.stdout.split())
