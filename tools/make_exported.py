"""Make ``forensics/history/data/exported.txt`` from builds of HAProxy.

    python tools/make_exported.py VERSION=HAPROXY...

Each build gives the functions of its dynamic symbol table, and one that is not stripped those that are static. One that
was static up to 2.4 counts as exported; one that was up to 2.8 is marked.
Those that a later build hides, or of which a build has clones, are left out. `nm` of binutils reads the tables.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from forensics.names import plain_name
from forensics.versions import Version

DATA = Path(__file__).resolve().parent.parent / "forensics" / "history" / "data" / "exported.txt"

#: Libraries that some builds have inside: Lua.
_LINKED = ("lua_", "luaL_", "luaopen_")

#: Branches from which a function may be exported: without a mark, and with one.
_MARKED = ("2.8", "2.9")
_WANTED = ("", "2.6", *_MARKED)

#: What compilers and linkers put into every executable.
_STARTUP = ("_init", "_fini", "_start", "__libc_csu_init", "__libc_csu_fini")


def symbols(executable: str, *options: str) -> list[tuple[str, str]]:
    """Type (as nm prints it) and name of each symbol."""
    command = ["nm", *options, executable]
    lines = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout.splitlines()
    return [(line.split()[-2], line.split()[-1]) for line in lines if len(line.split()) >= 2]


def exported(executable: str) -> set[str]:
    """The functions that others can see."""
    names = {name for kind, name in symbols(executable, "-D", "--defined-only") if kind in "TWi"}
    return {name for name in names if not name.startswith(_LINKED)}


def static(executable: str) -> set[str]:
    """The functions that only the symbol table of the linker names. Fragments (`.cold`) and clones are none."""
    return {name for kind, name in symbols(executable) if kind == "t" and "." not in name}


def cloned(executable: str) -> set[str]:
    """The functions that have clones: frames of these are static, whatever the function itself is."""
    names = {name for kind, name in symbols(executable) if kind == "t" and "." in name}
    return {plain_name(name) for name in names if ".cold" not in name}


def since(name: str, builds: list[tuple[Version, set[str], set[str]]]) -> str | None:
    """The branch that exports the function after others that hide it; "" if none hides it, None if a later one does."""
    hiding = [version for version, _exported, hidden in builds if name in hidden]
    showing = [version for version, exported, _hidden in builds if name in exported and version not in hiding]
    if not hiding:
        return ""
    return showing[0].branch if showing and showing[0] > max(hiding) else None


def main(arguments: list[str]) -> None:
    """Write the file."""
    builds, clones = [], set()
    for version, path in (argument.split("=", 1) for argument in arguments):
        parsed = Version.parse(version)
        assert isinstance(parsed, Version), version
        builds.append((parsed, exported(path), static(path)))
        clones |= cloned(path)
    builds.sort(key=lambda build: build[0])
    names = sorted(set().union(*(build[1] for build in builds)) - set(_STARTUP) - clones)
    found = {name: since(name, builds) for name in names}
    lines = [f"{name} 2.9" if first in _MARKED else name for name, first in found.items() if first in _WANTED]
    DATA.write_text("\n".join(lines) + "\n", encoding="ascii")
    print(f"{len(lines)} functions of {len(names)}, {DATA.stat().st_size} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
