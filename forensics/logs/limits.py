"""Bounds that keep hostile input from filling the memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")

#: All occurrences of one kind together may weigh so much: an occurrence, a frame and a short text weigh 1.
MAX_WEIGHT = 200_000
#: How far back something is amended: others may have come between.
_AMENDED = 64


class Kept(Generic[Item]):
    """The occurrences of one kind of evidence; when they become too many, the latest stay."""

    def __init__(self) -> None:
        self._items: deque[tuple[Item, int]] = deque()
        self._weight = 0
        self.dropped = 0

    def __iter__(self) -> Iterator[Item]:
        """In the order of the log."""
        return (item for item, _ in self._items)

    @property
    def last(self) -> Item | None:
        """The latest occurrence, None before the first."""
        return self._items[-1][0] if self._items else None

    def append(self, item: Item, weight: int = 1) -> None:
        """Keep one more."""
        self._items.append((item, weight))
        self._weight += weight
        while self._weight > MAX_WEIGHT and len(self._items) > 1:
            self._weight -= self._items.popleft()[1]
            self.dropped += 1

    def amend(self, old: Item, new: Item) -> None:
        """Put a more complete version in the place of one of the latest."""
        for back in range(1, min(len(self._items), _AMENDED) + 1):
            if self._items[-back][0] is old:
                self._items[-back] = (new, self._items[-back][1])
                return
