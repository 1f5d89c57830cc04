"""Stored outcomes of a random transform: which of them a sample has in an epoch."""

from __future__ import annotations

import math
from typing import Optional

from training_day import randomness

__all__ = ["Variants"]


class Variants:
    """Each sample has `count` outcomes stored. In `count` epochs it is read in each of them once,
    in an order of its own; after `reuse` such rounds its outcomes are replaced by new ones. So an
    outcome serves `reuse` epochs, and E epochs see ceil(E / reuse) of them, or `count` without
    `reuse`. All of it is a function of (seed, epoch, index)."""

    def __init__(self, count: int, reuse: Optional[int], seed: int) -> None:
        self._count = count
        self._reuse = reuse
        self._seed = seed

    def __len__(self) -> int:
        return self._count

    def choose(self, epoch: int, index: int) -> int:
        """From 0 to `count` - 1."""
        if self._count == 1:
            return 0
        round, place = divmod(epoch, self._count)
        key = randomness.key_of(self._seed, round, index)
        # A walk whose step has no divisor in common with the count meets every variant.
        start, step = key % self._count, 1 + key // self._count % self._count
        while math.gcd(step, self._count) != 1:
            step += 1
        return (start + place * step) % self._count

    def outcome(self, epoch: int) -> int:
        """How often the stored outcomes have been replaced by then."""
        return 0 if self._reuse is None else epoch // (self._count * self._reuse)

    def stamp(self, epoch: int, of_source: int) -> int:
        """The stamp of a record, by which an outcome that is due to be replaced is told."""
        outcome = self.outcome(epoch)
        return randomness.key_of(of_source, outcome) | 1 if outcome else of_source

    @property
    def are_replaced(self) -> bool:
        return self._reuse is not None
