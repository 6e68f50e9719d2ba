"""Names as the source has them, whatever the compiler made of them."""

from __future__ import annotations

import pytest

from forensics.culprit import culprit_index, is_dying
from forensics.matching.frames import matches_stack
from forensics.names import plain_name


@pytest.mark.parametrize(
    "symbol",
    [
        "f",
        "f.isra.0",
        "f.constprop.1",
        "f.part.0",
        "f.cold",
        "f.cold.12",
        "f.lto_priv.0",
        "f.llvm.1234567890123",
        "f.part.0.isra.0",
        "f.constprop.0.isra.0.cold",
        "f.isra.0.lto_priv.0",
        "f.localalias",
        "f.clone.3",
        "f.__uniq.270339.llvm.9",
        "f.part.0@@VERS_1",
        "f@GLIBC_2.34",
    ],
)
def test_what_the_compiler_added_goes(symbol: str) -> None:
    assert plain_name(symbol) == "f"


@pytest.mark.parametrize("symbol", ["", "f_cold", "cold", "f.0", "f.other", "part.f", "f.isra.0x", "libc.so.6"])
def test_other_names_stay(symbol: str) -> None:
    assert plain_name(symbol) == symbol


def test_a_clone_matches_as_the_function_it_came_from() -> None:
    assert matches_stack(["f", "g|h", "k*"], ["f.part.0", "[h.isra.0]", "k_x.constprop.0.cold"]) is True
    assert is_dying("ha_panic.cold")
    assert culprit_index(["ha_dump_backtrace.part.0", "ha_panic.cold", "f.isra.0"], [None] * 3) == 2
