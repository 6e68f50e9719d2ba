"""Layouts that are kept for releases of HAProxy, for builds that come without debug information.

``forensics/layouts/RELEASE[-options].json``, made by ``python -m samples.lab.layouts``: ``{"release", "machines",
"features", "origin", "varies", "partial", "structs", "enums"}``. ``features`` names those of ``DECIDING`` that the
build had; ``varies`` the structures that other builds of this release have another way; ``partial`` those whose
members are known up to some place only, so that their size is not. ``index.json`` has ``{"files": [{"file",
"release", "machines", "features"}], "steady"}``: the structures that are alike in all releases kept.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from forensics.absence import Absence
from forensics.elf.constants import MACHINES
from forensics.record import record
from forensics.symbols.layout import OF_THIS_RELEASE, Layout
from forensics.versions import Version

#: Build options that change structures (`#ifdef` in HAProxy's ``*-t.h``), as `haproxy -vv` lists features.
DECIDING = ("LUA", "MEMORY_PROFILING", "OPENSSL", "QUIC", "THREAD")

_FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "layouts")


@record
class KeptLayouts:
    """The layouts of one build of ``release``; ``exact`` says whether they were asked for that very release.

    ``same_options`` says whether the build that they were asked for has the same options, as far as is known.
    """

    release: str
    origin: str
    exact: bool
    same_options: bool
    structs: Mapping[str, Any]
    enums: Mapping[str, Any]
    varies: frozenset[str]
    partial: frozenset[str]
    steady: frozenset[str]

    @property
    def source(self) -> str:
        """As the source of a layout tells it."""
        return f"layout kept for {self.release}"

    def struct(self, name: str) -> Layout | Absence:
        """The layout of ``struct name``; whether it fits the build is for others to find out."""
        if name not in self.structs:
            return Absence(f"struct {name}", f"none is kept for {self.release}")
        try:
            return Layout.from_plain(name, self.structs[name], self.source, OF_THIS_RELEASE)
        except (TypeError, ValueError, KeyError, AttributeError):
            return Absence(f"struct {name}", f"the layouts kept for {self.release} are damaged")

    def enumeration(self, name: str) -> dict[int, str] | Absence:
        """The names of ``enum name`` by value."""
        try:
            return {int(value): str(text) for value, text in self.enums[name].items()}
        except (TypeError, ValueError, KeyError, AttributeError):
            return Absence(f"enum {name}", f"none is kept for {self.release}")


def features_in(text: str) -> frozenset[str]:
    """Those of ``DECIDING`` that a build has: ``text`` is its ``build_features``, as in ``-QUIC +THREAD``."""
    words = set(text.split())
    return frozenset(name for name in DECIDING if f"+{name}" in words)


def kept_for(version: str, machine: int, features: frozenset[str] | None) -> tuple[KeptLayouts, ...] | Absence:
    """What is kept for a release or its neighbours of the same branch, what fits best first.

    ``machine`` is ELF's e_machine; ``features`` is None where they are not known.
    """
    wanted = Version.parse(version)
    if isinstance(wanted, Absence):
        return wanted
    known = _index()
    rows = [row for row in known["files"] if MACHINES.get(machine) in row["machines"]]
    near = [(row, _distance(wanted, row["release"])) for row in rows]
    order = sorted(
        (distance, len(frozenset(row["features"]) ^ (features or frozenset())), row["file"], row)
        for row, distance in near
        if distance is not None
    )
    if not order:
        return Absence(
            "layouts of structures",
            f"none are kept for HAProxy {wanted.release} on {MACHINES.get(machine, 'this machine')}",
        )
    steady = frozenset(known["steady"])
    return tuple(
        _opened(row["file"], exact=not distance, same=features is not None and not differing, steady=steady)
        for distance, differing, _file, row in order
    )


def _distance(wanted: Version, release: str) -> int | None:
    """How far apart two releases of one branch are; None for other branches, and for development snapshots."""
    there = Version.parse(release)
    if isinstance(there, Absence) or there.order[:3] != wanted.order[:3]:
        return None
    if "-dev" in wanted.text and there != wanted:
        return None
    return abs(there.number - wanted.number)


def _opened(file: str, *, exact: bool, same: bool, steady: frozenset[str]) -> KeptLayouts:
    plain = _plain(file)
    return KeptLayouts(
        str(plain.get("release", "")), str(plain.get("origin", "")), exact, same, plain.get("structs", {}),
        plain.get("enums", {}), frozenset(plain.get("varies", ())), frozenset(plain.get("partial", ())), steady,
    )  # fmt: skip


def _index() -> Mapping[str, Any]:
    return _plain("index.json") or {"files": [], "steady": []}


@lru_cache(maxsize=8)
def _plain(file: str) -> Mapping[str, Any]:
    """A file of ours; an installation without them has none to offer."""
    try:
        with open(os.path.join(_FOLDER, file), encoding="utf-8") as opened:
            found = json.load(opened)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
