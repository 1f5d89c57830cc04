"""Samplers by a plan: with DataLoader and BatchLoader, over stops, and among ranks."""

from __future__ import annotations

import struct
import threading
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch.utils.data import DataLoader, Dataset, Subset
from torch.utils.data.distributed import DistributedSampler

from local_node import LocalNode
from ranks import RankFailed, run_ranks
from sets import Images
from test_training import Scripted, frame, hello
from training_day import (
    BatchLoader,
    CachedDataset,
    EpochBatchSampler,
    EpochPlan,
    EpochSampler,
    Ownership,
    PlanError,
    ShardedTwiceError,
    reference_order,
)
from training_day.agreement import GroupAgreement
from training_day.exchange import Exchange
from training_day.lane import messages
from training_day.ownership import from_agreed

OWNED = Ownership.of([[f"h{k % 3}"] for k in range(64)])
HOSTS = ["h0", "h1", "h2", "h0", "h1", "h2", "h0"]


class Numbers(Dataset):
    """Samples that are their own index."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> int:
        return index


def among(world: int, rank: int, **more: Any) -> dict[str, Any]:
    """Arguments of one of so many ranks, which know their plan without asking."""
    return {
        "tail": "drop", "world_size": world, "rank": rank, "ownership": OWNED,
        "rank_hosts": HOSTS[:world], **more,
    }  # fmt: skip


def batches(loader: Any) -> list[list[int]]:
    return [batch.tolist() for batch in loader]


@pytest.mark.parametrize("tail, workers", [("drop", 0), ("pad", 0), ("uneven", 1)])
def test_data_loader_reads_by_the_plan(tail: str, workers: int) -> None:
    ds, world = Numbers(101), 3
    for rank in range(world):
        arguments = among(world, rank, tail=tail, seed=2)
        by_batch = EpochBatchSampler(ds, 4, **arguments)
        by_index = EpochSampler(ds, 4, **arguments)
        loaders: list[Any] = [
            DataLoader(ds, batch_sampler=by_batch, num_workers=workers),
            DataLoader(ds, batch_size=4, sampler=by_index, num_workers=workers),
        ]
        for epoch in range(2):
            plan = EpochPlan(
                101, tail=tail, seed=2, epoch=epoch, batch=4, world_size=world, ownership=OWNED,
                rank_hosts=HOSTS[:world],
            )  # fmt: skip
            expected = [plan.indices(step, rank).tolist() for step in range(plan.steps)]
            by_batch.set_epoch(epoch)
            by_index.set_epoch(epoch)
            for loader in loaders:
                assert len(loader) == plan.steps
                assert batches(loader) == expected
            assert len(by_index) == by_index.num_samples == sum(map(len, expected))
            assert by_index.total_size == sum(plan.total(r) for r in range(world))
            assert by_batch.plan.predicted_local_share == plan.predicted_local_share


def test_torch_order_gives_the_steps_of_distributed_sampler() -> None:
    ds, world = Numbers(103), 3
    theirs: list[Any] = [DistributedSampler(ds, world, rank, seed=5) for rank in range(world)]
    ours = [
        EpochBatchSampler(ds, 8, **among(world, rank, tail="pad", order="torch", seed=5))
        for rank in range(world)
    ]
    for epoch in range(3):
        for one in (*theirs, *ours):
            one.set_epoch(epoch)
        left = [batches(DataLoader(ds, 8, sampler=one)) for one in theirs]
        right = [batches(DataLoader(ds, batch_sampler=one)) for one in ours]
        assert len(left[0]) == len(right[0])
        for step in range(len(left[0])):
            assert [len(one[step]) for one in left] == [len(one[step]) for one in right]
            assert sorted(sum((one[step] for one in left), [])) == sorted(
                sum((one[step] for one in right), [])
            )


def test_one_rank_needs_no_ownership_and_no_group() -> None:
    sampler = EpochBatchSampler(100, 8, tail="uneven", seed=1)
    order = reference_order(100, seed=1, epoch=0).at(np.arange(100)).tolist()
    assert sum(sampler, []) == order


def test_rank_for_which_no_sample_is_left_takes_part() -> None:
    for rank in range(4):
        sampler = EpochBatchSampler(Numbers(9), 2, **among(4, rank, tail="uneven"))
        by_index = EpochSampler(Numbers(9), 2, **among(4, rank, tail="uneven"))
        found = list(sampler)
        assert len(sampler) == len(found) == 2
        assert list(by_index) == sum(found, []) and len(by_index) == 3
        assert sampler.weight(0) == 1.0
        assert sampler.weight(1) == (4.0 if sampler.plan.count(1, rank) else 0.0)


def test_subset_is_read_where_its_samples_lie() -> None:
    numbers = list(range(3, 400, 3))
    plan = EpochPlan(len(numbers), tail="drop", batch=5, world_size=3, ownership=OWNED,
                     rank_hosts=HOSTS[:3], numbers=np.array(numbers))  # fmt: skip
    local = np.mean([plan.local(plan.indices(s, r), r).mean() for s in range(8) for r in range(3)])
    assert local > 0.7


# Stops.


def trained(world: int, state: Any, steps: Optional[int], **more: Any) -> tuple[Any, list, Any]:
    """The steps of all ranks together, and the state behind them."""
    read, states, left = [], [], None
    for rank in range(world):
        sampler = EpochBatchSampler(Numbers(1000), **among(world, rank, seed=3, **more))
        if state is not None:
            sampler.load_state_dict(state)
        sampler.set_epoch(1)
        # A worker asks for more than is trained on.
        loader = DataLoader(Numbers(1000), batch_sampler=sampler, num_workers=int(rank == 0))
        left = len(loader)
        mine = []
        for step, batch in enumerate(loader):
            if step == steps:
                break
            mine.append(batch.tolist())
        read.append(mine)
        states.append(sampler.state_dict(step=len(mine)))
    assert all(one == states[0] for one in states)
    return states[0], [sum(one, []) for one in zip(*read)], left


@pytest.mark.parametrize("fixed", [False, True], ids=["batch per rank", "global batch"])
def test_training_goes_on_at_other_world_sizes(fixed: bool) -> None:
    more: dict[str, Any] = {"global_batch": 24} if fixed else {"batch_size": 5}
    order = reference_order(1000, seed=3, epoch=1).at(np.arange(1000)).tolist()
    read: list[int] = []
    state = None
    for world, steps in ((4, 6), (3, 9), (7, 4), (2, None)):
        state, found, left = trained(world, state, steps, tail="uneven", **more)
        for one in found:
            assert sorted(one) == sorted(order[len(read) : len(read) + len(one)])
            read += one
        assert left == -(-(1000 - len(read) + sum(map(len, found))) // (24 if fixed else 5 * world))
    assert sorted(read) == list(range(1000))
    assert len(bytes.fromhex(state["training_day_plan"])) == 64
    # At the very end: nothing is left of this epoch, and the next is whole.
    sampler = EpochBatchSampler(Numbers(1000), 5, **among(3, 1, seed=3))
    sampler.load_state_dict(state)
    sampler.set_epoch(1)
    assert len(sampler) == 0 and list(sampler) == []
    assert sampler.state_dict(step=0) == state
    sampler.set_epoch(2)
    assert len(sampler) == len(list(sampler)) == 66


def test_state_wants_the_steps_that_were_trained() -> None:
    sampler = EpochSampler(Numbers(100), 4, **among(2, 0))
    loader = DataLoader(Numbers(100), 4, sampler=sampler, num_workers=1)
    assert sampler.state_dict(step=0)
    next(iter(loader))
    with pytest.raises(PlanError, match=r"state_dict\(\) without step=: .* StatefulDataLoader"):
        sampler.state_dict()
    with pytest.raises(ValueError, match="step=13, allowed: 0–12"):
        sampler.state_dict(step=13)
    other = EpochSampler(Numbers(99), 4, **among(2, 0))
    with pytest.raises(PlanError, match="state of samples=100, but the data set has 99"):
        other.load_state_dict(sampler.state_dict(step=1))
    reseeded = EpochSampler(Numbers(100), 4, **among(2, 0, seed=7))
    with pytest.raises(PlanError, match="state of seed=0, but seed=7 is set"):
        reseeded.load_state_dict(sampler.state_dict(step=1))


def test_pass_that_was_resumed_is_followed_by_whole_ones() -> None:
    sampler = EpochBatchSampler(Numbers(100), 5, **among(2, 1))
    list(sampler)
    state = sampler.state_dict(step=7)
    resumed = EpochBatchSampler(Numbers(100), 5, **among(2, 1))
    resumed.load_state_dict(state)
    assert list(resumed) == list(sampler)[7:]
    assert resumed.state_dict(step=1) == sampler.state_dict(step=8)
    assert len(resumed) == 10 and list(resumed) == list(sampler)


# Nonsense.


ARGUMENTS: dict[str, tuple[dict, str]] = {
    "no ranks": ({"world_size": 0, "rank": 0}, "rank=0, allowed|world size=0, allowed: 1–65535"),
    "rank": ({"world_size": 2, "rank": 2}, r"rank=2, allowed: 0–1 \(world size=2\)"),
    "negative rank": ({"world_size": 2, "rank": -1}, "rank=-1, allowed: 0–1"),
    "no rank": ({"world_size": 2}, "world size=2 and rank=None: give both or none"),
    "too large": (
        {"batch_size": 60, "world_size": 2, "rank": 0},
        "global batch=120 > samples=100, take a smaller batch or fewer ranks",
    ),
    "no batch": ({"batch_size": None}, "give batch or global batch"),
    "no tail": ({"tail": None}, "give tail: drop, pad or uneven"),
    "tail": ({"tail": "last"}, "tail=last, allowed: drop, pad, uneven"),
    "timeout": ({"timeout": 0}, "timeout=0 s, allowed: more than 0"),
    "hosts alone": ({"rank_hosts": ["a"]}, "rank_hosts= without ownership="),
}


@pytest.mark.parametrize("arguments, text", ARGUMENTS.values(), ids=list(ARGUMENTS))
@pytest.mark.parametrize("kind", [EpochSampler, EpochBatchSampler])
def test_nonsense_is_a_worded_error(kind: Any, arguments: dict, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        kind(Numbers(100), **{"batch_size": 4, "tail": "drop", **arguments})


def test_misuse_is_a_worded_error() -> None:
    ds = Numbers(100)
    sampler = EpochSampler(ds, 4, **among(2, 0, tail="uneven"))
    with pytest.raises(ValueError, match=r"batch_size=8\) of an EpochSampler\(batch_size=4\)"):
        list(DataLoader(ds, 8, sampler=sampler))
    with pytest.raises(ValueError, match="drop_last=True.*whose last batch may be smaller"):
        list(DataLoader(ds, 4, sampler=sampler, drop_last=True))
    odd = EpochSampler(ds, global_batch=9, **among(2, 0))
    with pytest.raises(
        ValueError, match="global batch=9 over 2 ranks: batches are not of one size"
    ):
        iter(odd)
    with pytest.raises(ValueError, match='drop_last=True: give tail="drop"'):
        EpochBatchSampler(ds, 4, tail="drop", drop_last=True)
    with pytest.raises(ShardedTwiceError, match=r"read 1/2².*use_distributed_sampler=False"):
        EpochBatchSampler(ds, 4, tail="drop", sampler=DistributedSampler(ds, 2, 0))
    with pytest.raises(PlanError, match="all_ranks=True.* is for accelerate"):
        iter(EpochBatchSampler(ds, 4, all_ranks=True, **among(2, 0)))


@pytest.mark.filterwarnings("ignore::training_day.CacheWarning")
def test_ranks_without_a_group_are_told_what_to_give(name: str) -> None:
    ds = CachedDataset(Images(100), name, address="unix:/nonexistent/lane.sock")
    sampler = EpochBatchSampler(ds, 4, tail="drop", world_size=2, rank=1)
    with pytest.raises(PlanError, match="no process group among 2 ranks: pass ownership="):
        next(iter(sampler))


# A process group.


def cached(name: str, address: str, n: int = 120) -> CachedDataset:
    return CachedDataset(Images(n), name, address=address)


def _trains(rank: int, name: str, address: str, n: int) -> Any:
    """Two epochs under DDP; which samples were read, and how many of them where they lie."""
    ds = cached(name, address, n)
    sampler = EpochBatchSampler(ds, 6, tail="pad", seed=1)
    loader = DataLoader(ds, batch_sampler=sampler, collate_fn=ds.collate)
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(192, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    read = []
    for epoch in range(2):
        sampler.set_epoch(epoch)
        for step, (images, _) in enumerate(loader):
            optimizer.zero_grad()
            model(images.flatten(1)).sum().backward()
            optimizer.step()
            read.append((epoch, step, images[:, 0, 0, 0].tolist()))
    sampler.check()
    return read, sampler.plan.strategy, sampler.plan.ownership is not None, len(sampler)


def test_ddp_reads_each_sample_once(node: LocalNode, name: str) -> None:
    n = 120
    results = run_ranks(2, _trains, name, node.address, n)
    values = {float(Images(n)[k][0][0, 0, 0]): k for k in range(n)}
    for _, strategy, known, steps in results:
        assert (strategy, known, steps) == ("exact", True, 10)
    for epoch in range(2):
        order = reference_order(n, seed=1, epoch=epoch).at(np.arange(n)).tolist()
        for step in range(10):
            both = [
                v
                for read, *_ in results
                for e, s, vs in read
                if (e, s) == (epoch, step)
                for v in vs
            ]
            assert sorted(values[v] for v in both) == sorted(order[step * 12 : (step + 1) * 12])


def _plans_without_a_node(rank: int, name: str) -> Any:
    ds = cached(name, "unix:/nonexistent/lane.sock")
    sampler = EpochBatchSampler(ds, 6, tail="drop")
    batches = list(sampler)
    return batches, sampler.plan.strategy


@pytest.mark.filterwarnings("ignore::training_day.CacheWarning")
def test_ranks_without_a_node_have_one_plan_all_the_same(name: str) -> None:
    results = run_ranks(2, _plans_without_a_node, name)
    order = reference_order(120).at(np.arange(120)).tolist()
    for rank, (read, strategy) in enumerate(results):
        assert strategy == "plain"
        assert read[0] == order[:12][rank::2]


def _begins(rank: int, name: str, address: str, arguments: list[dict]) -> Any:
    sampler = EpochBatchSampler(cached(name, address), 6, tail="drop", **arguments[rank])
    if arguments[rank].get("timeout") is None:
        return None
    return next(iter(sampler))


def test_rank_that_does_not_come_is_named_in_time(node: LocalNode, name: str) -> None:
    result, _ = run_ranks(2, _begins, name, node.address, [{"timeout": 0.3}, {}])
    assert result.kind == "PlanError"
    assert "rank 1 of 2 has not begun it within 0.3 s: epoch=0 of" in result.text
    _, result = run_ranks(2, _begins, name, node.address, [{}, {"timeout": 0.3}])
    assert "rank 0 has not told within 0.3 s where samples lie, and no rank plans" in result.text
    assert "rank 0 planned last: nothing so far" in result.text


def test_ranks_of_other_seeds_do_not_train(node: LocalNode, name: str) -> None:
    arguments = [{"timeout": 0.5, "seed": 1}, {"timeout": 0.5, "seed": 2}]
    for one in run_ranks(2, _begins, name, node.address, arguments):
        assert one.kind == "PlanError" and "with the same arguments and states" in one.text


def test_two_processes_are_not_one_rank(node: LocalNode, name: str) -> None:
    same = {"world_size": 2, "rank": 0, "timeout": 1.0}
    results = run_ranks(2, _begins, name, node.address, [same, {**same}])
    kinds = [one.text for one in results if isinstance(one, RankFailed)]
    assert any("two processes say that they are rank 0 of 2" in text for text in kinds)


def _reads_a_share_of_its_share(rank: int, name: str, address: str) -> Any:
    ds = cached(name, address)
    sampler = EpochBatchSampler(ds, 6, tail="drop", timeout=20)
    mine = list(sampler)[rank::2]  # As a wrapper that nobody knows.
    for batch in mine:
        ds.__getitems__(batch)
    dist.barrier()
    if rank == 1:
        sampler.check()
    dist.barrier()
    sampler.check()
    sampler.set_epoch(1)
    return None


def test_share_of_a_share_is_found_at_the_end_of_the_epoch(node: LocalNode, name: str) -> None:
    first, second = run_ranks(2, _reads_a_share_of_its_share, name, node.address)
    assert second is None
    assert first.kind == "ShardedTwiceError"
    assert "epoch 0: read 1/2²: sharded twice. All ranks together read 60 of 120" in first.text
    assert "use_distributed_sampler=False" in first.text and "accelerator.prepare" in first.text


def _ends_early(rank: int, name: str, address: str) -> Any:
    ds = cached(name, address)
    sampler = EpochBatchSampler(ds, 6, tail="drop", timeout=20)
    for epoch in range(2):
        sampler.set_epoch(epoch)
        for step, _ in enumerate(DataLoader(ds, batch_sampler=sampler)):
            if rank == 1 and step == 3:
                break
    sampler.check()
    return "ended"


def test_rank_that_stops_early_holds_nobody_up(node: LocalNode, name: str) -> None:
    assert run_ranks(2, _ends_early, name, node.address) == ["ended", "ended"]


# Through the cache nodes.


class Grid:
    """A node that tells who owns what, and keeps what trainers agree on."""

    def __init__(self, directory: Path) -> None:
        self.agreed: dict[str, bytes] = {}
        self.address = Scripted(directory, self._answers).address

    def _answers(self, kind: int, number: int, body: bytes) -> Optional[bytes]:
        if kind == messages.HELLO:
            return frame(kind, number, hello())
        if kind == messages.OPEN:
            return frame(kind, number, struct.pack("<IIqq", 1, 0, 5, 0))
        if kind == messages.OWNERS:
            names = b"".join(struct.pack("<I", len(one)) + one for one in (b"n", b"h", b""))
            member = names + struct.pack("<qB", 1 << 30, 1)
            return frame(kind, number, struct.pack("<qII", 7, 32, 1) + member + b"\1\0\0\0" * 32)
        assert kind == messages.AGREE
        (size,) = struct.unpack_from("<I", body)
        key = body[4 : 4 + size].decode()
        (length, _) = struct.unpack_from("<II", body, 4 + size)
        offered = body[12 + size :]
        assert len(offered) == length
        value = self.agreed.setdefault(key, offered) if offered else self.agreed.get(key, b"")
        return frame(kind, number, struct.pack("<II", len(value), 0) + value)


def _agrees(rank: int, name: str, address: str, world: int, job: str) -> Any:
    ds = cached(name, address)
    sampler = EpochBatchSampler(ds, 6, tail="drop", timeout=30, job=job)
    batches = [next(iter(sampler))]
    sampler.set_epoch(3)
    batches.append(next(iter(sampler)))
    return batches, sampler.plan.ownership.topology_version, sampler.sampler.num_replicas


def test_ranks_without_a_group_agree_through_the_nodes(directory: Path, name: str) -> None:
    grid = Grid(directory)
    results = run_ranks(2, _agrees, name, grid.address, 2, "job-7", group=False)
    for rank, (read, version, world) in enumerate(results):
        plan = EpochPlan(120, tail="drop", batch=6, world_size=2, strategy="plain")
        assert read[0] == plan.indices(0, rank).tolist() and (version, world) == (7, 2)
    prefix = "plan/job-7/0"
    for epoch in (0, 3):
        assert grid.agreed[f"{prefix}/{epoch}/host/1"] == b"h"
        snapshot, hosts = from_agreed(grid.agreed[f"{prefix}/{epoch}/ownership"], 2)
        assert Ownership.decode(snapshot).hosts == ("h",) and hosts == ["h", "h"]


def test_ranks_agree_through_a_node(node: LocalNode, name: str) -> None:
    results = run_ranks(2, _agrees, name, node.address, 2, name, group=False)
    (first, version, _), (second, same, _) = results
    assert version == same
    order = [reference_order(120, epoch=epoch).at(np.arange(12)).tolist() for epoch in (0, 3)]
    for k in range(2):
        assert sorted(first[k] + second[k]) == sorted(order[k])


def test_rank_whose_grid_has_no_answer_ends_in_time(directory: Path, name: str) -> None:
    ds = cached(name, Grid(directory).address)
    sampler = EpochBatchSampler(ds, 6, tail="drop", world_size=2, rank=1, job="job-8", timeout=0.3)
    with pytest.raises(PlanError, match="has not got plan/job-8/0/0/ownership .* within 0.3 s"):
        next(iter(sampler))


# With a BatchLoader.


def test_batch_loader_reads_by_the_plan(node: LocalNode, name: str) -> None:
    ds = cached(name, node.address, 60)
    sampler = EpochSampler(ds, 4, tail="uneven", world_size=1, rank=0)
    part = Subset(ds, range(5, 50))
    loaders: list[tuple[Any, Any]] = [
        (BatchLoader(ds, 4, sampler=sampler), sampler),
        (BatchLoader(part, batch_sampler=(of := EpochBatchSampler(part, 4, tail="drop"))), of),
    ]
    for loader, one in loaders:
        for epoch in range(2):
            loader.set_epoch(epoch)
            assert one.epoch == epoch
            plan = one.plan
            found = [images[:, 0, 0, 0].tolist() for images, _ in loader]
            expected = [
                [float(loader.dataset[i][0][0, 0, 0]) for i in plan.indices(step, 0).tolist()]
                for step in range(plan.steps)
            ]
            assert found == expected
        loader.close()


class _Agrees(threading.Thread):
    """One rank's part in one agreement, in a thread."""

    def __init__(self, store: Any, rank: int, host: str, timeout: float = 20.0) -> None:
        super().__init__(daemon=True)
        self._agreement = GroupAgreement(Exchange(store, "test"), rank, 2, timeout, "epoch 0")
        self._host = host
        self.result: Any = None
        self.start()

    def run(self) -> None:
        try:
            self.result = self._agreement.snapshot(
                self._host, lambda: b"owned by " + self._host.encode()
            )
        except PlanError as e:
            self.result = str(e)

    def end(self) -> Any:
        self.join(60)
        return self.result


def test_ranks_meet_again_where_the_store_outlived_them() -> None:
    store = dist.HashStore()
    for first, second in (("a", "b"), ("c", "d")):
        ranks = [_Agrees(store, 0, first), _Agrees(store, 1, second)]
        for rank in ranks:
            assert rank.end() == (b"owned by " + first.encode(), [first, second])


def test_a_rank_that_was_late_does_not_spoil_the_next_try() -> None:
    store = dist.HashStore()
    assert "rank 1 of 2 has not begun it" in _Agrees(store, 0, "a", timeout=0.05).end()
    assert "rank 0 has not told" in _Agrees(store, 1, "b", timeout=0.05).end()
    ranks = [_Agrees(store, 0, "a"), _Agrees(store, 1, "b")]
    for rank in ranks:
        assert rank.end() == (b"owned by a", ["a", "b"])
