"""Single lines of eu-stack; whole outputs of it are compared in test_debuggers.py."""

from __future__ import annotations

import pytest

from forensics.logs.eu_stack import is_detail, parse_eu_frame
from forensics.logs.gdb_frame import PastedFrame
from forensics.names import UNNAMED

PLACE = "    src/debug.c:818:2"
BUILD = "    [1ab03113f06bb210a630c3ac84aae61f852d3483]@0x55b245ad0000+0x186617"


def frame(text: str, detail: str = "") -> PastedFrame:
    """The frame of a line."""
    found = parse_eu_frame(text, detail, 7)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "function", "module"),
    [
        ("#0  0x000055b245c56617 debug_parse_cli_bug", "debug_parse_cli_bug", None),
        ("#0  0x000055bfc75e3617     debug_parse_cli_bug - haproxy", "debug_parse_cli_bug", "haproxy"),
        ("#10 0x00007fb2ae5e78ec - 1 __clone3 - libc.so.6", "__clone3", "libc.so.6"),
        ("#1  0x000055b245c0227f cli_parse_request.constprop.0.isra.0 - haproxy", "cli_parse_request", "haproxy"),
        ("#1  0x000055b245c0227f - 1", UNNAMED, None),
        ("#1  0x000055b245c0227f", UNNAMED, None),
    ],
)
def test_a_frame_has_its_function_and_its_module(text: str, function: str, module: str | None) -> None:
    """A return address is marked by ` - 1`, as with `-v`."""
    found = frame(text)
    assert (found.function, found.module, found.file) == (function, module, None)
    assert found.address == int(text.split()[1], 16)


def test_the_line_below_tells_the_place() -> None:
    """With `-s`; with `-b` it is a build-id, which names no place."""
    text = "#0  0x000055b245c56617 debug_parse_cli_bug"
    assert (frame(text, PLACE).file, frame(text, PLACE).line_number) == ("src/debug.c", 818)
    assert frame(text, BUILD).file is None
    assert is_detail(PLACE)
    assert is_detail(BUILD)


@pytest.mark.parametrize("text", ["TID 7:", "", "    what happened: nothing", "#0  debug_parse_cli_bug (...) at a.c:1"])
def test_other_lines_are_none(text: str) -> None:
    assert parse_eu_frame(text, "", 1) is None
    assert not is_detail(text)
