"""The mixing function of `contract/plan.md`, and the checksum over indices made with it."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["GAMMA", "M1", "M2", "U64", "checksum", "mix"]

U64 = (1 << 64) - 1
GAMMA = 0x9E3779B97F4A7C15
M1, M2 = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def mix(z: int) -> int:
    """One number of 64 bits."""
    z &= U64
    z = ((z ^ (z >> 30)) * M1) & U64
    z = ((z ^ (z >> 27)) * M2) & U64
    return z ^ (z >> 31)


def checksum(indices: Any) -> int:
    """What some samples, in any order, add to the checksum of an epoch; less than 2^32 each."""
    z = np.array(indices, np.uint64)
    z ^= z >> np.uint64(30)
    z *= np.uint64(M1)
    z ^= z >> np.uint64(27)
    z *= np.uint64(M2)
    z ^= z >> np.uint64(31)
    return int((z >> np.uint64(32)).sum())
