"""The doctor: is training waiting for data, and would a cache help?"""

from __future__ import annotations

import importlib
import os
import pickle
import statistics
import sys
import time
from dataclasses import dataclass, field
from typing import Any, Optional

import numpy as np
import torch
from torch.utils.data import Subset

from training_day import fingerprints, randomness, structure
from training_day.dataset import CachedDataset
from training_day.errors import TrainingDayError, UnsupportedTypeError

__all__ = ["Diagnosis", "doctor", "loader_of"]

_SAMPLES = 64
_BATCHES = 50
_DATA_BOUND = 0.1


@dataclass
class Diagnosis:
    """What the doctor found. Times are seconds, sizes bytes."""

    samples: int
    batches: int
    workers: int
    first_batch: float = 0.0
    wait: float = 0.0
    """Median of the raw `next()` after the first, with nothing done between."""
    step: Optional[float] = None
    """What a training step takes, as given or measured."""
    load: float = 0.0
    """Median load of one sample."""
    load_slowest: float = 0.0
    sample_bytes: float = 0.0
    record_bytes: float = 0.0
    random: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    link: str = ""
    """How the cache is reached, where there is one: which node, whether in TLS, whether by shared
    memory, and why not."""

    @property
    def cache_bytes(self) -> float:
        """Memory that holds the whole data set."""
        return self.record_bytes * self.samples

    @property
    def epoch_now(self) -> float:
        """Seconds of an epoch as it is, the first batch left out."""
        return self.batches * max(self.wait, self.step or 0.0)

    @property
    def epoch_cached(self) -> float:
        """Seconds of a warm epoch: memory of 5 GB/s and 100 µs a batch, or the step."""
        batch = self.record_bytes * self.samples / max(1, self.batches)
        return self.batches * max(batch / 5e9 + 1e-4, self.step or 0.0)

    @property
    def is_data_bound(self) -> bool:
        if self.step is not None:
            return self.wait > self.step * (1 + _DATA_BOUND)
        return self.wait > 0.001

    def __str__(self) -> str:
        bound = "data-bound" if self.is_data_bound else "not data-bound"
        step = f"a step of {_time(self.step)}" if self.step is not None else "no step given"
        lines = [
            f"training-day doctor: {self.samples:,} samples, {self.batches:,} batches,"
            f" {self.workers} workers",
            "",
            f"  next() of the loader   {_time(self.wait)} a batch, the first"
            f" {_time(self.first_batch)}; {step}: {bound}",
            f"  loading one sample     {_time(self.load)} median, {_time(self.load_slowest)}"
            " slowest",
            f"  one sample             {_size(self.sample_bytes)}, as a record"
            f" {_size(self.record_bytes)}",
            f"  cache size needed      {_size(self.cache_bytes)} for all samples",
            f"  an epoch               {_time(self.epoch_now)} now, about"
            f" {_time(self.epoch_cached)} from the cache",
        ]
        if self.link:
            lines.append(f"  cache node             {self.link}")
        if self.random:
            lines.append(f"  random                 {', '.join(self.random)}")
        lines += [f"  hint                   {hint}" for hint in self.hints]
        return "\n".join(lines)


def doctor(
    loader: Any,
    step: Any = None,
    seconds: float = 30.0,
    show: bool = True,
) -> Diagnosis:
    """Looks at a DataLoader for at most `seconds`, and prints one screen.

    Generators are left as they were.

    step: seconds that a training step takes, or a function of a batch that takes one; without it,
        whether training waits cannot be said, only how fast batches come.
    """
    deadline = time.monotonic() + seconds
    dataset = loader.dataset
    found = Diagnosis(len(dataset), len(loader), getattr(loader, "num_workers", 0))
    with randomness.kept():
        _time_loader(loader, step, found, time.monotonic() + 0.6 * seconds)
        _time_samples(dataset, found, deadline)
        _find_random(dataset, found)
        _hints(dataset, found)
        _look_at_link(dataset, found)
    if show:
        print(found)
    return found


def loader_of(name: str) -> Any:
    """The loader that `MODULE:FUNCTION` makes."""
    module, _, function = name.partition(":")
    if not function:
        raise TrainingDayError(f"'{name}', expected MODULE:FUNCTION")
    sys.path.insert(0, os.getcwd())
    try:
        return getattr(importlib.import_module(module), function)()
    except (ImportError, AttributeError) as e:
        raise TrainingDayError(f"'{name}': {e}") from e


def _time_loader(loader: Any, step: Any, found: Diagnosis, deadline: float) -> None:
    waits, steps = [], []
    iterator = iter(loader)
    for number in range(_BATCHES):
        started = time.perf_counter()
        try:
            batch = next(iterator)
        except StopIteration:
            break
        waited = time.perf_counter() - started
        if number == 0:
            found.first_batch = waited
        else:
            waits.append(waited)
        if callable(step):
            started = time.perf_counter()
            step(batch)
            steps.append(time.perf_counter() - started)
        if time.monotonic() > deadline:
            break
    del iterator
    found.wait = statistics.median(waits) if waits else found.first_batch
    if not callable(step):
        found.step = step
    elif steps:
        found.step = statistics.median(steps)
        # What the loader does during the step is hidden; what is left is waited for.
        found.wait = found.wait + found.step


def _time_samples(dataset: Any, found: Diagnosis, deadline: float) -> None:
    loads, sizes, records = [], [], []
    count = len(dataset)
    places = np.random.default_rng(0).permutation(count)[:_SAMPLES]
    for index in places.tolist():
        started = time.perf_counter()
        sample = dataset[index]
        loads.append(time.perf_counter() - started)
        sizes.append(_bytes_of(sample))
        try:
            records.append(structure.pack(sample).layout.length)
        except UnsupportedTypeError as e:
            records.append(sizes[-1])
            if str(e) not in found.hints:
                found.hints.append(str(e))
        if time.monotonic() > deadline:
            break
    if loads:
        found.load = statistics.median(loads)
        found.load_slowest = max(loads)
        found.sample_bytes = statistics.mean(sizes)
        found.record_bytes = statistics.mean(records)


def _find_random(dataset: Any, found: Diagnosis) -> None:
    raw = dataset.raw if isinstance(dataset, CachedDataset) else dataset
    walk = fingerprints.walked(raw, tolerant=True)
    found.random = list(dict.fromkeys(f"{why} ({path})" for path, why in walk.random))
    if len(raw):
        with randomness.kept():
            watch = randomness.RngWatch()
            raw[0]
            drawn = watch.drawn()
        if drawn:
            found.random.append(f"loading a sample draws from {' and '.join(drawn)}")


def _look_at_link(dataset: Any, found: Diagnosis) -> None:
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    if isinstance(dataset, CachedDataset):
        found.link = str(dataset.stats().link)


def _hints(dataset: Any, found: Diagnosis) -> None:
    sample = dataset[0] if len(dataset) else None
    floats = [t for t in _tensors(sample) if t.dtype in (torch.float32, torch.float64)]
    for tensor in floats:
        scaled = tensor.double() * 255
        whole = bool(((scaled - scaled.round()).abs() < 1e-3).all())
        if tensor.numel() >= 1024 and whole and 0 <= float(tensor.min()) <= tensor.max() <= 1:
            times = tensor.element_size()
            found.hints.append(
                f"store uint8 before ToTensor: {times} × smaller; make floats in augment=fn"
            )
            break
    if found.random:
        found.hints.append(
            'random steps are not cached: cut="auto" keeps what is before them, augment=fn runs'
            " after every read"
        )
    cores = os.cpu_count() or 1
    if (
        found.is_data_bound
        and found.load * found.samples > 10
        and not isinstance(dataset, CachedDataset)
    ):
        loading = found.load * found.samples / max(1, min(cores, found.workers or 1))
        found.hints.append(
            f"from training_day import CachedDataset: loading costs {_time(loading)} an epoch"
        )
    if not found.is_data_bound:
        found.hints.append("batches come faster than they are used: a cache would not help here")
    if found.workers > 2 * cores:
        found.hints.append(f"{found.workers} workers share {cores} cores, fewer would do")


def _tensors(sample: Any) -> list[torch.Tensor]:
    if isinstance(sample, torch.Tensor):
        return [sample]
    if isinstance(sample, dict):
        return [t for one in sample.values() for t in _tensors(one)]
    if isinstance(sample, (list, tuple)):
        return [t for one in sample for t in _tensors(one)]
    return []


def _bytes_of(sample: Any) -> int:
    try:
        return sum(
            structure.FieldSpec("", spec.dtype, spec.shape).length
            for spec in structure.pack(sample).layout.fields[:-1]
        )
    except UnsupportedTypeError:
        try:
            return len(pickle.dumps(sample))
        except Exception:
            return sys.getsizeof(sample)


def _time(seconds: Optional[float]) -> str:
    if seconds is None:
        return "?"
    for limit, factor, unit in ((1e-3, 1e6, "µs"), (1.0, 1e3, "ms"), (120.0, 1.0, "s")):
        if seconds < limit:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds / 60:.3g} min"


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.4g} TiB"
