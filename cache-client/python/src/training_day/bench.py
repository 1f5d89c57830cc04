"""`python -m training_day.bench --report FILE`: the cache beside what else one might do.

All paths read the same batches in the same random order, a slice of time each, in rounds, each in
turn going first; what drifts on the machine hits all of them alike. Every path's first batch is
compared with what the samples are. Needs a built node, or a checkout to build it in.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Callable, Optional

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from training_day import BatchLoader, CachedDataset
from training_day.augment import Augment
from training_day.collate import CollatedBatch
from training_day.node import OwnNode

__all__ = ["main"]

_BATCH = 64
_SIZES = (150_528, 4_096)
_SOURCE_BYTES = 256 << 20

DOES = {
    "memcpy": "torch copy of the batch into a tensor: the limit",
    "lane-collated": "the batch over the slot the node copied it to, no copy of ours",
    "getitems": "CachedDataset.__getitems__ and torch.stack",
    "loader-default": "DataLoader(CachedDataset), default collate, no workers",
    "loader-collate": "DataLoader(CachedDataset, collate_fn=ds.collate), no workers",
    "batch-loader": "BatchLoader(CachedDataset)",
    "dict-stack": "a dict of tensors and torch.stack",
    "memmap": "numpy.memmap gathered by index",
    "pt-files": "one .pt file a sample, torch.load and torch.stack",
    "lmdb": "an LMDB transaction, frombuffer and torch.stack",
    "h5py": "an HDF5 data set, one row a sample, torch.stack",
    "stocaching": "stocaching.SharedCache and torch.stack",
    "redis-mget": "redis-py mget over loopback, frombuffer and torch.stack",
}


class Samples(Dataset):
    """Random bytes, the same for every path."""

    def __init__(self, size: int, count: int, mixed: bool = False) -> None:
        self.size = size
        self.count = count
        self.mixed = mixed

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> torch.Tensor:
        size = self.size
        if self.mixed:
            size = self.size // 2 + (index * 7919) % self.size
        generator = torch.Generator().manual_seed(index)
        return torch.randint(0, 256, (size,), dtype=torch.uint8, generator=generator)


Read = Callable[[list[int]], Any]


class Paths:
    """The ways to get a batch; those that cannot be had are named with the reason."""

    def __init__(self, raw: Samples, node: OwnNode, stack: ExitStack, name: str) -> None:
        self.raw = raw
        self.skipped: dict[str, str] = {}
        self._stack = stack
        self._samples = {index: raw[index] for index in range(len(raw))}
        self.ds = CachedDataset(raw, name, address=node.address, pipeline_tag=name)
        self.collating = CachedDataset(raw, name, address=node.address, pipeline_tag=name)
        _ = self.collating.collate
        self.ds._samples().attachment.want_slots(self, 3)
        for start in range(0, len(raw), _BATCH):
            self.ds.__getitems__(list(range(start, min(len(raw), start + _BATCH))))
        self._settle()
        self._target: Optional[torch.Tensor] = None

    def _settle(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.ds.read_hits(list(range(len(self.raw)))[:_BATCH]) is not None:
                return
            time.sleep(0.05)

    def _stacked(self, rows: Sequence[torch.Tensor], output: str) -> torch.Tensor:
        if output == "fresh":
            return torch.stack(list(rows))
        shape = (len(rows), *rows[0].shape)
        if self._target is None or self._target.shape != shape:
            self._target = torch.empty(shape, dtype=rows[0].dtype)
        return torch.stack(list(rows), out=self._target)

    def all(self) -> Iterator[tuple[str, str, Read]]:
        """Path, output, and the function that reads a batch."""
        if self.raw.mixed:
            yield from self._mixed()
            return
        yield from self._memcpy()
        yield from self._cache()
        yield from self._plain()
        for name in ("lmdb", "h5py", "stocaching", "redis-mget"):
            try:
                reader = getattr(self, "_" + name.replace("-", "_"))()
            except Exception as e:  # A library that is not there, a server that does not start.
                self.skipped[name] = f"{type(e).__name__}: {e}"
                continue
            for output in ("fresh", "reused"):
                yield name, output, self._rows(reader, output)

    def _rows(self, rows: Callable[[list[int]], list[torch.Tensor]], output: str) -> Read:
        return lambda indices: self._stacked(rows(indices), output)

    def _memcpy(self) -> Iterator[tuple[str, str, Read]]:
        sources: dict[int, torch.Tensor] = {}
        target = torch.empty((_BATCH, self.raw.size), dtype=torch.uint8)

        def source(indices: list[int]) -> torch.Tensor:
            key = indices[0]
            if key not in sources:
                if len(sources) >= 8:
                    sources.pop(next(iter(sources)))
                sources[key] = torch.stack([self._samples[i] for i in indices])
            return sources[key]

        self.prepare = source
        yield "memcpy", "reused", lambda indices: target.copy_(source(indices))
        yield "memcpy", "fresh", lambda indices: source(indices).clone()

    def _cache(self) -> Iterator[tuple[str, str, Read]]:
        def views(indices: list[int]) -> Any:
            batch = self.collating._read_collated(indices)
            assert batch is not None
            collated = CollatedBatch(batch)
            try:
                return collated.views(lambda one: one.release())
            except LookupError:  # The first one, whose size was not known.
                return collated.collate()

        def reused(indices: list[int]) -> Any:
            batch = self.collating._read_collated(indices)
            assert batch is not None
            collated = CollatedBatch(batch)
            result = collated.collate(self._into_target)
            collated.release()
            return result

        yield "lane-collated", "views", views
        yield "lane-collated", "reused", reused
        yield (
            "getitems",
            "fresh",
            lambda indices: self._stacked(self.ds.__getitems__(indices), "fresh"),
        )
        yield (
            "getitems",
            "reused",
            lambda indices: self._stacked(self.ds.__getitems__(indices), "reused"),
        )
        yield (
            "loader-default",
            "fresh",
            _of_loader(lambda sampler: DataLoader(self.ds, batch_sampler=sampler)),
        )
        yield (
            "loader-collate",
            "fresh",
            _of_loader(
                lambda sampler: DataLoader(
                    self.collating, batch_sampler=sampler, collate_fn=self.collating.collate
                )
            ),
        )
        yield (
            "batch-loader",
            "reused",
            _of_loader(lambda sampler: BatchLoader(self.ds, batch_sampler=sampler)),
        )
        yield (
            "batch-loader",
            "views",
            _of_loader(lambda sampler: BatchLoader(self.ds, batch_sampler=sampler, views=True)),
        )

    def _into_target(self, k: int, dtype: torch.dtype, shape: tuple[int, ...]) -> torch.Tensor:
        if self._target is None or tuple(self._target.shape) != shape:
            self._target = torch.empty(shape, dtype=dtype)
        return self._target

    def _plain(self) -> Iterator[tuple[str, str, Read]]:
        directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        file = directory / "samples.bin"
        count, size = len(self.raw), self.raw.size
        writing = np.memmap(file, np.uint8, "w+", shape=(count, size))
        for index, sample in self._samples.items():
            writing[index] = sample.numpy()
            torch.save(sample, directory / f"{index}.pt")
        writing.flush()
        mapped = np.memmap(file, np.uint8, "r", shape=(count, size))

        def of_dict(indices: list[int]) -> list[torch.Tensor]:
            return [self._samples[i] for i in indices]

        def of_files(indices: list[int]) -> list[torch.Tensor]:
            return [torch.load(directory / f"{i}.pt") for i in indices]

        def gathered(indices: list[int]) -> torch.Tensor:
            return torch.from_numpy(mapped[indices])

        def gathered_into(indices: list[int]) -> torch.Tensor:
            target = self._into_target(0, torch.uint8, (len(indices), size))
            np.take(mapped, indices, axis=0, out=target.numpy(), mode="clip")
            return target

        yield "memmap", "fresh", gathered
        yield "memmap", "reused", gathered_into
        for output in ("fresh", "reused"):
            yield "dict-stack", output, self._rows(of_dict, output)
            yield "pt-files", output, self._rows(of_files, output)

    def _mixed(self) -> Iterator[tuple[str, str, Read]]:
        def of_dict(indices: list[int]) -> list[torch.Tensor]:
            return [self._samples[i].clone() for i in indices]

        yield "dict-stack", "fresh", of_dict
        yield "getitems", "fresh", self.ds.__getitems__
        yield (
            "loader-default",
            "fresh",
            _of_loader(lambda sampler: DataLoader(self.ds, batch_sampler=sampler, collate_fn=list)),
        )
        try:
            reader = self._redis_mget()
        except Exception as e:
            self.skipped["redis-mget"] = f"{type(e).__name__}: {e}"
        else:
            yield "redis-mget", "fresh", lambda indices: [t.clone() for t in reader(indices)]

    def _lmdb(self) -> Callable[[list[int]], list[torch.Tensor]]:
        import lmdb  # pyright: ignore

        directory = self._stack.enter_context(tempfile.TemporaryDirectory())
        environment = lmdb.open(directory, map_size=4 << 30, sync=False)
        self._stack.callback(environment.close)
        with environment.begin(write=True) as writing:
            for index, sample in self._samples.items():
                writing.put(str(index).encode(), sample.numpy().tobytes())

        def rows(indices: list[int]) -> list[torch.Tensor]:
            with environment.begin(buffers=False) as reading:
                return [_tensor_of(reading.get(str(i).encode())) for i in indices]

        return rows

    def _h5py(self) -> Callable[[list[int]], list[torch.Tensor]]:
        import h5py  # pyright: ignore

        directory = self._stack.enter_context(tempfile.TemporaryDirectory())
        with h5py.File(f"{directory}/samples.h5", "w") as writing:
            rows_of = writing.create_dataset("x", (len(self.raw), self.raw.size), "u1")
            for index, sample in self._samples.items():
                rows_of[index] = sample.numpy()
        reading = h5py.File(f"{directory}/samples.h5", "r")
        self._stack.callback(reading.close)
        stored = reading["x"]
        return lambda indices: [torch.from_numpy(stored[i]) for i in indices]

    def _stocaching(self) -> Callable[[list[int]], list[torch.Tensor]]:
        import stocaching  # pyright: ignore

        megabytes = len(self.raw) * self.raw.size / (1 << 20)
        cache = stocaching.SharedCache(
            size_limit_gib=2 * megabytes / 1024 + 0.1,
            dataset_len=len(self.raw),
            data_dims=(self.raw.size,),
            dtype=torch.uint8,
        )
        for index, sample in self._samples.items():
            cache.set_slot(index, sample)
        return lambda indices: [cache.get_slot(i) for i in indices]

    def _redis_mget(self) -> Callable[[list[int]], list[torch.Tensor]]:
        import redis  # pyright: ignore

        server = shutil.which("redis-server")
        if server is None:
            raise FileNotFoundError("no redis-server on the PATH")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = subprocess.Popen(
            [
                server,
                "--bind",
                "127.0.0.1",
                "--port",
                str(port),
                "--save",
                "",
                "--appendonly",
                "no",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._stack.callback(lambda: (process.terminate(), process.wait()))
        client = redis.Redis("127.0.0.1", port)
        for _ in range(200):
            try:
                client.ping()
                break
            except redis.exceptions.ConnectionError:
                time.sleep(0.05)
        for index, sample in self._samples.items():
            client.set(index, sample.numpy().tobytes())
        return lambda indices: [_tensor_of(value) for value in client.mget(indices)]


def _tensor_of(value: bytes) -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # The bytes are only read.
        return torch.frombuffer(value, dtype=torch.uint8)


class _Feed:
    """An endless batch sampler that is told its batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


class _OfLoader:
    """Reads the batches of a whole round through one pass of a loader."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self._feed = _Feed()
        self._loader = make(self._feed)
        self._iterator: Optional[Iterator[Any]] = None

    def begin(self, batches: list[list[int]]) -> None:
        self._feed.batches = batches
        self._iterator = iter(self._loader)

    def __call__(self, indices: list[int]) -> Any:
        assert self._iterator is not None
        return next(self._iterator)


def _of_loader(make: Callable[[Any], Any]) -> _OfLoader:
    return _OfLoader(make)


def _batches(count: int, round: int) -> list[list[int]]:
    order = np.random.default_rng(1000 + round).permutation(count)
    return [order[k : k + _BATCH].tolist() for k in range(0, count - _BATCH + 1, _BATCH)]


def _verify(name: str, result: Any, indices: list[int], raw: Samples) -> None:
    for position, index in enumerate(indices):
        if not torch.equal(result[position].reshape(-1), raw[index]):
            raise AssertionError(f"{name} delivered sample {index} wrong")


def _measure(
    paths: Paths, rounds: int, slice_seconds: float, shapes: str, progress: Callable[[str], None]
) -> list[dict[str, Any]]:
    raw = paths.raw
    entries = list(paths.all())
    times: dict[tuple[str, str], list[list[float]]] = {e[:2]: [] for e in entries}
    inline: dict[tuple[str, str], int] = {e[:2]: 0 for e in entries}
    for round in range(rounds + 1):
        batches = _batches(len(raw), round)
        shift = round % len(entries)
        for name, output, read in entries[shift:] + entries[:shift]:
            progress(f"{raw.size:,} B, {shapes}: {name} ({output}), round {round}/{rounds}")
            if name == "memcpy":
                for indices in batches[:8]:
                    paths.prepare(indices)
            own = batches[:8] if name == "memcpy" else batches
            spent: list[float] = []
            before = paths.ds.stats().inline_batches + paths.collating.stats().inline_batches
            until = time.perf_counter() + slice_seconds
            result = None
            while not spent or time.perf_counter() < until:
                if isinstance(read, _OfLoader):
                    read.begin(own)
                for indices in own:
                    started = time.perf_counter()
                    result = read(indices)
                    spent.append(time.perf_counter() - started)
                    if round == 0 and len(spent) == 1:
                        _verify(name, result, indices, raw)
                    if time.perf_counter() > until:
                        break
                del result
                result = None
            after = paths.ds.stats().inline_batches + paths.collating.stats().inline_batches
            if round:  # The first one warms up.
                times[name, output].append(spent)
                inline[name, output] += after - before
    mean = statistics.mean(paths._samples[i].numel() for i in range(len(raw)))
    rows = []
    for (name, output), slices in times.items():
        speeds = [len(s) * _BATCH * mean / sum(s) for s in slices]
        single = sorted(t for s in slices for t in s)
        rows.append(
            {
                "path": name,
                "sampleBytes": raw.size,
                "batch": _BATCH,
                "output": output,
                "shapes": shapes,
                "bytesPerSecond": statistics.median(speeds),
                "minBytesPerSecond": min(speeds),
                "maxBytesPerSecond": max(speeds),
                "medianMicros": 1e6 * statistics.median(single),
                "p99Micros": 1e6 * single[min(len(single) - 1, int(0.99 * len(single)))],
                "batches": len(single),
                "inlineBatches": inline[name, output],
            }
        )
    return rows


class _Busy(Samples):
    """A loader in pure Python that keeps its core busy."""

    def __init__(self, size: int, count: int, seconds: float) -> None:
        super().__init__(size, count)
        self.seconds = seconds

    def __getitem__(self, index: int) -> torch.Tensor:
        busy(self.seconds)
        return torch.full((self.size,), index % 256, dtype=torch.uint8)


def busy(seconds: float) -> None:
    """Uses the core for so long, whoever else wants it."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def busy_augment(sample: torch.Tensor) -> torch.Tensor:
    busy(0.002)
    return sample


def _timed(loader: Any) -> float:
    """Seconds of an epoch."""
    return _timed_from(loader, 0, lambda: None)[0]


def _timed_from(loader: Any, at: int, do: Callable[[], None]) -> tuple[float, float]:
    """Seconds of an epoch, and those of them after batch `at`, when something is done."""
    started = since = time.perf_counter()
    for place, _ in enumerate(loader):
        if place == at:
            do()
            since = time.perf_counter()
    ended = time.perf_counter()
    return ended - started, ended - since


def _epochs(node: OwnNode, count: int, progress: Callable[[str], None]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []

    def add(case: str, cached: bool, loader: str, seconds: float) -> None:
        rows.append({"case": case, "cached": cached, "loader": loader, "seconds": seconds})

    def killed(cached: bool, epoch: float, rest: float) -> None:
        add("node-killed", cached, "DataLoader", epoch)
        # The node is as young as can be, and fills a cold cache before: this is what its loss costs.
        add("node-gone", cached, "DataLoader", rest)

    raw = _Busy(150_528, count, 0.01)
    for attempt in range(3):
        progress(f"cold epoch, 10 ms a sample, 8 workers, {attempt + 1}/3")
        workers: dict[str, Any] = {"batch_size": 16, "num_workers": 8}
        add("cold", False, "DataLoader", _timed(DataLoader(raw, **workers)))
        ds = CachedDataset(raw, f"cold-{attempt}", address=node.address, pipeline_tag="cold")
        add("cold", True, "DataLoader", _timed(DataLoader(ds, **workers)))
        other = CachedDataset(raw, f"cold-b{attempt}", address=node.address, pipeline_tag="cold")
        loader = BatchLoader(other, **workers)
        add("cold", True, "BatchLoader", _timed(loader))
        loader.close()
    for attempt in range(3):
        progress(f"warm epoch, 2 ms augmentation, 2 workers, {attempt + 1}/3")
        ds._augment = Augment(busy_augment, 0)
        workers = {"batch_size": 16, "num_workers": 2}
        add("warm-augment", True, "DataLoader", _timed(DataLoader(ds, **workers)))
        loader = BatchLoader(ds, **workers)
        add("warm-augment", True, "BatchLoader", _timed(loader))
        loader.close()
        ds._augment = None
        add("warm", True, "DataLoader", _timed(DataLoader(ds, **workers)))
        add("warm", True, "BatchLoader", _timed(BatchLoader(ds, batch_size=16)))
    for attempt in range(3):
        progress(f"node killed after a quarter of the epoch, 2 workers, {attempt + 1}/3")
        plain = DataLoader(raw, **workers)
        quarter = len(plain) // 4
        killed(False, *_timed_from(plain, quarter, lambda: None))
        with OwnNode() as other:
            lost = CachedDataset(raw, "lost", address=other.address, pipeline_tag="lost")
            killed(True, *_timed_from(DataLoader(lost, **workers), quarter, other.kill))
    return rows


def main(arguments: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training_day.bench", description=__doc__)
    parser.add_argument("--report", metavar="FILE", help="write the figures as JSON")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slice", type=float, default=0.5, help="seconds a path and round")
    parser.add_argument("--samples", type=int, help="of each size; default 256 MiB of them")
    parser.add_argument("--cold-samples", type=int, default=512)
    parser.add_argument("--no-epochs", action="store_true", help="leave the epochs out")
    options = parser.parse_args(arguments)
    shown = sys.stderr.isatty()

    def progress(text: str) -> None:
        if shown:
            sys.stderr.write(f"\r{text:<100}")
            sys.stderr.flush()

    rows: list[dict[str, Any]] = []
    skipped: dict[str, str] = {}
    epochs: list[dict[str, Any]] = []
    with OwnNode(MEMORY_MAX_SIZE="2GiB") as node:
        for size, mixed in ((_SIZES[0], False), (_SIZES[1], False), (_SIZES[0], True)):
            count = options.samples or min(8192, _SOURCE_BYTES // size)
            count = max(_BATCH, count // _BATCH * _BATCH)
            shapes = "mixed" if mixed else "equal"
            with ExitStack() as stack:
                paths = Paths(Samples(size, count, mixed), node, stack, f"bench-{size}-{shapes}")
                rows += _measure(paths, options.rounds, options.slice, shapes, progress)
                skipped.update(paths.skipped)
        if not options.no_epochs:
            epochs = _epochs(node, options.cold_samples, progress)
    report = {
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "os": f"{platform.system()} {platform.release()} {platform.machine()}",
            "threads": torch.get_num_threads(),
        },
        "method": {
            "rounds": options.rounds,
            "sliceMillis": int(options.slice * 1000),
            "warmUpMillis": int(options.slice * 1000),
            "node": "a process of its own",
        },
        "paths": [{"path": path, "does": does} for path, does in DOES.items()],
        "skipped": [{"path": path, "reason": reason} for path, reason in skipped.items()],
        "rows": rows,
        "epochs": epochs,
    }
    progress("")
    _print(report)
    if options.report:
        Path(options.report).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0


def _print(report: dict[str, Any]) -> None:
    base = {
        (row["sampleBytes"], row["shapes"]): row["bytesPerSecond"]
        for row in report["rows"]
        if row["path"] == ("memcpy" if row["shapes"] == "equal" else "dict-stack")
        and row["output"] == ("reused" if row["shapes"] == "equal" else "fresh")
    }
    print(
        f"\n{'path':<16}{'output':<8}{'sample':>9} {'shapes':<7}{'GB/s':>7}{'×limit':>8}{'µs':>10}"
    )
    for row in report["rows"]:
        share = row["bytesPerSecond"] / base[row["sampleBytes"], row["shapes"]]
        print(
            f"{row['path']:<16}{row['output']:<8}{row['sampleBytes']:>9,} {row['shapes']:<7}"
            f"{row['bytesPerSecond'] / 1e9:>7.2f}{share:>8.2f}{row['medianMicros']:>10,.0f}"
        )
    for case in dict.fromkeys(row["case"] for row in report["epochs"]):
        for cached, loader in dict.fromkeys(
            (row["cached"], row["loader"]) for row in report["epochs"] if row["case"] == case
        ):
            seconds = statistics.median(
                row["seconds"]
                for row in report["epochs"]
                if (row["case"], row["cached"], row["loader"]) == (case, cached, loader)
            )
            kind = "with the cache" if cached else "without"
            print(f"{case} epoch, {loader}, {kind}: {seconds:.2f} s")
    for one in report["skipped"]:
        print(f"left out: {one['path']} ({one['reason']})")


if __name__ == "__main__":
    sys.exit(main())
