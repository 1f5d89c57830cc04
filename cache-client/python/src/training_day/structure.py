"""Samples as records and back: every leaf a field, the structure around them one field of text.

The structure is JSON in the field `$`, so that it travels with the record, and records that may be
collated have the same structure exactly when these bytes are equal. Leaves stand in the order of
the walk. A record without `$`, as Java writes it, reads as a dict of its fields.

Node: a string or a list whose first element says what it is.

    T [T dtype]       torch tensor; dtype where the stored one only carries its bits
    N [N dtype]       numpy array            S [S dtype]     numpy scalar
    b i f s y n       bool, int, float, str, bytes, None
    [I digits]        an int of more than 64 bits
    [li k] [ti k]     list, tuple of scalars of kind k (b, i, f) in one field
    [l …] [t …]       list, tuple            [d [key node] …]  dict     [o …] OrderedDict
    [P mode w h pal]  PIL image
    [V class {meta} node]                    torchvision tv_tensor
    [nt name node …] [dc name [field node] …] [c name node]   registered classes
    [H node]          transformers.BatchEncoding
    [@ [key …] node]  a sample, and where in it a cut pipeline goes on; behind the keys [] if
                      what is there are several arguments

A sample that has too many leaves for a record, or others than the first one of its pipeline, is
packed: all leaves lie in one field `$data`, and `$` is an object with the `node` and the `leaves`,
each `[dtype, shape]`.
"""

from __future__ import annotations

import collections
import dataclasses
import enum
import functools
import importlib
import json
import struct
import sys
from typing import Any, Callable, Mapping, Optional, Sequence, Union

import numpy as np
import torch

from training_day import record
from training_day.errors import MalformedRecordError, UnsupportedTypeError
from training_day.record import DTYPES, FieldSpec, Layout

__all__ = ["Leaf", "Packing", "Plan", "decode", "encode", "pack", "plan_of", "register"]

STRUCTURE = "$"
DATA = "$data"
_MAX_LEAVES = record.MAX_FIELDS - 1
_MAX_STRUCTURE_BYTES = 16 << 20
_MAX_DEPTH = 100
_KEPT = 1024

_TORCH: dict[str, torch.dtype] = {
    "bool": torch.bool,
    "u8": torch.uint8,
    "i8": torch.int8,
    "i16": torch.int16,
    "i32": torch.int32,
    "i64": torch.int64,
    "f16": torch.float16,
    "bf16": torch.bfloat16,
    "f32": torch.float32,
    "f64": torch.float64,
}
_OF_TORCH = {dtype: DTYPES[name] for name, dtype in _TORCH.items()}
_NUMPY: dict[str, Any] = {
    "bool": np.bool_,
    "u8": np.uint8,
    "i8": np.int8,
    "i16": np.int16,
    "i32": np.int32,
    "i64": np.int64,
    "f16": np.float16,
    "f32": np.float32,
    "f64": np.float64,
}
_OF_NUMPY = {np.dtype(dtype): DTYPES[name] for name, dtype in _NUMPY.items()}
# Types that the record does not know travel as the bits of one that it does.
_CARRIER_NUMPY = {"<u2": "i16", "<u4": "i32", "<u8": "i64", "<c8": "f32", "<c16": "f64"}
_CARRIER_TORCH: dict[str, tuple[str, torch.dtype]] = {
    "complex64": ("f32", torch.complex64),
    "complex128": ("f64", torch.complex128),
}
for _name, _carrier in (
    ("uint16", "i16"),
    ("uint32", "i32"),
    ("uint64", "i64"),
    ("float8_e4m3fn", "u8"),
    ("float8_e5m2", "u8"),
    ("float8_e4m3fnuz", "u8"),
    ("float8_e5m2fnuz", "u8"),
):
    if hasattr(torch, _name):
        _CARRIER_TORCH[_name] = (_carrier, getattr(torch, _name))
_TORCH_NAME = {dtype: name for name, (_, dtype) in _CARRIER_TORCH.items()}

_SCALARS = {
    "b": (bool, DTYPES["bool"], "<{}?"),
    "i": (int, DTYPES["i64"], "<{}q"),
    "f": (float, DTYPES["f64"], "<{}d"),
}
_SCALAR_KIND = {bool: "b", int: "i", float: "f"}
_KEY_TYPES = (str, int, float, bool, type(None))
_TV_MODULES = ("torchvision.tv_tensors", "torchvision.datapoints")

Node = Any


# Classes.


@dataclasses.dataclass(frozen=True)
class _Registered:
    cls: type
    name: str
    to_parts: Optional[Callable[[Any], Any]]
    of_parts: Optional[Callable[[Any], Any]]


_by_class: dict[type, _Registered] = {}
_by_name: dict[str, _Registered] = {}


def register(
    cls: type,
    name: Optional[str] = None,
    pack: Optional[Callable[[Any], Any]] = None,
    unpack: Optional[Callable[[Any], Any]] = None,
) -> type:
    """Lets samples hold objects of a class, stored under a name; usable as a decorator.

    Namedtuples and dataclasses need no more. For other classes, `pack` gives what is to be stored
    of an object (anything that can be stored) and `unpack` makes the object of it.
    """
    if not isinstance(cls, type):
        raise TypeError(f"register({cls!r}), expected a class")
    if (pack is None) != (unpack is None):
        raise TypeError("pack and unpack go together, give both or none")
    if pack is None and not (_is_namedtuple(cls) or dataclasses.is_dataclass(cls)):
        raise TypeError(
            f"{cls.__qualname__} is neither namedtuple nor dataclass, give pack and unpack"
        )
    name = name or f"{cls.__module__.replace('__mp_main__', '__main__')}.{cls.__qualname__}"
    known = _by_name.get(name)
    if known is not None and known.cls is not cls and _home(known.cls) != _home(cls):
        raise ValueError(f"the name '{name}' is {known.cls!r}'s, give {cls!r} another")
    one = _Registered(cls, name, pack, unpack)
    _by_class[cls] = one
    _by_name[name] = one
    _plans.cache_clear()
    return cls


def _home(cls: type) -> tuple[str, str]:
    return cls.__module__.replace("__mp_main__", "__main__"), cls.__qualname__


def _is_namedtuple(cls: type) -> bool:
    return issubclass(cls, tuple) and isinstance(getattr(cls, "_fields", None), tuple)


@dataclasses.dataclass(frozen=True)
class Marked:
    """A sample, and where in it a cut pipeline goes on."""

    sample: Any
    path: tuple[Any, ...]


# Writing.


@dataclasses.dataclass(frozen=True)
class Packing:
    """A sample taken apart: what its record's fields are, and their bytes."""

    layout: Layout
    data: tuple[Any, ...]

    def encode(self, created_millis: int = 0, source_stamp: int = 0) -> bytearray:
        return record.encode_into(self.layout, self.data, source_stamp, created_millis)


class _Walk:
    def __init__(self) -> None:
        self.names: list[str] = []
        self.specs: list[tuple[record.DType, tuple[int, ...]]] = []
        self.data: list[Any] = []

    def leaf(self, path: str, dtype: str, shape: Sequence[int], data: Any) -> None:
        self.names.append(path)
        self.specs.append((DTYPES[dtype], tuple(shape)))
        self.data.append(data)

    def node(self, value: Any, path: str, depth: int) -> Node:
        kind = type(value)
        if depth > _MAX_DEPTH:
            raise UnsupportedTypeError(f"sample{_at(path)} is nested more than {_MAX_DEPTH} deep")
        if kind is torch.Tensor:
            return self._tensor(value, path)
        if kind in _SCALAR_KIND:
            return self._scalar(value, path)
        if kind is str:
            try:
                self._bytes("utf8", value.encode("utf-8"), path)
            except UnicodeEncodeError:
                # Half a surrogate pair has no UTF-8: as a utf8 field, Java would refuse it.
                self._bytes("bytes", value.encode("utf-8", "surrogatepass"), path)
            return "s"
        if kind is tuple or kind is list:
            return self._sequence(value, kind, path, depth)
        if kind is dict or kind is collections.OrderedDict:
            return self._mapping("d" if kind is dict else "o", value, path, depth)
        if value is None:
            return "n"
        if kind is np.ndarray:
            return self._array(value, path, "N")
        if kind is bytes:
            self._bytes("bytes", value, path)
            return "y"
        if isinstance(value, np.generic):
            return self._array(np.asarray(value), path, "S")
        if kind in _by_class:
            return self._registered(_by_class[kind], value, path, depth)
        return self._other(value, path, depth)

    def _bytes(self, dtype: str, value: bytes, path: str) -> None:
        self.leaf(path, dtype, (len(value),), value)

    def _scalar(self, value: Any, path: str) -> Node:
        kind = _SCALAR_KIND[type(value)]
        if kind == "i" and not -(2**63) <= value < 2**63:
            return ["I", str(value)]
        _, dtype, form = _SCALARS[kind]
        self.leaf(path, dtype.name, (), struct.pack(form.format(1), value))
        return kind

    def _sequence(self, value: Any, kind: type, path: str, depth: int) -> Node:
        if len(value) > 1:
            first = type(value[0])
            if first in _SCALAR_KIND and all(type(one) is first for one in value):
                letter = _SCALAR_KIND[first]
                _, dtype, form = _SCALARS[letter]
                try:
                    data = struct.pack(form.format(len(value)), *value)
                except struct.error:
                    pass  # A number of more than 64 bits.
                else:
                    self.leaf(path, dtype.name, (len(value),), data)
                    return ["li" if kind is list else "ti", letter]
        parts = [self.node(one, _join(path, str(i)), depth + 1) for i, one in enumerate(value)]
        return ["l" if kind is list else "t", *parts]

    def _mapping(self, letter: str, value: Mapping[Any, Any], path: str, depth: int) -> Node:
        parts = []
        for key, one in value.items():
            if type(key) not in _KEY_TYPES:
                raise UnsupportedTypeError(
                    f"sample{_at(path)} is a dict with a key of type {_full(type(key))}, allowed:"
                    " str, int, float, bool, None"
                )
            shown = ["f", float(key).hex()] if type(key) is float else key
            parts.append([shown, self.node(one, _join(path, str(key)), depth + 1)])
        return [letter, *parts]

    def _tensor(self, value: torch.Tensor, path: str) -> Node:
        if value.layout is not torch.strided or value.device.type != "cpu" or value.is_quantized:
            raise UnsupportedTypeError(
                f"sample{_at(path)} is a tensor of device={value.device}, layout={value.layout}"
                f"{', quantized' if value.is_quantized else ''}; return a dense one on the CPU, as"
                " a DataLoader's workers do"
            )
        if value.requires_grad:
            raise UnsupportedTypeError(
                f"sample{_at(path)} is a tensor that requires a gradient, return it.detach()"
            )
        # Lazily conjugated or negated tensors hold other bits than they show.
        value = value.resolve_conj().resolve_neg()
        dtype = _OF_TORCH.get(value.dtype)
        node: Node = "T"
        if dtype is None:
            name = _TORCH_NAME.get(value.dtype)
            if name is None:
                raise UnsupportedTypeError(
                    f"sample{_at(path)} is a tensor of {value.dtype}, allowed:"
                    f" {', '.join(_TORCH)}, {', '.join(_CARRIER_TORCH)}"
                )
            node = ["T", name]
            dtype = DTYPES[_CARRIER_TORCH[name][0]]
            value = (
                torch.view_as_real(value)
                if value.is_complex()
                else value.contiguous().view(_TORCH[dtype.name])
            )
        shape = tuple(value.shape)
        flat = value.contiguous()
        if value.dtype is torch.bfloat16:
            flat = flat.view(torch.int16)
        self.leaf(path, dtype.name, shape, flat.reshape(-1).numpy())
        return node

    def _array(self, value: np.ndarray, path: str, letter: str) -> Node:
        dtype = _OF_NUMPY.get(value.dtype) if value.dtype.isnative else None
        if dtype is not None:
            node: Node = letter
            shape = value.shape
        else:
            text = value.dtype.str
            if value.dtype.hasobject or value.dtype.names:
                raise UnsupportedTypeError(
                    f"sample{_at(path)} is a numpy array of dtype {value.dtype}, return its parts"
                    " as arrays of numbers, or str"
                )
            carrier = _CARRIER_NUMPY.get(text, "u8")
            dtype = DTYPES[carrier]
            node = [letter, text]
            per_item = value.dtype.itemsize // dtype.item_bytes
            shape = value.shape if text in ("<u2", "<u4", "<u8") else (*value.shape, per_item)
        if len(shape) > record.MAX_RANK:
            raise UnsupportedTypeError(
                f"sample{_at(path)} has {len(shape)} dimensions, allowed: {record.MAX_RANK}"
            )
        flat = np.ascontiguousarray(value).reshape(-1)
        self.leaf(path, dtype.name, shape, flat.view(np.uint8) if flat.size else b"")
        return node

    def _registered(self, one: _Registered, value: Any, path: str, depth: int) -> Node:
        if one.to_parts is not None:
            return ["c", one.name, self.node(one.to_parts(value), path, depth + 1)]
        if isinstance(value, tuple):
            names = type(value)._fields  # type: ignore[attr-defined]
            parts = [self.node(v, _join(path, name), depth + 1) for name, v in zip(names, value)]
            return ["nt", one.name, *parts]
        return [
            "dc",
            one.name,
            *(
                [f.name, self.node(getattr(value, f.name), _join(path, f.name), depth + 1)]
                for f in dataclasses.fields(value)
            ),
        ]

    def _other(self, value: Any, path: str, depth: int) -> Node:
        kind = type(value)
        module = kind.__module__
        if kind is Marked:
            return ["@", list(value.path), self.node(value.sample, path, depth)]
        if module.startswith("PIL.") and _is_image(value):
            return self._image(value, path)
        if isinstance(value, torch.Tensor) and module.startswith(_TV_MODULES):
            meta = {name: _meta(one, kind) for name, one in vars(value).items()}
            node = self._tensor(value.as_subclass(torch.Tensor), path)
            return ["V", kind.__name__, meta, node]
        if kind.__name__ == "BatchEncoding" and module.startswith("transformers."):
            held: Any = value
            return ["H", self._mapping("d", held.data, path, depth)]
        if _is_namedtuple(kind) or dataclasses.is_dataclass(kind):
            advice = f"register it where it is defined: training_day.register({kind.__qualname__})"
        elif isinstance(value, torch.Tensor):
            advice = "return it.as_subclass(torch.Tensor), or register it with pack and unpack"
        else:
            advice = (
                "return tensors, numpy arrays, numbers, text, PIL images or tuples, lists and dicts"
                f" of those, or training_day.register({kind.__qualname__}, pack=…, unpack=…)"
            )
        raise UnsupportedTypeError(f"sample{_at(path)} is a {_full(kind)}: {advice}")

    def _image(self, value: Any, path: str) -> Node:
        extra = None
        if value.mode in ("P", "PA"):
            palette = value.palette
            value.load()
            extra = [palette.mode, value.im.getpalette(palette.mode, palette.mode).hex()]
        self.leaf(path, "u8", (len(data := value.tobytes()),), data)
        node = ["P", value.mode, value.size[0], value.size[1], extra]
        transparency = value.info.get("transparency")
        if isinstance(transparency, bytes):
            node.append({"transparency": transparency.hex()})
        elif isinstance(transparency, (int, tuple)):
            node.append({"transparency": transparency})
        return node


def _is_image(value: Any) -> bool:
    image = sys.modules.get("PIL.Image")
    return image is not None and isinstance(value, image.Image)


def _meta(given: Any, kind: type) -> Any:
    value: Any = given
    if isinstance(value, tuple):
        return [_meta(one, kind) for one in value]
    if isinstance(value, list):
        return {"list": [_meta(one, kind) for one in value]}
    if not isinstance(value, enum.Enum):
        if isinstance(value, (bool, int, float, str, type(None))):
            return value
    elif type(value).__module__.startswith("torchvision."):
        return {"enum": type(value).__name__, "name": value.name}
    raise UnsupportedTypeError(f"{_full(kind)} carries a {_full(type(value))}, which is not known")


def _full(kind: type) -> str:
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else (f"{kind.__module__}.{kind.__qualname__}")
    )


def _at(path: str) -> str:
    return f" at '{path}'" if path else ""


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def pack(sample: Any, together: bool = False) -> Packing:
    """Takes a sample apart.

    With `together` its record has the same two fields whatever the sample is, so that samples of
    different structure may be kept under one pipeline; such records are not collated.

    Raises UnsupportedTypeError naming what cannot be stored, where it is, and what to do.
    """
    walk = _Walk()
    node = walk.node(sample, "", 0)
    if not together and len(walk.names) <= _MAX_LEAVES:
        text = json.dumps(node, separators=(",", ":"))
        try:
            layout = _layout(tuple(walk.names), tuple(walk.specs), len(text))
        except ValueError:
            pass  # Too much for one descriptor.
        else:
            return Packing(layout, (*walk.data, text.encode("ascii")))
    leaves = [[dtype.name, list(shape)] for dtype, shape in walk.specs]
    text = json.dumps({"node": node, "leaves": leaves}, separators=(",", ":"))
    parts = []
    size = 0
    for (dtype, shape), content in zip(walk.specs, walk.data):
        length = FieldSpec("", dtype, shape).length
        parts.append(b"\0" * (record.align(size) - size))
        parts.append(memoryview(content).cast("B") if length else b"")
        size = record.align(size) + length
    layout = record.lay_out(
        [
            FieldSpec(DATA, DTYPES["u8"], (size,)),
            FieldSpec(STRUCTURE, DTYPES["utf8"], (len(text),)),
        ]
    )
    return Packing(layout, (b"".join(parts), text.encode("ascii")))


@functools.lru_cache(maxsize=_KEPT)
def _layout(
    names: tuple[str, ...],
    specs: tuple[tuple[record.DType, tuple[int, ...]], ...],
    structure_bytes: int,
) -> Layout:
    fields = []
    used = {STRUCTURE, DATA}
    for k, (name, (dtype, shape)) in enumerate(zip(names, specs)):
        encoded = name.encode("utf-8", "replace")
        if not 1 <= len(encoded) <= 200 or name in used:
            name = f"#{k}"
        name = name.encode("utf-8", "replace").decode("utf-8")
        used.add(name)
        fields.append(FieldSpec(name, dtype, shape))
    fields.append(FieldSpec(STRUCTURE, DTYPES["utf8"], (structure_bytes,)))
    return record.lay_out(fields)


def encode(sample: Any, together: bool = False, created_millis: int = 0) -> bytearray:
    """One sample as a record."""
    return pack(sample, together).encode(created_millis)


def nearly_same(one: Any, other: Any) -> bool:
    """Whether two samples differ by no more than rounding, as sums in another order do."""
    walks = _Walk(), _Walk()
    if walks[0].node(one, "", 0) != walks[1].node(other, "", 0):
        return False
    if walks[0].specs != walks[1].specs:
        return False
    for (dtype, _), left, right in zip(walks[0].specs, walks[0].data, walks[1].data):
        left, right = bytes(left), bytes(right)
        if left != right and not (
            dtype.name in _ROUNDED and _is_rounding(left, right, *_ROUNDED[dtype.name])
        ):
            return False
    return True


# Of the largest value of a field, generously what long sums in another order differ by.
_ROUNDED = {"f16": (np.float16, 4e-3), "f32": (np.float32, 1e-5), "f64": (np.float64, 1e-13)}


def _is_rounding(one: bytes, other: bytes, kind: type, share: float) -> bool:
    left, right = (np.frombuffer(some, kind).astype(np.float64) for some in (one, other))
    finite = left[np.isfinite(left)]
    largest = np.abs(finite).max() if finite.size else 0.0
    return np.allclose(left, right, 0.0, share * largest, equal_nan=True)


# Reading.


@dataclasses.dataclass(frozen=True)
class Leaf:
    """The k-th field of a record, and what it is in a sample."""

    k: int
    kind: str
    extra: Any = None

    def read(self, spec: FieldSpec, memory: Any, offset: int, own: bool) -> Any:
        """The value at `memory[offset:]`; tensors and arrays are views of it unless `own`."""
        kind = self.kind
        if kind == "T":
            return self._tensor(spec, memory, offset, own)
        if kind in ("N", "S"):
            return self._array(spec, memory, offset, own)
        if kind in _SCALARS:
            return struct.unpack_from(_SCALARS[kind][2].format(1), memory, offset)[0]
        content = bytes(memory[offset : offset + spec.length])
        if kind == "s":
            return content.decode("utf-8", "surrogatepass")
        if kind == "y":
            return content
        if kind in ("li", "ti"):
            values = struct.unpack(_SCALARS[self.extra][2].format(spec.shape[0]), content)
            return list(values) if kind == "li" else values
        return _image_of(content, self.extra)

    def _tensor(self, spec: FieldSpec, memory: Any, offset: int, own: bool) -> torch.Tensor:
        dtype = _TORCH[spec.dtype.name]
        count = spec.length // spec.dtype.item_bytes
        if count:
            tensor = torch.frombuffer(memory, dtype=dtype, count=count, offset=offset)
            tensor = tensor.reshape(spec.shape)
            if own:
                tensor = tensor.clone()
        else:
            tensor = torch.empty(spec.shape, dtype=dtype)
        if self.extra is None:
            return tensor
        target = _CARRIER_TORCH[self.extra][1]
        return torch.view_as_complex(tensor) if target.is_complex else tensor.view(target)

    def _array(self, spec: FieldSpec, memory: Any, offset: int, own: bool) -> Any:
        dtype = np.dtype(_NUMPY[spec.dtype.name])
        count = spec.length // spec.dtype.item_bytes
        array = np.frombuffer(memory, dtype, count, offset) if count else np.empty(0, dtype)
        if own:
            array = array.copy()
        shape = spec.shape
        if self.extra is not None:
            target = np.dtype(self.extra)
            array = np.empty(shape[:-1], target) if target.itemsize == 0 else array.view(target)
            if self.extra not in ("<u2", "<u4", "<u8"):
                shape = shape[:-1]
        array = array.reshape(shape)
        return array if self.kind == "N" else array[()]


def _image_of(content: bytes, extra: Sequence[Any]) -> Any:
    from PIL import Image

    mode, width, height, palette = extra[:4]
    image = Image.frombytes(mode, (width, height), content)
    if palette is not None:
        image.putpalette(bytes.fromhex(palette[1]), palette[0])
        if image.mode != mode:
            image = image.convert(mode)
    for name, value in (extra[4] if len(extra) > 4 else {}).items():
        image.info[name] = (
            bytes.fromhex(value)
            if isinstance(value, str)
            else tuple(value)
            if isinstance(value, list)
            else value
        )
    return image


Build = Callable[[Sequence[Any]], Any]


@dataclasses.dataclass(frozen=True)
class Plan:
    """How to put samples of one structure together: the leaves to read, then `build` of them."""

    node: Node
    leaves: tuple[Leaf, ...]
    build: Build
    specs: Optional[tuple[FieldSpec, ...]] = None
    """What the leaves in `$data` are; None where leaves are fields."""


class _Planner:
    def __init__(self) -> None:
        self.leaves: list[Leaf] = []

    def leaf(self, kind: str, extra: Any = None) -> Build:
        k = len(self.leaves)
        self.leaves.append(Leaf(k, kind, extra))
        return lambda values: values[k]

    def build(self, node: Node, depth: int = 0) -> Build:
        if depth > 2 * _MAX_DEPTH:
            raise ValueError("nested too deep")
        if isinstance(node, str):
            if node == "n":
                return lambda values: None
            if node in ("T", "N", "S", "b", "i", "f", "s", "y"):
                return self.leaf(node)
            raise ValueError(f"no node: {node!r}")
        head, rest = node[0], node[1:]
        if head in ("T", "N", "S"):
            if head == "T" and rest[0] not in _CARRIER_TORCH:
                raise ValueError(f"tensors of {rest[0]} are not known to torch {torch.__version__}")
            return self.leaf(head, rest[0])
        if head == "I":
            number = int(rest[0])
            return lambda values: number
        if head in ("li", "ti") and rest[0] in _SCALARS:
            return self.leaf(head, rest[0])
        if head in ("l", "t"):
            parts = [self.build(one, depth + 1) for one in rest]
            if head == "l":
                return lambda values: [part(values) for part in parts]
            return lambda values: tuple(part(values) for part in parts)
        if head in ("d", "o"):
            pairs = [(_key(key), self.build(one, depth + 1)) for key, one in rest]
            kind: Any = dict if head == "d" else collections.OrderedDict
            return lambda values: kind((key, part(values)) for key, part in pairs)
        if head == "P":
            return self.leaf("P", rest)
        if head == "V":
            return self._tv_tensor(rest, depth)
        if head == "H":
            inner = self.build(rest[0], depth + 1)
            return lambda values: importlib.import_module("transformers").BatchEncoding(
                inner(values)
            )
        if head == "@":
            place = tuple(rest[0])
            marked = self.build(rest[1], depth + 1)
            return lambda values: Marked(marked(values), place)
        if head in ("nt", "dc", "c"):
            return self._registered(head, rest, depth)
        raise ValueError(f"no node: {head!r}")

    def _registered(self, head: str, rest: Sequence[Any], depth: int) -> Build:
        name = rest[0]
        one = _by_name.get(name)
        if one is None:
            raise UnsupportedTypeError(
                f"a stored sample holds a {name}, which this process does not know: call"
                f" training_day.register({name.rpartition('.')[2]}) where it is defined, or pass"
                " types=[…] to CachedDataset"
            )
        cls = one.cls
        if head == "c":
            of_parts = one.of_parts
            inner = self.build(rest[1], depth + 1)
            if of_parts is None:
                raise UnsupportedTypeError(f"{name} was stored with pack=…, register it with both")
            return lambda values: of_parts(inner(values))
        if head == "nt":
            parts = [self.build(node, depth + 1) for node in rest[1:]]
            names = getattr(cls, "_fields", ())
            if len(parts) != len(names):
                raise UnsupportedTypeError(
                    f"{name} was stored with {len(parts)} fields, now it has {len(names)}; give the"
                    " new one another name"
                )
            return lambda values: cls(*(part(values) for part in parts))
        fields = [(field, self.build(node, depth + 1)) for field, node in rest[1:]]
        stored = [field for field, _ in fields]
        current = [f.name for f in dataclasses.fields(cls)]
        if stored != current:
            raise UnsupportedTypeError(
                f"{name} was stored with fields {', '.join(stored)}, now it has"
                f" {', '.join(current)}; give the new one another name"
            )

        def of_fields(values: Sequence[Any]) -> Any:
            made = object.__new__(cls)
            for field, part in fields:
                object.__setattr__(made, field, part(values))
            return made

        return of_fields

    def _tv_tensor(self, rest: Sequence[Any], depth: int) -> Build:
        name, meta, node = rest
        inner = self.build(node, depth + 1)
        module: Any = None
        for candidate in _TV_MODULES:
            try:
                module = importlib.import_module(candidate)
                break
            except ImportError:
                continue
        if module is None or not isinstance(cls := getattr(module, name, None), type):
            raise UnsupportedTypeError(
                f"a stored sample holds a torchvision {name}, install a torchvision that has it"
            )

        def value(one: Any) -> Any:
            if isinstance(one, dict):
                if "list" in one:
                    return [value(x) for x in one["list"]]
                return getattr(module, one["enum"])[one["name"]]
            return tuple(value(x) for x in one) if isinstance(one, list) else one

        attributes = {key: value(one) for key, one in meta.items()}

        def build(values: Sequence[Any]) -> Any:
            tensor = inner(values).as_subclass(cls)
            tensor.__dict__.update(attributes)
            return tensor

        return build


def _key(key: Any) -> Any:
    return float.fromhex(key[1]) if isinstance(key, list) else key


@functools.lru_cache(maxsize=_KEPT)
def _plans(text: bytes) -> Plan:
    planner = _Planner()
    try:
        if len(text) > _MAX_STRUCTURE_BYTES:
            raise ValueError("the structure is too large")
        whole = json.loads(text)
        if not isinstance(whole, dict):
            build = planner.build(whole)
            return Plan(whole, tuple(planner.leaves), build)
        build = planner.build(whole["node"])
        specs = tuple(
            FieldSpec(f"#{k}", DTYPES[name], tuple(int(dim) for dim in shape))
            for k, (name, shape) in enumerate(whole["leaves"])
        )
        if len(specs) != len(planner.leaves) or any(d < 0 for s in specs for d in s.shape):
            raise ValueError("leaves and structure differ")
        return Plan(whole["node"], tuple(planner.leaves), build, specs)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as e:
        if isinstance(e, UnsupportedTypeError):
            raise
        raise MalformedRecordError(0, f"field '{STRUCTURE}'", e, "a structure") from None


def plan_of(layout: Layout, text: Optional[bytes]) -> Plan:
    """The plan of samples of a layout; `text` is what their field `$` holds, None for none."""
    if text is None:
        return _plain_plan(layout.fields)
    plan = _plans(text)
    expected = len(layout.fields) - 1 if plan.specs is None else 1
    if len(plan.leaves) != expected and plan.specs is None:
        raise MalformedRecordError(
            0, f"field '{STRUCTURE}'", len(plan.leaves), f"{expected} leaves"
        )
    for leaf, spec in zip(plan.leaves, plan.specs or layout.fields):
        _check_leaf(leaf, spec)
    return plan


_FITS = {
    "b": {("bool", 0)},
    "i": {("i64", 0)},
    "f": {("f64", 0)},
    "s": {("utf8", 1), ("bytes", 1)},
    "y": {("bytes", 1)},
    "P": {("u8", 1)},
}


def _check_leaf(leaf: Leaf, spec: FieldSpec) -> None:
    if leaf.kind in _FITS:
        ok = (spec.dtype.name, len(spec.shape)) in _FITS[leaf.kind]
    elif leaf.kind in ("li", "ti"):
        ok = spec.dtype is _SCALARS[leaf.extra][1] and len(spec.shape) == 1
    else:
        ok = spec.dtype.is_tensor and (leaf.kind == "T" or spec.dtype.name != "bf16")
    if not ok:
        raise MalformedRecordError(
            0,
            f"field '{spec.name}'",
            f"{spec.dtype.name} of rank {len(spec.shape)}",
            f"what a leaf {leaf.kind} takes",
        )


@functools.lru_cache(maxsize=_KEPT)
def _plain_plan(fields: tuple[FieldSpec, ...]) -> Plan:
    kinds = {"utf8": "s", "bytes": "y"}
    leaves = []
    for k, field in enumerate(fields):
        if field.dtype.name == "kryo":
            raise UnsupportedTypeError(
                f"field '{field.name}' is a Java object, which only Java reads; store tensors, text"
                " or bytes for Python"
            )
        leaves.append(Leaf(k, kinds.get(field.dtype.name, "T")))
    names = [field.name for field in fields]
    node = ["d", *([name, leaf.kind] for name, leaf in zip(names, leaves))]
    return Plan(node, tuple(leaves), lambda values: dict(zip(names, values)))


def structure_text(layout: Layout, memory: Any, base: int) -> Optional[bytes]:
    """What the field `$` of the record at `memory[base:]` holds, None if it has none."""
    if not layout.fields or layout.fields[-1].name != STRUCTURE:
        return None
    offset = base + layout.offsets[-1]
    return bytes(memory[offset : offset + layout.fields[-1].length])


def decode(memory: Any, base: int = 0, length: Optional[int] = None, own: bool = True) -> Any:
    """The sample of the record at `memory[base : base + length]`.

    Tensors and arrays own their memory unless `own` is false; then they are views of `memory`,
    which must be writable for torch.

    Raises MalformedRecordError for bytes that are no record, UnsupportedTypeError for what this
    process cannot make of them.
    """
    view = memoryview(memory).cast("B")
    if base or length is not None:
        view = view[base : len(view) if length is None else base + length]
    layout = record.parse(view, len(view))
    plan = plan_of(layout, structure_text(layout, view, 0))
    try:
        if plan.specs is None:
            values = [
                leaf.read(spec, view, offset, own)
                for leaf, spec, offset in zip(plan.leaves, layout.fields, layout.offsets)
            ]
        else:
            values = _unpack(plan, plan.specs, layout, view, own)
    except MalformedRecordError:
        raise
    except (ValueError, TypeError, RuntimeError, OverflowError, struct.error) as e:
        raise MalformedRecordError(layout.body_start, "body", e, "what its structure says") from e
    return plan.build(values)


def _unpack(
    plan: Plan, specs: Sequence[FieldSpec], layout: Layout, view: memoryview, own: bool
) -> list[Any]:
    data = layout.fields[0]
    at, end = layout.offsets[0], layout.offsets[0] + data.length
    if data.name != DATA:
        raise MalformedRecordError(0, "field", f"'{data.name}'", f"'{DATA}'")
    values = []
    for leaf, spec in zip(plan.leaves, specs):
        at = record.align(at)
        if at + spec.length > end:
            raise MalformedRecordError(at, f"leaf {spec.name}", spec.length, f"{end - at} bytes")
        values.append(leaf.read(spec, view, at, own))
        at += spec.length
    return values


Value = Union[torch.Tensor, np.ndarray, Any]
