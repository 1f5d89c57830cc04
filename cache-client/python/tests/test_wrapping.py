"""Libraries that shard, checkpoint or wrap a DataLoader: each sample once, or a worded error."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from ranks import RankFailed, run_ranks
from test_sampling import HOSTS, OWNED, Numbers
from training_day import (
    EpochBatchSampler,
    EpochSampler,
    PlanError,
    ShardedTwiceError,
    reference_order,
)

SAMPLES, BATCH = 96, 4


def sampler_of(kind: str, **more: Any) -> Any:
    arguments = {"tail": "drop", "ownership": OWNED, "rank_hosts": HOSTS[:2], "seed": 6, **more}
    made = EpochSampler if kind == "sampler" else EpochBatchSampler
    return made(Numbers(SAMPLES), BATCH, **arguments)


def loader_of(kind: str, workers: int = 0, **more: Any) -> Any:
    ds, sampler = Numbers(SAMPLES), sampler_of(kind, **more)
    if kind == "sampler":
        return DataLoader(ds, BATCH, sampler=sampler, num_workers=workers)
    return DataLoader(ds, batch_sampler=sampler, num_workers=workers)


def assert_each_once(read: list[list[list[int]]], epoch: int = 0, world: int = 2) -> None:
    """Of each rank the batches, which are steps of the epoch."""
    order = reference_order(SAMPLES, seed=6, epoch=epoch).at(np.arange(SAMPLES)).tolist()
    size = world * BATCH
    assert [len(one) for one in read] == [SAMPLES // size] * world
    for step in range(SAMPLES // size):
        both = sum((one[step] for one in read), [])
        assert sorted(both) == sorted(order[step * size : (step + 1) * size])


def as_launched() -> None:
    """As torchrun has it; the process group is there already, so nobody asks at the port."""
    os.environ.update(
        MASTER_ADDR="127.0.0.1", MASTER_PORT="1", LOCAL_WORLD_SIZE="2", GROUP_RANK="0",
        TORCHELASTIC_RUN_ID="t",
    )  # fmt: skip


# As what wraps looks, where no such library is.


class _DatasetSamplerWrapper:
    """As Lightning's."""

    def __init__(self, sampler: Any) -> None:
        self._sampler = sampler

    def reset(self) -> list[int]:
        return list(self._sampler)


class BatchSamplerShard:
    """As accelerate's."""

    def __init__(self, batch_sampler: Any, num_processes: int, process_index: int) -> None:
        self.batch_sampler = batch_sampler
        self.num_processes = num_processes
        self.process_index = process_index
        self.split_batches = False

    def __iter__(self) -> Iterator[list[int]]:
        for number, batch in enumerate(self.batch_sampler):
            if number % self.num_processes == self.process_index:
                yield batch


@pytest.mark.parametrize("kind", ["sampler", "batch sampler"])
def test_what_shards_again_is_told_before_the_first_batch(kind: str) -> None:
    loader = loader_of(kind, world_size=2, rank=1)
    with pytest.raises(ShardedTwiceError, match=r"read 1/2²: sharded twice.*accelerator\.prepare"):
        next(iter(BatchSamplerShard(loader.batch_sampler, 2, 1)))
    assert next(iter(BatchSamplerShard(loader.batch_sampler, 1, 0)))
    sampler = loader.sampler if kind == "sampler" else loader.batch_sampler
    with pytest.raises(ShardedTwiceError, match=r"Trainer\(use_distributed_sampler=False\)"):
        _DatasetSamplerWrapper(sampler).reset()


def test_batches_of_all_ranks_are_picked_by_rank() -> None:
    read = []
    for rank in range(2):
        sampler = sampler_of("batch sampler", world_size=2, rank=rank, all_ranks=True)
        read.append(list(BatchSamplerShard(sampler, 2, rank)))
        assert len(sampler) == SAMPLES // BATCH
        assert sampler.state_dict(step=12)["training_day_plan"]
        own = list(sampler_of("batch sampler", world_size=2, rank=rank))
        assert read[-1] == own
    assert_each_once(read)


# accelerate.


def _accelerator(**options: Any) -> Any:
    from accelerate import Accelerator, DataLoaderConfiguration

    as_launched()
    made = Accelerator(cpu=True, dataloader_config=DataLoaderConfiguration(**options))
    assert made.num_processes == 2
    return made


def _prepared(kind: str, more: dict, options: dict) -> Any:
    return _accelerator(**options).prepare(loader_of(kind, **more))


def _reads_prepared(rank: int, kind: str, more: dict, options: dict) -> Any:
    loader = _prepared(kind, more, options)
    return [[batch.tolist() for batch in loader] for _ in range(2)]


@pytest.mark.parametrize("kind", ["sampler", "batch sampler"])
@pytest.mark.parametrize(
    "options", [{}, {"dispatch_batches": True}, {"even_batches": False}], ids=str
)
def test_accelerate_is_told_that_it_shards_again(kind: str, options: dict) -> None:
    pytest.importorskip("accelerate")
    # With dispatch_batches only the first rank asks; the other waits for it.
    results = run_ranks(2, _reads_prepared, kind, {}, options, until_failure=True)
    assert isinstance(results[0], RankFailed)
    assert results[0].kind == "ShardedTwiceError"
    assert "read 1/2²: sharded twice" in results[0].text and "accelerate" in results[0].text


@pytest.mark.parametrize("options", [{}, {"even_batches": False}], ids=str)
def test_accelerate_picks_batches_of_all_ranks(options: dict) -> None:
    pytest.importorskip("accelerate")
    results = run_ranks(2, _reads_prepared, "batch sampler", {"all_ranks": True}, options)
    for epoch in range(2):
        assert_each_once([one[epoch] for one in results], epoch)


def _goes_on_prepared(rank: int) -> Any:
    before = sampler_of("batch sampler")
    before.set_epoch(2)
    whole = list(before)
    loader = loader_of("batch sampler", all_ranks=True)
    loader.batch_sampler.load_state_dict(before.state_dict(step=5))
    prepared = _accelerator().prepare(loader)
    prepared.set_epoch(2)
    return [batch.tolist() for batch in prepared] == whole[5:]


def test_accelerate_goes_on_within_an_epoch() -> None:
    pytest.importorskip("accelerate")
    assert run_ranks(2, _goes_on_prepared) == [True, True]


def _reads_beside(rank: int) -> Any:
    accelerator = _accelerator()
    model, optimizer = accelerator.prepare(
        torch.nn.Linear(1, 1), torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    )
    read = []
    for batch in loader_of("batch sampler", workers=1):
        accelerator.backward(model(batch[:, None].float()).sum())
        read.append(batch.tolist())
    return read


def test_accelerate_leaves_a_loader_alone_that_it_was_not_given() -> None:
    pytest.importorskip("accelerate")
    assert_each_once(run_ranks(2, _reads_beside))


# Lightning.


def _fits(rank: int, kind: str, options: dict, in_hook: bool) -> Any:
    import logging
    import warnings

    import lightning

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    read: list[list[list[int]]] = []

    class Model(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(1, 1)

        def on_train_epoch_start(self) -> None:
            read.append([])

        def training_step(self, batch: Any, _: int) -> Any:
            read[-1].append(batch.tolist())
            return self.layer(batch[:, None].float()).sum()

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.01)

        def train_dataloader(self) -> Any:
            return loader_of(kind)

    as_launched()
    trainer = lightning.Trainer(
        accelerator="cpu", devices=2, strategy="ddp", max_epochs=2, logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        **options,
    )  # fmt: skip
    if in_hook:
        trainer.fit(Model())
    else:
        trainer.fit(Model(), loader_of(kind))
    return read


@pytest.mark.parametrize(
    "kind, options",
    [("sampler", {}), ("sampler", {"use_distributed_sampler": False}),
     ("batch sampler", {"use_distributed_sampler": False})],
    ids=["sampler", "sampler, told", "batch sampler, told"],
)  # fmt: skip
def test_lightning_reads_each_sample_once(kind: str, options: dict) -> None:
    pytest.importorskip("lightning")
    results = run_ranks(2, _fits, kind, options, False)
    for epoch in range(2):
        assert_each_once([one[epoch] for one in results], epoch)


@pytest.mark.parametrize("in_hook", [False, True], ids=["given", "in its hook"])
def test_lightning_is_told_that_it_shards_again(in_hook: bool) -> None:
    pytest.importorskip("lightning")
    for one in run_ranks(2, _fits, "batch sampler", {}, in_hook):
        assert isinstance(one, RankFailed), one
        assert one.kind == "ShardedTwiceError"
        assert "read 1/2²: sharded twice" in one.text
        assert "Trainer(use_distributed_sampler=False)" in one.text


# torchdata.


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("kind", ["sampler", "batch sampler"])
def test_stateful_data_loader_saves_what_was_handed_out(kind: str, workers: int) -> None:
    stateful = pytest.importorskip("torchdata.stateful_dataloader")

    def made(**more: Any) -> Any:
        ds, sampler = Numbers(SAMPLES), sampler_of(kind, world_size=2, rank=1, **more)
        if kind == "sampler":
            return stateful.StatefulDataLoader(ds, BATCH, sampler=sampler, num_workers=workers)
        return stateful.StatefulDataLoader(ds, batch_sampler=sampler, num_workers=workers)

    whole = [batch.tolist() for batch in loader_of(kind, world_size=2, rank=1)]
    loader = made()
    for stop in (0, 1, 5, len(whole)):
        iterator = iter(loader)
        assert [next(iterator).tolist() for _ in range(stop)] == whole[:stop]
        state = loader.state_dict()
        resumed = made()
        resumed.load_state_dict(state)
        rest = [batch.tolist() for batch in resumed]
        assert rest == whole[stop:]
        # Again within the resumed epoch.
        if 0 < stop < 5:
            again = made()
            again.load_state_dict(state)
            iterator = iter(again)
            next(iterator)
            third = made()
            third.load_state_dict(again.state_dict())
            assert [batch.tolist() for batch in third] == whole[stop + 1 :]
    with pytest.raises(PlanError, match="without step="):
        (loader.sampler if kind == "sampler" else loader.batch_sampler).state_dict()
