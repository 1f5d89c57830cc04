"""Libraries that give each rank its share of a sampler's indices, found at work above one that has
done so already."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, Optional

__all__ = [
    "ADVICE",
    "asked_by_torchdata",
    "batches_above",
    "lightning",
    "rank_by_rank_above",
    "sharded_above",
]

_FRAMES = 16
_NEAR_FRAMES = 4
_ACCELERATE = (
    "give accelerator.prepare the model and the optimizer but not the DataLoader, or make its batch"
    " sampler with EpochBatchSampler(…, all_ranks=True)"
)
_LIGHTNING = "give Trainer(use_distributed_sampler=False), or the same to Fabric.setup_dataloaders"
_WHAT_PREVENTS = {
    "BatchSamplerShard": ("accelerate", _ACCELERATE),
    "DataLoaderDispatcher": (
        "accelerate with dispatch_batches=True",
        "give accelerator.prepare the model and the optimizer but not the DataLoader",
    ),
    "_DatasetSamplerWrapper": ("Lightning", _LIGHTNING),
}
ADVICE = (("accelerate", _ACCELERATE), ("Lightning", _LIGHTNING))
"""Who is known to shard again, and what prevents it."""


def lightning() -> tuple[str, str]:
    """Its name, and what prevents it."""
    return ADVICE[1]


def _callers() -> Iterator[Any]:
    """The objects whose methods are at work, from the caller's caller upwards."""
    frame = sys._getframe(2)
    for _ in range(_FRAMES):
        if frame is None:
            return
        yield frame.f_locals.get("self"), frame
        frame = frame.f_back


def sharded_above() -> Optional[tuple[str, str]]:
    """Who gives each rank but a share of what is asked for now, and what prevents it; None if
    nobody is known to."""
    for one, _ in _callers():
        name = type(one).__name__
        if name in _WHAT_PREVENTS and getattr(one, "num_processes", 2) > 1:
            return _WHAT_PREVENTS[name]
    return None


def rank_by_rank_above(world_size: int) -> bool:
    """Whether accelerate asks, which gives the k-th rank every k-th of so many batches."""
    for one, _ in _callers():
        if type(one).__name__ == "BatchSamplerShard":
            return one.num_processes == world_size and not one.split_batches
    return False


def batches_above(sampler: Any) -> list[tuple[int, bool]]:
    """How many of the sampler's indices are put into one batch, and whether a last smaller one is
    left out, as far as can be seen."""
    for one, frame in _callers():
        own = getattr(one, "__dict__", {})
        if own.get("sampler") is sampler:
            seen = {**frame.f_locals, **own}
            size = seen.get("batch_size")
            if isinstance(size, int):
                return [(size, bool(seen.get("drop_last")))]
    return []


def asked_by_torchdata() -> bool:
    """Whether torchdata's StatefulDataLoader asks, which asks for the state of each batch when it
    asks for the batch itself."""
    frame = sys._getframe(2)
    for _ in range(_NEAR_FRAMES):
        if frame is None:
            return False
        if frame.f_globals.get("__name__", "").startswith("torchdata.stateful_dataloader"):
            return True
        frame = frame.f_back
    return False
