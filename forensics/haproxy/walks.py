"""Walking lists and trees of a process that may have died of them: bounded, and the first broken link is told.

Each walk checks that an element's back link leads to where it came from. That finds damage where it
begins, and makes a ring impossible: an element has one back link, so it is reached once.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from forensics.absence import Absence
from forensics.memory.process import Memory
from forensics.record import open_record, record

_PAIR = struct.Struct("<QQ")
#: struct eb_node (ebtree.h): branches b[2], node_p, leaf_p, bit, pfx; the same in all releases.
_NODE = struct.Struct("<QQQQhH")
#: MT_LIST_BUSY: a thread holds this link right now (mt_list.h).
_BUSY = 1
#: Elements that one walk visits if nobody says otherwise.
MOST = 10_000_000
#: ebtrees of 64-bit keys are at most 64 nodes deep, and as deep again in duplicates; strings go deeper.
_DEEPEST = 20_000


@record
class Broken:
    """A link that cannot be right: ``address`` is that of the element whose link it is, ``reason`` says why.

    ``value`` is what the link holds.
    """

    address: int
    value: int
    reason: str


@open_record
class Walk:
    """How a walk went: elements visited, the first broken link, and whether it was ended by its bound."""

    visited: int = 0
    broken: Broken | None = None
    cut: bool = False


def iter_list(memory: Memory, head: int, walk: Walk, most: int = MOST) -> Iterator[int]:
    """Addresses of the ``struct list`` of each element; ``head`` is that of the list itself (list-t.h: n, p).

    mt_lists have the same shape; a link that a thread held when the process died ends the walk.
    """
    links = _links(memory, head)
    if links is None:
        walk.broken = Broken(head, 0, "the head of the list is not in the core")
        return
    current = head
    following = links[0]
    # A back link that a thread held says nothing: such an element could close a ring that leaves out the head.
    held = set[int]()
    while following != head:
        if following == _BUSY:
            walk.broken = Broken(current, following, "the link was locked by a thread (MT_LIST_BUSY)")
            return
        broken = _wrong_link(memory, current, following)
        if broken is not None:
            walk.broken = broken
            return
        if following in held:
            walk.broken = Broken(current, following, "the link leads back to an element that came before")
            return
        if walk.visited >= most:
            walk.cut = True
            return
        walk.visited += 1
        yield following
        links = _links(memory, following)
        assert links is not None  # _wrong_link read them
        if links[1] == _BUSY:
            held.add(following)
        current, following = following, links[0]


def _links(memory: Memory, address: int) -> tuple[int, int] | None:
    data = memory.read(address, 16)
    return None if isinstance(data, Absence) else _PAIR.unpack(data)


def _wrong_link(memory: Memory, current: int, following: int) -> Broken | None:
    """What is wrong with the link from ``current`` to ``following``."""
    if not following:
        return Broken(current, following, "the link is NULL")
    if following & 7:
        return Broken(current, following, "the link is not aligned: it is no address of an element")
    links = _links(memory, following)
    if links is None:
        return Broken(current, following, "the link leads to memory that is not in the core")
    if links[1] not in (current, _BUSY):
        return Broken(following, links[1], f"the element's back link does not lead to {current:#x}, which leads to it")
    return None


def iter_chain(memory: Memory, first: int, next_offset: int, walk: Walk, most: int = MOST) -> Iterator[int]:
    """Addresses of structures that are chained by a pointer at ``next_offset`` (bytes), ``first`` included.

    There are no back links here: what was seen before ends the walk.
    """
    seen = set[int]()
    current, previous = first, 0
    while current:
        following = memory.word(current + next_offset)
        if current & 7 or isinstance(following, Absence):
            walk.broken = Broken(previous, current, "the pointer leads to memory that is not in the core")
            return
        if current in seen:
            walk.broken = Broken(previous, current, "the pointer leads back to an element that came before")
            return
        if walk.visited >= most:
            walk.cut = True
            return
        seen.add(current)
        walk.visited += 1
        yield current
        current, previous = following, current


def iter_tree(memory: Memory, root: int, walk: Walk, most: int = MOST, *, alone: bool = False) -> Iterator[int]:
    """Addresses of the ``struct eb_node`` of each leaf of an ebtree, in the order of the keys; ``root`` is its eb_root.

    Pointers to branches carry in bit 0 what they lead to (0 a leaf, 1 a node); pointers to parents carry there the
    side that they hang on (0 left, 1 right). Duplicates are leaves of a subtree of their own, and come one by one.
    ``alone`` is for trees of many thousand leaves: it reads the nodes and nothing that lies around them.
    """
    top = memory.word(root)
    if isinstance(top, Absence):
        walk.broken = walk.broken or Broken(root, 0, "the root of the tree is not in the core")
        return
    read, unpack = memory.read, _NODE.unpack
    # (the branch as it was read, the parent with the side that it hangs on)
    pending = [(top, root)] if top else []
    # Most leaves are nodes further up as well: their link to a parent is kept from that visit, and they are read once.
    known: dict[int, int] = {}
    while pending:
        branch, parent = pending.pop()
        address = branch & ~1
        leaf_parent = None if branch & 1 else known.pop(address, None)
        if leaf_parent is None:
            data = read(address, 36, alone=alone) if address and not address & 7 else None
            if data is None or isinstance(data, Absence):
                reason = "leads to memory that is not in the core" if data is not None else "is no address of a node"
                walk.broken = walk.broken or Broken(parent & ~1, branch, f"the branch {reason}")
                continue
            left, right, node_parent, leaf_parent, _bit, _prefix = unpack(data)
            if branch & 1:
                if node_parent != parent or len(pending) > _DEEPEST:
                    walk.broken = walk.broken or _wrong_parent(address, node_parent, parent)
                    continue
                known[address] = leaf_parent
                pending.append((right, address | 1))
                pending.append((left, address))
                continue
        if leaf_parent != parent:
            walk.broken = walk.broken or _wrong_parent(address, leaf_parent, parent)
        elif walk.visited >= most:
            walk.cut = True
            return
        else:
            walk.visited += 1
            yield address


def _wrong_parent(address: int, found: int, parent: int) -> Broken:
    side = "right" if parent & 1 else "left"
    return Broken(address, found, f"the node hangs on the {side} of {parent & ~1:#x}, but its link says otherwise")


def iter_cebtree(memory: Memory, root: int, walk: Walk, most: int = MOST) -> Iterator[int]:
    """Addresses of the ``struct ceb_node`` of each element of a cebtree, in no order; ``root`` points to its root.

    A node has two branches and no parent (import/cebtree.h, 3.2 on); since 3.3 bit 0 of a branch tells a leaf
    from a node. Elements of every release, duplicates too, are what can be reached from the root.
    """
    top = memory.word(root)
    if isinstance(top, Absence):
        walk.broken = Broken(root, 0, "the root of the tree is not in the core")
        return
    seen = {0}
    pending = [(top, root)]
    while pending:
        branch, parent = pending.pop()
        address = branch & ~1
        if address in seen:
            continue
        seen.add(address)
        links = None if address & 7 else _links(memory, address)
        if links is None:
            reason = "is no address of a node" if address & 7 else "leads to memory that is not in the core"
            walk.broken = walk.broken or Broken(parent, branch, f"the branch {reason}")
            continue
        if walk.visited >= most:
            walk.cut = True
            return
        walk.visited += 1
        yield address
        pending += ((links[1], address), (links[0], address))
