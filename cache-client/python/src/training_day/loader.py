"""Batches read ahead in the background, without workers as long as the cache has them."""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
import warnings
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Callable, Optional

import numpy as np
import torch
from torch._utils import ExceptionWrapper
from torch.utils.data import DataLoader, Dataset, Subset
from torch.utils.data._utils.pin_memory import pin_memory as pin

from training_day import randomness
from training_day.attachment import Attachment
from training_day.client import Batch
from training_day.collate import NO_SLOT, Collate, CollatedBatch, Guard, guarded
from training_day.dataset import CachedDataset, _Subset
from training_day.errors import CacheWarning
from training_day.pool import Pool

__all__ = ["BatchLoader"]

_PROGRESS_SECONDS = 0.5
_MOST_BY_BYTES = 64


class BatchLoader:
    """Iterates a CachedDataset in the batches that a DataLoader of it would give, bit for bit.

    What the cache has is read in a background thread, a batch at a time, into memory that is used
    again once the batch has been let go of. What is missing, and augmentation, goes to worker
    processes.

    One pass at a time: when another one begins, the first one's next batch is a RuntimeError. Make
    a second loader to iterate twice at once.

    What to read
        dataset: a CachedDataset, or a Subset of one that does not change its samples.
        batch_size, shuffle, sampler, batch_sampler, drop_last, generator: as of a DataLoader.

    Who works
        num_workers: processes that load what is missing. Default 0: this one loads.
        augment_workers: processes that run `augment`. Default: `num_workers`.
        batch_augment: a function of a whole batch, run in this process before it is handed out.
        worker_init_fn, multiprocessing_context: as of a DataLoader.

    How it arrives
        prefetch: batches read ahead, in the order of the sampler. Default 4.
        prefetch_bytes: once a batch has come, as many are read ahead instead as take no more than
            so many bytes; at least one, at most 64, and with `views` at most `prefetch`.
        views: True hands out tensors over the shared memory itself, without a copy; it is used
            again when the last tensor over it has been collected. Samples with numpy scalars,
            complex numbers or types of their own are copied all the same, with one warning.
        pin_memory: True copies into pinned memory.
        register_slots: with `views`, True registers the shared memory with CUDA.
        progress: True shows a line on the terminal.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: Optional[int] = 1,
        shuffle: Optional[bool] = None,
        sampler: Optional[Iterable[int]] = None,
        batch_sampler: Optional[Iterable[Sequence[int]]] = None,
        *,
        drop_last: bool = False,
        generator: Optional[torch.Generator] = None,
        num_workers: int = 0,
        augment_workers: Optional[int] = None,
        batch_augment: Optional[Callable[[Any], Any]] = None,
        worker_init_fn: Optional[Callable[[int], None]] = None,
        multiprocessing_context: Any = None,
        prefetch: int = 4,
        prefetch_bytes: Optional[int] = None,
        views: bool = False,
        pin_memory: bool = False,
        register_slots: bool = False,
        progress: bool = False,
    ) -> None:
        if prefetch < 1:
            raise ValueError(f"prefetch={prefetch}, allowed: 1 and up")
        if prefetch_bytes is not None and prefetch_bytes < 1:
            raise ValueError(f"prefetch_bytes={prefetch_bytes}, allowed: 1 and up")
        if register_slots and not views:
            raise ValueError("register_slots=True needs views=True: only views are of slots")
        if num_workers < 0 or (augment_workers or 0) < 0:
            raise ValueError(f"num_workers={num_workers}, augment_workers={augment_workers} < 0")
        self.dataset = dataset
        self._cached, self._indices = _unwrapped(dataset)
        # It checks the arguments and makes the samplers; it never loads.
        options: dict[str, Any] = {}
        if batch_sampler is None:
            options = {"batch_size": batch_size, "shuffle": shuffle or False, "sampler": sampler}
            options["drop_last"] = drop_last
            if batch_size is None:
                raise ValueError("batch_size=None, use a DataLoader for samples one by one")
        else:
            options["batch_sampler"] = batch_sampler
        self._plan = DataLoader(dataset, generator=generator, **options)  # type: ignore[arg-type]
        self.batch_sampler: Any = self._plan.batch_sampler
        self.sampler: Any = self._plan.sampler
        self.batch_size = self._plan.batch_size
        self.drop_last = self._plan.drop_last
        self.generator = generator
        self.num_workers = num_workers
        self.pin_memory = pin_memory and torch.cuda.is_available()
        self._works = self._cached.works_after_reads
        workers = num_workers
        if self._works and augment_workers is not None:
            workers = augment_workers
        self._workers = workers
        self._batch_augment = batch_augment
        self._init = worker_init_fn
        self._context = multiprocessing_context
        self._prefetch = max(prefetch, 2 * workers)
        self._prefetch_bytes = prefetch_bytes
        self._sample_bytes = 0.0
        self._views = views
        self._register = register_slots
        self._progress = progress
        many = prefetch_bytes is not None and not views
        self._most = max(self._prefetch, _MOST_BY_BYTES) if many else self._prefetch
        self._own_process()
        self._epochs = itertools.count()
        self._said: set[str] = set()
        self._is_first = True

    def _own_process(self) -> None:
        """What a process has for itself; a forked one has no part in what its parent reads."""
        self._pid = os.getpid()
        self._pool: Optional[Pool] = None
        # A pass is of who iterates, and ends when it is let go of.
        self._current: Callable[[], Optional[_Run]] = _none
        self._attached: Optional[Attachment] = None
        self._recycler = _Recycler(self._most + 4)
        self._pending: deque[tuple[Any, Batch]] = deque()

    def __len__(self) -> int:
        return len(self.batch_sampler)

    def __iter__(self) -> Iterator[Any]:
        if self._pid != os.getpid():
            self._own_process()
        former = self._current()
        if former is not None:
            former.give_way()
        if self._pool is not None and self._pool.lost is not None:
            self._pool.close()
            self._pool = None
        run = _Run(self, next(self._epochs))
        self._current = weakref.ref(run)
        if self._pool is not None and self._pool.lost is not None:
            run.broken(self._pool.lost)  # Lost meanwhile, when there was no run to be told.
        return run

    def set_epoch(self, epoch: int) -> None:
        """Of the data set and of a sampler that has one."""
        self._cached.set_epoch(epoch)
        for one in (self.sampler, self.batch_sampler):
            if callable(getattr(one, "set_epoch", None)):
                one.set_epoch(epoch)

    def close(self) -> None:
        """Ends reading ahead and the worker processes."""
        current = self._current()
        if current is not None:
            current.close()
        if self._pool is not None:
            self._pool.close()
            self._pool = None
        if self._attached is not None:
            self._attached.want_slots(self, 0)

    def __del__(self) -> None:
        if self.__dict__.get("_pid") != os.getpid():
            return
        # Any thread may be the one that collects.
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close_aside()
        self.close()

    # For a run.

    def pool(self) -> Pool:
        if self._pool is None:
            # Its thread must not keep the loader, which ends it when it is collected.
            of = weakref.ref(self)

            def tell(what: Callable[[_Run], None]) -> None:
                loader = of()
                run = loader._current() if loader is not None else None
                if run is not None:
                    what(run)

            self._pool = Pool(
                self._cached,
                Collate(),
                self._workers,
                self._context,
                self._init,
                lambda *result: tell(lambda run: run.take(*result)),
                lambda error: tell(lambda run: run.broken(error)),
            )
        return self._pool

    def translated(self, indices: Sequence[int]) -> list[int]:
        if self._indices is None:
            return [int(index) for index in indices]
        return [int(self._indices[index]) for index in indices]

    def reads_ahead(self, asked: Sequence[tuple[int, Sequence[int]]]) -> bool:
        """Whether one more batch is to be asked for, with those under way."""
        if self._prefetch_bytes is None or not self._sample_bytes or not asked:
            return len(asked) < self._prefetch
        samples = sum(len(indices) for _, indices in asked) + len(asked[-1][1])
        fits = samples * self._sample_bytes <= self._prefetch_bytes
        return fits and len(asked) < self._most

    def learn(self, batch: Any, samples: int) -> None:
        """What a batch of so many samples takes."""
        if self._prefetch_bytes is not None and samples:
            self._sample_bytes = max(self._sample_bytes, _bytes_of(batch) / samples)

    def slots(self) -> Attachment:
        if self._attached is None:
            self._attached = self._cached._samples().attachment
        return self._attached

    def finished(self, batch: CollatedBatch) -> Any:
        """A batch that the cache had whole, as it is handed out."""
        self._release_pending()
        if self._views:
            try:
                return batch.views(self._release_view)
            except LookupError as e:
                why = str(e)
                # The first batch of all comes through the socket: nobody knows yet how large it is.
                is_first, self._is_first = self._is_first and why == NO_SLOT, False
                if not is_first and why not in self._said:
                    self._said.add(why)
                    warnings.warn(
                        f"views=True, but batches are copied: {why}", CacheWarning, stacklevel=2
                    )
        make = self._pinned if self.pin_memory else self._recycler.tensor
        return batch.collate(make)

    @staticmethod
    def _pinned(k: int, dtype: torch.dtype, shape: tuple[int, ...]) -> torch.Tensor:
        return torch.empty(shape, dtype=dtype, pin_memory=True)

    def _release_view(self, batch: Batch) -> None:
        if self._register and torch.cuda.is_initialized():
            # The device may still be reading.
            event = torch.cuda.Event()
            event.record(torch.cuda.current_stream())
            self._pending.append((event, batch))
        else:
            batch.release()

    def _release_pending(self) -> None:
        while self._pending and self._pending[0][0].query():
            self._pending.popleft()[1].release()


class _Run(Iterator):
    """One pass. Indices are drawn in the thread that iterates, as a DataLoader's are."""

    # Until there is something to end.
    _closed = True

    def __init__(self, loader: BatchLoader, epoch: int) -> None:
        self._pid = os.getpid()
        self._loader = loader
        self._epoch = epoch
        self._sampler = iter(loader.batch_sampler)
        drawn = torch.empty((), dtype=torch.int64).random_(generator=loader.generator)
        self._base_seed = int(drawn.item())
        self._asked: deque[tuple[int, list[int]]] = deque()
        self._ready: dict[int, Any] = {}
        self._to_read = _ToRead()
        self._changed = self._to_read.changed
        self._next_place = 0
        self._place = 0
        self._exhausted = False
        self._gave_way = False
        self._missing = False
        self._error: Optional[BaseException] = None
        self._thread: Optional[threading.Thread] = None
        self._progress = _Progress(loader) if loader._progress else None
        self._reads = not loader._works
        if self._reads:
            held = loader._prefetch + (2 if loader._views else 0)
            loader.slots().want_slots(loader, held if loader._views else 2)
            if loader._register:
                loader.slots().whenever_mapped(_register)
        self._closed = False
        if self._reads:
            self._thread = threading.Thread(
                target=_read_ahead,
                args=(weakref.ref(self), self._to_read),
                name="training_day.loader",
                daemon=True,
            )
            self._thread.start()

    def __iter__(self) -> _Run:
        return self

    def __next__(self) -> Any:
        loader = self._loader
        if self._closed:
            raise self._over()
        self._top_up()
        if not self._asked:
            self.close()
            raise StopIteration
        started = time.perf_counter_ns()
        place, indices = self._asked.popleft()
        if loader._works and not loader._workers:
            result = self._here(indices)
        else:
            result = self._awaited(place)
            while result is _START_POOL:
                self._start_pool(place, indices)
                result = self._awaited(place)
            if result is _LOAD_HERE:
                result = self._here(indices)
        self._loader.learn(result, len(indices))
        self._top_up()
        if isinstance(result, ExceptionWrapper):
            self.close()
            result.reraise()
        if isinstance(result, BaseException):
            self.close()
            raise result
        if loader._batch_augment is not None:
            result = self._augmented(result, indices)
        loader._cached.took(started)
        if self._progress is not None:
            self._progress.step(len(indices))
        return result

    def _here(self, indices: list[int]) -> Any:
        cached = self._loader._cached
        result = Collate()(cached.collated(indices))
        return pin(result) if self._loader.pin_memory else result

    def _augmented(self, batch: Any, indices: list[int]) -> Any:
        cached, function = self._loader._cached, self._loader._batch_augment
        assert function is not None
        epoch = cached._shared.epoch
        if epoch is None:
            return function(batch)
        with randomness.kept():
            randomness.seed_all(randomness.key_of(cached._seed, epoch, *indices))
            return function(batch)

    def _top_up(self) -> None:
        while not self._exhausted and self._loader.reads_ahead(self._asked):
            try:
                indices = self._loader.translated(next(self._sampler))
            except StopIteration:
                self._exhausted = True
                return
            place = self._next_place
            self._next_place += 1
            self._asked.append((place, indices))
            if self._reads:
                with self._changed:
                    self._to_read.places.append((place, indices))
                    self._changed.notify_all()
            elif self._loader._workers:
                self._to_pool(place, indices)

    def _to_pool(self, place: int, indices: list[int]) -> None:
        pool = self._loader.pool()
        pool.give(place % pool.workers, self._epoch, self._base_seed, place, indices)

    def _start_pool(self, place: int, indices: list[int]) -> None:
        """In the thread that iterates: one of ours must not fork while this one holds locks."""
        self._loader.pool()
        ahead = dict(self._asked)
        with self._changed:
            waiting = [one for one, what in self._ready.items() if what is _START_POOL]
            for one in waiting:
                del self._ready[one]
        self._to_pool(place, indices)
        for one in waiting:
            self._to_pool(one, ahead[one])

    def _awaited(self, place: int) -> Any:
        with self._changed:
            while place not in self._ready and self._error is None and not self._closed:
                self._changed.wait()
            if place in self._ready:
                return self._ready.pop(place)
            if self._error is not None:
                return self._error
        raise self._over()

    # From other threads.

    def take(self, epoch: int, place: int, data: Any, hits: int) -> None:
        """A batch of a worker."""
        if epoch != self._epoch:
            return
        if self._loader.pin_memory and not isinstance(data, ExceptionWrapper):
            data = pin(data)
        with self._changed:
            self._ready[place] = data
            # While workers find samples missing, asking first would be in vain.
            self._missing = hits == 0
            self._changed.notify_all()

    def broken(self, error: BaseException) -> None:
        with self._changed:
            self._error = error
            self._changed.notify_all()

    def read(self, place: int, indices: list[int]) -> None:
        """A batch, ahead."""
        try:
            result = self._read(place, indices)
        except BaseException as e:  # It belongs to whoever iterates.
            result = e
        if result is not _WITH_POOL:
            with self._changed:
                if not self._closed:
                    self._ready[place] = result
                self._changed.notify_all()

    def _read(self, place: int, indices: list[int]) -> Any:
        loader = self._loader
        workers = loader._workers
        if not (self._missing and workers):
            batch = loader._cached.read_hits(indices)
            if batch is not None:
                return loader.finished(batch)
        if not workers:
            return _LOAD_HERE
        self._missing = True
        if loader._pool is None:
            return _START_POOL
        self._to_pool(place, indices)
        return _WITH_POOL

    def give_way(self) -> None:
        """To a new pass: who goes on with this one is told, for it would seem to be over."""
        self._gave_way = not self._closed
        self.close()

    def _over(self) -> Exception:
        if not self._gave_way:
            return StopIteration()
        return RuntimeError(
            "another pass of this BatchLoader has begun, which ended this one. To iterate twice at"
            " a time, make a second BatchLoader"
        )

    def close(self) -> None:
        if not self._end():
            return
        if self._progress is not None:
            self._progress.end()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(10)

    def __del__(self) -> None:
        # Any thread may be the one that collects: it waits for none.
        self._end()

    def _end(self) -> bool:
        """Whether there was something to end."""
        if self._closed or self._pid != os.getpid():
            return False
        with self._changed:
            if self._closed:
                return False
            self._closed = self._to_read.closed = True
            self._ready.clear()
            self._to_read.places.clear()
            self._changed.notify_all()
        return True

    def __len__(self) -> int:
        return len(self._loader)


_LOAD_HERE = object()
_WITH_POOL = object()
_START_POOL = object()


def _none() -> Optional[_Run]:
    return None


class _ToRead:
    """What the thread that reads ahead waits for. A run that nobody has any more is collected
    meanwhile, and ends it."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.places: deque[tuple[int, list[int]]] = deque()
        self.closed = False


def _read_ahead(run_of: weakref.ref[_Run], to_read: _ToRead) -> None:
    while True:
        with to_read.changed:
            while not to_read.places and not to_read.closed:
                to_read.changed.wait()
            if to_read.closed:
                return
            place, indices = to_read.places.popleft()
        run = run_of()
        if run is None:
            return
        run.read(place, indices)
        del run


class _Recycler:
    """Memory for batches, used again when the last tensor over it has been collected: taking it
    anew from the system costs more than the copy.

    So many pieces a field are kept, those given back last. Where batches differ in size, one up to
    twice as large as asked for does.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._free: dict[int, deque[np.ndarray]] = {}

    def tensor(self, k: int, dtype: torch.dtype, shape: tuple[int, ...]) -> torch.Tensor:
        one = torch.empty(0, dtype=dtype)
        size = int(np.prod(shape, dtype=np.int64)) * one.element_size()
        if not size:
            return torch.empty(shape, dtype=dtype)
        # Whoever collects a tensor adds to it meanwhile; beyond its length, what is oldest goes.
        free = self._free.setdefault(k, deque(maxlen=self._most))
        for _ in range(len(free)):
            memory = free.popleft()
            if size <= memory.nbytes <= 2 * size:
                break
            free.append(memory)
        else:
            memory = torch.empty(size, dtype=torch.uint8).numpy()

        def give_back() -> None:
            free.append(memory)

        return guarded(memory, 0, Guard(give_back), dtype, shape)


class _Progress:
    def __init__(self, loader: BatchLoader) -> None:
        self._total = len(loader)
        self._cached = loader._cached
        self._batches = 0
        self._samples = 0
        self._started = time.monotonic()
        self._shown = 0.0

    def step(self, samples: int) -> None:
        self._batches += 1
        self._samples += samples
        now = time.monotonic()
        if now - self._shown > _PROGRESS_SECONDS:
            self._shown = now
            self._show()

    def _show(self) -> None:
        seconds = max(1e-9, time.monotonic() - self._started)
        share = self._batches / max(1, self._total)
        bar = "#" * int(20 * share)
        rate = self._cached.stats().hit_rate
        sys.stderr.write(
            f"\r[{bar:<20}] {self._batches}/{self._total} batches,"
            f" {self._samples / seconds:,.0f} samples/s, {rate:.0%} from the cache "
        )
        sys.stderr.flush()

    def end(self) -> None:
        if self._batches:
            self._show()
            sys.stderr.write("\n")


def _batches_of(kind: type) -> Any:
    return getattr(kind, "__getitems__", None)  # Only newer torch has it.


_PLAIN_BATCHES = (_batches_of(Subset), _batches_of(_Subset))


def _unwrapped(dataset: Any) -> tuple[CachedDataset, Optional[Sequence[int]]]:
    if isinstance(dataset, CachedDataset):
        return dataset, None
    kind = type(dataset)
    if isinstance(dataset, Subset):
        if kind.__getitem__ is not Subset.__getitem__ or _batches_of(kind) not in _PLAIN_BATCHES:
            raise TypeError(
                f"BatchLoader of a {kind.__qualname__}, a Subset with a __getitem__ or"
                " __getitems__ of its own, which would be passed over; a DataLoader takes any."
                " What it does to a sample may be the CachedDataset's augment instead"
            )
        cached, inner = _unwrapped(dataset.dataset)
        own = dataset.indices
        return cached, own if inner is None else [inner[index] for index in own]
    raise TypeError(
        f"BatchLoader of a {type(dataset).__qualname__}, expected a CachedDataset or a Subset of"
        " one; a DataLoader takes any"
    )


def _bytes_of(batch: Any) -> int:
    if isinstance(batch, torch.Tensor):
        return batch.numel() * batch.element_size()
    if isinstance(batch, Mapping):
        return sum(map(_bytes_of, batch.values()))
    if isinstance(batch, (list, tuple)):
        return sum(map(_bytes_of, batch))
    return len(batch) if isinstance(batch, (str, bytes)) else 0


def _register(memory: Any) -> None:
    """Lets the device copy from the shared memory at full speed."""
    if not torch.cuda.is_available():
        return
    view = np.frombuffer(memory, np.uint8)
    runtime: Any = torch.cuda.cudart()
    result = runtime.cudaHostRegister(view.ctypes.data, view.nbytes, 0)
    code = int(result[0]) if isinstance(result, tuple) else int(result)
    if code:
        warnings.warn(f"cudaHostRegister failed with {code}", CacheWarning, stacklevel=2)
    else:
        # Registered pages stay in memory, whatever else becomes of the mapping.
        end = weakref.finalize(memory, _unregister, view.ctypes.data, os.getpid())
        end.atexit = False


def _unregister(address: int, pid: int) -> None:
    if pid == os.getpid():
        runtime: Any = torch.cuda.cudart()
        runtime.cudaHostUnregister(address)
