"""A set of ids in ten bytes each: what millions of lines were about, kept on an operator's machine."""

from __future__ import annotations

import heapq
from array import array
from bisect import bisect_left
from hashlib import blake2b
from typing import Final

# Kept as a plain set until there are so many.
_LOOSE: Final = 1 << 14


class SeenIds:
    """Ids that were seen, by eight bytes of their digest. Two of a million have the same once in 40 million times.

    A few loose ones, and sorted runs, each at least twice as long as the one behind it: so there are few.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._loose: set[int] = set()
        self._runs: list[array[int]] = []

    def add(self, name: str) -> bool:
        """Take an id; give whether it is new."""
        digest = digest_of(name)
        if self._has(digest):
            return False
        self._loose.add(digest)
        if len(self._loose) >= _LOOSE:
            self._sort()
        return True

    def __contains__(self, name: str) -> bool:
        """Tell whether an id was seen."""
        return self._has(digest_of(name))

    def _has(self, digest: int) -> bool:
        if digest in self._loose:
            return True
        for run in self._runs:
            place = bisect_left(run, digest)
            if place < len(run) and run[place] == digest:
                return True
        return False

    def _sort(self) -> None:
        run = array("Q", sorted(self._loose))
        self._loose.clear()
        while self._runs and len(self._runs[-1]) < 2 * len(run):
            run = array("Q", heapq.merge(self._runs.pop(), run))
        self._runs.append(run)


def digest_of(name: str) -> int:
    """Give eight bytes that stand for an id."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest())
