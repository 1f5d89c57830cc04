"""The sample record: one sample as bytes, as `contract/record.md` says.

Layouts are parsed once for each distinct descriptor and kept, so decoding the records of one data
set costs a dictionary look-up each.
"""

from __future__ import annotations

import struct
import sys
import zlib
from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Mapping, Optional, Sequence, Union

from training_day.errors import MalformedRecordError

__all__ = [
    "ALIGNMENT",
    "DTYPES",
    "DType",
    "Field",
    "FieldSpec",
    "Layout",
    "Record",
    "align",
    "checksum",
    "collated_layout",
    "decode",
    "encode",
    "encode_into",
    "lay_out",
    "parse",
    "to_oldest",
    "verify",
]

if sys.byteorder != "little":
    raise ImportError("training_day needs a little-endian machine, as records and the lane are")

ALIGNMENT = 64
HEADER_BYTES = 64
MIN_DESCRIPTOR_BYTES = 4
MAX_DESCRIPTOR_BYTES = 65_536
MAX_RECORD_BYTES = 2_147_483_584
MAX_FIELDS = 256
MAX_ATTRIBUTES = 256
MAX_NAME_BYTES = 255
MAX_RANK = 16

_MAGIC = 0x31524454
_VERSION = 2
_OLDEST_VERSION = 1
# Flags of version 2: what a reader must know, and what it may pass over.
_NEEDED, _EXTRA = 0x00FF, 0xFF00
_VERSION_AND_FLAGS = struct.Struct("<4xHH")
_HEADER = struct.Struct("<IHHQQIIQq16s")
_FIELD = struct.Struct("<BBBBQQ")
_ATTRIBUTE = struct.Struct("<BBH")
_CRC_AT = 28
# The node's own four bytes: written by it, never by a client, and left out of the checksum.
_SEAL_AT = 48
_SEAL_END = 52
_MAX_INT = 2_147_483_647
_KEPT_LAYOUTS = 1024
_KEPT_SIZES = 64

Bytes = Union[bytes, bytearray, memoryview]
Attribute = Union[int, float, bool, str]


@dataclass(frozen=True)
class DType:
    """An element type: its code in a record, its name, its bytes, whether it makes a tensor."""

    code: int
    name: str
    item_bytes: int
    is_tensor: bool = True


DTYPES: dict[str, DType] = {
    d.name: d
    for d in (
        DType(1, "bool", 1),
        DType(2, "u8", 1),
        DType(3, "i8", 1),
        DType(4, "i16", 2),
        DType(5, "i32", 4),
        DType(6, "i64", 8),
        DType(7, "f16", 2),
        DType(8, "bf16", 2),
        DType(9, "f32", 4),
        DType(10, "f64", 8),
        DType(11, "bytes", 1, False),
        DType(12, "utf8", 1, False),
        DType(13, "kryo", 1, False),
    )
}
_BY_CODE = {d.code: d for d in DTYPES.values()}


@dataclass(frozen=True)
class FieldSpec:
    """A field without its place: name, dtype, shape."""

    name: str
    dtype: DType
    shape: tuple[int, ...]

    @property
    def length(self) -> int:
        """Bytes of the field in one sample."""
        length = self.dtype.item_bytes
        for dim in self.shape:
            length *= dim
        return length


@dataclass(frozen=True)
class Field:
    """A field with its content, `data` being exactly its bytes."""

    name: str
    dtype: DType
    shape: tuple[int, ...]
    data: Bytes


@dataclass(frozen=True)
class Record:
    """A decoded record; its fields lie over the bytes it was decoded from."""

    fields: tuple[Field, ...]
    attributes: Mapping[str, Attribute]
    source_stamp: int = 0
    created_millis: int = 0


@dataclass(frozen=True)
class Layout:
    """Where everything lies in a record; equal for all records with the same descriptor."""

    fields: tuple[FieldSpec, ...]
    offsets: tuple[int, ...]
    attributes: Mapping[str, Attribute]
    descriptor: bytes
    body_start: int
    length: int
    schema_hash: int
    _collated: dict[int, tuple[list[int], int]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def family_hash(self) -> int:
        """Equal for records that may be read ragged."""
        return _hash(self.fields, with_dimensions=False)


def align(n: int) -> int:
    """The first multiple of 64 that is not below `n`."""
    return (n + ALIGNMENT - 1) & -ALIGNMENT


def checksum(record: Bytes) -> int:
    """CRC-32 over the whole record but for the checksum itself and the node's seal, which counts
    as zero."""
    view = memoryview(record)
    crc = zlib.crc32(view[:_CRC_AT])
    crc = zlib.crc32(view[_CRC_AT + 4 : _SEAL_AT], crc)
    crc = zlib.crc32(b"\0\0\0\0", crc)
    return zlib.crc32(view[_SEAL_END:], crc)


def verify(record: Bytes) -> bool:
    """Whether the record's checksum is that of its bytes."""
    return struct.unpack_from("<I", record, _CRC_AT)[0] == checksum(record)


def to_oldest(record: bytearray) -> None:
    """Turns a record into one of the format before, in place, for a node that reads no other."""
    if _VERSION_AND_FLAGS.unpack_from(record)[0] != _OLDEST_VERSION:
        struct.pack_into("<HH", record, 4, _OLDEST_VERSION, 0)
        record[_SEAL_AT:HEADER_BYTES] = bytes(HEADER_BYTES - _SEAL_AT)
        struct.pack_into("<I", record, _CRC_AT, checksum(record))


def lay_out(
    fields: Sequence[FieldSpec], attributes: Optional[Mapping[str, Attribute]] = None
) -> Layout:
    """The layout of a record to be written.

    Raises ValueError for what no record may hold.
    """
    attributes = {} if attributes is None else dict(attributes)
    if len(fields) > MAX_FIELDS:
        raise ValueError(f"{len(fields)} fields, allowed: up to {MAX_FIELDS} a record")
    if len(attributes) > MAX_ATTRIBUTES:
        raise ValueError(f"{len(attributes)} attributes, allowed: up to {MAX_ATTRIBUTES} a record")
    names = [_name_bytes(field.name, "field") for field in fields]
    if len(set(names)) != len(names):
        twice = next(n for n in names if names.count(n) > 1).decode()
        raise ValueError(f"field name '{twice}' stands twice, allowed: once a record")
    tail = b"".join(_attribute_bytes(name, value) for name, value in attributes.items())
    length = MIN_DESCRIPTOR_BYTES + len(tail)
    for field, name in zip(fields, names):
        problem = _shape_problem(field.dtype, field.shape, field.length)
        if problem:
            raise ValueError(f"field '{field.name}': {problem}")
        length += _FIELD.size + 8 * len(field.shape) + len(name)
    if length > MAX_DESCRIPTOR_BYTES:
        raise ValueError(
            f"names, shapes and attributes take {length} bytes, allowed: up to"
            f" {MAX_DESCRIPTOR_BYTES} a record; shorten attributes or make them fields"
        )
    body_start = end = align(HEADER_BYTES + length)
    offsets: list[int] = []
    parts = [struct.pack("<HH", len(fields), len(attributes))]
    for field, name in zip(fields, names):
        offset = align(end)
        end = offset + field.length
        if end > MAX_RECORD_BYTES:
            raise ValueError(
                f"field '{field.name}' ends at byte {end} of the record, allowed: up to"
                f" {MAX_RECORD_BYTES}; store less in one sample"
            )
        offsets.append(offset)
        parts.append(
            _FIELD.pack(field.dtype.code, len(field.shape), len(name), 0, offset, field.length)
        )
        parts.append(struct.pack(f"<{len(field.shape)}q", *field.shape))
        parts.append(name)
    parts.append(tail)
    return Layout(
        tuple(fields),
        tuple(offsets),
        attributes,
        b"".join(parts),
        body_start,
        end,
        _hash(fields, with_dimensions=True),
    )


def encode(record: Record) -> bytearray:
    """A whole record as bytes; equal input gives equal bytes."""
    layout = lay_out(
        [FieldSpec(f.name, f.dtype, tuple(f.shape)) for f in record.fields], record.attributes
    )
    return encode_into(
        layout, [f.data for f in record.fields], record.source_stamp, record.created_millis
    )


def encode_into(
    layout: Layout, data: Sequence[Bytes], source_stamp: int = 0, created_millis: int = 0
) -> bytearray:
    """Writes a record of a known layout; `data` holds each field's bytes."""
    out = bytearray(layout.length)
    view = memoryview(out)
    _HEADER.pack_into(
        out,
        0,
        _MAGIC,
        _VERSION,
        0,
        layout.schema_hash,
        layout.length - layout.body_start,
        len(layout.descriptor),
        0,
        source_stamp & 0xFFFF_FFFF_FFFF_FFFF,
        created_millis,
        b"",
    )
    view[HEADER_BYTES : HEADER_BYTES + len(layout.descriptor)] = layout.descriptor
    for field, offset, content in zip(layout.fields, layout.offsets, data):
        length = field.length
        given = memoryview(content).cast("B") if length else memoryview(b"")
        if len(given) != length:
            raise ValueError(f"field '{field.name}' has {len(given)} bytes, its shape {length}")
        view[offset : offset + length] = given
    struct.pack_into("<I", out, _CRC_AT, checksum(out))
    return out


def decode(record: Bytes) -> Record:
    """Decodes a record; fields are views of its bytes.

    Raises MalformedRecordError, and nothing else, for bytes that are no record. The checksum is
    another matter, see `verify`.
    """
    view = memoryview(record).cast("B")
    layout = parse(view, len(view))
    _check_gaps(view, layout)
    fields = tuple(
        Field(f.name, f.dtype, f.shape, view[offset : offset + f.length])
        for f, offset in zip(layout.fields, layout.offsets)
    )
    _, _, _, _, _, _, _, stamp, created, _ = _HEADER.unpack_from(view, 0)
    return Record(fields, layout.attributes, stamp, created)


_layouts: OrderedDict[tuple[int, bytes], Layout] = OrderedDict()


def parse(record: Bytes, length: int) -> Layout:
    """The layout of a record of `length` bytes from its header and descriptor, the only bytes that
    must be there."""
    view = memoryview(record)
    if view.format != "B" or view.ndim != 1:
        view = view.cast("B")
    # All bytes that decide, with the padding: what has been found right once is so again.
    (stated,) = struct.unpack_from("<I", view, 24) if len(view) >= HEADER_BYTES else (0,)
    body_start = align(HEADER_BYTES + min(stated, MAX_DESCRIPTOR_BYTES))
    key = (length, bytes(view[:_CRC_AT]) + bytes(view[_SEAL_END:body_start]))
    layout = _layouts.get(key)
    if layout is None:
        layout = _parse(view, length)
        _layouts[key] = layout
        while len(_layouts) > _KEPT_LAYOUTS:
            try:
                _layouts.popitem(last=False)
            except KeyError:  # Another thread was faster.
                break
    return layout


def _parse(view: memoryview, length: int) -> Layout:
    descriptor_length = _check_header(view, length)
    body_start = align(HEADER_BYTES + descriptor_length)
    descriptor = bytes(view[HEADER_BYTES : HEADER_BYTES + descriptor_length])
    layout = _Reader(descriptor, body_start, length).read()
    (stated,) = struct.unpack_from("<Q", view, 8)
    if stated != layout.schema_hash:
        raise MalformedRecordError(
            8, "schemaHash", f"{stated:x}", f"the hash of its fields, {layout.schema_hash:x}"
        )
    _check_zeros(view, HEADER_BYTES + descriptor_length, body_start, "padding")
    return layout


def collated_layout(layout: Layout, count: int) -> tuple[list[int], int]:
    """Where each field of a collated batch begins in its payload, and the payload's bytes."""
    known = layout._collated.get(count)
    if known is None:
        offsets: list[int] = []
        end = 0
        for one in layout.fields:
            offsets.append(end)
            end = align(end + count * one.length)
        if len(layout._collated) >= _KEPT_SIZES:
            layout._collated.clear()
        known = layout._collated[count] = offsets, end
    return known


def _name_bytes(name: str, what: str) -> bytes:
    encoded = name.encode("utf-8")
    if not 1 <= len(encoded) <= MAX_NAME_BYTES:
        raise ValueError(
            f"{what} name '{name}' takes {len(encoded)} bytes, allowed: 1 to {MAX_NAME_BYTES}"
        )
    return encoded


def _attribute_bytes(name: str, value: Attribute) -> bytes:
    encoded = _name_bytes(name, "attribute")
    if isinstance(value, bool):
        code, content = 3, bytes([value])
    elif isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise ValueError(f"attribute '{name}'={value}, allowed: numbers of 64 bits")
        code, content = 1, struct.pack("<q", value)
    elif isinstance(value, float):
        code, content = 2, struct.pack("<d", value)
    else:
        code, content = 4, value.encode("utf-8")
        if len(content) > 0xFFFF:
            raise ValueError(f"attribute '{name}' takes {len(content)} bytes, allowed: 65535")
    return _ATTRIBUTE.pack(code, len(encoded), len(content)) + encoded + content


def _hash(fields: Sequence[FieldSpec], with_dimensions: bool) -> int:
    digest = sha256()
    for field in fields:
        name = field.name.encode("utf-8")
        digest.update(bytes([len(name)]) + name + bytes([field.dtype.code, len(field.shape)]))
        if with_dimensions:
            digest.update(struct.pack(f"<{len(field.shape)}q", *field.shape))
    return struct.unpack("<Q", digest.digest()[:8])[0]


def _shape_problem(dtype: DType, shape: Sequence[int], length: int) -> Optional[str]:
    if len(shape) > MAX_RANK:
        return f"rank={len(shape)}, allowed: 0 to {MAX_RANK}"
    if not dtype.is_tensor and len(shape) != 1:
        return f"rank={len(shape)}, allowed: 1 for {dtype.name}"
    text = "[" + ", ".join(str(dim) for dim in shape) + "]"
    if any(dim < 0 for dim in shape):
        return f"shape={text}, allowed: no negative dimension"
    needed = 0 if 0 in shape else dtype.item_bytes
    for dim in shape if needed else ():
        if dim > _MAX_INT // needed:
            return f"shape={text} of {dtype.name} is over 2 GiB"
        needed *= dim
    if needed != length:
        return f"length={length} bytes, but shape={text} of {dtype.name} needs {needed}"
    return None


def _require(holds: bool, at: int, what: str, value: object, allowed: str) -> None:
    if not holds:
        raise MalformedRecordError(at, what, value, allowed)


def _check_zeros(view: memoryview, start: int, end: int, what: str) -> None:
    if any(view[start:end]):
        at = next(i for i in range(start, end) if view[i])
        signed = view[at] - 256 if view[at] > 127 else view[at]
        raise MalformedRecordError(at, what, signed, "0")


def _check_gaps(view: memoryview, layout: Layout) -> None:
    end = layout.body_start
    for field, offset in zip(layout.fields, layout.offsets):
        _check_zeros(view, end, offset, "gap")
        end = offset + field.length


def _check_header(view: memoryview, length: int) -> int:
    _require(
        HEADER_BYTES + MIN_DESCRIPTOR_BYTES <= length <= MAX_RECORD_BYTES,
        0,
        "record length",
        length,
        f"{HEADER_BYTES + MIN_DESCRIPTOR_BYTES} to {MAX_RECORD_BYTES}",
    )
    _require(len(view) >= HEADER_BYTES, 0, "bytes at hand", len(view), "at least the header's 64")
    magic, version, flags, _, body_length, descriptor_length, _, _, _, _ = _HEADER.unpack_from(
        view, 0
    )
    _require(magic == _MAGIC, 0, "magic", f"{magic:x}", '31524454, "TDR1"')
    _require(
        version in (_OLDEST_VERSION, _VERSION), 4, "formatVersion", _i16(version), "1, 2"
    )
    if version == _OLDEST_VERSION:
        _require(flags == 0, 6, "flags", flags, "0")
    _require(
        not flags & _NEEDED,
        6,
        "flags",
        flags & _NEEDED,
        "0 of those a reader must know; a newer writer set them, update this side",
    )
    if not flags & _EXTRA:
        _check_zeros(view, _SEAL_END, HEADER_BYTES, "reserved byte")
    _require(
        MIN_DESCRIPTOR_BYTES <= descriptor_length <= MAX_DESCRIPTOR_BYTES,
        24,
        "descriptorLength",
        descriptor_length,
        f"{MIN_DESCRIPTOR_BYTES} to {MAX_DESCRIPTOR_BYTES}",
    )
    body_start = align(HEADER_BYTES + descriptor_length)
    _require(
        body_length == length - body_start,
        16,
        "bodyLength",
        body_length,
        f"record length {length} - body start {body_start}",
    )
    _require(
        len(view) >= body_start,
        HEADER_BYTES,
        "bytes at hand",
        len(view),
        f"at least the {body_start} before the body",
    )
    return descriptor_length


def _i16(value: int) -> int:
    return value - 0x1_0000 if value > 0x7FFF else value


class _Reader:
    """Reads one descriptor from front to back; every length is checked before it is used."""

    def __init__(self, descriptor: bytes, body_start: int, length: int) -> None:
        self._bytes = descriptor
        self._at = 0
        self._body_start = body_start
        self._length = length
        self._end = body_start

    def read(self) -> Layout:
        field_count, attribute_count = struct.unpack("<HH", self._take(4))
        _require(
            field_count <= MAX_FIELDS, HEADER_BYTES, "fieldCount", field_count, f"0 to {MAX_FIELDS}"
        )
        _require(
            attribute_count <= MAX_ATTRIBUTES,
            HEADER_BYTES + 2,
            "attributeCount",
            attribute_count,
            f"0 to {MAX_ATTRIBUTES}",
        )
        fields: list[FieldSpec] = []
        offsets: list[int] = []
        names = set()
        for _ in range(field_count):
            start = self._where()
            field, offset = self._field(start)
            _require(
                field.name not in names, start, "field name", f"'{field.name}'", "once a record"
            )
            names.add(field.name)
            fields.append(field)
            offsets.append(offset)
        attributes: dict[str, Attribute] = {}
        for _ in range(attribute_count):
            start = self._where()
            name, value = self._attribute(start)
            _require(name not in attributes, start, "attribute name", f"'{name}'", "once a record")
            attributes[name] = value
        _require(
            self._at == len(self._bytes),
            self._where(),
            "descriptorLength",
            len(self._bytes),
            f"{self._at}, which its fields and attributes take",
        )
        _require(
            self._end == self._length,
            16,
            "bodyLength",
            self._length - self._body_start,
            f"{self._end - self._body_start}, where the last field ends",
        )
        return Layout(
            tuple(fields),
            tuple(offsets),
            attributes,
            self._bytes,
            self._body_start,
            self._length,
            _hash(fields, with_dimensions=True),
        )

    def _where(self) -> int:
        return HEADER_BYTES + self._at

    def _take(self, count: int) -> bytes:
        if self._at + count > len(self._bytes):
            raise MalformedRecordError(
                self._where(),
                "descriptorLength",
                len(self._bytes),
                "as many bytes as its fields and attributes take, they need more",
            )
        taken = self._bytes[self._at : self._at + count]
        self._at += count
        return taken

    def _field(self, start: int) -> tuple[FieldSpec, int]:
        code, rank, name_length, reserved = self._take(4)
        dtype = _BY_CODE.get(code)
        if dtype is None:
            raise MalformedRecordError(start, "dtype", code, "1 to 13")
        _require(rank <= MAX_RANK, start + 1, "rank", rank, f"0 to {MAX_RANK}")
        _require(reserved == 0, start + 3, "reserved byte", reserved, "0")
        (offset,) = struct.unpack("<Q", self._take(8))
        _require(
            offset == align(self._end),
            start + 4,
            "offset",
            offset,
            f"{align(self._end)}, the first multiple of 64 behind what comes before",
        )
        (length,) = struct.unpack("<Q", self._take(8))
        _require(
            length <= self._length - offset,
            start + 12,
            "length",
            length,
            f"0 to {self._length - offset}, the bytes left in the record",
        )
        shape = struct.unpack(f"<{rank}q", self._take(8 * rank))
        name = self._name(name_length, start + 2)
        problem = _shape_problem(dtype, shape, length)
        _require(
            problem is None,
            start,
            f"field '{name}'",
            problem,
            "a shape that fits its dtype and length",
        )
        self._end = offset + length
        return FieldSpec(name, dtype, shape), offset

    def _attribute(self, start: int) -> tuple[str, Attribute]:
        code, name_length, value_length = _ATTRIBUTE.unpack(self._take(_ATTRIBUTE.size))
        name = self._name(name_length, start + 1)
        _require(
            code == 4 or value_length == (1 if code == 3 else 8),
            start + 2,
            f"length of attribute '{name}'",
            value_length,
            "8, 1 for bool, any for text",
        )
        _require(1 <= code <= 4, start, f"type of attribute '{name}'", code, "1 to 4")
        if code == 4:
            return name, self._text(value_length, f"attribute '{name}'")
        at = self._where()
        content = self._take(value_length)
        if code == 3:
            _require(content[0] <= 1, at, "bool", content[0], "0 or 1")
            return name, content[0] == 1
        return name, struct.unpack("<q" if code == 1 else "<d", content)[0]

    def _name(self, length: int, at: int) -> str:
        _require(length > 0, at, "nameLength", length, "1 to 255")
        return self._text(length, "name")

    def _text(self, length: int, what: str) -> str:
        at = self._where()
        try:
            return self._take(length).decode("utf-8")
        except UnicodeDecodeError:
            raise MalformedRecordError(at, what, "(not UTF-8)", "UTF-8 text") from None
