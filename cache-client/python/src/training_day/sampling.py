"""Samplers for PyTorch by an EpochPlan: each rank reads what its host holds, in an order that does
not depend on that."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional, Union

import numpy as np
import torch.distributed as dist
from torch.utils.data import BatchSampler, Dataset, Subset
from torch.utils.data.distributed import DistributedSampler
from torch.utils.data.sampler import Sampler

from training_day import wrappers
from training_day.agreement import CHECKSUM_MASK, GridAgreement, GroupAgreement
from training_day.checksums import checksum
from training_day.dataset import CachedDataset
from training_day.errors import CacheWarning, PlanError, ShardedTwiceError
from training_day.exchange import Exchange, group_store
from training_day.ownership import Ownership
from training_day.plan import EpochPlan, PlanState, Verdict, check_arguments, check_rank

__all__ = ["EpochBatchSampler", "EpochSampler"]

_RUN_ID, _RESTARTS = "TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT"


class EpochSampler(DistributedSampler):
    """The indices that this rank reads in an epoch, in place of a DistributedSampler, with
    DataLoader(sampler=…, batch_size=…) or a BatchLoader.

    It is a DistributedSampler, so that libraries that know of those leave it alone.

    What is read
        dataset: a CachedDataset, a Subset of one, any data set with a length, or a number of
            samples.
        batch_size: samples of one rank in a step, as the DataLoader's.
        seed, epoch: of the shuffle; the same for all ranks. `set_epoch` moves to another epoch.
        order: "keyed" needs no memory; "torch" is the order of `torch.randperm` with a generator of
            `seed + epoch`, so that the samples of each step are those that DistributedSampler has,
            and takes 8 bytes a sample, as there; "sequence" does not shuffle.
        tail: what becomes of the samples that fill no step: "drop" leaves them out, "pad" repeats
            the first ones, "uneven" deals them out as they are; see `weight`. To be given.

    Who reads it
        strategy: "exact" has the samples of a step read where they lie, as far as all ranks get
            equally many. "slice" has each rank read what its own host holds: all reads are local,
            but steps hold other samples than with "exact". "plain" is DistributedSampler's.
            Default: "exact" where it is known what lies where, else "plain".
        global_batch: samples of all ranks in a step, in place of `batch_size`. Of ranks that cannot
            read equally many, some read one less; see `weight`. For an EpochBatchSampler, unless it
            is a multiple of the world size.
        world_size, rank: default: of the process group when it is used, else what WORLD_SIZE and
            RANK say, else one rank.
        group: the process group of the ranks. Default: all processes.

    Where samples lie
        ownership, rank_hosts: an Ownership and the host id of each rank, the same on all ranks.
            Default: at the start of an epoch the first rank asks its node and tells the others, so
            that all have one plan; what moves in the middle of an epoch changes nothing until the
            next. Only a CachedDataset's is known. `ownership` alone: the ranks tell their hosts.
        job: without a process group, tells this job from others, for the ranks to agree through the
            cache nodes. Default: TORCHELASTIC_RUN_ID.
        timeout: seconds to wait for the others' part in that. Default 60.

    At the end of an epoch, what the ranks have read is added up; see `check`.

    Raises ValueError for arguments that cannot be, PlanError if the plan of the epoch cannot be
    had, ShardedTwiceError if something gives this rank a share of its share.
    """

    def __init__(
        self,
        dataset: Union[Dataset, int],
        batch_size: Optional[int] = None,
        *,
        tail: Optional[str] = None,
        seed: int = 0,
        epoch: int = 0,
        order: str = "keyed",
        strategy: Optional[str] = None,
        global_batch: Optional[int] = None,
        world_size: Optional[int] = None,
        rank: Optional[int] = None,
        group: Optional[Any] = None,
        ownership: Optional[Ownership] = None,
        rank_hosts: Optional[Sequence[str]] = None,
        job: Optional[str] = None,
        timeout: float = 60.0,
    ) -> None:
        # DistributedSampler's own would want a process group already.
        if (world_size is None) != (rank is None):
            raise ValueError(f"world size={world_size} and rank={rank}: give both or none")
        if timeout <= 0:
            raise ValueError(f"timeout={timeout} s, allowed: more than 0")
        if rank_hosts is not None and ownership is None:
            raise ValueError("rank_hosts= without ownership=: give both, or ownership alone")
        self.dataset = dataset  # type: ignore[assignment]
        self.batch_size = batch_size
        self.global_batch = global_batch
        self.tail = tail
        self.seed = seed
        self.order = order
        self._length, self._cached, self._numbers = _looked_into(dataset)
        if strategy is None:
            known = ownership is not None or self._cached is not None
            strategy = "exact" if known else "plain"
        self.strategy = strategy
        self.shuffle = order != "sequence"
        self.drop_last = tail == "drop"
        self._world_size = world_size
        self._rank = rank
        self._group = group
        self._ownership = ownership
        self._rank_hosts = None if rank_hosts is None else list(rank_hosts)
        self._job = job
        self._timeout = timeout
        self._epoch = epoch
        self._start = 0
        self._state: Optional[PlanState] = None
        self._pass: Optional[_Pass] = None
        self._sized: Optional[tuple[Any, EpochPlan]] = None
        self._planned: Optional[tuple[Any, EpochPlan, Optional[GroupAgreement]]] = None
        # What cannot be is said here, as far as it can be told before there is a process group.
        self._check_arguments(world_size, rank)

    # As a DistributedSampler.

    @property
    def num_replicas(self) -> int:  # type: ignore[override]
        """How many ranks there are."""
        return self._place()[0]

    @property
    def rank(self) -> int:  # type: ignore[override]
        """Which of them this is, from 0."""
        return self._place()[1]

    @property
    def epoch(self) -> int:  # type: ignore[override]
        """The epoch that the next pass is of."""
        return self._epoch

    @property
    def num_samples(self) -> int:  # type: ignore[override]
        """As `len`."""
        return len(self)

    @property
    def total_size(self) -> int:  # type: ignore[override]
        """How many indices all ranks have in the next pass."""
        plan = self._sized_plan(self._epoch, self._start)
        return sum(plan.total(rank) for rank in range(plan.world_size))

    def set_epoch(self, epoch: int) -> None:
        """The next pass is of this epoch, from its start; from where `load_state_dict` said, if it
        is the epoch of that state."""
        if epoch < 0:
            raise ValueError(f"epoch={epoch}, allowed: 0–2147483647")
        self.check()
        if epoch != self._epoch:
            self._epoch = int(epoch)
            self._start = 0
            self._state = None
            self._pass = None

    def __len__(self) -> int:
        """How many indices the next pass has, fewer than the epoch if it was resumed."""
        plan = self._sized_plan(self._epoch, self._start)
        if not plan.steps:
            return 0
        return plan.total(self.rank) + (plan.count(plan.steps - 1, self.rank) == 0)

    @property
    def steps(self) -> int:
        """How many steps the next pass has, the same for all ranks."""
        return self._sized_plan(self._epoch, self._start).steps

    @property
    def plan(self) -> EpochPlan:
        """The plan of the current pass; before the first, of the next."""
        if self._pass is not None:
            return self._pass.plan
        return self.planned(self._epoch, self._start)[0]

    def weight(self, step: int) -> float:
        """What this rank's mean loss of a step, counted from 0 in the current pass, is to be
        multiplied with, so that the mean over ranks is that over samples. 1 unless ranks read
        unequally many: with tail="uneven", or a `global_batch` that is no multiple of the world
        size. 0 for a rank for which no sample is left: it reads one all the same, to take part."""
        current = self._pass
        epoch, start = (current.epoch, current.start) if current else (self._epoch, self._start)
        return self._sized_plan(epoch, start).weight(step, self.rank)

    def __iter__(self) -> Iterator[int]:
        """A pass over this rank's indices. Nothing is planned before the first is asked for."""
        batch = self._constant_batch()
        self.check_wrappers()
        for size, drop_last in wrappers.batches_above(self):
            if size != batch:
                raise ValueError(
                    f"DataLoader(batch_size={size}) of an EpochSampler(batch_size={batch}): give"
                    " both the same, or use DataLoader(batch_sampler=EpochBatchSampler(…))"
                )
            if drop_last and self.tail == "uneven":
                raise ValueError(
                    'DataLoader(drop_last=True) of an EpochSampler(tail="uneven"), whose last batch'
                    ' may be smaller: give drop_last=False, or tail="drop"'
                )
        return _Indices(self.begin())

    # State.

    def state_dict(self, *, step: Optional[int] = None) -> dict[str, Any]:
        """Where the epoch is: 64 bytes as a text, the same on all ranks, for the checkpoint of the
        model.

        step: optimizer steps done in this pass, since the epoch began or was resumed. Only the
            training loop knows: a DataLoader has drawn more than has been trained on. torchdata's
            StatefulDataLoader asks without it, at the right time.
        """
        current = self._pass
        if step is None:
            if not wrappers.asked_by_torchdata():
                raise PlanError(
                    "state_dict() without step=: the sampler only knows what has been asked for,"
                    " and a DataLoader asks for batches before they are trained on; a resume would"
                    " leave them out. Give step=, the optimizer steps done in this pass over the"
                    " epoch, or use torchdata's StatefulDataLoader and save its state_dict()"
                )
            step = 0 if current is None else current.step
        if current is None:
            if step:
                raise ValueError(f"step={step} of a pass that has not begun, allowed: 0")
            return self._sized_plan(self._epoch, self._start).state_dict(0)
        return self._sized_plan(current.epoch, current.start).state_dict(step)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The next pass goes on behind the steps of the state, at this world size: over all ranks
        no sample twice, none missing, in the same order. `set_epoch` with its epoch changes nothing
        about that; behind its last step, the pass is empty.

        Raises PlanError if the state is of another data set, seed or order.
        """
        parsed = PlanState.parse(state)
        parsed.check(
            samples=self._length,
            seed=self.seed,
            order=self.order,
            strategy=self.strategy,
            dataset=self._name,
        )
        self._epoch, self._start, self._state = parsed.epoch, parsed.consumed, parsed
        self._pass = None

    # The end of an epoch.

    def check(self) -> None:
        """Compares what was read in the last pass, if it came to its end, with what was planned, as
        `set_epoch` and the next pass do; for the end of the last epoch. Ranks of a process group
        add up theirs, and the last to come compares; none waits for another.

        Raises ShardedTwiceError or PlanError if all ranks together did not read the samples of the
        epoch once; for some missing, as when a loop was left early, it warns.
        """
        current = self._pass
        if current is not None:
            current.check()

    # For a pass.

    def check_wrappers(self, all_ranks: bool = False) -> None:
        """Raises ShardedTwiceError if somebody asks who gives each rank a share of what it gets."""
        world_size = self.num_replicas
        if world_size == 1:
            return
        if not all_ranks:
            found = wrappers.sharded_above()
            if found is not None:
                raise sharded_twice(world_size, *found)
        elif not wrappers.rank_by_rank_above(world_size):
            raise PlanError(
                "EpochBatchSampler(all_ranks=True) is for accelerate, which picks each rank's"
                f" batches, and nothing picks one in {world_size} here: leave all_ranks= out, or"
                " give the DataLoader to accelerator.prepare, without split_batches"
            )

    def begin(self, all_ranks: bool = False) -> _Pass:
        """A new pass, the current one from now on."""
        self.check()
        self._pass = _Pass(self, self._epoch, self._start, all_ranks)
        return self._pass

    def ended(self, one: _Pass) -> None:
        """The pass has come to its end: the next is of the whole epoch."""
        if one is self._pass:
            self._start = 0
            self._state = None

    def planned(self, epoch: int, start: int) -> tuple[EpochPlan, Optional[GroupAgreement]]:
        """The plan of a pass, which all ranks have, and through what they compare their reads."""
        world_size, rank = self._place()
        key = (epoch, start, world_size, rank)
        if self._planned is not None and self._planned[0] == key:
            return self._planned[1:]
        group = None
        strategy, ownership, hosts = self.strategy, self._ownership, self._rank_hosts
        if strategy == "exact" and world_size == 1:
            strategy, ownership = "plain", None
        elif strategy != "plain" and hosts is None:
            if world_size > 1:
                group = self._group_agreement(epoch, start)
            hosts, ownership = self._agreed(epoch, group)
            if ownership is None:
                strategy = self._without_ownership()
        plan = self._plan_of(epoch, start, strategy, ownership, hosts)
        if self._state is not None:
            self._state.check_hosts(plan)
        self._planned = (key, plan, group)
        return plan, group

    def shared_reads(self) -> Optional[tuple[int, int]]:
        """What has been read of the data set, by count and checksum, if it can tell."""
        return None if self._cached is None else self._cached._shared.audited()

    def numbers_of(self, indices: Any) -> np.ndarray:
        """What the samples are called where they are read."""
        indices = np.asarray(indices, np.int64)
        return indices if self._numbers is None else self._numbers[indices]

    def _agreed(
        self, epoch: int, group: Optional[GroupAgreement]
    ) -> tuple[list[str], Optional[Ownership]]:
        world_size, rank = self._place()
        host, given = self._host(), self._ownership
        if world_size == 1:
            return [host], given or self._ask_node()

        def make() -> bytes:
            found = given or self._ask_node()
            return b"" if found is None else found.encode()

        agreement: Union[GroupAgreement, GridAgreement, None] = group
        if agreement is None:
            job = self._job
            if job is None:
                # torchrun calls a job "none" that has not been given a name.
                job = os.environ.get(_RUN_ID, "none")
                job = None if job == "none" else job
            if job is None or self._cached is None:
                raise PlanError(
                    f"no process group among {world_size} ranks: pass ownership= and rank_hosts=,"
                    " make the process group before the first pass, or name the job with job= for"
                    " the ranks to agree through the cache nodes"
                )
            agreement = GridAgreement(
                self._cached._samples().attachment,
                job,
                os.environ.get(_RESTARTS, "0"),
                epoch,
                rank,
                world_size,
                self._timeout,
            )
        snapshot, hosts = agreement.snapshot(host, make)
        return hosts, None if snapshot == b"" else Ownership.decode(snapshot)

    def _group_agreement(self, epoch: int, start: int) -> Optional[GroupAgreement]:
        if not (dist.is_available() and dist.is_initialized()):
            return None
        world_size, rank = self._place()
        store, prefix = group_store(self._group)
        batch = (
            f"batch={self.batch_size}" if self.batch_size else f"global batch={self.global_batch}"
        )
        what = (
            f"epoch={epoch} of '{self._name}' (samples={self._length} seed={self.seed}"
            f" order={self.order} strategy={self.strategy} tail={self.tail} {batch}"
            f" world size={world_size} start={start})"
        )
        exchange = Exchange(store, prefix)
        return GroupAgreement(exchange, rank, world_size, self._timeout, what)

    def _fills_group(self) -> bool:
        """Whether each process of the group is a rank; with tensor parallelism, several are one."""
        world_size, rank = self._place()
        return dist.get_world_size(self._group) == world_size and (
            dist.get_rank(self._group) == rank or self._rank is not None
        )

    def _without_ownership(self) -> str:
        if self.strategy == "slice":
            raise PlanError(
                'strategy="slice" needs to know what lies where, and rank 0 has no node that tells:'
                ' start one, or take strategy="exact"'
            )
        if self.rank == 0:
            warnings.warn(
                f"no cache node tells where samples of '{self._name}' lie: in epoch {self._epoch}"
                ' they are dealt out as by strategy="plain", in the same steps',
                CacheWarning,
                stacklevel=2,
            )
        return "plain"

    def _ask_node(self) -> Optional[Ownership]:
        owners = None if self._cached is None else self._cached._samples().owners()
        if owners is None or not owners.holders:
            return None
        return Ownership.from_owners(owners)

    def _host(self) -> str:
        session = None if self._cached is None else self._cached._samples().attachment.session
        return "" if session is None else session.limits.host_id

    @property
    def _name(self) -> str:
        return "" if self._cached is None else self._cached.name

    def _place(self) -> tuple[int, int]:
        if self._world_size is not None:
            assert self._rank is not None
            return self._world_size, self._rank
        if dist.is_available() and dist.is_initialized():
            return dist.get_world_size(self._group), dist.get_rank(self._group)
        return int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))

    def _constant_batch(self) -> int:
        world_size = self.num_replicas
        if self.batch_size is None:
            assert self.global_batch is not None
            if self.global_batch % world_size:
                raise ValueError(
                    f"global batch={self.global_batch} over {world_size} ranks: batches are not of"
                    " one size, use DataLoader(batch_sampler=EpochBatchSampler(…))"
                )
            return self.global_batch // world_size
        if self.strategy == "slice" and self.tail == "uneven":
            raise ValueError(
                'strategy="slice" with tail="uneven": batches are not of one size, use'
                " DataLoader(batch_sampler=EpochBatchSampler(…))"
            )
        return self.batch_size

    def _sized_plan(self, epoch: int, start: int) -> EpochPlan:
        """Any plan of the same steps and counts, which nobody need be asked for."""
        if self.strategy == "slice":
            return self.planned(epoch, start)[0]
        key = (epoch, start, *self._place())
        if self._sized is None or self._sized[0] != key:
            self._sized = (key, self._plan_of(epoch, start, "plain", None, None))
        return self._sized[1]

    def _plan_of(
        self,
        epoch: int,
        start: int,
        strategy: str,
        ownership: Optional[Ownership],
        hosts: Optional[Sequence[str]],
    ) -> EpochPlan:
        world_size, rank = self._place()
        check_rank(rank, world_size)
        return EpochPlan(
            self._length,
            tail=self.tail,
            seed=self.seed,
            epoch=epoch,
            world_size=world_size,
            batch=self.batch_size,
            global_batch=self.global_batch,
            order=self.order,
            strategy=strategy,
            ownership=ownership,
            rank_hosts=hosts,
            start=start,
            dataset=self._name,
            numbers=self._numbers,
        )

    def _check_arguments(self, world_size: Optional[int], rank: Optional[int]) -> None:
        known = world_size is not None and rank is not None
        if known:
            check_rank(rank, world_size)  # type: ignore[arg-type]
        check_arguments(
            self._length,
            tail=self.tail,
            seed=self.seed,
            epoch=self._epoch,
            world_size=world_size if known else 1,  # type: ignore[arg-type]
            batch=self.batch_size,
            global_batch=self.global_batch,
            order=self.order,
            strategy=self.strategy,
        )


class EpochBatchSampler(BatchSampler):
    """The batches that this rank reads in an epoch, a list of indices a step, for
    DataLoader(batch_sampler=…) or a BatchLoader.

    Arguments are those of an EpochSampler, and

        all_ranks: True gives the batches of all ranks, rank by rank, for accelerator.prepare, which
            picks those of each. Not with tail="uneven". What it prepares counts epochs itself, from
            0: after `load_state_dict`, call its `set_epoch(sampler.epoch)`.
        sampler, drop_last: are refused; libraries that shard what is sharded already give them.

    A rank for which no sample is left in an "uneven" last step reads one all the same, so that it
    takes part in it; its `weight` is 0.
    """

    def __init__(
        self,
        dataset: Union[Dataset, int],
        batch_size: Optional[int] = None,
        *,
        all_ranks: bool = False,
        sampler: Optional[Any] = None,
        drop_last: Optional[bool] = None,
        **options: Any,
    ) -> None:
        if sampler is not None or isinstance(dataset, Sampler):
            given = sampler if sampler is not None else dataset
            world_size = getattr(given, "num_replicas", "W")
            raise sharded_twice(world_size, *wrappers.lightning())
        if drop_last is not None:
            raise ValueError(f'drop_last={drop_last}: give tail="drop", "pad" or "uneven"')
        self.sampler = EpochSampler(dataset, batch_size, **options)
        self.all_ranks = all_ranks
        if all_ranks and self.sampler.tail == "uneven":
            raise ValueError('all_ranks=True with tail="uneven": take "drop" or "pad"')
        if all_ranks and batch_size is None:
            raise ValueError("all_ranks=True takes a batch per rank, not a global batch")
        self.drop_last = self.sampler.tail != "uneven"

    @property
    def batch_size(self) -> int:  # type: ignore[override]
        """Samples of a batch, the largest if they differ."""
        sampler = self.sampler
        if sampler.batch_size is not None:
            return sampler.batch_size
        assert sampler.global_batch is not None
        return -(-sampler.global_batch // sampler.num_replicas)

    def __len__(self) -> int:
        """How many batches the next pass has, fewer than the epoch if it was resumed."""
        return self.sampler.steps * (self.sampler.num_replicas if self.all_ranks else 1)

    def __iter__(self) -> Iterator[list[int]]:
        """A pass. Nothing is planned before the first batch is asked for."""
        self.sampler.check_wrappers(self.all_ranks)
        return self.sampler.begin(self.all_ranks)

    @property
    def epoch(self) -> int:
        """As of EpochSampler."""
        return self.sampler.epoch

    @property
    def steps(self) -> int:
        """As of EpochSampler."""
        return self.sampler.steps

    @property
    def plan(self) -> EpochPlan:
        """As of EpochSampler."""
        return self.sampler.plan

    def set_epoch(self, epoch: int) -> None:
        """As of EpochSampler."""
        self.sampler.set_epoch(epoch)

    def weight(self, step: int) -> float:
        """As of EpochSampler."""
        return self.sampler.weight(step)

    def state_dict(self, *, step: Optional[int] = None) -> dict[str, Any]:
        """As of EpochSampler."""
        return self.sampler.state_dict(step=step)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """As of EpochSampler."""
        self.sampler.load_state_dict(state)

    def check(self) -> None:
        """As of EpochSampler."""
        self.sampler.check()


class _Pass(Iterator):
    """One pass over an epoch or what is left of it, batch by batch. `step` counts those that have
    been handed out."""

    def __init__(self, sampler: EpochSampler, epoch: int, start: int, all_ranks: bool) -> None:
        self.sampler = sampler
        self._all_ranks = all_ranks
        self._go_to(epoch, start)

    def _go_to(self, epoch: int, start: int) -> None:
        self.epoch = epoch
        self.start = start
        self.step = 0
        self._ahead: list[list[int]] = []
        self._plan: Optional[EpochPlan] = None
        self._agreement: Optional[GroupAgreement] = None
        self._rank = 0
        # Counts and checksums: what this rank and all ranks are to read, and what had been before.
        self._own = (0, 0)
        self._all: Optional[tuple[int, int]] = (0, 0)
        self._stand_ins = (0, 0)
        self._before: Optional[tuple[int, int]] = None
        self._ended = False
        self._checked = False

    @property
    def plan(self) -> EpochPlan:
        if self._plan is None:
            self._plan, self._agreement = self.sampler.planned(self.epoch, self.start)
            self._rank = self.sampler.rank
            self._before = self.sampler.shared_reads()
        return self._plan

    def __next__(self) -> list[int]:
        if self._ahead:
            batch = self._ahead.pop(0)
            self.step += not self._ahead
            return batch
        plan = self.plan
        if self.step >= plan.steps:
            self._ended = True
            self.sampler.ended(self)
            raise StopIteration
        step = self.step
        indices, window = plan.read(step, self._rank)
        self._count(indices, window)
        if self._all_ranks:
            self._ahead = [one.tolist() for one in plan.ranks(step)]
            return self.__next__()
        self.step += 1
        if len(indices):
            return indices.tolist()
        stand_in = [plan.stand_in(step, self._rank)]
        self._stand_ins = _sum(self._stand_ins, self._sums_of(stand_in))
        return stand_in

    def _count(self, indices: np.ndarray, window: Optional[np.ndarray]) -> None:
        if self.sampler.num_replicas == 1:
            return
        self._own = _sum(self._own, self._sums_of(indices))
        if window is None:
            self._all = None
        elif self._all is not None:
            self._all = _sum(self._all, self._sums_of(window))

    def _sums_of(self, indices: Any) -> tuple[int, int]:
        return len(indices), checksum(self.sampler.numbers_of(indices))

    # For torchdata's StatefulDataLoader.

    def state_dict(self) -> dict[str, Any]:
        return self.sampler._sized_plan(self.epoch, self.start).state_dict(self.step)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        sampler = self.sampler
        sampler.load_state_dict(state)
        sampler._pass = self
        self._go_to(sampler._epoch, sampler._start)

    # The end.

    def check(self) -> None:
        if not self._ended or self._checked or self._plan is None or not self._own[0]:
            return
        self._checked = True
        world_size = self._plan.world_size
        read, planned, global_batch = self._own, self._own, self._plan.global_batch
        now = self.sampler.shared_reads()
        if now is not None and self._before is not None and now[0] > self._before[0]:
            read = (
                now[0] - self._before[0] - self._stand_ins[0],
                now[1] - self._before[1] - self._stand_ins[1],
            )
        agreement = self._agreement
        if agreement is None or not self.sampler._fills_group():
            # Each rank alone: it read a share of its share, or it did not.
            self._judge(read, planned, world_size, global_batch // world_size)
            return
        found = agreement.wrong()
        if found is not None:
            raise PlanError(found)
        sums = agreement.end(read, planned)
        if sums is not None:
            self._judge(sums[0], self._all or sums[1], world_size, global_batch)

    def _judge(
        self, read: tuple[int, int], planned: tuple[int, int], world_size: int, global_batch: int
    ) -> None:
        verdict = Verdict.of(
            (read[0], read[1] & CHECKSUM_MASK),
            (planned[0], planned[1] & CHECKSUM_MASK),
            world_size,
            global_batch,
        )
        text = f"epoch {self.epoch}: {verdict.text}"
        # What else reads the data set meanwhile counts too, and so do batches that are skipped: it
        # is an error only where it can hardly be anything else.
        few = planned[0] <= 2 * world_size * global_batch
        if verdict.word == "sharded-twice" and (few or read[0] >= planned[0]):
            self._warn(text)
        elif verdict.word == "sharded-twice":
            text += ". What gives each rank a share must be told not to: " + "; ".join(
                f"{who}: {what}" for who, what in wrappers.ADVICE
            )
            self._raise(ShardedTwiceError(text))
        if verdict.word == "not-sharded":
            self._warn(
                f"{text}. If nothing else read it meanwhile, give the DataLoader the sampler"
            )
        if verdict.word == "different":
            self._raise(PlanError(f"{text}. Give all ranks the same arguments and ownership"))
        if verdict.word == "incomplete" and read[0] < planned[0]:
            self._warn(f"{text}. If the loop was not left early, something leaves samples out")

    @staticmethod
    def _warn(text: str) -> None:
        warnings.warn(text, CacheWarning, stacklevel=5)

    def _raise(self, error: PlanError) -> None:
        if self._agreement is not None:
            self._agreement.say_wrong(str(error))
        raise error


class _Indices(Iterator):
    """A pass index by index."""

    def __init__(self, batches: _Pass) -> None:
        self._batches = batches
        self._left: list[int] = []

    def __next__(self) -> int:
        if not self._left:
            self._left = next(self._batches)[::-1]
        return self._left.pop()

    def state_dict(self) -> dict[str, Any]:
        if self._left:
            raise PlanError(
                f"a state in the middle of a step, {len(self._left)} of its samples are left: the"
                " DataLoader's batch_size is to be that of the EpochSampler"
            )
        return self._batches.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._batches.load_state_dict(state)
        self._left = []


def sharded_twice(world_size: Any, who: str, what: str) -> ShardedTwiceError:
    return ShardedTwiceError(
        f"read 1/{world_size}²: sharded twice. The sampler gives each rank its share already, and"
        f" {who} gives each a share of that: {what}"
    )


def _sum(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    return a[0] + b[0], a[1] + b[1]


def _looked_into(
    dataset: Any,
) -> tuple[int, Optional[CachedDataset], Optional[np.ndarray]]:
    """Its length; the cached data set in it; of a Subset, what its samples are called there."""
    if isinstance(dataset, int):
        return dataset, None, None
    length = len(dataset)
    numbers: Optional[np.ndarray] = None
    while isinstance(dataset, Subset):
        own = np.asarray(dataset.indices, np.int64)
        numbers = own if numbers is None else own[numbers]
        dataset = dataset.dataset
    return (
        (length, dataset, numbers) if isinstance(dataset, CachedDataset) else (length, None, None)
    )
