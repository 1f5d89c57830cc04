"""A data set is warmed in the background: once, in order, within limits, and honestly counted."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pytest
import torch
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    RandomSampler,
    SequentialSampler,
    Subset,
)

from local_node import LocalNode
from same import assert_same
from sets import Compose, Double, Images, RandomCrop, Transformed
from test_client import stored
from training_day import CachedDataset, RandomTransformError
from training_day.lane import messages
from training_day.placement import partition_of, partitions_of
from training_day.turns import turns_of
from training_day.warming import Share, Throttle, indices_of

CONTRACT = Path(__file__).parents[2] / "contract"


class Counted(Images):
    """Counts its loads, whatever process makes them; those it is told to fail, fail."""

    def __init__(self, n: int = 60, fails: Optional[int] = None, **more: Any) -> None:
        super().__init__(n, **more)
        self.fails = fails
        self.loads = torch.zeros(n, dtype=torch.int32).share_memory_()
        self.seconds = 0.0

    def __getitem__(self, index: int) -> Any:
        self.loads[index] += 1
        if self.fails is not None and index % self.fails == 5:
            raise ValueError(f"sample {index} is on fire")
        time.sleep(self.seconds)
        return super().__getitem__(index)

    @property
    def once(self) -> bool:
        return bool((self.loads == 1).all())


class InOrder(Dataset):
    def __init__(self, n: int = 40) -> None:
        self.n = n
        self.loaded: list[int] = []
        self.gate: Optional[threading.Event] = None

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> Any:
        if self.gate is not None and len(self.loaded) >= 10:
            self.gate.wait(30)
        self.loaded.append(index)
        return torch.full((4,), index)


class Mixed(Counted):
    """Samples of two kinds, which no one record fits."""

    def __getitem__(self, index: int) -> Any:
        image, label = super().__getitem__(index)
        return (image, label) if index % 3 else {"only": image}


Make = Callable[..., CachedDataset]


@pytest.fixture
def cached(node: LocalNode, name: str) -> Make:
    def make(raw: Any, address: str = node.address, **options: Any) -> CachedDataset:
        return CachedDataset(raw, name, address=address, pipeline_tag="p", **options)

    return make


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def unseen(ds: CachedDataset, **options: Any) -> DataLoader:
    """A loader that a warm-up in a thread beside it cannot take for a random transform: it would
    load the sample again, to be sure."""
    return DataLoader(ds, collate_fn=list, generator=torch.Generator(), **options)


def loads_of_an_epoch(ds: CachedDataset, workers: int = 0) -> int:
    before = ds.stats().origin_loads
    for _ in unseen(ds, batch_size=7, shuffle=True, num_workers=workers):
        pass
    return ds.stats().origin_loads - before


# With a node.


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("kind", [Counted, Mixed])
def test_epoch_after_it_loads_nothing(cached: Make, kind: type[Counted], workers: int) -> None:
    raw = kind()
    ds = cached(raw)
    end = ds.warm(workers=workers).wait(60)
    assert (end.state, end.loaded, end.done, end.total) == ("complete", 60, 60, 60), end
    assert end.bytes > 60 * 3 * 8 * 8 * 4 and end.seconds_left is None
    assert ds.stats().misses == 0, "the warm-up is no reader"
    if kind is Counted:
        assert raw.once
    before = raw.loads.clone()
    assert loads_of_an_epoch(ds) == 0
    assert torch.equal(raw.loads, before)
    assert_same(ds[7], Images(60)[7])


@pytest.mark.parametrize("workers", [0, 2])
def test_training_meanwhile_every_sample_is_loaded_once(cached: Make, workers: int) -> None:
    raw = Counted(160)
    raw.seconds = 0.005
    ds = cached(raw)
    with ds.warm(workers=workers) as warm_up:
        trained = loads_of_an_epoch(ds, workers=1)
        end = warm_up.wait(60)
    assert end.state == "complete" and end.hits + end.loaded == 160
    assert end.loaded + trained == 160
    assert raw.once


@pytest.mark.parametrize("workers", [0, 2])
def test_what_was_stopped_goes_on_where_it_was(cached: Make, workers: int) -> None:
    raw = Counted(200)
    raw.seconds = 0.002
    ds = cached(raw)
    warm_up = ds.warm(workers=workers)
    until(lambda: warm_up.progress().loaded >= 20)
    warm_up.stop()
    first = warm_up.wait(30)
    assert first.state == "stopped" and 20 <= first.loaded < 200
    assert first.loaded == raw.loads.sum() and first.total == 200
    second = ds.warm(workers=workers).wait(30)
    assert second.state == "complete" and second.hits == first.loaded
    assert raw.once


def test_order_comes_first(cached: Make) -> None:
    raw = InOrder()
    end = cached(raw).warm([9, 3, -1, 3, 0]).wait(30)
    assert end.state == "complete"
    rest = [index for index in range(40) if index not in (9, 3, 39, 0)]
    assert raw.loaded == [9, 3, 39, 0, *rest]


def test_order_of_a_sampler_is_that_of_its_next_epoch(cached: Make) -> None:
    raw = InOrder()
    ds = cached(raw)
    sampler = RandomSampler(ds, generator=torch.Generator().manual_seed(5))
    ds.warm(sampler).wait(30)
    assert raw.loaded == list(sampler)


def test_pause_holds_it(cached: Make) -> None:
    raw = InOrder()
    raw.gate = threading.Event()
    with cached(raw).warm() as warm_up:
        until(lambda: len(raw.loaded) >= 10)
        warm_up.pause()
        raw.gate.set()
        until(lambda: warm_up.progress().state == "paused")
        before = len(raw.loaded)
        assert before < 40
        assert warm_up.wait(0.05).loaded == before
        warm_up.resume()
        assert warm_up.wait(30).loaded == 40


@pytest.mark.parametrize("workers", [0, 2])
def test_samples_that_fail_are_counted_the_others_loaded(cached: Make, workers: int) -> None:
    raw = Counted(60, fails=10)
    ds = cached(raw)
    end = ds.warm(workers=workers).wait(60)
    assert (end.state, end.failed, end.loaded, end.done) == ("complete", 6, 54, 60), end
    assert isinstance(end.first_error, ValueError) and "is on fire" in str(end.first_error)
    assert raw.once
    assert "6 failed" in str(end)


@pytest.mark.parametrize("workers", [0, 1])
def test_random_pipeline_is_refused_as_on_a_load(
    cached: Make, workers: int
) -> None:
    ds = cached(Transformed(RandomCrop()))
    torch.manual_seed(1)
    state = torch.get_rng_state()
    end = ds.warm(workers=workers, max_failures=3).wait(60)
    assert (end.state, end.failed, end.loaded) == ("failed", 3, 0), end
    assert isinstance(end.first_error, RandomTransformError)
    assert "torch and random and numpy" in end.reason
    if workers:
        assert torch.equal(torch.get_rng_state(), state)


def test_frozen_pipeline_needs_a_process(cached: Make) -> None:
    ds = cached(Transformed(RandomCrop()), frozen=True, seed=4)
    with pytest.raises(ValueError, match="workers=0 with frozen=True.*Give workers=1"):
        ds.warm()
    assert ds.warm(workers=1).wait(60).loaded == 32
    first = ds[3]
    assert ds.stats().origin_loads == 0
    assert_same(ds[3], first)


def test_cut_pipeline_is_warmed_up_to_its_cut(cached: Make) -> None:
    ds = cached(Transformed(Compose([Double(), RandomCrop()])), cut="auto")
    end = ds.warm().wait(30)
    assert end.loaded == 32
    assert loads_of_an_epoch(ds) == 0


def test_draws_of_other_threads_do_not_matter(cached: Make) -> None:
    raw = Counted(60)
    raw.seconds = 0.001
    ds = cached(raw)
    torch.manual_seed(2)
    expected = [float(torch.rand(())) for _ in range(40)]
    torch.manual_seed(2)
    got = []
    with ds.warm() as warm_up:
        for _ in range(40):
            got.append(float(torch.rand(())))
            time.sleep(0.003)
        end = warm_up.wait(30)
    assert got == expected, "the states of the generators are left alone"
    assert end.state == "complete" and end.loaded == 60, end


class Alone(Images):
    """Does not bear a second thread."""

    def __init__(self, n: int, transform: Any = None) -> None:
        super().__init__(n)
        self.inside = [0]  # In a list, which a copy has in common with what it is of.
        self.most = [0]
        self.transform = transform

    def __getitem__(self, index: int) -> Any:
        self.inside[0] += 1
        self.most[0] = max(self.most[0], self.inside[0])
        time.sleep(0.0005)
        image, label = super().__getitem__(index)
        self.inside[0] -= 1
        return (self.transform(image) if self.transform else image), label


@pytest.mark.filterwarnings("ignore::training_day.CacheWarning")
@pytest.mark.parametrize("cut", [None, "auto"])
def test_thread_that_warms_and_training_load_in_turns(name: str, cut: Any) -> None:
    raw = Alone(120, Compose([Double(), RandomCrop()]) if cut else None)
    halves = [Subset(raw, range(60)), Subset(raw, range(60, 120))]
    sets = [
        CachedDataset(half, f"{name}-{k}", address="unix:/nowhere", pipeline_tag="p", cut=cut)
        for k, half in enumerate(halves)
    ]
    failed: list[Any] = []

    def load(beside: bool, ds: CachedDataset) -> None:
        one = ds._load_beside_training if beside else ds._load
        try:
            for index in range(60):
                one(0, index, False)
        except BaseException as e:
            failed.append(e)

    threads = [
        threading.Thread(target=load, args=(beside, ds))
        for beside, ds in ((True, sets[0]), (True, sets[1]), (False, sets[0]))
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    assert failed == [] and raw.most == [1]


def test_threads_of_the_user_load_at_once_and_forks_begin_anew() -> None:
    turns = turns_of(Images(4))
    with turns.together(), turns.together():
        assert turns._loading == 2
        child = os.fork()
        if child == 0:
            with turns.alone():
                os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_full_cache_ends_it_with_an_honest_count(start_node: Any, name: str) -> None:
    node = start_node(
        MEMORY_MAX_SIZE="64MiB", LANE_MAX_RECORD_SIZE="1MiB"
    )
    raw = Counted(600, shape=(3, 160, 160))
    ds = CachedDataset(raw, name, address=node.address, pipeline_tag="p")
    end = ds.warm().wait(60)
    assert end.state == "full" and end.refused >= 64, end
    assert end.loaded > 50 and end.done < end.total == 600
    assert "it had no room for 64 samples in a row" in end.reason
    stored(node, name)
    batch = ds._samples().read(range(end.done), 0, None)
    try:
        assert batch.hits == end.loaded
    finally:
        batch.release()


def test_two_nodes_each_warms_its_own_together_all(pair: Any, name: str) -> None:
    raws = [Counted(200), Counted(200)]
    sets = [
        CachedDataset(raw, name, address=node.address, pipeline_tag="p")
        for raw, node in zip(raws, pair.nodes)
    ]
    until(lambda: all(len(_primaries(ds)) == 2 for ds in sets), 60)
    ends = [warm_up.wait(60) for warm_up in [ds.warm() for ds in sets]]
    assert [end.state for end in ends] == ["complete"] * 2
    assert all(end.loaded == end.total and 50 < end.loaded < 150 for end in ends), ends
    assert torch.equal(raws[0].loads + raws[1].loads, torch.ones(200, dtype=torch.int32))
    assert loads_of_an_epoch(sets[0]) == 0
    rest = sets[1].warm(all_samples=True).wait(60)
    assert rest.hits == rest.total == 200


def _primaries(ds: CachedDataset) -> set[int]:
    owners = ds._samples().owners()
    return {places[0] for places in owners.holders} if owners else set()


@pytest.mark.filterwarnings("ignore::training_day.CacheWarning")
def test_without_a_node_it_waits_and_loads_nothing(
    node: LocalNode, directory: Path, name: str
) -> None:
    raw = Counted(20)
    late = directory / "late"
    ds = CachedDataset(raw, name, address=f"unix:{late}/lane.sock", pipeline_tag="p")
    end = ds.warm(node_timeout=0.2).wait(30)
    assert end.state == "failed" and end.total is None
    assert end.reason == "no cache node was there for 0.2 s"
    with ds.warm() as warm_up:
        until(lambda: warm_up.progress().state == "away")
        late.symlink_to(node.directory)
        assert warm_up.wait(60).loaded == 20
    assert raw.once


def test_wrong_arguments_are_refused(cached: Make) -> None:
    ds = cached(Images(8))
    for wrong, message in (
        ({"workers": -1}, "workers=-1, allowed: 0 and up"),
        ({"samples_per_second": 0}, "samples_per_second=0, allowed: over 0"),
        ({"max_failures": 0}, "max_failures=0, allowed: 1 and up"),
    ):
        with pytest.raises(ValueError, match=message):
            ds.warm(**wrong)  # type: ignore[arg-type]
    with pytest.raises(IndexError, match="order has index=8 of 8 samples"):
        ds.warm([1, 8])


def test_line_is_shown(cached: Make, capsys: pytest.CaptureFixture[str], name: str) -> None:
    cached(Images(8)).warm(progress=True).wait(30)
    said = capsys.readouterr().err
    assert f"\r[{'#' * 20}] {name} complete: 8 of 8 samples, 0 there already, 8 loaded" in said
    assert said.endswith("\n")


@pytest.mark.parametrize("workers", [0, 1])
def test_it_ends_with_its_process(node: LocalNode, name: str, workers: int) -> None:
    program = (
        "import sys; sys.path[:0] = sys.argv[1:3]\n"
        "from test_warming import Counted\n"
        "from training_day import CachedDataset\n"
        "raw = Counted(1000); raw.seconds = 0.05\n"
        f"ds = CachedDataset(raw, {name!r}, address={node.address!r}, pipeline_tag='p')\n"
        f"warm_up = ds.warm(workers={workers})\n"
        "while not warm_up.progress().loaded: pass\n"
        "print('leaving', flush=True)\n"
    )
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", program, str(here), str(here.parent / "src")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "leaving\n"), done.stderr
    until(lambda: node.status()["fills"]["leases"] == 0)


def test_workers_of_a_loader_may_be_forked_meanwhile(cached: Make) -> None:
    raw = Counted(80)
    raw.seconds = 0.005
    ds = cached(raw)
    with ds.warm() as warm_up:
        for _ in range(3):
            assert len(list(unseen(ds, batch_size=10, num_workers=2))) == 8
        assert warm_up.wait(30).state == "complete"
    assert raw.once


# Without one.


def test_throttle_keeps_the_rate_in_any_stretch() -> None:
    now = [0.0]
    throttle = Throttle(100, lambda: now[0])
    done = 0
    for k in range(10_000):
        now[0] += throttle.delay()
        if now[0] >= 60:
            break
        piece = 1 + k % 16
        throttle.charge(piece)
        done += piece
        now[0] += 0.02 if k % 3 == 0 else 0
    assert 5_900 <= done <= 6_016
    now[0] += 3_600
    throttle.charge(5)
    assert throttle.delay() == pytest.approx(0.05)
    assert throttle.piece(16) == 16 and Throttle(8).piece(16) == 2 and Throttle(0.1).piece(9) == 1
    assert Throttle(None).delay() == 0.0


def owners(*primaries: int) -> messages.Owners:
    members = [messages.Member(f"n{k}", f"h{k}", "", 1, k == 0) for k in range(3)]
    return messages.Owners(1, members, [(one,) for one in primaries])


def test_share_follows_ownership() -> None:
    share = Share(16, np.array([1, 0]))
    share.take(owners(0, 1, 1, 1))
    assert share.next(2) == [0, 4] and share.remaining == 2
    share.take(owners(1, 0, 1, 1))
    assert share.remaining == 4
    assert share.next(1) == [5]
    share.take(owners(0, 0, 1, 1))
    assert share.next(99) == [8, 9, 12, 13, 1]
    assert share.remaining == 0 and share.next(1) == []
    share.take_all()
    assert share.next(99) == [2, 3, 6, 7, 10, 11, 14, 15]


def test_share_of_one_partition_has_all_once() -> None:
    share = Share(8, np.array([5, 2, 5, 7]))
    share.take_all()
    assert share.next(3) == [5, 2, 7]
    assert share.next(9) == [0, 1, 3, 4, 6]


def test_indices_of_orders_leave_random_states_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    sampler = RandomSampler(range(50), generator=torch.Generator().manual_seed(2))
    batches = BatchSampler(sampler, 8, False)
    assert indices_of(batches, 50).tolist() == list(sampler)
    shuffled = indices_of(RandomSampler(range(50)), 50)
    assert sorted(shuffled.tolist()) == list(range(50))
    assert torch.equal(torch.get_rng_state(), before)
    assert indices_of(SequentialSampler(range(9)), 9).tolist() == list(range(9))
    assert indices_of(torch.tensor([2, -1]), 9).tolist() == [2, 8]
    assert indices_of(iter(int, 1), 9).tolist() == [0] * 9, "an endless one is cut off"


def test_partitions_are_as_in_the_contract() -> None:
    vectors = json.loads((CONTRACT / "golden" / "placement.json").read_text())["partitionOf"]
    assert len(vectors) > 50
    for one in vectors:
        index, partitions = one["index"], one["partitions"]
        assert partition_of(index, partitions) == one["partition"], one
        assert partitions_of(np.array([index]), partitions)[0] == one["partition"], one


def test_owners_that_break_the_contract_are_noticed() -> None:
    texts = messages._text("a") + messages._text("h") + messages._text("")
    member = texts + struct.pack("<qB", 5, 1)
    good = struct.pack("<qII", 7, 2, 1) + member + struct.pack("<HHHH", 1, 0, 1, 0)
    reply = messages.owners_reply(memoryview(good))
    assert reply == messages.Owners(7, [messages.Member("a", "h", "", 5, True)], [(0,), (0,)])
    for wrong in (good[:-2] + struct.pack("<H", 1), good[:-4] + b"\0\0", good[:-1]):
        with pytest.raises(messages.ProtocolError):
            messages.owners_reply(memoryview(wrong))
