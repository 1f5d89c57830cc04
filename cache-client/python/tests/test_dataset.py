"""CachedDataset is a Dataset, and cannot train wrong."""

from __future__ import annotations

import copy
import functools
import itertools
import pickle
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    SequentialSampler,
    Subset,
    TensorDataset,
    random_split,
)
from torch.utils.data._utils.collate import default_collate_fn_map

from sets import (
    Captioned,
    Compose,
    Double,
    Everything,
    Files,
    Images,
    InMemory,
    Late,
    Lately,
    Named,
    RandomCrop,
    Transformed,
    Varied,
    in_place,
    noise,
    noise_rng,
)
from local_node import LocalNode
from same import assert_same
from test_client import stored
from training_day import (
    BatchLoader,
    CachedDataset,
    CacheWarning,
    FingerprintError,
    RandomTransformError,
    SourceMismatch,
    UnsupportedTypeError,
    concat,
    subset,
)
from training_day.source import SourceError

Make = Callable[..., CachedDataset]


@pytest.fixture
def cached(node: LocalNode, name: str) -> Make:
    def make(raw: Any, **options: Any) -> CachedDataset:
        return CachedDataset(raw, options.pop("name", name), address=node.address, **options)

    return make


def epoch(loader: DataLoader) -> list[Any]:
    return list(loader)


# Behaves like a Dataset.


def test_it_is_read_like_the_dataset_it_wraps(cached: Make) -> None:
    raw = Images(20)
    ds = cached(raw)
    for _ in range(2):
        assert len(ds) == 20
        for index in (0, 3, -1, np.int64(4), torch.tensor(5), True):
            assert_same(ds[index], raw[int(index) % 20])
        for index in (20, -21, np.int64(99)):
            with pytest.raises(IndexError, match="of 20 samples"):
                ds[index]
    assert ds.classes == ["even", "odd"] and ds.scale == 1.0
    with pytest.raises(AttributeError):
        _ = ds.nothing
    assert isinstance(ds, Dataset) and ds.raw is raw


@pytest.mark.parametrize(
    "index", [[0, 1], (0, 1), np.array([0, 1]), torch.tensor([0, 1]), slice(2)],
    ids=lambda index: type(index).__name__,
)  # fmt: skip
def test_no_batch_goes_around_the_cache(cached: Make, index: Any) -> None:
    ds = cached(TensorDataset(torch.arange(8.0)), augment=noise)
    with pytest.raises(TypeError, match=f"a {type(index).__qualname__} is no index.*batch_size="):
        ds[index]
    sampler = BatchSampler(SequentialSampler(ds), 4, False)
    with pytest.raises(TypeError, match="a list is no index of one sample"):
        epoch(DataLoader(ds, sampler=sampler, batch_size=None))


def test_column_is_that_of_the_raw_dataset(cached: Make) -> None:
    class Columns(Images):
        def __getitem__(self, index: Any) -> Any:
            return "a column" if index == "label" else super().__getitem__(index)

    assert cached(Columns())["label"] == "a column"


def test_old_iteration_protocol_ends(cached: Make) -> None:
    assert len(list(cached(Images(5)))) == 5


def test_batch_is_one_request(cached: Make) -> None:
    raw = Images(20)
    ds = cached(raw)
    ds.__getitems__(list(range(20)))
    before = ds.stats()
    assert_same(ds.__getitems__([3, -1, np.int32(7), 3]), [raw[3], raw[19], raw[7], raw[3]])
    after = ds.stats()
    assert after.slot_batches + after.inline_batches == before.slot_batches + 1
    assert ds.__getitems__([]) == []


def test_dataloader_gives_what_it_gives_without_the_cache(
    cached: Make, node: Any, name: str
) -> None:
    raw = Images(50)
    ds = cached(raw)
    for _ in range(2):
        torch.manual_seed(7)
        expected = epoch(DataLoader(raw, batch_size=8, shuffle=True))
        torch.manual_seed(7)
        assert_same(epoch(DataLoader(ds, batch_size=8, shuffle=True)), expected)
        stored(node, name)
    assert ds.stats().origin_loads == 50 and ds.stats().hits == 50


def test_subclass_that_overrides_getitem_is_honoured(node: LocalNode, name: str) -> None:
    class Negated(CachedDataset):
        def __getitem__(self, index: Any) -> Any:
            image, label = super().__getitem__(index)
            return -image, label

    ds = Negated(Images(4), name, address=node.address)
    assert (next(iter(DataLoader(ds, batch_size=4)))[0] <= 0).all()


def test_pickled_it_is_the_same(cached: Make) -> None:
    ds = cached(Images(6))
    again = pickle.loads(pickle.dumps(ds))
    assert_same(again[2], ds[2])
    assert again.fingerprint == ds.fingerprint


# Processes that are spawned take seconds each.
@pytest.mark.parametrize(
    "context, workers, persistent", [("fork", 2, False), ("fork", 2, True), ("spawn", 1, True)]
)
def test_workers_read_the_same(
    cached: Make, node: Any, name: str, context: str, workers: int, persistent: bool
) -> None:
    raw = Named(32)
    ds = cached(raw)
    assert_same(ds[0], raw[0])  # A connection that a forked worker must not use.
    loader = DataLoader(
        ds,
        batch_size=4,
        num_workers=workers,
        multiprocessing_context=context,
        persistent_workers=persistent,
    )
    expected = epoch(DataLoader(raw, batch_size=4))
    for _ in range(2):
        assert_same(epoch(loader), expected)
        stored(node, name)
    assert_same(ds[5], raw[5])
    assert ds.stats().origin_loads == 32


def test_subset_and_concat_pass_batches_on(cached: Make, name: str) -> None:
    raw, other = Images(12), Images(8, scale=2.0)
    ds = cached(raw)
    both = concat([ds, cached(other, name=name + "b")])
    plain = ConcatDataset([raw, other])
    part = subset(both, [3, 15, 0, 19])
    assert isinstance(part, Subset) and isinstance(both, ConcatDataset)

    for _ in range(2):
        got = epoch(DataLoader(both, batch_size=20))
        assert_same(got, epoch(DataLoader(plain, batch_size=20)))
        assert_same(
            epoch(DataLoader(part, batch_size=4)),
            epoch(DataLoader(Subset(plain, [3, 15, 0, 19]), batch_size=4)),
        )
    before = ds.stats()
    part.__getitems__([0, 2])
    after = ds.stats()
    assert after.slot_batches + after.inline_batches - before.slot_batches == 1


def test_distributed_sampler_reads_its_share(cached: Make) -> None:
    from torch.utils.data.distributed import DistributedSampler

    raw = Images(10)
    ds = cached(raw)
    seen = []
    for rank in range(2):
        sampler = DistributedSampler(ds, 2, rank, seed=3)
        sampler.set_epoch(1)
        ds.set_epoch(1)
        plain = DataLoader(raw, batch_size=2, sampler=sampler)
        assert_same(epoch(DataLoader(ds, batch_size=2, sampler=sampler)), epoch(plain))
        seen += list(sampler)
    assert sorted(seen) == list(range(10))


def test_iterable_dataset_is_refused(cached: Make) -> None:
    class Stream(IterableDataset):
        def __iter__(self) -> Any:
            return iter(())

    with pytest.raises(TypeError, match="is an IterableDataset: its samples have no index"):
        cached(Stream())
    with pytest.raises(TypeError, match="cached already"):
        cached(cached(Images(2)))


def test_type_that_cannot_be_stored_is_named(cached: Make) -> None:
    class Odd(Images):
        def __getitem__(self, index: int) -> Any:
            return torch.zeros(1), {"thing": {1, 2}}

    with pytest.raises(UnsupportedTypeError, match=r"sample at '1.thing' is a set"):
        cached(Odd())[0]


# Collate.


@pytest.mark.parametrize("raw", [Images(24), Named(24), Everything(24), Captioned(24)],
                         ids=lambda r: type(r).__name__)  # fmt: skip
@pytest.mark.parametrize("workers", [0, 2])
def test_collate_equals_default_collate(
    cached: Make, node: Any, name: str, raw: Any, workers: int
) -> None:
    ds = cached(raw)
    expected = epoch(DataLoader(raw, batch_size=5))
    loader = DataLoader(ds, batch_size=5, collate_fn=ds.collate, num_workers=workers)
    for _ in range(3):
        assert_same(epoch(loader), expected)
        stored(node, name)
    assert ds.stats().origin_loads == len(raw)


def test_collate_with_half_of_the_batch_missing(cached: Make, node: Any, name: str) -> None:
    raw = Images(16)
    ds = cached(raw)
    ds.__getitems__(list(range(0, 16, 2)))
    stored(node, name)
    loader = DataLoader(ds, batch_size=16, collate_fn=ds.collate)
    assert_same(epoch(loader), epoch(DataLoader(raw, batch_size=16)))
    assert ds.stats().hits == 8


def test_collate_refuses_what_default_collate_refuses(cached: Make) -> None:
    ds = cached(Varied(4))
    ds.__getitems__([0, 1, 2, 3])
    with pytest.raises(RuntimeError, match="stack expects each tensor to be equal size"):
        epoch(DataLoader(ds, batch_size=4, collate_fn=ds.collate))
    batch = ds.collated([1, 2])
    assert_same(list(batch), [Varied(4)[1], Varied(4)[2]])


def test_collated_batch_is_a_sequence_of_samples(cached: Make, node: Any, name: str) -> None:
    raw = Everything(8)
    ds = cached(raw)
    ds.__getitems__(list(range(8)))
    stored(node, name)
    batch = ds.collated([5, 2])
    assert len(batch) == 2 and not isinstance(batch, list)
    assert_same(batch[1], raw[2])
    assert_same(pickle.loads(pickle.dumps(batch)), [raw[5], raw[2]])


def test_one_dataset_serves_loaders_with_and_without_its_collate(
    cached: Make, node: Any, name: str
) -> None:
    class Bare(Images):
        def __getitem__(self, index: int) -> Any:
            return torch.full((3,), index)

    raw = Bare(8)
    ds = cached(raw)
    fast = DataLoader(ds, batch_size=4, collate_fn=ds.collate)
    part = DataLoader(subset(ds, range(4)), batch_size=4, collate_fn=ds.collate)
    for _ in range(2):
        assert_same(epoch(fast), epoch(DataLoader(raw, batch_size=4)))
        assert_same(epoch(DataLoader(ds, batch_size=4)), epoch(DataLoader(raw, batch_size=4)))
        assert_same(epoch(part), epoch(DataLoader(raw, batch_size=4))[:1])
        assert isinstance(ds.__getitems__([1, 2]), list)
        stored(node, name)


@pytest.mark.parametrize("collated", [False, True])
@pytest.mark.parametrize("workers", [1, 2])
def test_slow_consumer_of_raw_batches_sees_no_slot_used_again(
    cached: Make, node: Any, name: str, collated: bool, workers: int, monkeypatch: Any
) -> None:
    """A worker's queue pickles late: a view of a slot would hold later batches by then."""
    raw = Lately(512, (16, 16))
    ds = cached(raw, pipeline_tag="late")
    ds.__getitems__(list(range(512)))
    stored(node, name)
    if collated:
        _ = ds.collate
    # Set before the workers are forked.
    monkeypatch.setattr(Late, "total", 512 // workers)
    monkeypatch.setattr(Late, "read", 0)
    loader = DataLoader(
        ds,
        batch_size=4,
        num_workers=workers,
        prefetch_factor=8,
        collate_fn=lambda batch: batch,
        multiprocessing_context="fork",
        timeout=60,
    )
    got = [sample for batch in loader for sample in batch]
    assert len(got) == 512
    for (image, label, _), index in zip(got, range(512)):
        assert_same((image, label), Images.__getitem__(raw, index))
    # Each worker's first batch tells how large a slot is to be.
    assert ds.stats().hits == 512 and ds.stats().slot_batches == 128 - workers


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("part", [False, True])
def test_plain_loader_collates_from_the_slot(
    cached: Make, node: Any, name: str, monkeypatch: pytest.MonkeyPatch, workers: int, part: bool
) -> None:
    raw = Everything(12)
    ds = cached(raw)
    monkeypatch.setattr(CachedDataset, "_fetch", None)
    given: Any = subset(ds, range(12)) if part else ds
    for _ in range(2):
        loader = DataLoader(given, batch_size=4, num_workers=workers)
        assert_same(epoch(loader), epoch(DataLoader(raw, batch_size=4)))
        stored(node, name)
    assert ds.stats().hits == 12 and ds.stats().origin_loads == 12


def test_who_stands_between_dataset_and_loader_gets_samples_of_his_own(
    cached: Make, node: Any, name: str
) -> None:
    class Keeping(Dataset):
        def __init__(self, inner: Any) -> None:
            self.inner, self.kept = inner, []

        def __len__(self) -> int:
            return len(self.inner)

        def __getitems__(self, indices: list[int]) -> Any:
            samples = self.inner.__getitems__(indices)
            self.kept += samples
            return samples

    raw = Images(32)
    ds = cached(raw)
    epoch(DataLoader(ds, batch_size=8))
    stored(node, name)
    keeping = Keeping(ds)
    assert_same(epoch(DataLoader(keeping, batch_size=8)), epoch(DataLoader(raw, batch_size=8)))
    assert_same(keeping.kept, [raw[index] for index in range(32)])


def test_what_default_collate_has_been_taught_is_kept(
    cached: Make, node: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def padded(batch: Any, *, collate_fn_map: Any = None) -> Any:
        return "padded", len(batch)

    raw = Images(8)
    ds = cached(raw)
    epoch(DataLoader(ds, batch_size=4))
    stored(node, name)
    monkeypatch.setitem(default_collate_fn_map, torch.Tensor, padded)
    for collate in (None, ds.collate):
        batches = epoch(DataLoader(ds, batch_size=4, collate_fn=collate))
        assert "padded" in str(batches)
        assert_same(batches, epoch(DataLoader(raw, batch_size=4)))


# Cannot train wrong.


def test_random_transform_is_found_when_it_draws(cached: Make) -> None:
    ds = cached(Transformed(RandomCrop()))
    state = torch.get_rng_state()
    with pytest.raises(RandomTransformError) as refusal:
        ds[0]
    assert "drew from the generator of torch and random and numpy" in str(refusal.value)
    assert "augment=fn" in str(refusal.value)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(
    "held, what",
    [
        (np.random.default_rng(3), "a numpy generator"),
        (torch.Generator(), "a torch generator"),
        (torch.nn.Dropout(0.5), "Dropout in training mode"),
    ],
)
def test_generator_of_its_own_is_found(cached: Make, held: Any, what: str) -> None:
    class Noisy(Images):
        def __init__(self) -> None:
            super().__init__()
            self.held = held

        def __getitem__(self, index: int) -> Any:
            return self.held, index

    with pytest.raises(RandomTransformError) as refusal:
        cached(Noisy())
    assert what in str(refusal.value) and "raw.held" in str(refusal.value)


def test_fresh_generator_in_code_is_found(cached: Make) -> None:
    class Fresh(Images):
        def __getitem__(self, index: int) -> Any:
            return np.random.default_rng().random(), index

    with pytest.raises(RandomTransformError, match="numpy.random.default_rng"):
        cached(Fresh())


class Gaussian(Images):
    """Draws one normal number a sample, which numpy makes two at a time."""

    def __getitem__(self, index: int) -> Any:
        return torch.full((4,), np.random.randn()), index


def test_second_of_two_normal_numbers_is_a_draw_too(cached: Make) -> None:
    ds = cached(Gaussian())
    for load in (ds._load, ds._load_beside_training):
        for index in range(20):
            np.random.seed(5)
            for _ in range(index % 3):
                np.random.randn()
            with pytest.raises(RandomTransformError, match="numpy"):
                load(0, index, False)
    end = ds.warm(max_failures=5).wait(30)
    assert (end.state, end.failed, end.loaded) == ("failed", 5, 0), end


class Drawing(Images):
    """Draws as it is told, by the load: as a client does before it tries again."""

    def __init__(self, draws: int, drawn_ahead: bool = False) -> None:
        super().__init__(8)
        self.draws, self.drawn_ahead = draws, drawn_ahead
        self.numbers: list[float] = []

    def __getitem__(self, index: int) -> Any:
        if index == 5 and self.draws > 0:
            self.draws -= 1
            self.numbers += [random.random() for _ in range(3)]
        image, label = super().__getitem__(index)
        return (image * self.numbers.pop() if self.drawn_ahead and index == 5 else image), label


@pytest.mark.parametrize("beside", [False, True])
def test_load_that_draws_once_is_loaded_again(cached: Make, name: str, beside: bool) -> None:
    def load(raw: Any, number: int) -> Any:
        ds = cached(raw, name=f"{name}{number}", pipeline_tag="t")
        return (ds._load_beside_training if beside else ds._load)(0, 5, False)

    random.seed(1)
    state = random.getstate()
    assert load(Drawing(1), 1) is not None and load(Drawing(0), 2) is not None
    assert beside or random.getstate() == state
    for raw in (Drawing(9), Drawing(1, drawn_ahead=True)):
        with pytest.raises(RandomTransformError, match="generator of random"):
            load(raw, 3)


def test_states_go_back_whole(cached: Make) -> None:
    ds = cached(Gaussian())
    for before in range(3):
        numbers = []
        for loads in (False, True):
            np.random.seed(5)
            np.random.randn(before)
            if loads:
                with pytest.raises(RandomTransformError):
                    ds[0]
            numbers.append(np.random.randn(3).tolist())
        assert numbers[0] == numbers[1]


class Private(Images):
    """Random from a generator of its own, which it makes as it needs it."""

    def __init__(self, kind: str) -> None:
        super().__init__(12)
        self.kind = kind

    def __getitem__(self, index: int) -> Any:
        if self.kind == "torch":
            made = torch.Generator()
            made.seed()
            by = float(torch.rand((), generator=made))
        elif self.kind == "random":
            by = random.Random().random()
        else:
            by = np.random.Generator(np.random.PCG64()).random()
        image, label = super().__getitem__(index)
        return image * by, label


@pytest.mark.parametrize("kind", ["torch", "random", "numpy"])
@pytest.mark.parametrize("warms", [False, True])
def test_private_generator_shows_in_what_comes_out(cached: Make, kind: str, warms: bool) -> None:
    ds = cached(Private(kind))
    with pytest.raises(RandomTransformError, match="was not the same when it was loaded a second"):
        (ds._load_beside_training if warms else ds._load)(0, 3, False)
    assert_same(cached(Private(kind), frozen=True)[3][1], 1)


def test_first_few_samples_alone_are_loaded_twice(cached: Make, name: str) -> None:
    class Rounded(Images):
        loads = 0

        def __getitem__(self, index: int) -> Any:
            Rounded.loads += 1
            image, label = super().__getitem__(index)
            return image * (1 + 1e-7 * Rounded.loads), label

    raw = Rounded(12)
    epoch(DataLoader(cached(raw), batch_size=4))
    assert Rounded.loads == 12 + 3
    epoch(DataLoader(cached(raw, name=f"{name}-tagged", pipeline_tag="t"), batch_size=4))
    assert Rounded.loads == 12 + 3 + 12


def test_cut_runs_the_random_rest_after_every_read(cached: Make, node: Any, name: str) -> None:
    raw = Transformed(Compose([Double(), RandomCrop(), Double()]))
    ds = cached(raw, cut="auto")
    indices = list(range(8))
    for _ in range(2):
        results = []
        for dataset in (raw, ds):
            torch.manual_seed(1), np.random.seed(2)
            __import__("random").seed(3)
            results.append([dataset[i] for i in indices])
        assert_same(results[1], results[0])
        stored(node, name)
    assert ds.stats().hits == 8 and ds.stats().origin_loads == 8


class Masked(Images):
    """An image and its mask, which have a transform in common."""

    def __init__(self, transform: Any, given: str) -> None:
        super().__init__(6)
        self.transform, self.given = transform, given

    def __getitem__(self, index: int) -> Any:
        image, label = super().__getitem__(index)
        if self.given == "one":
            return self.transform((image, image > 0.5))
        pair = self.transform(image, label)
        return pair if self.given == "several" else {"pair": pair, "index": index}


class OfPair:
    def __call__(self, pair: Any) -> Any:
        return pair[0] * 2, pair[1]


class RandomOfPair:
    def __call__(self, pair: Any, by: Any = 3.0) -> Any:
        return pair[0] * by * torch.rand(()), pair[1]


class OfTwo:
    def __call__(self, image: Any, label: Any) -> Any:
        return image * 2, label


class RandomOfTwo:
    def __call__(self, image: Any, label: Any) -> Any:
        return image * torch.rand(()), label + 1


class ComposeOfAny(Compose):
    def __call__(self, *given: Any) -> Any:
        for step in self.transforms:
            given = step(*given) if len(given) > 1 else (step(*given),)
        return given if len(given) > 1 else given[0]


@pytest.mark.parametrize(
    "given, steps",
    [
        ("one", [OfPair(), RandomOfPair()]),
        ("one", [RandomOfPair(), OfPair()]),
        ("several", [OfTwo(), RandomOfTwo()]),
        ("several", [RandomOfTwo()]),
        ("inside", [OfTwo(), RandomOfTwo()]),
    ],
)
def test_cut_steps_get_their_arguments_as_without_the_cache(
    cached: Make, node: Any, name: str, given: str, steps: Any
) -> None:
    raw = Masked(ComposeOfAny(steps), given)
    ds = cached(raw, cut="auto")
    for _ in range(2):
        for index in range(6):
            torch.manual_seed(index)
            expected = raw[index]
            torch.manual_seed(index)
            assert_same(ds[index], expected)
        stored(node, name)
    assert ds.stats().hits == 6


def test_cut_is_refused_where_it_cannot_go_on(cached: Make) -> None:
    class After(Transformed):
        def __getitem__(self, index: int) -> Any:
            image, label = super().__getitem__(index)
            return image + 1, label

    ds = cached(After(Compose([Double(), RandomCrop()])), cut="auto")
    with pytest.raises(RandomTransformError, match="cannot run RandomCrop after the cache"):
        ds[0]
    with pytest.raises(RandomTransformError, match="found no Compose with a random step"):
        cached(Transformed(Double()), cut="auto")


def test_augment_draws_as_without_the_cache_until_the_epoch_is_set(cached: Make) -> None:
    raw = Images(8)
    ds = cached(raw, augment=noise)
    for _ in range(2):
        torch.manual_seed(5), np.random.seed(5)
        __import__("random").seed(5)
        expected = [noise(raw[i]) for i in range(8)]
        torch.manual_seed(5), np.random.seed(5)
        __import__("random").seed(5)
        assert_same([ds[i] for i in range(8)], expected)


@pytest.mark.parametrize("augment", [noise, noise_rng])
def test_augment_depends_on_epoch_and_index_alone(cached: Make, augment: Any) -> None:
    ds = cached(Images(8), augment=augment)
    ds.set_epoch(0)
    first = [ds[i] for i in range(8)]
    state = torch.get_rng_state()
    assert_same(ds.__getitems__(list(range(7, -1, -1)))[::-1], first)
    assert torch.equal(state, torch.get_rng_state())
    ds.set_epoch(1)
    second = [ds[i] for i in range(8)]
    assert len({float(x[0].sum()) for x in first + second}) == 16
    ds.set_epoch(0)
    assert_same([ds[i] for i in range(8)], first)


def test_augment_that_seeds_itself_is_told_its_seed(cached: Make) -> None:
    class Seeded:
        seeds: list[int] = []

        def set_random_seed(self, seed: int) -> None:
            self.seeds.append(seed)

        def __call__(self, sample: Any) -> Any:
            return sample

    ds = cached(Images(3), augment=Seeded())
    ds.set_epoch(1)
    ds.__getitems__([0, 1, 0])
    assert len(set(Seeded.seeds)) == 2 and Seeded.seeds[0] == Seeded.seeds[2]


def test_copy_has_workers_and_an_epoch_of_its_own(cached: Make) -> None:
    ds = cached(Images(8), augment=noise)
    for copied in (pickle.loads(pickle.dumps(ds)), copy.deepcopy(ds)):
        loader = DataLoader(copied, batch_size=8, num_workers=1, persistent_workers=True)
        views = []
        for number in range(2):
            copied.set_epoch(number)
            views += [images for images, _ in loader]
        assert not torch.equal(*views)
        assert copied.stats().hits + copied.stats().misses == 16
    assert ds.stats().hits + ds.stats().misses == 0


@pytest.mark.parametrize(
    "context, workers, persistent, epochs",
    [("fork", 2, False, 3), ("fork", 2, True, 3), ("spawn", 1, False, 2), ("spawn", 1, True, 3)],
)
def test_epoch_reaches_workers_and_no_view_is_seen_twice(
    cached: Make, node: Any, name: str, context: str, workers: int, persistent: bool, epochs: int
) -> None:
    ds = cached(Transformed(Compose([Double(), RandomCrop()]), 16), cut="auto")
    loader = DataLoader(
        ds,
        batch_size=4,
        num_workers=workers,
        multiprocessing_context=context,
        persistent_workers=persistent,
    )
    views = []
    for number in range(epochs):
        ds.set_epoch(number)
        views.append(torch.cat([images for images, _ in loader]))
        stored(node, name)
    for sample in range(16):
        assert len({float(view[sample].sum()) for view in views}) == epochs
    assert ds.stats().origin_loads == 16
    ds.set_epoch(1)
    assert torch.equal(torch.cat([x for x, _ in DataLoader(ds, batch_size=16)]), views[1])


def test_frozen_keeps_one_outcome_and_variants_as_many(cached: Make, name: str) -> None:
    ds = cached(Transformed(RandomCrop()), frozen=True)
    assert_same(ds[1], ds[1])
    many = cached(Transformed(RandomCrop()), name=name + "v", frozen=True, variants=3)
    views = []
    for number in range(6):
        many.set_epoch(number)
        views.append([sample[0] for sample in many.__getitems__(list(range(8)))])
    for index in range(8):
        first, second = ({float(v[index].sum()) for v in half} for half in (views[:3], views[3:]))
        assert len(first) == 3 and first == second
    assert many.stats().origin_loads == 3 * 8
    # Neighbours do not go through their outcomes in step.
    orders = {tuple(many._variants.choose(e, i) for e in range(3)) for i in range(64)}
    assert len(orders) == 6
    with pytest.raises(ValueError, match="needs frozen=True"):
        cached(Images(), variants=2)


@pytest.mark.parametrize("loader", ["DataLoader", "BatchLoader", "workers"])
def test_reused_outcomes_are_replaced_in_their_time(
    cached: Make, node: Any, name: str, loader: str
) -> None:
    ds = cached(Transformed(RandomCrop()), name=name, frozen=True, variants=2, reuse=3)
    views = []
    for epoch in range(12):
        ds.set_epoch(epoch)
        made = {
            "DataLoader": lambda: DataLoader(ds, batch_size=8),
            "BatchLoader": lambda: BatchLoader(ds, batch_size=8),
            "workers": lambda: DataLoader(ds, batch_size=8, num_workers=2),
        }[loader]()
        views.append(torch.cat([x for x, _ in made]))
        node.settle()
    for sample in range(len(ds)):
        seen = [float(view[sample].sum()) for view in views]
        assert len(set(seen)) == 4 and len(set(seen[:6])) == 2 and len(set(seen[6:])) == 2
        assert all(seen.count(one) == 3 for one in seen)
    assert ds.stats().origin_loads == 4 * len(ds)
    with pytest.raises(ValueError, match="reuse=0, allowed"):
        cached(Transformed(RandomCrop()), frozen=True, reuse=0)


def test_augment_in_place_changes_neither_cache_nor_origin(cached: Make, node: Any) -> None:
    raw = InMemory()
    for ds in (cached(raw, augment=in_place), CachedDataset(raw, "n", augment=in_place)):
        for _ in range(3):
            assert_same(ds[2][0], torch.arange(8.0, 12) + 1)
    assert raw.data.sum() == sum(range(64))


def test_tensors_own_their_memory(cached: Make, node: Any, name: str) -> None:
    raw = InMemory()
    ds = cached(raw)
    for _ in range(2):
        batch = ds.__getitems__([0, 1])
        batch[0][0].zero_()
        assert_same(ds[0][0], torch.arange(4.0))
        assert batch[0][0].data_ptr() != raw.data.data_ptr()
        stored(node, name)


class _Torchvision:
    """The standard ImageNet pipeline by its names, which is what is known of it."""

    @staticmethod
    def make(name: str) -> Any:
        kind = type(name, (), {"__module__": "torchvision.transforms.transforms"})
        kind.__call__ = lambda self, x: x * torch.rand(())  # type: ignore[attr-defined]
        return kind()


def test_random_crop_and_flip_of_torchvision_are_found_at_once(cached: Make) -> None:
    crop, flip = _Torchvision.make("RandomResizedCrop"), _Torchvision.make("RandomHorizontalFlip")
    raw = Transformed(Compose([Double(), crop, flip]))
    with pytest.raises(RandomTransformError) as refusal:
        cached(raw, pipeline_tag="even with a tag")
    said = str(refusal.value)
    assert "torchvision's RandomResizedCrop (raw.transform.transforms[1])" in said
    assert "torchvision's RandomHorizontalFlip (raw.transform.transforms[2])" in said
    ds = cached(raw, cut="auto")
    assert not torch.equal(ds[0][0], ds[0][0])


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """An ImageFolder whose crops differ wherever they are taken."""
    from PIL import Image

    for number in range(8):
        label = tmp_path / f"class{number % 2}"
        label.mkdir(exist_ok=True)
        pixels = np.random.RandomState(number).randint(0, 256, (40 + number, 48, 3), np.uint8)
        Image.fromarray(pixels).save(label / f"{number}.png")
    return tmp_path


@pytest.mark.parametrize(
    "module, context, workers, persistent",
    [
        ("torchvision.transforms", "fork", 2, False),
        ("torchvision.transforms", "fork", 2, True),
        ("torchvision.transforms", "spawn", 1, True),
        ("torchvision.transforms.v2", "fork", 2, True),
    ],
)
def test_imagenet_pipeline_of_torchvision_never_trains_on_frozen_crops(
    cached: Make, pictures: Path, module: str, context: str, workers: int, persistent: bool
) -> None:
    torchvision = pytest.importorskip("torchvision")
    transforms = pytest.importorskip(module)
    raw = torchvision.datasets.ImageFolder(
        str(pictures),
        transforms.Compose(
            [
                transforms.RandomResizedCrop(16),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
            ]
        ),
    )
    with pytest.raises(RandomTransformError, match="RandomResizedCrop"):
        cached(raw)
    ds = cached(raw, cut="auto")

    def epochs(dataset: Any, context: str) -> list[torch.Tensor]:
        torch.manual_seed(5)
        loader = DataLoader(
            dataset,
            batch_size=2,
            num_workers=workers,
            multiprocessing_context=context,
            persistent_workers=persistent,
        )
        return [torch.cat([images for images, _ in loader]) for _ in range(3)]

    views = epochs(ds, context)
    for one, other in itertools.combinations(views, 2):
        for sample in range(8):
            assert not torch.equal(one[sample], other[sample])
    assert_same(views, epochs(raw, "fork"))
    assert ds.stats().origin_loads == 8 and ds.stats().hits == 16


class Handled(Transformed):
    """Does while it loads what data sets do: opens, counts, keeps."""

    def __init__(self, transform: Any) -> None:
        super().__init__(transform)
        self.handle: Any = None
        self.count = 0
        self.recent: dict[int, Any] = {}
        self.lines: list[Any] = []
        self.last: Any = None
        self.loads = np.zeros(self.n, int)
        self.lock = threading.Lock()
        self.decode = functools.lru_cache(maxsize=2)(Double())

    def __getitem__(self, index: int) -> Any:
        if self.handle is None:
            self.handle = open(__file__)
        with self.lock:
            self.count += 1
            self.loads[index] += 1
            self.lines.append(self.handle.readline)
            self.last = self.decode
        if index not in self.recent:
            self.recent[index] = super().__getitem__(index)
        return self.recent[index]


class Halved:
    def __init__(self, by: float = 2.0) -> None:
        self.by = by

    def __call__(self, x: Any) -> Any:
        return x / self.by


def test_what_loading_does_to_a_dataset_is_no_change_of_it(cached: Make) -> None:
    raw = Handled(Compose([Double(), Halved()]))
    for options in ({}, {"cut": "auto"}):
        if options:
            raw.transform.transforms.append(RandomCrop())
            raw.recent.clear()
        ds = cached(raw, **options, name=f"handled{len(options)}")
        for number in range(2):
            ds.set_epoch(number)
            epoch(DataLoader(ds, batch_size=8))
            epoch(DataLoader(ds, batch_size=8, num_workers=1))
        raw.recent = {}
        raw.count, raw.lines = 0, []
        raw.handle = sys.stdin
        raw.transform = copy.copy(raw.transform) if not options else raw.transform
        raw.unread = 5
        ds.set_epoch(3)
        assert_same(ds[3][0].shape, ds[3][0].shape)
        raw.handle = None
        ds._settings.clear()


def _other_transform(raw: Any) -> None:
    raw.transform = Compose([Halved(5.0), Double(), RandomCrop()])


def _other_argument(raw: Any) -> None:
    raw.transform.transforms[1].by = 4.0


def _another_step(raw: Any) -> None:
    raw.transform.transforms.insert(0, Double())


def _other_step(raw: Any) -> None:
    raw.transform.transforms[0] = Halved(1.0)


def _no_transform(raw: Any) -> None:
    raw.transform = None


def _other_scale(raw: Any) -> None:
    raw.scale = 3.0


@pytest.mark.parametrize(
    "change",
    [_other_transform, _other_argument, _another_step, _other_step, _no_transform, _other_scale],
    ids=lambda change: change.__name__[1:],
)
@pytest.mark.parametrize("kept", ["whole", "cut", "part"])
def test_pipeline_changed_after_it_was_wrapped_is_found(
    cached: Make, change: Any, kept: str
) -> None:
    steps = [Double(), Halved()] + ([RandomCrop()] if kept == "cut" else [])
    raw = Transformed(Compose(steps), 8)
    options = {"cut": "auto"} if kept == "cut" else {}
    ds = cached(Subset(raw, [0, 2, 4]) if kept == "part" else raw, **options)
    ds.set_epoch(1)
    assert len(ds.__getitems__([0, 1])) == 2
    change(raw)
    with pytest.raises(FingerprintError, match=r"has been changed since: raw\..* now: .*Wrap it"):
        ds.set_epoch(2)
    with pytest.raises(FingerprintError, match="Wrap it anew"):
        ds[2]
    ds._client = None  # As it is in a process just forked, which may have hits alone.
    for use in (lambda: ds.__getitems__([0, 1]), lambda: pickle.dumps(ds)):
        with pytest.raises(FingerprintError, match="Wrap it anew"):
            use()
    assert ds.stats().fills_taken <= 2


def test_setters_of_the_raw_dataset_are_found(cached: Make) -> None:
    class Table(Images):
        """As of Hugging Face: the transform is what the format holds."""

        _format_type: Any = None

        def __init__(self) -> None:
            super().__init__(8)
            self._format_type, self._format_kwargs = None, {}

        @property
        def format(self) -> Any:
            return {"type": self._format_type, "format_kwargs": self._format_kwargs, "columns": []}

        def set_transform(self, transform: Any) -> None:
            self._format_type, self._format_kwargs = "custom", {"transform": transform}

    Table.__module__ = "datasets.arrow_dataset"
    raw = Table()
    raw.set_transform(Double())
    ds = cached(raw, source="t")
    raw.set_transform(Double())
    ds.set_epoch(1)
    ds.set_transform(Halved())
    with pytest.raises(FingerprintError, match="Wrap it anew"):
        ds.set_epoch(2)
    tagged = cached(raw, source="t", pipeline_tag="mine")
    raw.set_transform(Double())
    tagged.set_epoch(2)


def test_attribute_of_the_raw_dataset_is_not_set_on_its_wrapper(cached: Make) -> None:
    raw = Transformed(Double(), 8)
    ds = cached(raw)
    with pytest.raises(AttributeError, match="transform is the raw data set's.*wrap it anew"):
        ds.transform = Halved()  # type: ignore[attr-defined]
    part, _ = random_split(ds, [4, 4])
    with pytest.raises(AttributeError, match="classes is the raw data set's"):
        part.dataset.classes = []  # type: ignore[attr-defined]
    ds.classes = raw.classes
    ds.mine = 3  # type: ignore[attr-defined]
    assert ds.mine == 3 and ds.classes == ["even", "odd"]


# Source identity.


def test_other_length_is_another_source(cached: Make) -> None:
    cached(TensorDataset(torch.zeros(4)))
    with pytest.raises(SourceMismatch):
        cached(TensorDataset(torch.zeros(5)))


def test_other_content_is_another_source(cached: Make) -> None:
    cached(TensorDataset(torch.zeros(4)))
    with pytest.raises(SourceMismatch) as refusal:
        cached(TensorDataset(torch.ones(4)))
    assert str(refusal.value).count("tensors=") == 2


def test_halves_of_a_split_never_mix(cached: Make) -> None:
    raw = Images(8)
    one, other = random_split(raw, [4, 4], torch.Generator().manual_seed(1))
    cached(one)[0]
    with pytest.raises(SourceMismatch, match="indices="):
        cached(other)


@pytest.mark.parametrize("other", [[0, 1, 3], [0, 2, 1], [2, 1, 0]])
def test_subset_of_other_indices_is_another_source(cached: Make, other: list[int]) -> None:
    raw = Images(8)
    ds = cached(Subset(raw, [0, 1, 2]))
    assert_same(ds[1], raw[1])
    with pytest.raises(SourceMismatch, match="indices="):
        cached(Subset(raw, other))
    assert_same(cached(Subset(Images(8), [0, 1, 2]))[2], raw[2])


class Listed(Dataset):
    """Says by a list, or a text, which samples it holds."""

    def __init__(self, files: Any) -> None:
        self.files = files

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Any:
        return torch.tensor(index)


@pytest.mark.parametrize(
    "one, other",
    [
        (["a''b", "c"], ["a", "b''c"]),
        ([("a\t0\nb", 1), ("c", 2)], [("a", 0), ("b\t1\nc", 2)]),
        ([12, 3], [1, 23]),
        ("x" * 200 + "1", "x" * 200 + "2"),
    ],
    ids=["texts", "texts and labels", "numbers", "a long text"],
)
def test_lists_that_run_together_alike_are_other_sources(
    cached: Make, one: Any, other: Any
) -> None:
    cached(Listed(one), pipeline_tag="t")
    with pytest.raises(SourceMismatch):
        cached(Listed(other), pipeline_tag="t")


class Table(Dataset):
    """As a data set of Hugging Face is: the rows are elsewhere, and a text stands for them."""

    def __init__(self, fingerprint: str, n: int = 4) -> None:
        self._fingerprint = fingerprint
        self._rows = n

    def __len__(self) -> int:
        return self._rows

    def __getitem__(self, index: int) -> Any:
        return torch.tensor(index)


def test_fingerprint_of_a_table_tells_sources_apart(cached: Make) -> None:
    cached(Table("6c1e"))
    cached(Table("6c1e"))
    with pytest.raises(SourceMismatch) as refusal:
        cached(Table("9f02"))
    assert "_fingerprint=6c1e" in str(refusal.value) and "9f02" in str(refusal.value)


def test_other_files_are_another_source_and_another_place_is_not(
    cached: Make, tmp_path: Path
) -> None:
    cached(Files(str(tmp_path / "a")))
    cached(Files(str(tmp_path / "elsewhere" / "a")))
    renamed = Files(str(tmp_path / "a"))
    renamed.samples[3] = (renamed.samples[3][0] + "x", 1)
    with pytest.raises(SourceMismatch):
        cached(renamed)
    relabelled = Files(str(tmp_path / "a"))
    relabelled.samples[3] = (relabelled.samples[3][0], 0)
    with pytest.raises(SourceMismatch):
        cached(relabelled)


def test_source_that_cannot_be_told_is_asked_for(cached: Make) -> None:
    class Folder(Images):
        def __init__(self) -> None:
            super().__init__()
            self.root = "/data"

        def __getitem__(self, index: int) -> Any:
            return self.root, index

    with pytest.raises(SourceError, match="give source="):
        cached(Folder())
    cached(Folder(), source="v1")
    with pytest.raises(SourceMismatch, match="v2"):
        cached(Folder(), source="v2")


def test_other_preprocessing_is_another_cache(cached: Make, node: Any, name: str) -> None:
    one, other = cached(Images(4)), cached(Images(4, scale=2.0))
    one[0]
    stored(node, name)
    assert_same(other[0], Images(4, scale=2.0)[0])
    assert one.explain(other) == "raw.scale: float 1.0 | other: float 2.0"
    assert other.stats().hits == 0
    tagged = cached(Images(4), pipeline_tag="v3")
    assert "tag = v3" in tagged.explain()
    assert cached(Images(4, scale=9.0), pipeline_tag="v3")._spec == tagged._spec


def test_what_the_fingerprint_cannot_see_is_refused_or_tagged(cached: Make) -> None:
    class Opened(Images):
        def __init__(self) -> None:
            super().__init__()
            self.file = open("/dev/null")  # noqa: SIM115

        def __getitem__(self, index: int) -> Any:
            return len(self.file.read()), index

    raw = Opened()
    raw.handle = raw.file
    raw.__class__.__getitem__ = lambda self, i: (len(self.handle.read()), i)  # type: ignore
    with pytest.raises(FingerprintError, match="raw.handle"):
        cached(raw)
    assert cached(raw, pipeline_tag="t")[1] == (0, 1)


# Without a node.


def test_without_a_node_samples_come_from_the_origin_with_one_warning(name: str) -> None:
    raw = Images(12)
    with pytest.warns(CacheWarning, match="no cache node at") as said:
        ds = CachedDataset(raw, name, address=f"unix:/nowhere/{name}.sock")
        got = epoch(DataLoader(ds, batch_size=4, num_workers=2))
    assert_same(got, epoch(DataLoader(raw, batch_size=4)))
    (only,) = [str(one.message) for one in said if "no cache node at" in str(one.message)]
    assert "python -m training_day serve" in only
    assert ds.stats().origin_loads == 12 and ds.stats().hits == 0


def test_node_that_comes_later_is_used(node: LocalNode, directory: Path, name: str) -> None:
    late = directory / "came-late"
    with pytest.warns(CacheWarning, match="no cache node at"):
        ds = CachedDataset(Images(8), name, address=f"unix:{late}/lane.sock")
    assert_same(ds[0], Images(8)[0])
    late.symlink_to(node.directory)
    deadline = time.monotonic() + 30
    while ds.stats().fills_taken == 0:
        assert time.monotonic() < deadline
        assert_same(ds[1], Images(8)[1])
        time.sleep(0.02)
