"""Lists and trees: every element once, and the first broken link, whatever the memory holds."""

from __future__ import annotations

import random

import pytest

from forensics.haproxy.walks import Walk, iter_cebtree, iter_chain, iter_list, iter_tree
from tests.builders.memory import SIZE, START, memory_of

HEAD, A, B, C = START, START + 0x100, START + 0x200, START + 0x300
ROOT = START + 0x1000


def ring(*addresses: int) -> dict[int, int]:
    """The words of a list through these addresses, the first one its head."""
    following = (*addresses[1:], addresses[0])
    words = dict(zip(addresses, following, strict=True))
    return words | {after + 8: before for before, after in zip(addresses, following, strict=True)}


def test_a_list_is_walked_from_its_head_to_its_head() -> None:
    walk = Walk()
    assert list(iter_list(memory_of(ring(HEAD, A, B, C)), HEAD, walk)) == [A, B, C]
    assert (walk.visited, walk.broken, walk.cut) == (3, None, False)
    assert list(iter_list(memory_of(ring(HEAD)), HEAD, Walk())) == []


@pytest.mark.parametrize(
    ("address", "value", "at", "reason"),
    [
        (B, 0, B, "NULL"),
        (B, C + 3, B, "not aligned"),
        (B, 0x999999990, B, "not in the core"),
        (B, A, A, "back link"),  # a ring that leaves out the head
        (C + 8, A, C, "back link"),
        (B, 1, B, "MT_LIST_BUSY"),
    ],
)
def test_the_first_broken_link_of_a_list_is_told(address: int, value: int, at: int, reason: str) -> None:
    walk = Walk()
    found = list(iter_list(memory_of(ring(HEAD, A, B, C) | {address: value}), HEAD, walk))
    assert found == [A, B]
    assert walk.broken is not None
    assert (walk.broken.address, reason in walk.broken.reason) == (at, True)


def test_a_ring_of_links_that_threads_held_ends() -> None:
    for words in ({HEAD: A, A: A, A + 8: 1}, {HEAD: A, A: B, A + 8: 1, B: C, B + 8: 1, C: B, C + 8: 1}):
        walk = Walk()
        found = list(iter_list(memory_of(words), HEAD, walk, 100))
        assert found == [A, B, C][: len(found)]
        assert walk.broken is not None
        assert "came before" in walk.broken.reason


def test_a_walk_ends_at_its_bound() -> None:
    walk = Walk()
    assert list(iter_list(memory_of(ring(HEAD, A, B, C)), HEAD, walk, 2)) == [A, B]
    assert walk.cut


def test_a_chain_ends_with_null_and_tells_rings() -> None:
    walk = Walk()
    assert list(iter_chain(memory_of({A + 16: B, B + 16: C}), A, 16, walk)) == [A, B, C]
    assert walk.broken is None
    walk = Walk()
    assert list(iter_chain(memory_of({A + 16: B, B + 16: A}), A, 16, walk)) == [A, B]
    assert walk.broken is not None
    assert "came before" in walk.broken.reason
    walk = Walk()
    assert list(iter_chain(memory_of({A + 16: 0x77777770}), A, 16, walk)) == [A]
    assert walk.broken is not None
    assert (walk.broken.address, walk.broken.value) == (A, 0x77777770)


class Tree:
    """An ebtree of 32-bit keys, built as eb32_insert does it (ebtree/eb32tree.h), duplicates left out."""

    def __init__(self) -> None:
        self.words: dict[int, int] = {}
        self.bits: dict[int, int] = {}
        self.keys: dict[int, int] = {}

    def insert(self, address: int, key: int) -> None:
        """Hang the eb32_node at ``address`` into the tree at ROOT."""
        self.keys[address] = key
        parent, side = ROOT, 0
        branch = self.words.get(ROOT, 0)
        if not branch:
            self._link(ROOT, 0, address, leaf=True)
            return
        while branch & 1:
            node = branch & ~1
            if (key ^ self.keys[node]) >> self.bits[node] > 1:
                break
            parent, side = node, key >> self.bits[node] & 1
            branch = self.words[node + 8 * side]
        other = branch & ~1
        self.bits[address] = (key ^ self.keys[other]).bit_length() - 1
        right = key > self.keys[other]
        self._link(address, int(right), address, leaf=True)
        self._link(address, int(not right), other, leaf=not branch & 1)
        self._link(parent, side, address, leaf=False)

    def _link(self, parent: int, side: int, child: int, *, leaf: bool) -> None:
        self.words[parent + 8 * side] = child | (not leaf)
        self.words[child + (24 if leaf else 16)] = parent | side


def tree_of(count: int) -> tuple[Tree, list[int]]:
    """A tree with ``count`` random keys, and the addresses in the order of the keys."""
    chance, tree = random.Random(count), Tree()
    keys = chance.sample(range(1 << 32), count)
    for number, key in enumerate(keys):
        tree.insert(START + 0x2000 + 64 * number, key)
    return tree, sorted(tree.keys, key=lambda address: tree.keys[address])


@pytest.mark.parametrize("count", [0, 1, 2, 3, 10, 400])
def test_a_tree_is_walked_in_the_order_of_its_keys(count: int) -> None:
    tree, ordered = tree_of(count)
    walk = Walk()
    assert list(iter_tree(memory_of(tree.words), ROOT, walk)) == ordered
    assert (walk.visited, walk.broken) == (count, None)


@pytest.mark.parametrize("seed", range(200))
def test_a_damaged_tree_gives_no_element_twice_and_tells_of_the_damage(seed: int) -> None:
    chance = random.Random(seed)
    tree, ordered = tree_of(60)
    words = dict(tree.words)
    for _change in range(chance.randrange(1, 4)):
        victim = chance.choice(sorted(words))
        words[victim] = chance.choice(
            [0, 1, chance.choice(sorted(words)), words[chance.choice(sorted(words))], 0x5050505050505050]
        )
    walk = Walk()
    found = list(iter_tree(memory_of(words), ROOT, walk))
    assert len(found) == len(set(found)) == walk.visited
    assert set(found) <= set(ordered)
    if found != ordered:
        assert walk.broken is not None or words[ROOT] == 0


def test_a_cebtree_is_walked_by_all_that_can_be_reached() -> None:
    """Three nodes as 3.3 tags them: bit 0 marks a leaf; the first node ever inserted has no branches of its own."""
    words = {ROOT: B, B: A | 1, B + 8: C, C: B | 1, C + 8: C | 1, A: A | 1, A + 8: A | 1}
    walk = Walk()
    assert set(iter_cebtree(memory_of(words), ROOT, walk)) == {A, B, C}
    assert walk.broken is None
    walk = Walk()
    assert set(iter_cebtree(memory_of(words | {C: START + SIZE}), ROOT, walk)) == {A, B, C}
    assert walk.broken is not None
    assert walk.broken.address == C
