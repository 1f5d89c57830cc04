"""Where a sample's records live, as `contract/placement.md` has it."""

from __future__ import annotations

import numpy as np

__all__ = ["partition_of", "partitions_of"]


def partition_of(index: int, partitions: int) -> int:
    """The partition of a sample; `partitions` is a power of two."""
    mixed = (index ^ (index >> 32)) & 0xFFFF_FFFF
    return (mixed ^ (mixed >> 16)) & (partitions - 1)


def partitions_of(indices: np.ndarray, partitions: int) -> np.ndarray:
    """As `partition_of`, of many."""
    wide = indices.astype(np.uint64)
    mixed = (wide ^ (wide >> np.uint64(32))) & np.uint64(0xFFFF_FFFF)
    return ((mixed ^ (mixed >> np.uint64(16))) & np.uint64(partitions - 1)).astype(np.int64)
