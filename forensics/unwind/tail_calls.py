"""Functions that left no frame: they ended by jumping to the next one (a tail call).

gdb puts them back into its backtrace where the call sites allow only one way from
the caller to the function that is running (``call_site_find_chain_1`` in
dwarf2/loc.c, gdb 13). stktable_touch_local() is such a function in HAProxy.
"""

from __future__ import annotations

from collections.abc import Callable

from forensics.record import record

#: Chains followed from one call; more mean that no single one can be told.
_MAX_CHAINS = 64
_MAX_DEPTH = 16


@record
class Jump:
    """A call site of the process: ``target`` is an entry point, 0 when it cannot be told."""

    return_pc: int
    target: int
    tail: bool


#: The call sites of the function that begins at an address.
SitesOf = Callable[[int], list[Jump]]


def jumps_between(sites_of: SitesOf, caller: int, return_pc: int, callee: int) -> list[int]:
    """Return addresses of the jumps between a caller and the running function, nearest to the callee first.

    ``caller`` and ``callee`` are entry points, ``return_pc`` is where the call in
    ``caller`` returns to. Where several chains are possible, only what all have in
    common is given.
    """
    site = next((one for one in sites_of(caller) if one.return_pc == return_pc), None)
    if site is None or not site.target or site.target == callee:
        return []
    chains: list[list[Jump]] = []
    if not _follow(sites_of, site.target, callee, [], chains) or not chains:
        return []
    return [jump.return_pc for jump in reversed(_common(chains))]


def _follow(sites_of: SitesOf, function: int, callee: int, chain: list[Jump], chains: list[list[Jump]]) -> bool:
    """Collect every chain from ``function`` to ``callee``; False when one leads we know not where."""
    if len(chain) >= _MAX_DEPTH or len(chains) > _MAX_CHAINS:
        return False
    for site in sites_of(function):
        if not site.tail or site in chain:
            continue
        if not site.target:
            return False
        if site.target == callee:
            chains.append([*chain, site])
        elif not _follow(sites_of, site.target, callee, [*chain, site], chains):
            return False
    return True


def _common(chains: list[list[Jump]]) -> list[Jump]:
    """What all chains share at their beginning and at their end; all of it when there is only one."""
    first = chains[0]
    if len(chains) == 1:
        return first
    shortest = min(len(chain) for chain in chains)
    callers = 0
    while callers < shortest and all(chain[callers] == first[callers] for chain in chains):
        callers += 1
    callees = 0
    while callees < shortest - callers and all(chain[-1 - callees] == first[-1 - callees] for chain in chains):
        callees += 1
    return [*first[:callers], *(first[len(first) - callees :] if callees else [])]
