"""`show dev`: the machine and the process as HAProxy noted them for the day it dies (2.9 and later).

Of older releases the core's own notes tell what they can, in the same form.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

from forensics.absence import Absence
from forensics.haproxy.build_options import read_build_options
from forensics.haproxy.global_state import GlobalState
from forensics.haproxy.post_mortem import PostMortem, read_post_mortem
from forensics.haproxy.state import State
from forensics.record import members
from forensics.show.answer import Answer, Question

#: Members of post_mortem.platform and what HAProxy calls them, in its order.
_PLATFORM = {
    "hw_vendor": "machine vendor",
    "hw_family": "machine family",
    "hw_model": "machine model",
    "brd_vendor": "board vendor",
    "brd_model": "board model",
    "soc_vendor": "soc vendor",
    "soc_model": "soc model",
    "cpu_model": "cpu model",
    "virt_techno": "virtual machine",
    "cont_techno": "container",
    "sysname": "OS name",
    "release": "OS release",
    "version": "OS version",
    "machine": "OS architecture",
    "nodename": "node name",
    "distro": "distro pretty name",
}
_UNLIMITED = (1 << 64) - 1


def answer(state: State, _question: Question) -> Answer | Absence:
    """All that was put aside, with what the build was made of."""
    found = read_post_mortem(state.space)
    process = GlobalState(state.space)
    options = read_build_options(state.space)
    parts: tuple[object, ...] = (state.release, process.features, options, found)
    gaps = tuple(one for one in parts if isinstance(one, Absence))
    if isinstance(found, PostMortem) and not found.process:
        gaps += (Absence("process of post_mortem", "its layout is not known", "the debug symbols of this build"),)
    return Answer(
        lambda: _lines(state, process.features, options, found), lambda: _plain(state, process, options, found),
        lambda: gaps,
    )  # fmt: skip


def _lines(
    state: State, features: str | Absence, options: tuple[str, ...] | Absence, found: PostMortem | Absence
) -> Iterator[str]:
    if not isinstance(state.release, Absence):
        yield f"HAProxy version {state.release.version}"
    if not isinstance(features, Absence):
        yield from ("Features", f"  {features}")
    if not isinstance(options, Absence):
        yield "Build options"
        for option in options:
            yield from (f"  {line}" for line in option.rstrip("\n").split("\n"))
    if isinstance(found, PostMortem):
        yield "Platform info"
        yield from (f"  {name}: {found.platform[key]}" for key, name in _PLATFORM.items() if key in found.platform)
    yield "Process info"
    yield from _process(state, found) if isinstance(found, PostMortem) and found.process else _from_notes(state)


def _from_notes(state: State) -> Iterator[str]:
    """What the core's notes say of the process; the kernel cuts the command line at 79 characters."""
    info = state.process.core.process
    if info is None:
        return
    yield f"  pid: {info.pid}"
    yield f"  cmdline: {info.arguments}"
    if not isinstance(info.owner, Absence):
        yield from (f"  runtime uid: {info.owner[0]}", f"  runtime gid: {info.owner[1]}")


def _process(state: State, found: PostMortem) -> Iterator[str]:
    yield f"  pid: {found.process['pid']}"
    if found.arguments:
        yield f"  cmdline: {' '.join(found.arguments)} "
    if "run_uid" not in found.process:
        yield from _identity_up_to_3_0(state, found)
        return
    for key, name in (("boot", "boot"), ("run", "runtime")):
        if key in found.capabilities:
            yield from _capabilities(name, found.capabilities[key])
    yield from _table(found)


def _identity_up_to_3_0(state: State, found: PostMortem) -> Iterator[str]:
    """HAProxy asks the system who it is now; the core's notes know who it was."""
    info = state.process.core.process
    owner = info.owner if info else Absence("owner", "the core has no NT_PRPSINFO")
    for index, name in enumerate(("uid", "gid")):
        yield f"  boot {name}: {found.process[f'boot_{name}']}"
        if not isinstance(owner, Absence):
            yield f"  runtime {name}: {owner[index]}"
    for key, name in (("limit_fd", "fd"), ("limit_ram", "ram")):
        for kind, limit in zip(("soft", "hard"), found.limits.get(key, ()), strict=False):
            if limit != _UNLIMITED:
                yield f"  {name} limit ({kind}): {limit}"


def _capabilities(name: str, sets: tuple[int, int, int] | int) -> Iterator[str]:
    if isinstance(sets, int):
        yield f"  capget() failed at {name} with: {errno.errorcode.get(sets, sets)}."
        return
    yield f"  {name} capabilities:"
    for kind, value in zip(("CapEff", "CapPrm", "CapInh"), sets, strict=True):
        yield f"  \t{kind}: {value:#018x}"


def _table(found: PostMortem) -> Iterator[str]:
    """Who it was and what it might use, when it started and when it ran (3.1 and later)."""
    yield _row("identity:", "-boot-", "-runtime-")
    for name in ("uid", "gid"):
        yield _row(f"    {name}:", found.process[f"boot_{name}"], found.process[f"run_{name}"])
    yield _row("limits:", "-boot-", "-runtime-")
    for name in ("fd", "ram"):
        boot, run = found.limits.get(f"boot_lim_{name}"), found.limits.get(f"run_lim_{name}")
        if boot is not None and run is not None:
            for index, kind in enumerate(("soft", "hard")):
                yield _row(f"    {name} limit ({kind}):", _limit(boot[index]), _limit(run[index]))


def _row(name: str, boot: object, run: object) -> str:
    return f"  {name:<22}  {boot!s:<11}  {run!s:<11} "


def _limit(value: int) -> str:
    return "unlimited" if value in (0, _UNLIMITED) else str(value)


def _plain(
    state: State, process: GlobalState, options: tuple[str, ...] | Absence, found: PostMortem | Absence
) -> dict[str, object]:
    plain: dict[str, object] = {
        "version": state.release.version if not isinstance(state.release, Absence) else "",
        "features": process.features.split() if isinstance(process.features, str) else [],
        "build_options": list(options) if isinstance(options, tuple) else [],
        "threads": _threads(process),
    }
    if isinstance(found, PostMortem):
        plain |= {member.name: getattr(found, member.name) for member in members(found)}
        plain["roots"] = {name: f"{address:#x}" for name, address in found.roots.items()}
    return plain


def _threads(process: GlobalState) -> list[dict[str, object]]:
    """Each thread's pthread_t and the top of its stack (``struct thread_info``, 2.9 and later)."""
    rows = process.per_thread("ha_thread_info", "thread_info")
    found: list[dict[str, object]] = []
    for number, row in enumerate(() if isinstance(rows, Absence) else rows, 1):
        identity, top = row.number("pth_id"), row.number("stack_top")
        if isinstance(identity, int) and isinstance(top, int):
            found.append({"number": number, "pth_id": f"{identity:#x}", "stack_top": f"{top:#x}"})
    return found
