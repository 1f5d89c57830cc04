"""What Python has written Java reads, and what Java has written Python reads, through a node."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from sets import Everything
from local_node import ROOT, LocalNode, java
from same import assert_same
from test_client import stored
from test_record import GOLDEN
from test_structure import SAMPLES
from training_day import CachedDataset, record, structure
from training_day.attachment import Attachment
from training_day.client import RECORDS, Samples, Spec
from training_day.fingerprints import tagged
from training_day.shared import Shared

RELAY = ROOT / "cache-client/src/test/java/io/trainingday/client/RecordRelay.java"
TAG = "crossing"
PIPELINE = tagged(TAG).text
FILES = [case["file"] for case in json.loads((GOLDEN / "golden.json").read_bytes())["records"]]


class Whole:
    """A record that is offered as it is."""

    def __init__(self, content: Any) -> None:
        self._content = bytearray(content)
        self.layout = record.parse(self._content, len(self._content))

    def encode(self, created_millis: int, source_stamp: int = 0) -> bytearray:
        return self._content


class Nowhere(Dataset):
    """Has no samples of its own."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> Any:
        raise AssertionError(f"sample {index} was loaded")


@pytest.fixture(scope="module")
def relayed(node: LocalNode) -> str:
    """What every name begins with; Java's data sets end with `-java`."""
    prefix = f"crossing-{os.getpid()}"
    sets = {file: [(GOLDEN / file).read_bytes()] for file in FILES}
    sets.update({f"sample-{k}": [structure.encode(one)] for k, one in enumerate(SAMPLES.values())})
    sets["together"] = [structure.encode(one, True) for one in SAMPLES.values()]
    sets["everything"] = [structure.encode(Everything(8)[index]) for index in range(8)]
    arguments = [node.address, PIPELINE]
    attachment = Attachment(node.address, "")
    for name, records in sets.items():
        whole = [Whole(one) for one in records]
        cache = Samples(attachment, Spec(f"{prefix}-{name}", PIPELINE, len(whole)), Shared())
        cache.read(range(len(whole)), RECORDS, lambda index, _, whole=whole: whole[index]).release()
        assert cache.counters.totals()["fills_taken"] == len(whole)
        arguments += [f"{prefix}-{name}", str(len(whole))]
    done = subprocess.run(
        [*java(), str(RELAY), *arguments], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    stored(node, prefix)
    return prefix


def of_java(node: LocalNode, name: str, count: int) -> list[bytearray]:
    """The records that Java has written, without the node's seals."""
    cache = Samples(Attachment(node.address, ""), Spec(name + "-java", PIPELINE, count), Shared())
    found = cache.peek(range(count))
    assert sorted(found) == list(range(count))
    records = [bytearray(found[index]) for index in range(count)]
    for one in records:
        assert record.verify(one)
        one[48:52] = bytes(4)
    return records


@pytest.mark.parametrize("file", FILES)
def test_golden_record_comes_back_from_java_byte_for_byte(
    node: LocalNode, relayed: str, file: str
) -> None:
    # Java writes the newest format, whatever it has read.
    assert of_java(node, f"{relayed}-{file}", 1) == [(GOLDEN / "format-2" / file).read_bytes()]


@pytest.mark.parametrize("k", range(len(SAMPLES)), ids=list(SAMPLES))
def test_sample_of_any_structure_comes_back_from_java(
    node: LocalNode, relayed: str, k: int
) -> None:
    sample = list(SAMPLES.values())[k]
    (one,) = of_java(node, f"{relayed}-sample-{k}", 1)
    assert one == structure.encode(sample)
    assert_same(structure.decode(one), sample)


def test_packed_samples_come_back_from_java(node: LocalNode, relayed: str) -> None:
    back = of_java(node, f"{relayed}-together", len(SAMPLES))
    for one, (key, sample) in zip(back, SAMPLES.items()):
        assert one == structure.encode(sample, True), key


def test_dataset_filled_by_java_is_read_as_if_by_python(node: LocalNode, relayed: str) -> None:
    def filled(name: str, count: int) -> CachedDataset:
        return CachedDataset(
            Nowhere(count), f"{relayed}-{name}-java", address=node.address, pipeline_tag=TAG
        )

    raw, ds = Everything(8), filled("everything", 8)
    assert_same([ds[index] for index in range(8)], [raw[index] for index in range(8)])
    assert_same(
        list(DataLoader(ds, batch_size=4, collate_fn=ds.collate)),
        list(DataLoader(raw, batch_size=4)),
    )
    image = (torch.arange(192) * 37 % 256).to(torch.uint8).reshape(3, 8, 8)
    assert_same(
        filled("image.tdr", 1)[0], {"image": image, "étiquette": torch.tensor(4_000_000_000)}
    )
