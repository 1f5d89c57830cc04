"""The plan of an epoch, as `contract/plan.md` has it: against a reading of it word by word, against
torch's DistributedSampler, and over stops and other world sizes."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Sequence
from math import comb
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data.distributed import DistributedSampler

from training_day import EpochPlan, Ownership, PlanError, reference_order
from training_day.checksums import checksum, mix
from training_day.placement import partition_of
from training_day.plan import PlanState, Verdict, name_digest

U64 = (1 << 64) - 1


def owned(partitions: int = 64, hosts: int = 3, copies: int = 1, by: int = 7) -> Ownership:
    """The k-th partition on host k * by, its copies on the next ones."""
    return Ownership.of(
        [[f"h{(k * by // 2 + c) % hosts}" for c in range(copies)] for k in range(partitions)], 5
    )


def plan(samples: int, **more: Any) -> EpochPlan:
    more.setdefault("tail", "drop")
    more.setdefault("strategy", "plain")
    if "batch" not in more and "global_batch" not in more:
        more["batch"] = 4
    return EpochPlan(samples, **more)


# The vectors that Java passes, too.

GOLDEN = Path(__file__).resolve().parents[2] / "contract" / "golden"
VECTORS = json.loads((GOLDEN / "plan.json").read_text(encoding="utf-8"))
SNAPSHOTS = {
    one["name"]: Ownership.decode(bytes.fromhex(one["bytes"])) for one in VECTORS["snapshots"]
}


def test_mixing_is_that_of_the_vectors() -> None:
    for one in VECTORS["mix"]:
        assert mix(one["value"]) == one["mix"] & U64
    for one in VECTORS["datasets"]:
        assert name_digest(one["name"]) == one["number"]


def test_keyed_order_is_that_of_the_vectors() -> None:
    for one in VECTORS["keyed"]:
        order = reference_order(one["samples"], seed=one["seed"], epoch=one["epoch"])
        assert order.at(np.array(one["positions"])).tolist() == one["indices"], one


@pytest.mark.parametrize("vector", VECTORS["snapshots"], ids=lambda v: v["name"])
def test_snapshot_is_that_of_the_vectors(vector: dict) -> None:
    made = Ownership.of(vector["copies"], vector["topologyVersion"])
    assert made.encode().hex() == vector["bytes"]
    assert made.digest == vector["digest"]
    assert made == SNAPSHOTS[vector["name"]]


@pytest.mark.parametrize("number", range(len(VECTORS["plans"])))
def test_plan_is_that_of_the_vectors(number: int) -> None:
    vector = VECTORS["plans"][number]
    given = vector["input"]
    arguments: dict[str, Any] = {
        "tail": given["tail"],
        "world_size": given["worldSize"],
        "batch": given.get("batch"),
        "global_batch": given.get("globalBatch"),
        "order": given.get("order", "keyed"),
        "strategy": given.get("strategy", "exact"),
        "ownership": SNAPSHOTS.get(given.get("snapshot")),
        "rank_hosts": given.get("rankHosts"),
        "dataset": given.get("dataset", ""),
    }
    if "resume" in given:
        state = bytes.fromhex(given["resume"])
        made = EpochPlan.resumed(state, given["samples"], **arguments)
    else:
        arguments.update(seed=given.get("seed", 0), epoch=given.get("epoch", 0))
        made = EpochPlan(given["samples"], **arguments)
    assert (made.start, made.steps) == (vector["start"], vector["steps"])
    assert made.global_batch == vector["globalBatch"]
    if vector.get("predictedLocalShare") is not None:
        assert made.predicted_local_share == pytest.approx(vector["predictedLocalShare"], abs=1e-9)
    for one in vector["states"]:
        assert made.state(one["step"]).hex() == one["bytes"]
    for one in vector["batches"]:
        step = one["step"]
        ranks = range(made.world_size)
        assert [made.indices(step, rank).tolist() for rank in ranks] == one["indices"]
        assert [made.weight(step, rank) for rank in ranks] == one["weights"]
        assert [made.stand_in(step, rank) for rank in ranks] == one["standIns"]
    read = [index for step in range(made.steps) for one in made.ranks(step) for index in one]
    assert {"count": len(read), "checksum": checksum(read)} == vector["visits"]


# Word by word.


def keyed_by_word(samples: int, base: int, position: int) -> int:
    if samples == 1:
        return 0
    bits = max(2, (samples - 1).bit_length())
    half = (bits + 1) // 2
    rounds = 6 if half >= 8 else 24
    keys = [mix(base + (k + 1) * 0x9E3779B97F4A7C15) for k in range(rounds)]
    while True:
        left, right = position >> half, position & ((1 << half) - 1)
        for key in keys:
            t = ((right ^ key) * 0xBF58476D1CE4E5B9) & U64
            t = ((t ^ (t >> 32)) * 0x94D049BB133111EB) & U64
            left, right = right, left ^ (t >> (64 - half))
        position = (left << half) | right
        if position < samples:
            return position


def base_by_word(seed: int, epoch: int) -> int:
    return mix(mix(seed + 0x9E3779B97F4A7C15) + epoch)


def exact_by_word(
    window: Sequence[int], ownership: Ownership, rank_hosts: Sequence[str]
) -> list[list[int]]:
    ranks = len(rank_hosts)
    counts = [len(window) // ranks + (r < len(window) % ranks) for r in range(ranks)]
    hosts = list(dict.fromkeys(rank_hosts))
    room = {h: sum(c for c, of in zip(counts, rank_hosts) if of == h) for h in hosts}
    host_of: list[Optional[str]] = [None] * len(window)
    for level in range(3):
        for place, index in enumerate(window):
            held = ownership.places[partition_of(index, ownership.partitions)][level]
            name = ownership.hosts[held] if held >= 0 else None
            if host_of[place] is None and name in room and room[name] > 0:
                host_of[place] = name
                room[name] -= 1
    for place in range(len(window)):
        if host_of[place] is None:
            name = next(h for h in hosts if room[h])
            host_of[place] = name
            room[name] -= 1
    read: list[list[int]] = [[] for _ in range(ranks)]
    for host in hosts:
        of = [r for r in range(ranks) if rank_hosts[r] == host]
        mine = [index for index, h in zip(window, host_of) if h == host]
        for k, index in enumerate(mine):
            read[of[k % len(of)]].append(index)
    return read


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 3000),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.integers(0, (1 << 31) - 1),
)
def test_keyed_order_is_a_bijection_and_that_of_the_contract(
    samples: int, seed: int, epoch: int
) -> None:
    order = reference_order(samples, seed=seed, epoch=epoch).at(np.arange(samples))
    assert sorted(order.tolist()) == list(range(samples))
    base = base_by_word(seed, epoch)
    for position in range(0, samples, max(1, samples // 17)):
        assert order[position] == keyed_by_word(samples, base, position)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_exact_is_that_of_the_contract(data: Any) -> None:
    copies, hosts = data.draw(st.integers(1, 3)), data.draw(st.integers(3, 5))
    ownership = owned(32, hosts, copies, data.draw(st.integers(1, 9)))
    world = data.draw(st.integers(1, 6))
    names = [f"h{k}" for k in range(hosts)] + ["", "elsewhere"]
    rank_hosts = [data.draw(st.sampled_from(names)) for _ in range(world)]
    samples = data.draw(st.integers(world * 3, 120))
    made = plan(
        samples,
        strategy="exact",
        tail=data.draw(st.sampled_from(["drop", "pad", "uneven"])),
        global_batch=data.draw(st.integers(world, min(samples, 40))),
        batch=None,
        world_size=world,
        ownership=ownership,
        rank_hosts=rank_hosts,
        seed=data.draw(st.integers(0, 9)),
    )
    for step in range(made.steps):
        window = made.window(step).tolist()
        expected = exact_by_word(window, ownership, rank_hosts)
        assert [one.tolist() for one in made.ranks(step)] == expected
        for rank in range(world):
            assert made.indices(step, rank).tolist() == expected[rank]
            assert made.count(step, rank) == len(expected[rank])
    for rank in range(world):
        counts = [made.count(step, rank) for step in range(made.steps)]
        assert made.total(rank) == sum(counts)


@pytest.mark.parametrize("tail", ["drop", "pad", "uneven"])
@pytest.mark.parametrize("world, batch", [(1, 8), (3, 5), (4, 8)])
@pytest.mark.parametrize("strategy", ["exact", "plain"])
def test_steps_are_windows_of_the_reference_order(
    strategy: str, world: int, batch: int, tail: str
) -> None:
    samples = 203
    for epoch in range(3):
        order = reference_order(samples, seed=4, epoch=epoch).at(np.arange(samples)).tolist()
        made = plan(
            samples, strategy=strategy, tail=tail, world_size=world, batch=batch, seed=4,
            epoch=epoch, ownership=owned(), rank_hosts=[f"h{k % 3}" for k in range(world)],
        )  # fmt: skip
        size = world * batch
        assert made.steps == (samples // size if tail == "drop" else -(-samples // size))
        for step in range(made.steps):
            expected = order[step * size : (step + 1) * size]
            if tail == "pad":
                expected += order[: -len(expected) % world]
            ranks = made.ranks(step)
            assert sorted(sum((one.tolist() for one in ranks), [])) == sorted(expected)
            counts = [len(one) for one in ranks]
            assert max(counts) - min(counts) <= (tail == "uneven")
            weights = [made.weight(step, rank) for rank in range(world)]
            assert sum(weights) == pytest.approx(world)
            if len(set(counts)) == 1:
                assert set(weights) == {1.0}


@pytest.mark.parametrize("strategy", ["exact", "plain"])
@pytest.mark.parametrize("drop_last", [True, False])
def test_torch_order_is_that_of_distributed_sampler(drop_last: bool, strategy: str) -> None:
    samples, world, batch = 211, 3, 8
    for epoch in range(3):
        theirs = []
        for rank in range(world):
            sampler: Any = DistributedSampler(
                range(samples),
                world,
                rank,
                seed=7,
                drop_last=drop_last,  # type: ignore[arg-type]
            )
            sampler.set_epoch(epoch)
            theirs.append(list(sampler))
        made = plan(
            samples, order="torch", seed=7, epoch=epoch, strategy=strategy, world_size=world,
            batch=batch, tail="drop" if drop_last else "pad",
            ownership=owned(), rank_hosts=["h0", "h1", "h2"],
        )  # fmt: skip
        assert made.total(0) == len(theirs[0]) - (len(theirs[0]) % batch if drop_last else 0)
        for step in range(made.steps):
            union = [i for one in theirs for i in one[step * batch : (step + 1) * batch]]
            ours = made.ranks(step)
            assert sorted(np.concatenate(ours).tolist()) == sorted(union)
            if strategy == "plain":
                for rank in range(world):
                    assert ours[rank].tolist() == theirs[rank][step * batch : (step + 1) * batch]


@pytest.mark.parametrize("tail", ["drop", "pad", "uneven"])
def test_slices_hold_what_lies_on_their_host(tail: str) -> None:
    samples, hosts = 500, ["h0", "h1", "h1", "h2"]
    made = plan(samples, strategy="slice", tail=tail, world_size=4, ownership=owned(), seed=2,
                rank_hosts=hosts)  # fmt: skip
    read: list[int] = []
    for step in range(made.steps):
        for rank, one in enumerate(made.ranks(step)):
            assert made.local(one, rank).all()
            assert len(one) == made.count(step, rank)
            read += one.tolist()
    assert made.predicted_local_share == 1.0
    if tail == "uneven":
        assert sorted(read) == list(range(samples))
    elif tail == "pad":
        assert set(read) == set(range(samples))
    else:
        assert len(set(read)) == len(read) == made.steps * 16


def test_slice_order_is_that_of_the_contract() -> None:
    samples, partitions = 333, 32
    ownership = owned(partitions, 2)
    made = plan(samples, strategy="slice", tail="uneven", world_size=3, ownership=ownership, seed=5,
                epoch=3, rank_hosts=["h1", "h0", "h1"])  # fmt: skip
    for number, (host, ranks) in enumerate([("h1", [0, 2]), ("h0", [1])]):
        held = [p for p in range(partitions) if ownership.hosts[ownership.places[p][0]] == host]
        entries = []
        for block in range(samples // partitions):
            fold = partition_of(block * partitions, partitions)
            entries += [block * partitions + (p ^ fold) for p in held]
        rest = range(samples // partitions * partitions, samples)
        entries += [i for i in rest if partition_of(i, partitions) in held]
        base = mix(base_by_word(5, 3) + (number + 1) * 0x9E3779B97F4A7C15)
        order = [entries[keyed_by_word(len(entries), base, k)] for k in range(len(entries))]
        for place, rank in enumerate(ranks):
            read = [made.indices(step, rank).tolist() for step in range(made.steps)]
            assert sum(read, []) == order[place :: len(ranks)]


# Local.


@pytest.mark.parametrize("hosts, batch", [(2, 256), (4, 1024), (8, 512)])
def test_prediction_is_what_is_found(hosts: int, batch: int) -> None:
    ownership = owned(1024, hosts, by=2)
    made = plan(200_000, strategy="exact", global_batch=batch, world_size=hosts,
                ownership=ownership, rank_hosts=[f"h{k}" for k in range(hosts)])  # fmt: skip
    steps = range(min(100, made.steps))
    found = np.mean(
        [
            made.local(made.indices(step, rank), rank).mean()
            for step in steps
            for rank in range(hosts)
        ]
    )
    assert abs(found - made.predicted_local_share) < 0.01
    near = 1 - np.sqrt((hosts - 1) / (2 * np.pi * batch))
    assert abs(made.predicted_local_share - near) < 0.002
    if (hosts, batch) == (4, 1024):
        assert found >= 0.97


def test_prediction_of_plain_and_of_unequal_hosts() -> None:
    ownership = Ownership.of([["a"]] * 24 + [["b"]] * 8)
    both = {"ownership": ownership, "rank_hosts": ["a", "b", "b", ""], "world_size": 4}
    assert plan(1000, batch=2, **both).predicted_local_share == pytest.approx((0.75 + 2 * 0.25) / 4)

    # E[min(X, r)] by its sum, for X ~ Bin(8, 3/4) and r = 2, X ~ Bin(8, 1/4) and r = 4.
    def least(p: float, r: int) -> float:
        return sum(comb(8, k) * p**k * (1 - p) ** (8 - k) * min(k, r) for k in range(9))

    expected = (least(0.75, 2) + least(0.25, 4)) / 8
    made = plan(1000, batch=2, strategy="exact", **both)
    assert made.predicted_local_share == pytest.approx(expected, abs=1e-9)


# Stops.


@pytest.mark.parametrize("strategy", ["exact", "plain"])
@pytest.mark.parametrize("tail", ["pad", "uneven", "drop"])
def test_stops_and_other_world_sizes_lose_and_repeat_nothing(tail: str, strategy: str) -> None:
    samples, seed, epoch, batch = 1000, 3, 2, 5
    order = reference_order(samples, seed=seed, epoch=epoch).at(np.arange(samples)).tolist()
    read: list[int] = []
    state: Any = None
    for world, steps in ((4, 11), (3, 20), (7, 6), (2, None)):
        more: dict[str, Any] = {
            "tail": tail, "strategy": strategy, "world_size": world, "batch": batch,
            "ownership": owned(), "rank_hosts": [f"h{k % 3}" for k in range(world)], "dataset": "d",
        }  # fmt: skip
        if state is None:
            made = EpochPlan(samples, seed=seed, epoch=epoch, **more)
        else:
            made = EpochPlan.resumed(state, samples, **more)
        steps = made.steps if steps is None else steps
        for step in range(steps):
            ranks = [one.tolist() for one in made.ranks(step)]
            assert sorted(sum(ranks, [])) == sorted(made.window(step).tolist())
            read += made.window(step).tolist()
        state = made.state_dict(steps)
        assert len(made.state(steps)) == 64
    assert PlanState.parse(state).consumed == samples
    whole = len(read) if tail == "drop" else samples
    assert read[:whole] == order[:whole]
    assert read[whole:] == order[: len(read) - whole] and len(read) - whole < 2
    with pytest.raises(PlanError, match="state of epoch=2, but epoch=3 is set"):
        EpochPlan.resumed(state, samples, tail=tail, epoch=3, strategy="plain", batch=4)
    ended = EpochPlan.resumed(
        state, samples, tail=tail, strategy="plain", batch=4, world_size=5, dataset="d"
    )
    assert ended.steps == 0 and ended.state_dict(0) == state
    with pytest.raises(ValueError, match="step=0, but the epoch has no steps left"):
        ended.window(0)


def test_fixed_global_batch_keeps_the_steps_at_any_world_size() -> None:
    windows = []
    for world in (1, 4, 7):
        made = plan(500, global_batch=24, batch=None, world_size=world)
        for step in range(made.steps):
            counts = [len(one) for one in made.ranks(step)]
            assert sum(counts) == 24 and max(counts) - min(counts) <= 1
            weighted = sum(made.weight(step, r) for r in range(world))
            assert weighted == pytest.approx(world)
        windows.append([made.window(step).tolist() for step in range(made.steps)])
    assert windows[0] == windows[1] == windows[2]


def test_rank_without_a_sample_has_a_stand_in() -> None:
    made = plan(9, tail="uneven", world_size=4, batch=2)
    assert [len(one) for one in made.ranks(1)] == [1, 0, 0, 0]
    assert [made.weight(1, rank) for rank in range(4)] == [4.0, 0.0, 0.0, 0.0]
    assert made.stand_in(1, 3) == made.window(1)[0]


STATE_ERRORS = {
    "samples": ({"samples": 999}, "state of samples=1000, but the data set has 999"),
    "seed": ({"seed": 4}, "state of seed=3, but seed=4 is set"),
    "order": ({"order": "torch"}, "state of order=keyed, but order=torch is set"),
    "dataset": ({"dataset": "e"}, "state of another data set than 'e'"),
    "slice": (
        {"strategy": "slice"},
        "state of strategy=exact cannot go on with strategy=slice within an epoch",
    ),
}


@pytest.mark.parametrize("change, text", STATE_ERRORS.values(), ids=list(STATE_ERRORS))
def test_state_of_something_else_is_refused(change: dict, text: str) -> None:
    made = plan(1000, seed=3, dataset="d", world_size=2)
    good = {"samples": 1000, "seed": 3, "order": "keyed", "strategy": "exact", "dataset": "d"}
    state = PlanState.parse(made.state_dict(5))
    state.check(**good)  # type: ignore[arg-type]
    with pytest.raises(PlanError, match=text):
        state.check(**{**good, **change})  # type: ignore[arg-type]


def test_damaged_state_is_told() -> None:
    state = plan(1000, seed=3, world_size=2).state(5)
    for byte in range(64):
        broken = bytearray(state)
        broken[byte] ^= 4
        with pytest.raises(PlanError, match="state is damaged"):
            PlanState.parse(bytes(broken))
    for other in (state[:-1], {}, {"training_day_plan": 5}, {"training_day_plan": "xy"}):
        with pytest.raises(PlanError, match="state is damaged"):
            PlanState.parse(other)


def test_slices_go_on_only_where_they_are_the_same() -> None:
    both: dict[str, Any] = {"strategy": "slice", "world_size": 2, "rank_hosts": ["h0", "h1"]}
    made = plan(1000, ownership=owned(hosts=2), **both)
    state = PlanState.parse(made.state(7))
    assert state.consumed == 7 * 4
    state.check_hosts(plan(1000, ownership=owned(hosts=2), start=28, **both))
    with pytest.raises(PlanError, match="hosts or ownership have changed since"):
        state.check_hosts(plan(1000, ownership=owned(hosts=2, by=2), start=28, **both))


# Nonsense.

ARGUMENTS = {
    "no samples": ({"samples": 0}, "samples=0, allowed: 1–281474976710656"),
    "epoch": ({"epoch": -1}, "epoch=-1, allowed: 0–2147483647"),
    "no ranks": ({"world_size": 0}, "world size=0, allowed: 1–65535"),
    "batch": ({"batch": 0}, "batch=0, allowed: 1–1048576"),
    "too large": ({"batch": 51, "world_size": 2}, "global batch=102 > samples=100, take a smaller"),
    "too small": (
        {"batch": None, "global_batch": 3, "world_size": 4},
        "global batch=3 < world size=4, every rank needs a sample in each step",
    ),
    "both": (
        {"batch": 4, "global_batch": 8},
        "batch=4 and global batch=8 are both given, give one",
    ),
    "neither": ({"batch": None}, "give batch or global batch"),
    "no tail": ({"tail": None}, "give tail: drop, pad or uneven"),
    "tail": ({"tail": "cut"}, "tail=cut, allowed: drop, pad, uneven"),
    "order": ({"order": "none"}, "order=none, allowed: keyed, torch, sequence"),
    "strategy": ({"strategy": "best"}, "strategy=best, allowed: exact, slice, plain"),
    "snapshot": (
        {"strategy": "exact"},
        "strategy=exact needs an ownership snapshot, pass one or take strategy=plain",
    ),
    "hosts": (
        {"strategy": "exact", "ownership": owned(), "rank_hosts": ["a"], "world_size": 2},
        "rank hosts: 1 given, world size=2",
    ),
    "slice of torch's order": (
        {"strategy": "slice", "order": "torch", "ownership": owned()},
        "strategy=slice cannot use order=torch",
    ),
    "slice of a global batch": (
        {"strategy": "slice", "batch": None, "global_batch": 8, "ownership": owned()},
        "strategy=slice takes a batch per rank, not global batch=8",
    ),
    "slice of nothing": (
        {"samples": 8, "batch": 1, "strategy": "slice",
         "ownership": Ownership.of([["a"]] * 31 + [["b"]]), "world_size": 2,
         "rank_hosts": ["a", "b"]},
        "strategy=slice: host 'b' holds no samples of this data set, use strategy=exact",
    ),
}  # fmt: skip


@pytest.mark.parametrize("arguments, text", ARGUMENTS.values(), ids=list(ARGUMENTS))
def test_nonsense_is_a_worded_error(arguments: dict, text: str) -> None:
    with pytest.raises(ValueError, match=text.replace("(", r"\(")):
        plan(**{"samples": 100, **arguments})


def test_nonsense_asked_of_a_plan_is_a_worded_error() -> None:
    made = plan(100, strategy="exact", ownership=owned(), world_size=2, rank_hosts=["h0", "h1"])
    with pytest.raises(ValueError, match=r"rank=2, allowed: 0–1 \(world size=2\)"):
        made.indices(0, 2)
    with pytest.raises(ValueError, match="rank=-1, allowed: 0–1"):
        made.indices(0, -1)
    with pytest.raises(ValueError, match="step=12, allowed: 0–11"):
        made.indices(12, 0)
    with pytest.raises(ValueError, match="step=13, allowed: 0–12"):
        made.state(13)
    with pytest.raises(ValueError, match="index=-1, allowed: 0–99"):
        made.local(np.array([3, -1]), 0)
    with pytest.raises(ValueError, match="position=100, allowed: 0–99"):
        made.at(100)


def test_snapshot_is_told_from_other_bytes() -> None:
    made = owned(32, 4, 3)
    content = made.encode()
    assert Ownership.decode(content) == made and Ownership.decode(content).digest == made.digest
    for cut in range(len(content)):
        with pytest.raises(ValueError, match="snapshot is malformed"):
            Ownership.decode(content[:cut])
    with pytest.raises(ValueError, match="snapshot is malformed: 1 bytes too many"):
        Ownership.decode(content + b"\0")
    with pytest.raises(ValueError, match="partitions=48"):
        Ownership.of([["a"]] * 48)
    assert Ownership.of([["b", "b", "a", "c", "d"]] * 32).places[5].tolist() == [1, 0, 2]


def test_verdicts() -> None:
    planned = (96, 1000)
    words = [
        Verdict.of(read, planned, world, 8).word
        for read, world in (
            (planned, 2),
            ((48, 700), 2),
            ((44, 700), 2),
            ((192, 2000), 2),
            ((80, 900), 2),
            ((96, 999), 2),
            ((48, 1), 1),
        )
    ]
    assert words == [
        "complete",
        "sharded-twice",
        "sharded-twice",
        "not-sharded",
        "incomplete",
        "different",
        "incomplete",
    ]
    assert checksum([3, 1, 2]) == sum(mix(i) >> 32 for i in (1, 2, 3))


# Large.


def test_thousand_million_samples_begin_at_once_in_little_memory() -> None:
    ownership = owned(1024, 4)
    rank_hosts = ["h0", "h1", "h2", "h3"]
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        started = time.process_time()
        made = plan(10**9, strategy="exact", batch=256, world_size=4, ownership=ownership,
                    rank_hosts=rank_hosts)  # fmt: skip
        batch = made.indices(0, 1)
        seconds = time.process_time() - started
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    print(f"first batch after {1000 * seconds:.1f} ms, {held - before} bytes held")
    assert len(batch) == 256 and seconds < 0.1
    assert held - before <= 64 << 10
    assert len(made.state(10**9 // 1024 // 2)) == 64
    last = made.ranks(made.steps - 1)
    assert len(np.unique(np.concatenate(last))) == 1024
