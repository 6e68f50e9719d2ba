"""``python -m samples.lab.layouts``: the layouts in ``forensics/layouts``, made from builds with debug information.

Beside the clean builds of ``samples/lab/builds.py`` (no options) there are builds with the options of Debian's
packages. ``--add EXECUTABLE --release X.Y.Z --origin TEXT`` takes layouts of a release without sources from a
program that declares them; ``--partial`` names structures that it declares up to some member only.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from forensics.elf.constants import MACHINES
from forensics.elf.image import ElfImage
from forensics.memory.random_access import LocalFile
from forensics.symbols.dwarf.locate import DwarfLines, open_dwarf
from forensics.symbols.dwarf.structures import Structures
from forensics.symbols.kept import DECIDING, features_in
from forensics.symbols.needed import ENUMERATIONS, STRUCTURES, UNITS
from samples.lab.build import Variant, build
from samples.lab.builds import BUILDS, CROSS, NO_CRYPT
from samples.lab.packages import BOOKWORM, BOOKWORM_ARM64, TRIXIE, Suite, download

CHECKOUT = Path(__file__).resolve().parents[2]
FOLDER = CHECKOUT / "forensics/layouts"

#: Builds without further options, one for each processor that is asked for.
PLAIN = (("haproxy-2.2",), ("haproxy-2.6", "haproxy-2.6-arm64"), ("haproxy-3.0", "haproxy-3.0-arm64"))

#: What builds with the packages' options are linked with, for each architecture.
TOOLS = {
    "amd64": (BOOKWORM, ("liblua5.3-dev", "liblua5.4-dev")),
    "arm64": (BOOKWORM_ARM64, ("liblua5.3-dev", "liblua5.4-dev", "libssl-dev", "libssl3")),
}

#: ``build_features``: +NAME or -NAME, one after the other.
_FEATURES = re.compile(rb"[-+][0-9A-Z_]{2,24}(?: [-+][0-9A-Z_]{2,24}){9,}")


def packaged(tools: Path) -> tuple[tuple[Variant, ...], ...]:
    """Builds with the options of Debian's packages that change structures (`haproxy -vv` of the packages).

    ``tools`` holds what the packages of ``TOOLS`` unpack to, in ``amd64`` and ``arm64``.
    """
    quic = ("USE_QUIC=1", "USE_QUIC_OPENSSL_COMPAT=1")
    return (
        tuple(_variant(f"full-2.6{arm}", BOOKWORM, tools, "5.3", arm=bool(arm)) for arm in ("", "-arm64")),
        tuple(_variant(f"full-3.0{arm}", TRIXIE, tools, "5.4", *quic, arm=bool(arm)) for arm in ("", "-arm64")),
    )


def _variant(name: str, suite: Suite, tools: Path, lua: str, *options: str, arm: bool) -> Variant:
    root = tools / ("arm64" if arm else "amd64") / "usr"
    include, libraries = root / "include", root / "lib" / ("aarch64-linux-gnu" if arm else "x86_64-linux-gnu")
    where = (f"SSL_INC={include}", f"SSL_LIB={libraries}") if arm else ()
    cross = (NO_CRYPT, f"DEFINE=-I{include}/aarch64-linux-gnu") if arm else (f"DEFINE=-I{include}/x86_64-linux-gnu",)
    given = ("USE_OPENSSL=1", "USE_SLZ=1", "USE_PROMEX=1", "USE_LUA=1", f"LUA_LIB_NAME=lua{lua}")
    found = (f"LUA_INC={include}/lua{lua}", f"LUA_LIB={libraries}")
    all_options = (*given, *found, *options, *where, *cross)
    return Variant(name, suite=suite, compiler=CROSS if arm else "gcc", options=all_options)


def declared(executable: Path) -> dict[str, Any]:
    """The structures and enumerations of HAProxy that a program's DWARF declares, as JSON keeps them."""
    image = ElfImage(LocalFile(str(executable)))
    dwarf = open_dwarf(image)
    assert isinstance(dwarf, DwarfLines), dwarf
    structures = Structures(dwarf.info, UNITS)
    structs: dict[str, Any] = {}
    for name in STRUCTURES:
        structs |= {each: layout.to_plain() for each, layout in (structures.layouts(name) or {}).items()}
    enums = {name: {str(value): text for value, text in (structures.enumeration(name) or {}).items()}
             for name in ENUMERATIONS}  # fmt: skip
    return {"structs": structs, "enums": {name: values for name, values in enums.items() if values}}


def features_of(executable: Path) -> list[str]:
    """The options that change structures, as the executable lists them."""
    found = _FEATURES.search(executable.read_bytes())
    return sorted(features_in(found.group().decode() if found else ""))


def machine_of(executable: Path) -> str:
    """Its processor."""
    return MACHINES[int.from_bytes(executable.read_bytes()[18:20], "little")]  # e_machine


def release_of(source: Path) -> str:
    """The release that a source says it is."""
    return (source / "VERSION").read_text(encoding="utf-8").strip()


def taken(executables: Iterable[Path], origin: str) -> dict[str, Any]:
    """What is kept of one set of options: each processor must have the same layouts."""
    first, *others = executables
    found = declared(first)
    for other in others:
        if declared(other) != found:
            raise SystemExit(f"{other} has other layouts than {first}")
    machines = [machine_of(one) for one in (first, *others)]
    head = {"release": release_of(first.parent / "src"), "machines": machines, "features": features_of(first)}
    return head | {"origin": origin} | found


def added(options: argparse.Namespace) -> dict[str, Any]:
    """What is kept of a release whose structures were declared in a program of our own.

    Members whose names begin with one ``_`` stand for bytes that nobody knows, and are left out.
    """
    head = {"release": options.release, "machines": options.machines, "features": sorted(options.features)}
    found = declared(options.add)
    for name, fields in found["structs"].items():
        known = {called: field for called, field in fields.items() if called[:1] != "_" or called[:2] == "__"}
        found["structs"][name] = known
    return head | {"origin": options.origin, "partial": sorted(options.partial)} | found


def written(kept: list[dict[str, Any]]) -> None:
    """Write all files and the index; what varies among the builds of a release is noted in each."""
    for one in kept:
        same = [other for other in kept if other["release"] == one["release"]]
        names = {name for other in same for name in other["structs"]}
        one["varies"] = sorted(
            name for name in names if len({json.dumps(other["structs"].get(name)) for other in same}) > 1
        )
        (FOLDER / file_of(one)).write_text(json.dumps(one, separators=(",", ":")) + "\n", encoding="utf-8")
    rows = [{"file": file_of(one)} | {key: one[key] for key in ("release", "machines", "features")} for one in kept]
    index = {"files": sorted(rows, key=lambda row: str(row["file"])), "steady": steady(kept)}
    (FOLDER / "index.json").write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")


def file_of(one: dict[str, Any]) -> str:
    """Its name: the release, and the options that are not always there."""
    extra = [name.lower() for name in one["features"] if name != "THREAD"]
    return "-".join([str(one["release"]), *extra]) + ".json"


def steady(kept: list[dict[str, Any]]) -> list[str]:
    """The structures that every file has, and all alike; none of those within others that have no name."""
    names = {name for name in set.intersection(*(set(one["structs"]) for one in kept)) if "." not in name}
    return sorted(name for name in names if len({json.dumps(one["structs"][name]) for one in kept}) == 1)


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m samples.lab.layouts", description=__doc__)
    parser.add_argument("--lab", type=Path, default=CHECKOUT / ".lab", help="downloads and builds")
    parser.add_argument("--builds", type=Path, help="the lab for builds with packages' options (LAB/layout-builds)")
    parser.add_argument("--add", type=Path, metavar="EXECUTABLE", help="a program that declares a release's structures")
    parser.add_argument("--release", default="")
    parser.add_argument("--origin", default="")
    parser.add_argument("--machines", nargs="*", default=["x86-64", "aarch64"])
    parser.add_argument("--features", nargs="*", default=[], choices=DECIDING)
    parser.add_argument("--partial", nargs="*", default=[])
    options = parser.parse_args(arguments)
    FOLDER.mkdir(exist_ok=True)
    there = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("[0-9]*.json"))]
    if options.add:
        fresh = [added(options)]
    else:
        fresh = from_builds(options.lab.resolve(), options.builds or options.lab.resolve() / "layout-builds")
    names = {file_of(one) for one in fresh}
    written([one for one in there if file_of(one) not in names] + fresh)
    for one in fresh:
        print(f"{FOLDER / file_of(one)}: {len(one['structs'])} structures")
    return 0


def from_builds(lab: Path, builds: Path) -> list[dict[str, Any]]:
    """What the builds of the lab say, made where they are missing.

    ``builds`` is a lab for those with packages' options; it may share ``apt`` and ``sources`` with the other.
    """
    found = []
    for names in PLAIN:
        paths = [build(lab, BUILDS[name]).executable for name in names]
        found.append(taken(paths, f"DWARF of Debian's source of {release_of(paths[0].parent / 'src')}, no options"))
    for architecture, (suite, packages) in TOOLS.items():
        download(lab, suite, packages, builds / "tools" / architecture)
    for variants in packaged(builds / "tools"):
        paths = [build(builds, variant).executable for variant in variants]
        source = f"DWARF of Debian's source of {release_of(paths[0].parent / 'src')}"
        found.append(taken(paths, f"{source}, with the package's USE_OPENSSL, USE_LUA and USE_QUIC"))
    return found


if __name__ == "__main__":
    sys.exit(main())
