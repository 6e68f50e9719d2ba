"""Call traces of several processes that were written line by line into one stream, and who owns which line."""

from __future__ import annotations

from collections.abc import Sequence

from forensics.logs.trace import TraceFrame

#: Addresses of one executable lie closer together than this, those of its libraries than that. Where a program is
#: loaded is drawn by lot out of 2^28 pages (x86-64, arm64), so two processes are hardly ever that near.
_EXECUTABLE, _LIBRARIES = 64 << 20, 1 << 32

_Traces = Sequence[Sequence[TraceFrame]]


def is_whole(frames: Sequence[TraceFrame], announced: int) -> bool:
    """Whether a trace has reached where its thread began: main() itself, or the two frames of libc below it."""
    if not frames or len(frames) >= announced:
        return bool(frames)
    last = frames[-1]
    if last.module is None:
        return last.symbol.startswith("main+") and last.size is not None
    return len(frames) > 2 and frames[-2].module is not None and frames[-3].module is None


def shared_out(own: _Traces, loose: Sequence[TraceFrame]) -> list[tuple[TraceFrame, ...]] | None:
    """The frames of each trace, given those that are surely its own; None where nobody can tell.

    Each process has addresses of its own: a frame belongs to the trace whose frames are near. A trace without any
    frame has those that are left, where no other one has none.
    """
    inner = _owners(own, loose, False)
    if inner is None:
        return None
    outer = _owners(own, loose, True)
    found = [list(each) for each in own]
    last = max((place for place, frame in enumerate(loose) if not _in_library(frame)), default=-1)
    for place, frame in enumerate(loose):
        if not _in_library(frame):
            found[inner[frame.address]].append(frame)
        elif outer is not None:
            found[outer[frame.address]].append(frame)
        elif place < last:
            return None
    return [tuple(each) for each in found]


def _owners(own: _Traces, loose: Sequence[TraceFrame], library: bool) -> dict[int, int] | None:
    """The trace that each address belongs to, of an executable or of its libraries."""
    mine = [(frame.address, place) for place, each in enumerate(own) for frame in each if _in_library(frame) == library]
    theirs = [(frame.address, -1) for frame in loose if _in_library(frame) == library]
    owner_of: list[int] = []
    clusters = _clusters(sorted(mine + theirs), _LIBRARIES if library else _EXECUTABLE)
    for cluster in clusters:
        owners = {owner for _address, owner in cluster if owner >= 0}
        if len(owners) > 1:
            return None
        owner_of.append(owners.pop() if owners else -1)
    without = [place for place in range(len(own)) if place not in owner_of]
    if owner_of.count(-1) != len(without) or len(without) > 1:
        return None
    return {
        address: without[0] if owner < 0 else owner
        for cluster, owner in zip(clusters, owner_of, strict=True)
        for address, _owner in cluster
    }


def of_one_process(frames: Sequence[TraceFrame]) -> bool:
    """Whether all frames of an executable can be of one that was loaded once."""
    own = sorted((frame.address, 0) for frame in frames if not _in_library(frame))
    return len(_clusters(own, _EXECUTABLE)) < 2


def _in_library(frame: TraceFrame) -> bool:
    """Code that was compiled while the program ran lies among libraries, and is named as if far from a function."""
    far = frame.offset is not None and abs(frame.offset) >= _EXECUTABLE
    return frame.module is not None or far or frame.symbol.startswith("0x")


def _clusters(sorted_addresses: Sequence[tuple[int, int]], gap: int) -> list[list[tuple[int, int]]]:
    found: list[list[tuple[int, int]]] = []
    for one in sorted_addresses:
        if found and one[0] - found[-1][-1][0] < gap:
            found[-1].append(one)
        else:
            found.append([one])
    return found
