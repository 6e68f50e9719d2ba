"""Kept layouts held against the memory of a process: what does not fit is refuted, what fits is proven.

A stripped build does not declare its structures. Those that are kept for its release (``symbols/kept.py``) may be
those of a build with other options or patches, so nothing is believed unchecked (``haproxy/fit_checks.py``).
"""

from __future__ import annotations

from collections.abc import Mapping

from forensics.absence import Absence
from forensics.haproxy.fit_checks import CHECKS, Finding
from forensics.haproxy.release import find_release
from forensics.haproxy.structs import NO_SYMBOLS, TypedMemory
from forensics.record import record
from forensics.symbols.kept import KeptLayouts, features_in, kept_for
from forensics.symbols.layout import Layout
from forensics.unwind.backtrace import Process

#: A variable that only builds with the feature export.
_VARIABLES = {
    "LUA": "hlua_init_functions", "MEMORY_PROFILING": "memprof_stats", "OPENSSL": "global_ssl", "QUIC": "quic_versions",
}  # fmt: skip

#: So many times more structures must fit than do not.
_FEW = 4


@record
class Fit:
    """Kept layouts and what memory says of them, each by the structure's name.

    Where the layouts are those of a neighbour of the release, or where memory refutes some, only those are given
    that are ``firm``, or alike in all releases that are kept: proven by what hardly fits by chance.
    ``contradicted`` says that a size is wrong.
    """

    layouts: KeptLayouts
    proven: Mapping[str, str]
    refuted: Mapping[str, str]
    firm: frozenset[str] = frozenset()
    contradicted: bool = False

    @property
    def trusted(self) -> bool:
        """Whether what could not be checked is believed, too.

        Objects that look wrong may be what the process died of; they are few then.
        """
        few = _FEW * len(self.refuted) <= len(self.proven)
        return self.layouts.exact and bool(self.proven) and not self.contradicted and few

    def layout(self, name: str) -> Layout | Absence:
        """The layout of ``struct name``, if there is reason to believe it."""
        owner, subject = name.split(".", 1)[0], f"struct {name}"
        kept = self.layouts
        if owner in self.refuted:
            return Absence(subject, f"the {kept.source} does not fit this build: {self.refuted[owner]}", NO_SYMBOLS)
        if owner in kept.varies and not kept.same_options:
            # Padding hides a member more or less: a size that fits is no proof here.
            return Absence(subject, f"the {kept.source} is that of a build with other options", NO_SYMBOLS)
        if not (self.trusted or owner in self.firm or owner in kept.steady):
            why = "something else in them does not fit" if self.refuted else "nothing in memory proves it"
            return Absence(subject, f"the {kept.source} is not believed: {why}", NO_SYMBOLS)
        return kept.struct(name)

    def enumeration(self, name: str) -> dict[int, str] | Absence:
        """The names of ``enum name``, where the release is the same."""
        return self.layouts.enumeration(name) if self.trusted else Absence(f"enum {name}", "none is believed")


def find_fit(process: Process) -> Fit | Absence:
    """The kept layouts that fit the process best."""
    release = find_release(process)
    if isinstance(release, Absence):
        return Absence("layouts of structures", f"the release is not known: {release.reason}", NO_SYMBOLS)
    found = kept_for(release.version, process.core.machine, _features(process))
    if isinstance(found, Absence):
        return Absence(found.subject, found.reason, NO_SYMBOLS)
    fits = [held_against(process, kept) for kept in found[:4]]
    return min(fits, key=lambda fit: (len(fit.refuted), not fit.layouts.exact, not fit.layouts.same_options))


def _features(process: Process) -> frozenset[str] | None:
    """Those features of the build that change structures; None where neither text nor symbols tell.

    ``build_features`` lists them, but it may lie in a file that is not at hand; then variables of theirs tell.
    """
    space = TypedMemory(process)
    address = space.word("build_features")
    text = address if isinstance(address, Absence) else space.text(address, 4096)
    if isinstance(text, str) and "THREAD" in text:
        return features_in(text)
    if not space.listed("ha_thread_info"):
        return None
    found = {name for name, variable in _VARIABLES.items() if space.listed(variable)}
    return frozenset(found | ({"THREAD"} if _sized(space, "poller_wr_pipe") > 4 else set()))


def _sized(space: TypedMemory, variable: str) -> int:
    """The size of a variable in bytes, 0 where it is not known. ``int poller_wr_pipe[MAX_THREADS]``."""
    extent = space.listed(variable)
    return extent[1] if extent else 0


def held_against(process: Process, kept: KeptLayouts) -> Fit:
    """What all checks say of ``kept``."""
    space = TypedMemory(process, kept)
    findings = [finding for check in CHECKS for finding in check(space)]
    refuted: dict[str, str] = {}
    while True:
        # What was reached through a structure that does not fit says nothing: without it, the rest is judged again.
        judged = _refuted([one for one in findings if one.through not in refuted])
        if judged.keys() <= refuted.keys():
            break
        refuted |= judged
    sound = [one for one in findings if one.through not in refuted]
    fitting = [one for one in sound if one.fits and one.struct not in refuted]
    proven = {one.struct: one.words for one in reversed(fitting)}
    firm = frozenset(one.struct for one in fitting if not one.weak)
    return Fit(kept, proven, refuted, firm, any(one.certain and not one.fits for one in sound))


def _refuted(findings: list[Finding]) -> dict[str, str]:
    """What is refuted, each with the reason."""
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        found.setdefault(finding.struct, []).append(finding)
    return {name: words for name, ones in found.items() if (words := _refutation(ones))}


def _refutation(findings: list[Finding]) -> str:
    """What refutes a structure, "" where it fits: one certain finding, or as many as there are for it.

    The process may have died of damage, so one object that looks wrong among many that do not is no refutation.
    """
    against = [one for one in findings if not one.fits]
    certain = next((one.words for one in against if one.certain), "")
    if certain or not against:
        return certain
    return against[0].words if 2 * len(against) >= len(findings) else ""
