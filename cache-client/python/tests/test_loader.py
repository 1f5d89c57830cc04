"""BatchLoader gives what a DataLoader gives, with and without workers, hits and misses."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import queue
import random
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Subset, WeightedRandomSampler, random_split

from sets import Captioned, Everything, Images, Named, Scalars, Slow, in_place, noise
from local_node import LocalNode
from same import assert_same
from test_client import stored
from training_day import BatchLoader, CachedDataset, CacheWarning, subset
from training_day import loader as loader_module
from training_day.pool import Pool

Make = Callable[..., CachedDataset]


@pytest.fixture
def cached(node: LocalNode, name: str) -> Make:
    def make(raw: Any, warm: bool = False, **options: Any) -> CachedDataset:
        ds = CachedDataset(raw, name, address=options.pop("address", node.address), **options)
        if warm:
            ds._read_collated(range(len(ds))).release()  # type: ignore[union-attr]
            stored(node, name)
        return ds

    return make


def seeded(seed: int = 3) -> None:
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
@pytest.mark.parametrize("raw", [Images(30), Everything(30), Captioned(30), Named(30)],
                         ids=lambda r: type(r).__name__)  # fmt: skip
def test_batches_equal_those_of_a_dataloader(
    cached: Make, raw: Any, warm: bool, workers: int
) -> None:
    ds = cached(raw, warm)
    with_cache = BatchLoader(ds, 4, shuffle=True, num_workers=workers)
    plain = DataLoader(raw, 4, shuffle=True)
    for _ in range(2):
        seeded()
        expected = list(plain)
        after = torch.rand(1)
        seeded()
        assert_same(list(with_cache), expected)
        assert_same(torch.rand(1), after)
    assert len(with_cache) == len(plain) == 8
    with_cache.close()
    assert ds.stats().origin_loads == 30


def test_hits_need_no_worker_process(cached: Make) -> None:
    loader = BatchLoader(cached(Images(32), True), 8, num_workers=2)
    assert len(list(loader)) == 4 and loader._pool is None


@pytest.mark.parametrize("workers", [0, 2])
def test_augmentation_draws_as_a_dataloader_does(cached: Make, workers: int) -> None:
    ds = cached(Images(24), True, augment=noise)
    loaders: list[Any] = [
        BatchLoader(ds, 4, shuffle=True, num_workers=workers),
        DataLoader(ds, 4, shuffle=True, num_workers=workers),
    ]
    results = []
    for loader in loaders:
        seeded()
        results.append(list(loader))
    assert_same(results[0], results[1])
    ds.set_epoch(2)
    seeded()
    by_epoch = list(loaders[0])
    seeded()
    assert_same(by_epoch, list(DataLoader(ds, 4, shuffle=True)))
    loaders[0].close()


def test_batch_augment_runs_on_whole_batches(cached: Make) -> None:
    def flip(batch: Any) -> Any:
        return batch[0] + torch.rand(()), batch[1]

    ds = cached(Images(8), True)
    loader = BatchLoader(ds, 4, batch_augment=flip)
    loader.set_epoch(0)
    first, again = list(loader), list(loader)
    assert_same(first, again)
    loader.set_epoch(1)
    assert not torch.equal(next(iter(loader))[0], first[0][0])


def test_samplers_and_subsets(cached: Make) -> None:
    raw = Images(20)
    ds = cached(raw, True)
    weights = WeightedRandomSampler(torch.ones(20).tolist(), 13)
    seeded()
    expected = list(DataLoader(raw, 4, sampler=weights, drop_last=True))
    seeded()
    assert_same(list(BatchLoader(ds, 4, sampler=weights, drop_last=True)), expected)
    part = Subset(ds, range(3, 11))
    assert_same(list(BatchLoader(part, 3)), list(DataLoader(Subset(raw, range(3, 11)), 3)))
    batches = [[1, 2], [5], [7, 7, 7]]
    assert_same(
        list(BatchLoader(ds, batch_sampler=batches)), list(DataLoader(raw, batch_sampler=batches))
    )
    with pytest.raises(TypeError, match="expected a CachedDataset"):
        BatchLoader(raw)
    with pytest.raises(ValueError, match="mutually exclusive"):
        BatchLoader(ds, shuffle=True, sampler=weights)


def test_subset_that_changes_samples_is_refused(cached: Make) -> None:
    class Scaled(Subset):
        def __getitem__(self, index: Any) -> Any:
            image, label = super().__getitem__(index)
            return image * 100, label

        def __getitems__(self, indices: Any) -> Any:
            return [self[index] for index in indices]

    class InBatches(Subset):
        def __getitems__(self, indices: Any) -> Any:
            return [self.dataset[self.indices[index]] for index in indices]

    class Named(Subset):
        split = "train"

    raw = Images(20)
    ds = cached(raw)
    for part in (Scaled(ds, range(4)), Subset(Scaled(ds, range(4)), [1]), InBatches(ds, [1])):
        with pytest.raises(TypeError, match=r"(Scaled|InBatches), a Subset with a __getitem__ or"):
            BatchLoader(part)
    expected = [next(iter(DataLoader(Subset(raw, [3, 7]), 2)))]
    for part in (Named(ds, [3, 7]), subset(ds, [3, 7]), Subset(subset(ds, [1, 7, 3]), [2, 1])):
        assert_same(list(BatchLoader(part, 2)), expected)
    assert sum(len(BatchLoader(part)) for part in random_split(ds, [5, 15])) == 20


def test_loader_may_be_left_early_and_begun_again(cached: Make) -> None:
    raw = Images(32)
    loader = BatchLoader(cached(raw, True), 2)
    for _ in range(5):
        for batch in loader:
            assert_same(batch, next(iter(DataLoader(raw, 2))))
            break
    assert_same(list(loader), list(DataLoader(raw, 2)))


@pytest.mark.parametrize("augmented", [False, True])
def test_pass_that_another_one_ended_says_so(cached: Make, augmented: bool) -> None:
    raw = Images(32)
    loader = BatchLoader(cached(raw, True, augment=in_place if augmented else None), 2)
    former = iter(loader)
    next(former)
    whole = list(loader)
    assert len(whole) == 16
    for _ in range(2):
        with pytest.raises(RuntimeError, match="another pass of this BatchLoader has begun"):
            next(former)
    # One that was over stays over.
    former = iter(loader)
    assert_same(list(former), whole)
    assert_same(next(iter(loader)), whole[0])
    assert next(former, None) is None


def test_pass_that_waits_for_a_batch_is_ended_by_another(cached: Make) -> None:
    waits = threading.Event()

    class Stuck(Images):
        def __getitem__(self, index: int) -> Any:
            waits.wait(60)
            return super().__getitem__(index)

    loader = BatchLoader(cached(Stuck(8)), 4, num_workers=1)
    former: Any = iter(loader)
    errors: queue.Queue[Any] = queue.Queue()

    def iterate() -> None:
        try:
            errors.put(next(former))
        except RuntimeError as e:
            errors.put(e)

    thread = threading.Thread(target=iterate, daemon=True)
    thread.start()
    until = time.monotonic() + 30
    while loader._pool is None:
        assert time.monotonic() < until
        time.sleep(0.005)
    iter(loader)
    assert "another pass" in str(errors.get(timeout=30))
    thread.join(30)
    for pid in loader._pool.pids:
        os.kill(pid, signal.SIGKILL)
    loader.close()


def test_memory_is_used_again_only_when_a_batch_is_let_go_of(cached: Make) -> None:
    raw = Images(64, (16, 16))
    ds = cached(raw, True)
    loader = BatchLoader(ds, 4, prefetch=2)
    kept = list(loader)
    assert_same(kept, list(DataLoader(raw, 4)))
    tails = [batch[0][1:, :2].transpose(1, 2) for batch in loader]
    for tail, batch in zip(tails, kept):
        assert_same(tail, batch[0][1:, :2].transpose(1, 2))
    places = set()
    for batch in loader:
        places.add(batch[0].data_ptr())
        del batch
    assert len(places) <= 8


def test_memory_kept_for_batches_of_many_sizes_is_bounded() -> None:
    recycler = loader_module._Recycler(4)

    def kept() -> int:
        gc.collect()
        return sum(one.nbytes for free in recycler._free.values() for one in free)

    for size in (*range(1000, 1300), *range(1300, 1000, -1), *range(8, 900, 3)):
        for k in range(2):
            made = recycler.tensor(k, torch.uint8, (size,))
            assert made.shape == (size,)
            made.fill_(k)
            del made
    assert 0 < kept() <= 2 * 4 * 1300

    first = recycler.tensor(0, torch.float32, (500,))
    place = first.data_ptr()
    del first
    second = recycler.tensor(0, torch.int64, (240,))
    assert second.data_ptr() == place
    third = recycler.tensor(0, torch.float32, (500,))
    assert third.data_ptr() != place

    many = [recycler.tensor(1, torch.uint8, (1300,)) for _ in range(9)]
    del many
    assert kept() <= 2 * 4 * 2000


def test_views_hold_their_slot_as_long_as_anything_over_it(cached: Make) -> None:
    raw = Images(64, (16, 16))
    ds = cached(raw, True)
    expected = list(DataLoader(raw, 4))
    loader = BatchLoader(ds, 4, prefetch=2, views=True)
    for batch, other in zip(loader, expected):
        assert_same(batch, other)
    weight = torch.ones(16, requires_grad=True)
    iterator = iter(loader)
    part = next(iterator)[0][1:3, 2]
    loss = (next(iterator)[0] * weight).sum()
    for batch, other in zip(iterator, expected[2:]):
        assert_same(batch, other)
        del batch
    gc.collect()
    assert_same(part, expected[0][0][1:3, 2])
    loss.backward()
    assert weight.grad is not None
    assert torch.allclose(weight.grad, expected[1][0].sum((0, 1)))


def test_out_of_slots_batches_are_copied_with_one_warning(cached: Make) -> None:
    raw = Images(64)
    ds = cached(raw, True, token="a-connection-of-its-own")
    loader = BatchLoader(ds, 4, prefetch=1, views=True)
    with pytest.warns(CacheWarning, match="no slot of shared memory was free") as said:
        kept = list(loader)
    assert_same(kept, list(DataLoader(raw, 4)))
    assert len([one for one in said if "no slot" in str(one.message)]) == 1
    assert ds.stats().inline_batches > 0


def test_views_that_are_let_go_of_are_given_without_a_word(cached: Make) -> None:
    raw = Images(64)
    ds = cached(raw, True, token="one-that-lets-go")
    with warnings.catch_warnings():
        warnings.simplefilter("error", CacheWarning)
        for k, batch in enumerate(BatchLoader(ds, 4, views=True)):
            assert_same(batch, torch.utils.data.default_collate([raw[4 * k + i] for i in range(4)]))
    assert ds.stats().inline_batches <= 1, "but the first, of unknown size"


def test_samples_of_which_there_are_no_views_are_copied(cached: Make) -> None:
    raw = Scalars(32)
    ds = cached(raw, True, token="scalars")
    with pytest.warns(CacheWarning, match="batches are copied: the samples differ") as said:
        assert_same(list(BatchLoader(ds, 4, views=True)), list(DataLoader(raw, 4)))
    assert len([one for one in said if "the samples differ" in str(one.message)]) == 1

    batch = ds.read_hits(range(4))
    assert batch is not None and batch._batch is not None and batch._batch.slot is not None
    given_away: list[Any] = []
    with pytest.raises(LookupError):
        batch.views(given_away.append)
    gc.collect()
    assert not given_away and batch._batch is not None and batch._batch.slot is not None
    assert_same(batch.collate(), next(iter(DataLoader(raw, 4))))
    assert batch._batch is None


def test_error_of_the_loader_comes_through(cached: Make) -> None:
    class Broken(Images):
        def __getitem__(self, index: int) -> Any:
            if index == 5:
                raise FileNotFoundError("gone")
            return super().__getitem__(index)

    for workers in (0, 2):
        loader = BatchLoader(cached(Broken(16)), 4, num_workers=workers)
        with pytest.raises(FileNotFoundError, match="gone"):
            list(loader)
        loader.close()


def test_worker_that_dies_is_an_error(cached: Make) -> None:
    loader = BatchLoader(cached(Slow(256, 0.02)), 4, num_workers=2)
    iterator = iter(loader)
    next(iterator)
    assert loader._pool is not None
    for pid in loader._pool.pids:
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(RuntimeError, match="exited unexpectedly"):
        list(iterator)
    assert_same(list(loader), list(DataLoader(Images(256), 4)))
    loader.close()


@pytest.mark.filterwarnings("ignore::training_day.CacheWarning")
def test_worker_that_dies_between_two_passes_is_replaced(cached: Make) -> None:
    raw = Images(16)
    loader = BatchLoader(cached(raw, address="unix:/nonexistent/lane.sock"), 4, num_workers=2)
    expected = list(DataLoader(raw, 4))
    assert_same(list(loader), expected)
    pool = loader._pool
    assert pool is not None
    os.kill(pool.pids[0], signal.SIGKILL)
    deadline = time.monotonic() + 60
    while pool.lost is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert_same(list(loader), expected)
    loader.close()


def test_run_that_begins_while_the_workers_are_lost_is_told(
    cached: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader = BatchLoader(cached(Images(16)), 4, num_workers=1)
    list(loader)
    pool = loader._pool
    assert pool is not None

    class Late(loader_module._Run):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            pool.lost = RuntimeError("lost meanwhile")

    monkeypatch.setattr(loader_module, "_Run", Late)
    run: Any = iter(loader)
    assert run._error is pool.lost
    loader.close()


@contextlib.contextmanager
def by_reference_alone() -> Iterator[None]:
    """Nothing is collected that is part of a cycle."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def test_who_collects_a_loader_does_not_wait_for_its_workers(
    cached: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    closers: queue.Queue[threading.Thread] = queue.Queue()
    close = Pool.close

    def closed(self: Pool) -> None:
        closers.put(threading.current_thread())
        close(self)

    monkeypatch.setattr(Pool, "close", closed)
    loader = BatchLoader(cached(Images(16)), 4, num_workers=1)
    list(loader)
    assert loader._pool is not None
    with by_reference_alone():
        del loader
    closer = closers.get(timeout=30)
    assert closer is not threading.current_thread()
    closer.join(30)
    assert not closer.is_alive()


def test_loader_that_nobody_has_any_more_ends_its_thread_and_workers(cached: Make) -> None:
    def left_early(ds: CachedDataset) -> tuple[threading.Thread, list[int]]:
        loader = BatchLoader(ds, 4, num_workers=1)
        iterator: Any = iter(loader)
        next(iterator)
        assert iterator._thread is not None and loader._pool is not None
        return iterator._thread, loader._pool.pids

    ds = cached(Images(64))
    with by_reference_alone():
        thread, pids = left_early(ds)
        thread.join(30)
    assert not thread.is_alive()
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < deadline
        multiprocessing.active_children()  # Reaps them.
        time.sleep(0.01)


def test_workers_are_forked_by_who_iterates(cached: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    makers: list[threading.Thread] = []

    class Watched(Pool):
        def __init__(self, *arguments: Any) -> None:
            makers.append(threading.current_thread())
            super().__init__(*arguments)

    monkeypatch.setattr(loader_module, "Pool", Watched)
    raw = Images(32)
    loader = BatchLoader(cached(raw), 4, num_workers=2)
    assert_same(list(loader), list(DataLoader(raw, 4)))
    assert makers == [threading.current_thread()]
    loader.close()


def test_forked_process_reads_by_itself(cached: Make) -> None:
    raw = Images(16)
    loader = BatchLoader(cached(raw), 4, num_workers=1)
    expected = list(DataLoader(raw, 4))
    iterator = iter(loader)
    assert_same(next(iterator), expected[0])
    child = multiprocessing.get_context("fork").Process(target=_reads, args=(loader, expected))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert_same(list(iterator), expected[1:])
    loader.close()


def _reads(loader: BatchLoader, expected: list[Any]) -> None:
    assert_same(list(loader), expected)
    loader.close()


def test_error_that_cannot_be_pickled_comes_through_in_words(cached: Make) -> None:
    class OwnError(Exception):
        pass

    class Broken(Images):
        def __getitem__(self, index: int) -> Any:
            raise OwnError(f"no sample {index}")

    loader = BatchLoader(cached(Broken(8)), 4, num_workers=1)
    with pytest.raises(RuntimeError, match="OwnError: no sample 0"):
        list(loader)
    loader.close()


def test_without_a_node_workers_load(name: str) -> None:
    raw = Images(24)
    with pytest.warns(CacheWarning, match="no cache node"):
        ds = CachedDataset(raw, name, address=f"unix:/nowhere/{name}.sock")
    loader = BatchLoader(ds, 4, num_workers=2)
    for _ in range(2):
        assert_same(list(loader), list(DataLoader(raw, 4)))
    loader.close()


def test_progress_is_shown(cached: Make, capsys: pytest.CaptureFixture) -> None:
    list(BatchLoader(cached(Images(8), True), 4, progress=True))
    assert "2/2 batches" in capsys.readouterr().err


@pytest.mark.parametrize("batches", [1, 3, 9])
def test_read_ahead_is_bounded_by_bytes(cached: Make, batches: int) -> None:
    raw = Images(96)
    ds = cached(raw, True)
    drawn: list[int] = []

    class Drawing:
        def __iter__(self) -> Any:
            for first in range(0, 96, 4):
                drawn.append(first)
                yield list(range(first, first + 4))

        def __len__(self) -> int:
            return 24

    size = 4 * (3 * 8 * 8 * 4 + 8)
    loader = BatchLoader(ds, batch_sampler=Drawing(), prefetch_bytes=batches * size)
    found = []
    for number, batch in enumerate(loader, 1):
        found.append(batch)
        if number > 4:
            assert len(drawn) - number == min(batches, 24 - number)
    assert_same(found, list(DataLoader(raw, 4)))
    with pytest.raises(ValueError, match="prefetch_bytes=0, allowed: 1 and up"):
        BatchLoader(ds, 4, prefetch_bytes=0)
