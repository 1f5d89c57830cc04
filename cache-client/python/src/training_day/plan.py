"""Which rank reads which sample in which step, as `contract/plan.md` has it; a pure function of its
arguments."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Optional, Union

import numpy as np
import torch

from training_day.checksums import GAMMA, M1, M2, U64, mix
from training_day.errors import PlanError
from training_day.ownership import COPIES, Ownership
from training_day.placement import partitions_of

__all__ = ["EpochPlan", "PlanState", "Verdict", "reference_order"]

ORDERS = {"keyed": 1, "torch": 2, "sequence": 3}
STRATEGIES = ("exact", "slice", "plain")
TAILS = ("drop", "pad", "uneven")

_MOST_SAMPLES = 1 << 48
_MOST_EPOCH = (1 << 31) - 1
_MOST_RANKS = 65_535
_MOST_BATCH = 1 << 20
_MOST_GLOBAL_BATCH = 1 << 24
_MOST_HOST_BYTES = 512

_STATE = struct.Struct("<IHBBqqqqQQQ")
_STATE_MAGIC, _STATE_VERSION = 0x45504454, 1
_STATE_KEY = "training_day_plan"
_WINDOWS, _SLICES = 1, 2


class _Sequence:
    def at(self, positions: np.ndarray) -> np.ndarray:
        return positions.astype(np.int64)


class _Torch:
    def __init__(self, samples: int, seed: int, epoch: int) -> None:
        generator = torch.Generator()
        generator.manual_seed(seed + epoch)
        self._order: np.ndarray = torch.randperm(samples, generator=generator).numpy()

    def at(self, positions: np.ndarray) -> np.ndarray:
        return self._order[positions]


class _Keyed:
    """A Feistel network over a domain of less than four times the size; who falls outside walks
    on."""

    def __init__(self, size: int, base: int) -> None:
        bits = max(2, (size - 1).bit_length())
        half = (bits + 1) // 2
        rounds = 6 if half >= 8 else 24
        self._size = np.uint64(size)
        self._half = np.uint64(half)
        self._rest = np.uint64(64 - half)
        self._mask = np.uint64((1 << half) - 1)
        self._keys = [np.uint64(mix(base + (k + 1) * GAMMA)) for k in range(rounds)]

    def at(self, positions: np.ndarray) -> np.ndarray:
        if self._size == 1:
            return np.zeros(len(positions), np.int64)
        places = self._passed(positions.astype(np.uint64))
        outside = np.flatnonzero(places >= self._size)
        while len(outside):
            walked = self._passed(places[outside])
            places[outside] = walked
            outside = outside[walked >= self._size]
        return places.astype(np.int64)

    def _passed(self, x: np.ndarray) -> np.ndarray:
        left, right = x >> self._half, x & self._mask
        for key in self._keys:
            t = right ^ key
            t *= np.uint64(M1)
            t ^= t >> np.uint64(32)
            t *= np.uint64(M2)
            t >>= self._rest
            t ^= left
            left, right = right, t
        return (left << self._half) | right


def _base(seed: int, epoch: int) -> int:
    return mix(mix(seed + GAMMA) + epoch)


def reference_order(samples: int, *, seed: int = 0, epoch: int = 0, order: str = "keyed") -> Any:
    """The order of an epoch: its `at(positions)` gives the indices at some positions, 0 to
    `samples` - 1, as an int64 array. O(1) memory with "keyed", O(samples) with "torch"."""
    _check_order(samples, seed, epoch, order)
    if order == "keyed":
        return _Keyed(samples, _base(seed, epoch))
    return _Torch(samples, seed, epoch) if order == "torch" else _Sequence()


def _check_order(samples: int, seed: int, epoch: int, order: str) -> None:
    if not 1 <= samples <= _MOST_SAMPLES:
        raise ValueError(f"samples={samples}, allowed: 1–{_MOST_SAMPLES}")
    if not -(1 << 63) <= seed < 1 << 63:
        raise ValueError(f"seed={seed}, allowed: 64 bits with a sign")
    if not 0 <= epoch <= _MOST_EPOCH:
        raise ValueError(f"epoch={epoch}, allowed: 0–{_MOST_EPOCH}")
    if order not in ORDERS:
        raise ValueError(f"order={order}, allowed: {', '.join(ORDERS)}")


def check_arguments(
    samples: int,
    *,
    tail: Optional[str],
    seed: int = 0,
    epoch: int = 0,
    world_size: int = 1,
    batch: Optional[int] = None,
    global_batch: Optional[int] = None,
    order: str = "keyed",
    strategy: str = "exact",
    start: int = 0,
) -> None:
    """Raises ValueError for what no plan can be made of, whatever the ownership."""
    _check_order(samples, seed, epoch, order)
    if not 1 <= world_size <= _MOST_RANKS:
        raise ValueError(f"world size={world_size}, allowed: 1–{_MOST_RANKS}")
    if tail is None:
        raise ValueError("give tail: drop, pad or uneven")
    if tail not in TAILS:
        raise ValueError(f"tail={tail}, allowed: {', '.join(TAILS)}")
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy={strategy}, allowed: {', '.join(STRATEGIES)}")
    if not 0 <= start <= samples:
        raise ValueError(f"start={start}, allowed: 0–{samples}")
    if strategy == "slice" and order == "torch":
        raise ValueError("strategy=slice cannot use order=torch")
    size = _checked_batch(batch, global_batch, world_size, strategy)
    if size > samples and (start == 0 or strategy == "slice"):
        raise ValueError(
            f"global batch={size} > samples={samples}, take a smaller batch or fewer ranks"
        )


def _checked_batch(
    batch: Optional[int], global_batch: Optional[int], world_size: int, strategy: str
) -> int:
    """Of all ranks together."""
    if batch is not None and global_batch is not None:
        raise ValueError(f"batch={batch} and global batch={global_batch} are both given, give one")
    if batch is None and global_batch is None:
        raise ValueError("give batch or global batch")
    if batch is not None and not 1 <= batch <= _MOST_BATCH:
        raise ValueError(f"batch={batch}, allowed: 1–{_MOST_BATCH}")
    if strategy == "slice" and batch is None:
        raise ValueError(f"strategy=slice takes a batch per rank, not global batch={global_batch}")
    size = global_batch if batch is None else batch * world_size
    assert size is not None
    if size < world_size:
        raise ValueError(
            f"global batch={size} < world size={world_size}, every rank needs a sample in each step"
        )
    if size > _MOST_GLOBAL_BATCH:
        raise ValueError(f"global batch={size}, allowed: at most {_MOST_GLOBAL_BATCH}")
    return size


@dataclass(frozen=True)
class Verdict:
    """Whether the ranks together read what was planned.

    word: "complete", "sharded-twice", "not-sharded", "incomplete" or "different".
    """

    word: str
    text: str

    @classmethod
    def of(
        cls,
        read: tuple[int, int],
        planned: tuple[int, int],
        world_size: int,
        global_batch: int,
    ) -> Verdict:
        """Of the sums over ranks of counts and checksums; checksums as 64 bits."""
        count, expected = read[0], planned[0]
        if count == expected:
            if (read[1] - planned[1]) & U64 == 0:
                return cls("complete", f"all {count} samples were read once")
            return cls(
                "different", f"the {count} samples that all ranks read are not those of the epoch"
            )
        if world_size > 1 and abs(count * world_size - expected) <= world_size * global_batch:
            return cls(
                "sharded-twice",
                f"read 1/{world_size}²: sharded twice. All ranks together read {count} of"
                f" {expected} samples",
            )
        if world_size > 1 and count == world_size * expected:
            return cls(
                "not-sharded",
                f"each of {world_size} ranks read all {expected} samples: not sharded",
            )
        return cls("incomplete", f"all ranks together read {count} of {expected} samples")


class EpochPlan:
    """Which rank reads which sample in which step of an epoch.

    Equal arguments give equal plans, in every process and in Java; nothing is asked of anybody.
    With order="keyed" it takes O(1) memory, and any step costs the same.

        plan = EpochPlan(len(ds), tail="drop", batch=64, world_size=4, strategy="plain")
        plan.indices(step=0, rank=2)

    What is read
        samples: of the data set.
        seed, epoch: of the shuffle.
        order: "keyed"; "torch" for the order of `torch.randperm` with a generator of `seed +
            epoch`, 8 bytes a sample; "sequence" for none.
        numbers: of a subset, the index of each of its samples in the data set whose ownership it
            is; the plan is of places in the subset.
        start: samples that were consumed before, from a state.

    Who reads it
        world_size: ranks.
        batch: samples of a rank in a step; or instead
        global_batch: samples of all ranks in a step, of which each reads as many as any other, or
            one less.
        tail: what becomes of the samples that fill no step: "drop" leaves them out, "pad" repeats
            the order's beginning, "uneven" deals them out; see `weight`.
        strategy: "exact" keeps the samples of a step, and has each read where it lies as far as all
            ranks get equally many; "plain" deals them out in turn, as DistributedSampler does;
            "slice" has each rank read what lies on its own host, whatever step that puts it into.
        ownership, rank_hosts: where samples lie, and the host id of each rank, "" where it has no
            node; for "exact" and "slice".
        dataset: the name that states are marked with.

    Raises ValueError for arguments that cannot be.
    """

    def __init__(
        self,
        samples: int,
        *,
        tail: Optional[str] = None,
        seed: int = 0,
        epoch: int = 0,
        world_size: int = 1,
        batch: Optional[int] = None,
        global_batch: Optional[int] = None,
        order: str = "keyed",
        strategy: str = "exact",
        ownership: Optional[Ownership] = None,
        rank_hosts: Optional[Sequence[str]] = None,
        start: int = 0,
        dataset: str = "",
        numbers: Optional[np.ndarray] = None,
    ) -> None:
        check_arguments(
            samples,
            tail=tail,
            seed=seed,
            epoch=epoch,
            world_size=world_size,
            batch=batch,
            global_batch=global_batch,
            order=order,
            strategy=strategy,
            start=start,
        )
        self.samples = samples
        self.seed = seed
        self.epoch = epoch
        self.order = order
        self.world_size = world_size
        self.batch = batch
        self.tail = tail
        self.strategy = strategy
        self.ownership = ownership
        self.start = start
        self.dataset = dataset
        self.global_batch: int = batch * world_size if batch is not None else global_batch or 0
        self._numbers = numbers
        self._places: Optional[_Places] = None
        if ownership is not None:
            self._places = _Places(ownership, _checked_hosts(rank_hosts, world_size))
        elif strategy != "plain":
            raise self._no_snapshot()
        self._order: Any = None
        self._slices: Optional[_Slices] = None
        if strategy == "slice":
            if numbers is not None:
                raise ValueError("strategy=slice is of whole data sets, not of a subset")
            assert self._places is not None
            self._slices = _Slices(self, self._places)
            self.steps: int = self._slices.steps
        else:
            left = samples - start
            whole = left // self.global_batch
            self.steps = whole if tail == "drop" else -(-left // self.global_batch)

    @classmethod
    def resumed(
        cls, state: Union[bytes, Mapping[str, Any]], samples: int, **arguments: Any
    ) -> EpochPlan:
        """What is left of an epoch behind a state, at whatever world size; seed and epoch are the
        state's, all else as of EpochPlan.

        Raises PlanError for what is no state, or one of another data set, seed or order.
        """
        parsed = PlanState.parse(state)
        epoch = arguments.pop("epoch", parsed.epoch)
        if epoch != parsed.epoch:
            raise PlanError(f"state of epoch={parsed.epoch}, but epoch={epoch} is set")
        parsed.check(
            samples=samples,
            seed=arguments.pop("seed", parsed.seed),
            order=arguments.get("order", "keyed"),
            strategy=arguments.get("strategy", "exact"),
            dataset=arguments.get("dataset", ""),
        )
        made = cls(samples, seed=parsed.seed, epoch=epoch, start=parsed.consumed, **arguments)
        parsed.check_hosts(made)
        return made

    # What is read.

    @property
    def reference(self) -> Any:
        """The order of the epoch, see `reference_order`."""
        if self._order is None:
            self._order = reference_order(
                self.samples, seed=self.seed, epoch=self.epoch, order=self.order
            )
        return self._order

    def at(self, position: int) -> int:
        """The index at a position of the epoch's order, 0 to `samples` - 1."""
        if not 0 <= position < self.samples:
            raise ValueError(f"position={position}, allowed: 0–{self.samples - 1}")
        return int(self.reference.at(np.array([position], np.int64))[0])

    def window(self, step: int) -> np.ndarray:
        """What all ranks read in a step, in the order of the epoch; int64. With "slice", rank by
        rank."""
        self._check_step(step)
        if self._slices is not None:
            return np.concatenate(
                [self._slices.indices(step, rank) for rank in range(self.world_size)]
            )
        first = self.start + step * self.global_batch
        positions = np.arange(first, first + self.size(step), dtype=np.int64)
        if self.tail == "pad":
            positions %= self.samples
        return self.reference.at(positions)

    def size(self, step: int) -> int:
        """How many samples all ranks read in a step."""
        self._check_step(step)
        if self._slices is not None:
            return sum(self._slices.count(step, rank) for rank in range(self.world_size))
        left = self.samples - self.start - step * self.global_batch
        if left >= self.global_batch:
            return self.global_batch
        if self.tail == "pad":
            return min(self.global_batch, -(-left // self.world_size) * self.world_size)
        return left

    def count(self, step: int, rank: int) -> int:
        """How many samples a rank reads in a step."""
        self._check_rank(rank)
        if self._slices is not None:
            self._check_step(step)
            return self._slices.count(step, rank)
        size = self.size(step)
        return size // self.world_size + (rank < size % self.world_size)

    def total(self, rank: int) -> int:
        """How many samples a rank reads in all steps."""
        self._check_rank(rank)
        if not self.steps:
            return 0
        last = self.steps - 1
        before = 0
        if self._slices is not None and self.tail == "uneven":
            before = self._slices.counted(last, rank)
        elif last:
            before = last * self.count(0, rank)
        return before + self.count(last, rank)

    def weight(self, step: int, rank: int) -> float:
        """What a rank's mean loss counts when gradients are averaged over ranks, so that the mean
        is that over all samples; 1 with equal counts, 0 for a rank without a sample."""
        return self.world_size * self.count(step, rank) / self.size(step)

    # Who reads it.

    def indices(self, step: int, rank: int) -> np.ndarray:
        """What a rank reads in a step, in the order of the epoch; int64, empty for one that has
        nothing in an "uneven" last step."""
        self._check_rank(rank)
        return self.read(step, rank)[0]

    def read(self, step: int, rank: int) -> tuple[np.ndarray, Optional[np.ndarray]]:
        """As `indices`, with the window it is of; None with "slice"."""
        if self._slices is not None:
            self._check_step(step)
            return self._slices.indices(step, rank), None
        window = self.window(step)
        if self.strategy == "plain":
            return window[rank :: self.world_size], window
        assert self._places is not None
        return window[self._places.mine(self._hosts_of(window), rank)], window

    def ranks(self, step: int) -> list[np.ndarray]:
        """As `indices`, of all ranks."""
        if self.strategy == "slice":
            return [self.indices(step, rank) for rank in range(self.world_size)]
        window = self.window(step)
        if self.strategy == "plain":
            return [window[rank :: self.world_size] for rank in range(self.world_size)]
        assert self._places is not None
        hosts = self._hosts_of(window)
        return [window[self._places.mine(hosts, rank)] for rank in range(self.world_size)]

    def stand_in(self, step: int, rank: int) -> int:
        """The sample that a rank without one reads at weight 0, to take part in the step."""
        if self._slices is not None:
            return int(self._slices.first_of(rank))
        first = self.start + step * self.global_batch
        return int(self.reference.at(np.array([first], np.int64))[0])

    def _hosts_of(self, window: np.ndarray) -> np.ndarray:
        places = self._places
        assert places is not None
        counts = np.full(self.world_size, len(window) // self.world_size, np.int64)
        counts[: len(window) % self.world_size] += 1
        return places.assigned(self._own_numbers(window), counts)

    def _own_numbers(self, indices: np.ndarray) -> np.ndarray:
        return indices if self._numbers is None else self._numbers[indices]

    # How much of it is local.

    def local(self, indices: np.ndarray, rank: int) -> np.ndarray:
        """Of some samples, which have a copy on the rank's host; bool."""
        self._check_rank(rank)
        indices = np.asarray(indices, np.int64)
        wrong = indices[(indices < 0) | (indices >= self.samples)]
        if len(wrong):
            raise ValueError(f"index={wrong[0]}, allowed: 0–{self.samples - 1}")
        if self._places is None:
            raise ValueError("ownership is not known, pass ownership and rank_hosts")
        return self._places.local(self._own_numbers(indices), rank)

    @property
    def predicted_local_share(self) -> float:
        """Which share of reads is to be expected local, 0 to 1, from the shares that the ranks'
        hosts hold."""
        if self._places is None:
            raise ValueError("ownership is not known, pass ownership and rank_hosts")
        if self._slices is not None:
            return self._slices.local_share()
        return self._places.predicted(self.global_batch, self.strategy == "exact")

    # State.

    def consumed(self, step: int) -> int:
        """What is consumed after so many steps, 0 to `steps`: positions, or with "slice" places of
        each rank; `samples` after the last."""
        if not 0 <= step <= self.steps:
            raise ValueError(f"step={step}, allowed: 0–{self.steps}")
        if step == self.steps:
            return self.samples
        return self.start + step * (self.batch if self._slices is not None else self.global_batch)

    def state(self, step: int) -> bytes:
        """The contract's 64 bytes after so many steps, 0 to `steps`."""
        hosts = 0
        if self._slices is not None:
            assert self._places is not None
            hosts = self._places.digest()
        kind = _WINDOWS if self._slices is None else _SLICES
        head = _STATE.pack(
            _STATE_MAGIC,
            _STATE_VERSION,
            ORDERS[self.order],
            kind,
            self.seed,
            self.epoch,
            self.samples,
            self.consumed(step),
            name_digest(self.dataset),
            hosts,
            0,
        )[:-8]
        return head + struct.pack("<Q", _check_of(head))

    def state_dict(self, step: int) -> dict[str, str]:
        """The state for a checkpoint that holds texts and numbers."""
        return {_STATE_KEY: self.state(step).hex()}

    # Checks.

    def _no_snapshot(self) -> ValueError:
        return ValueError(
            f"strategy={self.strategy} needs an ownership snapshot, pass one or take strategy=plain"
        )

    def _check_rank(self, rank: int) -> None:
        check_rank(rank, self.world_size)

    def _check_step(self, step: int) -> None:
        if 0 <= step < self.steps:
            return
        if not self.steps:
            raise ValueError(f"step={step}, but the epoch has no steps left")
        raise ValueError(f"step={step}, allowed: 0–{self.steps - 1}")


def check_rank(rank: int, world_size: int) -> None:
    if not 0 <= rank < world_size:
        raise ValueError(f"rank={rank}, allowed: 0–{world_size - 1} (world size={world_size})")


def _checked_hosts(rank_hosts: Optional[Sequence[str]], world_size: int) -> list[str]:
    given = list(rank_hosts or ())
    if len(given) != world_size:
        raise ValueError(f"rank hosts: {len(given)} given, world size={world_size}")
    for host in given:
        if len(host.encode()) > _MOST_HOST_BYTES:
            raise ValueError(
                f"rank hosts: one of {len(host.encode())} bytes, allowed: 0–{_MOST_HOST_BYTES}"
            )
    return given


class _Places:
    """Ownership as the ranks see it. Hosts are numbered as their lowest ranks come."""

    def __init__(self, ownership: Ownership, rank_hosts: list[str]) -> None:
        self._ownership = ownership
        self._rank_hosts = rank_hosts
        names = list(dict.fromkeys(rank_hosts))
        number = {name: k for k, name in enumerate(names)}
        self.hosts = names
        self.host_of_rank = np.array([number[name] for name in rank_hosts], np.int32)
        self.ranks_of = np.bincount(self.host_of_rank, minlength=len(names))
        seen = [0] * len(names)
        self.place_in_host = []
        for host in self.host_of_rank.tolist():
            self.place_in_host.append(seen[host])
            seen[host] += 1
        # The number of each copy's host, -1 for one that no rank is on.
        known = np.array([number.get(host, -1) for host in ownership.hosts] + [-1], np.int32)
        self._copies = known[ownership.places]
        self.partitions = ownership.partitions

    def digest(self) -> int:
        """Of the snapshot and the ranks' hosts."""
        sha = sha256(self._ownership.encode())
        sha.update(struct.pack("<I", len(self._rank_hosts)))
        for host in self._rank_hosts:
            text = host.encode()
            sha.update(struct.pack("<I", len(text)) + text)
        return int.from_bytes(sha.digest()[:8], "little")

    def primaries(self) -> np.ndarray:
        return self._copies[:, 0]

    def assigned(self, indices: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """The host of each sample of a window."""
        hosts = len(self.hosts)
        room = np.bincount(self.host_of_rank, counts, hosts).astype(np.int64)
        partitions = partitions_of(indices, self.partitions)
        of = np.full(len(indices), -1, np.int32)
        for level in range(COPIES):
            wanted = self._copies[partitions, level]
            places = np.flatnonzero((of < 0) & (wanted >= 0))
            if not len(places):
                continue
            wanted = wanted[places]
            by_host = np.argsort(wanted.astype(np.uint16), kind="stable")
            asked = np.bincount(wanted, minlength=hosts)
            # How many before it, in the order of the window, want the same host.
            before = np.arange(len(places)) - np.repeat(np.cumsum(asked) - asked, asked)
            by_host = by_host[before < room[wanted[by_host]]]
            of[places[by_host]] = wanted[by_host]
            room -= np.minimum(asked, room)
        of[of < 0] = np.repeat(np.arange(hosts, dtype=np.int32), room)
        return of

    def mine(self, hosts: np.ndarray, rank: int) -> np.ndarray:
        """The places in a window of a rank's samples."""
        host = int(self.host_of_rank[rank])
        here = np.flatnonzero(hosts == host)
        return here[self.place_in_host[rank] :: int(self.ranks_of[host])]

    def local(self, indices: np.ndarray, rank: int) -> np.ndarray:
        copies = self._copies[partitions_of(indices, self.partitions)]
        return (copies == self.host_of_rank[rank]).any(axis=1)

    def local_to(self, hosts: np.ndarray) -> np.ndarray:
        """Of each partition, whether the host given for it has a copy."""
        return (self._copies == hosts[:, None]).any(axis=1)

    def predicted(self, global_batch: int, by_place: bool) -> float:
        ranks = len(self.host_of_rank)
        counts = np.full(ranks, global_batch // ranks)
        counts[: global_batch % ranks] += 1
        rooms = np.bincount(self.host_of_rank, counts, len(self.hosts))
        found = 0.0
        for host, room in enumerate(rooms.tolist()):
            if by_place:
                share = float((self.primaries() == host).mean())
                found += _expected_least(global_batch, share, int(room))
            else:
                found += room * float((self._copies == host).any(axis=1).mean())
        return found / global_batch


def _expected_least(n: int, p: float, r: int) -> float:
    """E[min(X, r)] for X binomially distributed, n times p."""
    if p <= 0 or p >= 1:
        return float(min(n, r)) if p >= 1 else 0.0
    # Chances relative to that of the mode, which is far from underflow, then scaled; those more
    # than 40 standard deviations away add nothing.
    mode = min(n, int((n + 1) * p))
    odds = p / (1 - p)
    far = int(40 * math.sqrt(n * p * (1 - p))) + 50
    lowest, highest = max(0, mode - far), min(n, mode + far)
    up = np.arange(mode, highest, dtype=np.float64)
    down = np.arange(mode, lowest, -1, dtype=np.float64)
    above = np.cumprod((n - up) / (up + 1) * odds)
    below = np.cumprod(down / (n - down + 1) / odds)
    chances = np.concatenate([below[::-1], [1.0], above])
    least = np.minimum(np.arange(lowest, highest + 1), r)
    return float((chances * least).sum() / chances.sum())


class _Slices:
    """What each rank reads of its own host."""

    def __init__(self, plan: EpochPlan, places: _Places) -> None:
        self._plan = plan
        self._places = places
        assert plan.batch is not None
        self._batch = plan.batch
        primaries = places.primaries().copy()
        others = np.flatnonzero(primaries < 0)
        primaries[others] = np.arange(len(others)) % len(places.hosts)
        self._of_partition = primaries
        self._bits = places.partitions.bit_length() - 1
        self._blocks = plan.samples >> self._bits
        rest = np.arange(self._blocks << self._bits, plan.samples, dtype=np.int64)
        rest_of = primaries[partitions_of(rest, places.partitions)]
        self._partitions: list[np.ndarray] = []
        self._rest: list[np.ndarray] = []
        self._sizes: list[int] = []
        for host, name in enumerate(places.hosts):
            held = np.flatnonzero(primaries == host)
            left = rest[rest_of == host]
            size = self._blocks * len(held) + len(left)
            if size == 0:
                raise ValueError(
                    f"strategy=slice: host '{name}' holds no samples of this data set, use"
                    " strategy=exact"
                )
            self._partitions.append(held)
            self._rest.append(left)
            self._sizes.append(size)
        lengths = [self.length(rank) for rank in range(plan.world_size)]
        if min(lengths) == 0:
            name = places.hosts[int(places.host_of_rank[lengths.index(0)])]
            raise ValueError(
                f"strategy=slice: host '{name}' holds no samples of this data set for each of its"
                " ranks, use strategy=exact"
            )
        if plan.tail == "drop":
            steps = (min(lengths) - plan.start) // self._batch
        else:
            steps = -(-(max(lengths) - plan.start) // self._batch)
        self.steps = max(0, steps)
        self._orders: dict[int, Any] = {}

    def length(self, rank: int) -> int:
        host = int(self._places.host_of_rank[rank])
        place, ranks = self._places.place_in_host[rank], int(self._places.ranks_of[host])
        return (self._sizes[host] - place + ranks - 1) // ranks

    def counted(self, step: int, rank: int) -> int:
        """Samples before a step, with "uneven"."""
        start = self._plan.start
        return max(0, min(self.length(rank), start + step * self._batch) - start)

    def count(self, step: int, rank: int) -> int:
        if self._plan.tail != "uneven":
            return self._batch
        return self.counted(step + 1, rank) - self.counted(step, rank)

    def indices(self, step: int, rank: int) -> np.ndarray:
        first = self._plan.start + step * self._batch
        places = np.arange(first, first + self.count(step, rank), dtype=np.int64)
        return self._at(places % self.length(rank), rank)

    def first_of(self, rank: int) -> int:
        return int(self._at(np.zeros(1, np.int64), rank)[0])

    def _at(self, places: np.ndarray, rank: int) -> np.ndarray:
        host = int(self._places.host_of_rank[rank])
        positions = self._places.place_in_host[rank] + places * int(self._places.ranks_of[host])
        return self._entries(self._order_of(host).at(positions), host)

    def _order_of(self, host: int) -> Any:
        if host not in self._orders:
            base = mix(_base(self._plan.seed, self._plan.epoch) + (host + 1) * GAMMA)
            keyed = self._plan.order == "keyed"
            self._orders[host] = _Keyed(self._sizes[host], base) if keyed else _Sequence()
        return self._orders[host]

    def _entries(self, entries: np.ndarray, host: int) -> np.ndarray:
        held = self._partitions[host]
        whole = self._blocks * len(held)
        out = np.empty(len(entries), np.int64)
        beyond = entries >= whole
        if len(held):
            block, place = np.divmod(entries[~beyond], len(held))
            first = block << self._bits
            out[~beyond] = first + (held[place] ^ partitions_of(first, self._places.partitions))
        out[beyond] = self._rest[host][entries[beyond] - whole]
        return out

    def local_share(self) -> float:
        return float(self._places.local_to(self._of_partition).mean())


@dataclass(frozen=True)
class PlanState:
    """What a state holds; `consumed` is of positions, or of each rank's places with slices."""

    order: str
    slices: bool
    seed: int
    epoch: int
    samples: int
    consumed: int
    dataset: int
    hosts: int

    @classmethod
    def parse(cls, state: Union[bytes, Mapping[str, Any]]) -> PlanState:
        """Raises PlanError for what is no state."""
        if isinstance(state, Mapping):
            try:
                state = bytes.fromhex(state[_STATE_KEY])
            except (KeyError, TypeError, ValueError):
                raise PlanError(
                    f"state is damaged: no '{_STATE_KEY}' of {_STATE.size} bytes as hexadecimal"
                ) from None
        if len(state) != _STATE.size:
            raise PlanError(f"state is damaged: it has {len(state)} bytes, not {_STATE.size}")
        magic, version, order, kind, *rest = _STATE.unpack(state)
        if magic != _STATE_MAGIC:
            raise PlanError(f"state is damaged: magic={magic:#x}")
        if version != _STATE_VERSION:
            raise PlanError(f"state is damaged: version={version}, allowed: {_STATE_VERSION}")
        if rest[-1] != _check_of(state[:-8]):
            raise PlanError("state is damaged: its check is another one")
        names = {number: name for name, number in ORDERS.items()}
        seed, epoch, samples, consumed, dataset, hosts, _ = rest
        if order not in names or kind not in (_WINDOWS, _SLICES):
            raise PlanError(f"state is damaged: order={order}, kind={kind}")
        if not (0 <= epoch <= _MOST_EPOCH and 0 <= consumed <= samples):
            raise PlanError(
                f"state is damaged: epoch={epoch}, consumed={consumed}, samples={samples}"
            )
        return cls(names[order], kind == _SLICES, seed, epoch, samples, consumed, dataset, hosts)

    def check(
        self, *, samples: int, seed: int, order: str, strategy: str, dataset: str = ""
    ) -> None:
        """Raises PlanError if an epoch of these cannot go on from here."""
        if self.samples != samples:
            raise PlanError(f"state of samples={self.samples}, but the data set has {samples}")
        if self.seed != seed:
            raise PlanError(f"state of seed={self.seed}, but seed={seed} is set")
        if self.order != order:
            raise PlanError(f"state of order={self.order}, but order={order} is set")
        if self.dataset and dataset and self.dataset != name_digest(dataset):
            raise PlanError(f"state of another data set than '{dataset}'")
        within = 0 < self.consumed < self.samples
        if within and self.slices != (strategy == "slice"):
            theirs = "slice" if self.slices else "exact"
            raise PlanError(
                f"state of strategy={theirs} cannot go on with strategy={strategy} within an epoch"
            )

    def check_hosts(self, plan: EpochPlan) -> None:
        """Raises PlanError if slices have been cut anew since."""
        if not self.slices or not 0 < self.consumed < self.samples or plan._places is None:
            return
        if plan._places.digest() != self.hosts:
            raise PlanError(
                "state of strategy=slice: hosts or ownership have changed since, slices go on"
                " within an epoch only where they have not; use strategy=exact"
            )


def name_digest(name: str) -> int:
    """What a state keeps of a data set's name, 0 for none."""
    return int.from_bytes(sha256(name.encode()).digest()[:8], "little") if name else 0


def _check_of(head: bytes) -> int:
    check = 0
    for (word,) in struct.iter_unpack("<Q", head):
        check = mix(check ^ word)
    return check
