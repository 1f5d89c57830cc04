"""What runs after every read."""

from __future__ import annotations

import inspect
from typing import Any, Callable, Optional

import numpy as np
import torch

from training_day import randomness

__all__ = ["Augment"]


class Augment:
    """Calls the user's function, with generators seeded from (seed, epoch, index, variant) once
    `set_epoch` has been called, and with those of the process, as they are, until then."""

    def __init__(self, function: Callable[..., Any], seed: int) -> None:
        if not callable(function):
            raise TypeError(f"augment={function!r}, expected a function of a sample")
        self.function = function
        self.seed = seed
        self._takes_rng = _takes_two(function)
        self._seeds_itself = callable(getattr(function, "set_random_seed", None))

    def __call__(self, sample: Any, epoch: Optional[int], index: int, variant: int = 0) -> Any:
        """One sample. The caller keeps the generators, see `randomness.kept`."""
        if epoch is None:
            if not self._takes_rng:
                return self.function(sample)
            drawn = int(torch.empty((), dtype=torch.int64).random_().item())
            return self.function(sample, np.random.default_rng(drawn))
        key = randomness.key_of(self.seed, epoch, index, variant)
        randomness.seed_all(key)
        if self._seeds_itself:
            self.function.set_random_seed(key & 0x7FFF_FFFF)  # type: ignore[attr-defined]
        if self._takes_rng:
            return self.function(sample, np.random.default_rng(key))
        return self.function(sample)


def _takes_two(function: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    required = [
        p
        for p in parameters
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty
    ]
    return len(required) == 2
