"""Samples come back as they went in: values, types, dtypes, shapes, nesting."""

from __future__ import annotations

import collections
import dataclasses
import json
import math
import types
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import training_day
from same import assert_same
from training_day import record, structure
from training_day.errors import MalformedRecordError, UnsupportedTypeError
from training_day.record import DTYPES, Field, Record


class Point(NamedTuple):
    x: Any
    y: Any


@dataclasses.dataclass(frozen=True)
class Boxes:
    boxes: torch.Tensor
    labels: list
    note: Any = None
    derived: int = dataclasses.field(init=False, default=3)


class Ratio:
    def __init__(self, over: int, under: int) -> None:
        self.over, self.under = over, under

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ratio) and (self.over, self.under) == (other.over, other.under)


class Unknown:
    pass


class UnknownPair(NamedTuple):
    a: int


training_day.register(Point)
training_day.register(Boxes)
training_day.register(Ratio, pack=lambda r: (r.over, r.under), unpack=lambda p: Ratio(*p))


def _palette_image() -> Image.Image:
    image = Image.new("P", (4, 3))
    image.putpalette([7 * k % 256 for k in range(768)])
    image.putpixel((1, 1), 5)
    image.info["transparency"] = b"\x00\x01"
    return image


SAMPLES = {
    **{
        f"tensor-{dtype}": (torch.arange(24).reshape(2, 3, 4) % 2).to(dtype)
        for dtype in (
            torch.bool,
            torch.uint8,
            torch.int8,
            torch.int16,
            torch.int32,
            torch.int64,
            torch.float16,
            torch.bfloat16,
            torch.float32,
            torch.float64,
        )
    },
    "complex": torch.tensor([1 + 2j, 3 - 1j], dtype=torch.complex64),
    "complex128": torch.tensor([[1 + 2j]], dtype=torch.complex128),
    "conjugated": torch.tensor([1 + 2j, 3 - 1j]).conj(),
    "scalar tensor": torch.tensor(1.5),
    "empty tensor": torch.empty(0, 3, dtype=torch.int16),
    "transposed": torch.arange(6).reshape(2, 3).t(),
    "strided": torch.arange(10)[::2],
    **{
        f"numpy-{d}": np.arange(6).reshape(2, 3).astype(d)
        for d in (
            "?",
            "u1",
            "i1",
            "i2",
            "i4",
            "i8",
            "f2",
            "f4",
            "f8",
            "u2",
            "u4",
            "u8",
            "c8",
            "c16",
            ">i4",
            ">f8",
        )
    },
    "numpy text": np.array(["a", "bcd"]),
    "numpy times": np.array(["2020-01-01"], "datetime64[s]"),
    "numpy 0-d": np.array(3.0),
    "numpy empty": np.zeros((0, 2), np.uint16),
    "numpy fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
    **{
        f"np scalar {k}": v
        for k, v in {
            "f": np.float32(1.5),
            "i": np.int64(-3),
            "b": np.bool_(True),
            "u": np.uint16(9),
        }.items()
    },
    "int": 7,
    "negative": -(2**63),
    "huge": 2**70,
    "float": 0.1,
    "minus zero": -0.0,
    "inf": math.inf,
    "true": True,
    "none": None,
    "text": "grün 😀",
    "blank": "",
    "lone surrogate": "\ud800",
    "bytes": b"\x00\xff",
    "no bytes": b"",
    "tuple": (1, "a", None),
    "one": (1,),
    "nothing": (),
    "list": [1, [2.5, []], ()],
    "ints": [1, 2, 3],
    "floats": (1.0, 2.0),
    "bools": [True, False],
    "mixed": [1, True, 2.0],
    "huge ints": [1, 2**65],
    "dict": {"image": torch.ones(2), "b": {"c": 1}, 3: 4, None: 5, True: 6, 1.5: 7},
    "keys alike": {"a.b": 1, "a": {"b": 2}, "$": 3, "$data": 4, "": 5, "x" * 300: 6},
    "ordered": collections.OrderedDict([("b", 1), ("a", 2)]),
    "namedtuple": Point(1, [Point(2, None)]),
    "dataclass": Boxes(torch.ones(2, 4), [1, 2], "n"),
    "registered": [Ratio(1, 2)],
    "many leaves": [torch.tensor(i) for i in range(300)],
    "RGB": Image.new("RGB", (5, 4), (1, 2, 3)),
    "L": Image.new("L", (5, 4), 9),
    "1": Image.new("1", (9, 4), 1),
    "I;16": Image.new("I;16", (3, 2), 1000),
    "F": Image.new("F", (3, 2), 1.5),
    "RGBA": Image.new("RGBA", (2, 2), (1, 2, 3, 4)),
    "P": _palette_image(),
}


@pytest.mark.parametrize("together", [False, True], ids=["fields", "together"])
@pytest.mark.parametrize("sample", SAMPLES.values(), ids=list(SAMPLES))
def test_sample_comes_back_as_it_went_in(sample: Any, together: bool) -> None:
    content = structure.encode(sample, together)
    assert record.verify(content)
    record.decode(content)
    assert_same(structure.decode(content), sample)
    padded = bytearray(64) + content + bytearray(9)
    assert_same(structure.decode(padded, 64, len(content)), sample)


def test_nan_keeps_its_bits() -> None:
    value = np.array([0x7FF8DEAD00000001], np.uint64).view(np.float64)
    back = structure.decode(structure.encode((value, torch.from_numpy(value), value[0])))
    assert back[0].tobytes() == back[1].numpy().tobytes() == back[2].tobytes() == value.tobytes()


def test_tensors_own_their_memory_unless_views_are_asked_for() -> None:
    content = structure.encode({"t": torch.ones(4), "n": np.ones(4)})
    owned, view = structure.decode(content), structure.decode(content, own=False)
    content[-8:] = content[-200:-192]
    content[128:] = bytes(len(content) - 128)
    assert owned["t"].sum() == 4 and owned["n"].sum() == 4
    assert view["t"].sum() == 0 and view["n"].sum() == 0


def test_samples_of_one_kind_have_one_family_whatever_they_hold() -> None:
    def family(sample: Any, together: bool = False) -> int:
        return structure.pack(sample, together).layout.family_hash

    assert family((torch.ones(3, 4), "a", [1, 2])) == family((torch.ones(5, 1), "bcd", [1] * 9))
    assert family(Image.new("L", (5, 4))) == family(Image.new("RGB", (2, 2)))
    assert family((1, None)) != family((1, "a"))
    assert family((1, None), True) == family((1, "a"), True) == family([], True)


def test_record_of_java_reads_as_dict() -> None:
    one = Record(
        (
            Field("image", DTYPES["u8"], (2, 2), b"\1\2\3\4"),
            Field("label", DTYPES["i64"], (), (7).to_bytes(8, "little")),
            Field("name", DTYPES["utf8"], (2,), "é".encode()),
            Field("raw", DTYPES["bytes"], (1,), b"\xff"),
        ),
        {"width": 2},
    )
    assert_same(
        structure.decode(record.encode(one)),
        {
            "image": torch.tensor([[1, 2], [3, 4]], dtype=torch.uint8),
            "label": torch.tensor(7),
            "name": "é",
            "raw": b"\xff",
        },
    )


def test_java_object_is_refused() -> None:
    one = Record((Field("o", DTYPES["kryo"], (1,), b"\1"),), {})
    with pytest.raises(UnsupportedTypeError, match="field 'o' is a Java object"):
        structure.decode(record.encode(one))


@pytest.mark.parametrize(
    "sample, message",
    [
        (Unknown(), f"sample is a {__name__}.Unknown: return tensors, numpy arrays, numbers"),
        ({"a": [0, {1}]}, "sample at 'a.1' is a set: return tensors"),
        ((UnknownPair(1),), "register it where it is defined: training_day.register(UnknownPair)"),
        ({(1, 2): 3}, "sample is a dict with a key of type tuple, allowed: str, int, float"),
        (torch.ones(2, requires_grad=True), "requires a gradient, return it.detach()"),
        (torch.eye(2).to_sparse(), "return a dense one on the CPU"),
        (torch.nn.Parameter(torch.ones(1)), "return it.as_subclass(torch.Tensor)"),
        (np.array([object()]), "numpy array of dtype object"),
        (collections.defaultdict(list), "sample is a collections.defaultdict"),
    ],
)
def test_unsupported_type_is_named_with_what_to_do(sample: Any, message: str) -> None:
    with pytest.raises(UnsupportedTypeError) as refusal:
        structure.encode(sample)
    assert message in str(refusal.value)


def test_object_that_holds_itself_is_refused() -> None:
    loop: list = []
    loop.append(loop)
    with pytest.raises(UnsupportedTypeError, match="nested more than 100 deep"):
        structure.encode(loop)


def test_class_that_is_not_registered_here_is_named() -> None:
    local = types.new_class("Local", (Point,))
    with pytest.raises(UnsupportedTypeError):
        structure.encode(local(1, 2))
    content = structure.encode(Point(1, 2))
    text = bytes(content).replace(b"Point", b"Paint")
    with pytest.raises(UnsupportedTypeError, match="which this process does not know"):
        structure.decode(bytearray(text))


def test_register_refuses_what_makes_no_sense() -> None:
    with pytest.raises(TypeError, match="neither namedtuple nor dataclass"):
        training_day.register(Unknown)
    with pytest.raises(ValueError, match="give .* another"):
        training_day.register(UnknownPair, name=f"{__name__}.Point")
    with pytest.raises(TypeError, match="pack and unpack go together"):
        training_day.register(Unknown, pack=vars)


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=8),
    st.binary(max_size=8),
    st.builds(
        lambda n, d: torch.arange(n).to(d),
        st.integers(0, 5),
        st.sampled_from([torch.uint8, torch.float32, torch.bfloat16]),
    ),
    st.builds(
        lambda n, d: np.arange(n).astype(d),
        st.integers(0, 5),
        st.sampled_from(["u2", "f4", ">i2", "c8"]),
    ),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.one_of(st.text(max_size=4), st.integers()), inner, max_size=4),
        st.builds(Point, inner, inner),
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(TREES, st.booleans())
def test_any_nesting_comes_back(sample: Any, together: bool) -> None:
    assert_same(structure.decode(structure.encode(sample, together)), sample)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([SAMPLES[k] for k in ("dict", "P", "list", "dataclass", "ints")]),
    st.booleans(),
    st.data(),
)
def test_broken_structure_gives_a_typed_error(sample: Any, together: bool, data: Any) -> None:
    packing = structure.pack(sample, together)
    text = bytearray(packing.data[-1])
    for _ in range(data.draw(st.integers(1, 3))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(32, 126))
    content = record.encode_into(packing.layout, [*packing.data[:-1], bytes(text)])
    try:
        structure.decode(content)
    except (MalformedRecordError, UnsupportedTypeError):
        pass


def test_deep_structure_is_no_crash() -> None:
    for text in (b"[" * 100_000, json.dumps(["l"] * 2).encode(), b"[]", b"{}", b"1", b'"T"'):
        layout = record.lay_out([record.FieldSpec("$", DTYPES["utf8"], (len(text),))])
        with pytest.raises(MalformedRecordError):
            structure.decode(record.encode_into(layout, [text]))
