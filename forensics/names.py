"""Function names: what compilers add to them, and how to compare them."""

from __future__ import annotations

import re

#: Suffixes that gcc and clang append to the name of a clone, a fragment or an alias; names in C have no dots.
_CLONE = re.compile(
    r"(?:\.(?:isra|constprop|part|cold|lto_priv|localalias|clone|llvm|__uniq)(?:\.\d{1,40}){0,4}){1,8}$"
)

#: A frame whose function has no name.
UNNAMED = "?"


def plain_name(symbol: str) -> str:
    """The function as the source calls it: ``pl_wait_unlock_long.isra.0`` -> ``pl_wait_unlock_long``.

    A symbol version (``name@@GLIBC_2.34``) goes too, and gdb's ``name[cold]`` for a fragment.
    """
    return _CLONE.sub("", symbol.split("@", 1)[0].removesuffix("[cold]"))
