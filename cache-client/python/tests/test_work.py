"""What the node is told of how training fares."""

from __future__ import annotations

import time
from typing import Any, Callable

import pytest
from local_node import LocalNode
from sets import Images, Slow
from torch.utils.data import DataLoader

from training_day import BatchLoader, CachedDataset


def told(node: LocalNode, name: str) -> dict[str, Any]:
    return next(one["trainers"] for one in node.status()["datasets"] if one["name"] == name)


def comes(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 30
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize("read_ahead", [False, True])
def test_a_training_loop_is_told_of(node: LocalNode, name: str, read_ahead: bool) -> None:
    ds = CachedDataset(Images(40), name, address=node.address)
    loader = BatchLoader(ds, batch_size=8) if read_ahead else DataLoader(ds, batch_size=8)
    for _ in range(2):
        assert len(list(loader)) == 5
    assert comes(lambda: told(node, name)["loads"] == 40)
    assert comes(lambda: told(node, name)["savedLoadSeconds"] > 0)
    trainers = told(node, name)
    assert trainers["loadSeconds"] > 0
    assert 0 < trainers["waitedSeconds"] <= trainers["seconds"]
    assert trainers["workerSeconds"] == 0


@pytest.mark.parametrize("workers", [0, 1])
def test_loop_that_is_timed_tells_how_long_it_waits(
    node: LocalNode, name: str, workers: int
) -> None:
    """Loading takes all of the time here, whoever does it; the loop waits for that, and counts it
    once."""
    ds = CachedDataset(Slow(24, 0.02), name, address=node.address)
    # What a worker has not told when it ends, is lost: this one stays.
    plain = DataLoader(ds, batch_size=4, num_workers=workers, persistent_workers=workers > 0)
    loader = ds.timed(plain)
    assert len(loader) == 6 and loader.batch_size == 4
    started = time.perf_counter()
    for _ in loader:
        time.sleep(0.001)
    took = time.perf_counter() - started
    assert comes(lambda: told(node, name)["waitedSeconds"] > 24 * 0.02 * 0.9)
    trainers = told(node, name)
    assert trainers["waitedSeconds"] <= trainers["seconds"] <= took
    # Between batches the loop has slept, which it did not wait for.
    assert trainers["waitedSeconds"] <= took - 5 * 0.001
    assert comes(lambda: (told(node, name)["workerSeconds"] > 0) == bool(workers))


def test_workers_are_told_of_apart(node: LocalNode, name: str) -> None:
    ds = CachedDataset(Images(40), name, address=node.address)
    loader = DataLoader(ds, batch_size=8, num_workers=1, persistent_workers=True)
    assert len(list(loader)) == 5
    assert comes(lambda: told(node, name)["loads"] == 40)
    assert comes(lambda: told(node, name)["workerWaitedSeconds"] > 0)
    trainers = told(node, name)
    assert 0 < trainers["workerWaitedSeconds"] <= trainers["workerSeconds"]
    assert trainers["seconds"] == 0
