"""Samples and data sets of libraries that are not required: torchvision and Hugging Face's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Optional

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from local_node import LocalNode
from same import assert_same
from test_client import stored
from training_day import CachedDataset, SourceMismatch, structure

Make = Callable[..., CachedDataset]


@pytest.fixture
def cached(node: LocalNode, name: str) -> Make:
    def make(raw: Any, **options: Any) -> CachedDataset:
        return CachedDataset(raw, name, address=node.address, **options)

    return make


class Held(Dataset):
    def __init__(self, samples: list[Any]) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Any:
        return self.samples[index]


def assert_same_metadata(got: Any, expected: Any) -> None:
    assert_same(got, expected)
    assert vars(got) == vars(expected)
    for name, one in vars(expected).items():
        assert type(vars(got)[name]) is type(one), name


def _tensors() -> dict[str, Any]:
    tv = pytest.importorskip("torchvision.tv_tensors")
    boxes = torch.tensor([[1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 5.0, 6.0]])
    return {
        "Image": tv.Image(torch.arange(48, dtype=torch.uint8).reshape(3, 4, 4)),
        "Video": tv.Video(torch.rand(2, 3, 4, 4)),
        "Mask": tv.Mask(torch.ones(4, 4, dtype=torch.bool)),
        **{
            form.name: tv.BoundingBoxes(boxes, format=form, canvas_size=(32, 48))
            for form in (
                tv.BoundingBoxFormat.XYXY,
                tv.BoundingBoxFormat.XYWH,
                tv.BoundingBoxFormat.CXCYWH,
            )
        },
        "no boxes": tv.BoundingBoxes(torch.empty(0, 4), format="XYXY", canvas_size=(7, 9)),
        "a list": tv.BoundingBoxes(boxes, format="XYXY", canvas_size=[32, 48]),
        **(
            {"points": tv.KeyPoints(torch.rand(3, 2), canvas_size=(32, 48))}
            if hasattr(tv, "KeyPoints")
            else {}
        ),
    }


@pytest.mark.parametrize("together", [False, True], ids=["fields", "together"])
def test_tv_tensors_come_back_with_their_metadata(together: bool) -> None:
    for tensor in _tensors().values():
        back = structure.decode(structure.encode({"x": (tensor, 1)}, together))
        assert_same_metadata(back["x"][0], tensor)


@pytest.mark.parametrize("together", [False, True], ids=["fields", "together"])
def test_batch_encoding_comes_back(together: bool) -> None:
    transformers = pytest.importorskip("transformers")
    encoding = transformers.BatchEncoding(
        {"input_ids": [101, 7592, 102], "attention_mask": torch.ones(3, dtype=torch.int64)}
    )
    back = structure.decode(structure.encode((encoding, 4), together))[0]
    assert type(back) is transformers.BatchEncoding
    assert_same(back.data, encoding.data)
    assert_same(back["input_ids"], [101, 7592, 102])
    assert_same(back.attention_mask, encoding.attention_mask)


def _table(datasets: Any) -> Any:
    return datasets.Dataset.from_dict(
        {
            "text": [f"text {k}" for k in range(12)],
            "pixels": [[float(k), 0.5, 1.5] for k in range(12)],
            "label": [k % 3 for k in range(12)],
        }
    )


@pytest.mark.parametrize("form", [None, "torch", "numpy"])
def test_hugging_face_dataset_is_read_as_without_the_cache(
    cached: Make, name: str, node: Any, form: Optional[str]
) -> None:
    datasets = pytest.importorskip("datasets")
    raw = _table(datasets).with_format(form)
    ds = cached(raw)
    for workers in (0, 2):
        assert_same(
            list(DataLoader(ds, batch_size=5, num_workers=workers)),
            list(DataLoader(raw, batch_size=5)),
        )
        stored(node, name)
    assert_same(ds[-1], raw[-1])
    assert list(ds["label"]) == list(raw["label"])
    assert ds.column_names == ["text", "pixels", "label"]
    assert ds.stats().origin_loads == 12 and ds.stats().hits == 13


def test_hugging_face_transform_is_fingerprinted(cached: Make) -> None:
    datasets = pytest.importorskip("datasets")

    def scaled(by: int) -> Any:
        return lambda rows: {"x": [torch.tensor(p) * by for p in rows["pixels"]]}

    table = _table(datasets)

    def transformed(by: int) -> CachedDataset:
        return cached(table.with_transform(scaled(by)), source="of twelve rows")

    one, other, again = transformed(2), transformed(3), transformed(2)
    assert one.fingerprint == again.fingerprint != other.fingerprint
    assert_same(one[1], {"x": torch.tensor([2.0, 1.0, 3.0])})
    assert_same(other[1], {"x": torch.tensor([3.0, 1.5, 4.5])})


def test_hugging_face_tables_never_mix(cached: Make) -> None:
    datasets = pytest.importorskip("datasets")
    table = _table(datasets)
    halves = table.train_test_split(test_size=0.5, seed=1)
    cached(halves["train"])
    cached(_table(datasets).train_test_split(test_size=0.5, seed=1)["train"])
    for other in (
        halves["test"],
        table.select(range(6)),
        table.shuffle(seed=2).select(range(6)),
        halves["train"].map(lambda row: {"label": row["label"] + 1}),
    ):
        with pytest.raises(SourceMismatch, match="_fingerprint="):
            cached(other)


def test_tv_tensors_are_read_by_workers_and_transformed(cached: Make, name: str, node: Any) -> None:
    tensors = _tensors()
    from torchvision.transforms import v2

    samples = [
        {"image": tensors["Image"], "boxes": tensors["XYXY"]},
        {"image": tensors["Image"], "boxes": tensors["CXCYWH"]},
    ]
    ds = cached(Held(samples), source="s", pipeline_tag="t")
    loader = DataLoader(ds, batch_size=2, num_workers=1, collate_fn=list)
    for _ in range(2):
        (batch,) = loader
        for got, expected in zip(batch, samples):
            assert_same_metadata(got["boxes"], expected["boxes"])
            assert_same_metadata(got["image"], expected["image"])
            flip = v2.RandomHorizontalFlip(p=1)
            assert_same_metadata(flip(got)["boxes"], flip(expected)["boxes"])
        stored(node, name)
    assert ds.stats().origin_loads == 2
