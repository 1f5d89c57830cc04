"""Sources that change under a cached data set, and what says so."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from local_node import LocalNode
from training_day import BatchLoader, CachedDataset
from training_day.errors import CacheRefusedError
from training_day.stamps import Stamps


class Files(Dataset):
    """One small file a sample, listed as an ImageFolder does."""

    def __init__(self, directory: Path, count: int, ragged: bool = False) -> None:
        self.samples = [(str(directory / f"{i}.bin"), i % 3) for i in range(count)]
        self.ragged = ragged
        self.loads: list[int] = []
        for index in range(count):
            self.write(index, index)

    def write(self, index: int, value: int) -> None:
        path = self.samples[index][0]
        before = os.stat(path).st_mtime_ns if os.path.exists(path) else 0
        Path(path).write_bytes(bytes([value]))
        # File systems count time in steps: two writes within one would look the same.
        os.utime(path, ns=(before + 1_000_000_000, before + 1_000_000_000))

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Any:
        self.loads.append(index)
        value = Path(self.samples[index][0]).read_bytes()[0]
        return torch.full((4 + (index % 2 if self.ragged else 0),), value, dtype=torch.uint8)


def values(ds: Any, how: str) -> list[int]:
    """The first byte of every sample, in order."""
    if how == "getitem":
        return [int(ds[i][0]) for i in range(len(ds))]
    if how == "list":
        return [int(x[0]) for batch in DataLoader(ds, 4, collate_fn=list) for x in batch]
    if how == "batch-loader":
        return [int(x[0]) for batch in BatchLoader(ds, 4) for x in batch]
    return [int(x[0]) for batch in DataLoader(ds, 4) for x in batch]


@pytest.mark.parametrize("how", ["getitem", "list", "default", "batch-loader"])
def test_changed_files_are_loaded_once_more_and_only_they(
    node: LocalNode, name: str, tmp_path: Path, how: str
) -> None:
    raw = Files(tmp_path, 12)
    ds = CachedDataset(
        raw, name, address=node.address, pipeline_tag="1", source="s", stamp="files"
    )
    expected = list(range(12))
    for changed in ([], [3, 7], [], [0]):
        for index in changed:
            expected[index] = 100 + index
            raw.write(index, 100 + index)
        before = len(raw.loads)
        assert values(ds, how) == expected
        node.settle()
        if before:
            assert sorted(raw.loads[before:]) == changed


def test_ragged_batches_see_changes_too(node: LocalNode, name: str, tmp_path: Path) -> None:
    raw = Files(tmp_path, 8, ragged=True)
    ds = CachedDataset(
        raw, name, address=node.address, pipeline_tag="1", source="s", stamp="files"
    )
    values(ds, "list")
    node.settle()
    raw.write(5, 200)
    assert values(ds, "list") == [0, 1, 2, 3, 4, 200, 6, 7]


def test_other_trainer_without_stamps_is_refused(
    node: LocalNode, name: str, tmp_path: Path
) -> None:
    raw = Files(tmp_path, 4)
    options: dict[str, Any] = {"address": node.address, "pipeline_tag": "1", "source": "s"}
    CachedDataset(raw, name, stamp="files", **options)
    plain = CachedDataset(raw, name, **options)
    with pytest.raises(CacheRefusedError, match="validation=stamp.*stamp for each index"):
        plain[0]


def test_source_that_changes_while_it_is_loaded_is_loaded_again(
    node: LocalNode, name: str, tmp_path: Path
) -> None:
    class Changing(Files):
        def __getitem__(self, index: int) -> Any:
            sample = super().__getitem__(index)
            if len(self.loads) == 1:
                self.write(index, 77)
            return sample

    raw = Changing(tmp_path, 4)
    ds = CachedDataset(
        raw, name, address=node.address, pipeline_tag="1", source="s", stamp="files"
    )
    assert int(ds[2][0]) == 2
    node.settle()
    assert int(ds[2][0]) == 77
    assert raw.loads == [2, 2]


@pytest.mark.parametrize(
    "stamp", [5, "text", b"etag", 1.5, (1, "a"), os.stat_result(range(10))], ids=str
)
def test_every_kind_of_stamp_makes_a_number_of_64_bits(stamp: Any) -> None:
    number = Stamps(lambda index: stamp, None)(0)
    assert 0 < number < 2**64
    assert number == Stamps(lambda index: stamp, None)(1)
    assert number != Stamps(lambda index: "other", None)(0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"validation": "checksums"}, "validation='checksums', allowed: checksum, stamp, none"),
        ({"validation": "stamp"}, "needs stamp="),
        ({"validation": "none", "stamp": lambda i: i}, "exclude each other"),
        ({"stamp": 7}, "stamp=7, allowed"),
        ({"stamp": "files"}, "has no list of its files"),
    ],
)
def test_nonsense_is_refused_in_words(
    name: str, options: dict[str, Any], words: str
) -> None:
    raw = torch.utils.data.TensorDataset(torch.zeros(3))
    with pytest.raises((TypeError, ValueError), match=words):
        CachedDataset(raw, name, pipeline_tag="1", source="s", **options)


def test_a_stamp_of_another_type_is_named() -> None:
    with pytest.raises(TypeError, match=r"stamp\(3\) gave a list"):
        Stamps(lambda index: [index], None)(3)
