"""Requests as bytes, and replies out of them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

import numpy as np

from training_day.record import Layout, align, parse

__all__ = [
    "Lease",
    "Limits",
    "Member",
    "Owners",
    "ProtocolError",
    "RaggedField",
    "ReadReply",
    "agree",
    "agree_reply",
    "fill",
    "hello",
    "leases",
    "open_dataset",
    "owners",
    "owners_reply",
    "read",
    "report",
    "segment",
    "segment_id",
]

HEADER = struct.Struct("<IHHQ")
ERROR = 0xFF
REPLY = 0x80
# A node says it unasked, under request 0: it goes, and moves its trainers to other nodes.
GOING = 55
HELLO, OPEN, SEGMENT, MAPPED, DROP, READ, FILL, RENEW, ABANDON, STATUS, OWNERS, AGREE = range(
    1, 13
)

# Of protocol version 2.
REPORT = 50
REPORT_SINCE = 2

RECORDS, COLLATED, RAGGED = range(3)
HIT, MISS, LEASED_TO_YOU, LEASED_TO_OTHER = range(4)
TAKEN, BUSY, DROPPED = range(3)
NO_SLOT = 0xFFFF_FFFF
MAX_COUNT = 65_536
MAX_SLOTS = 1_024
SEGMENT_LOCK_BYTES = 1

MALFORMED, UNSUPPORTED_VERSION, TOO_MANY, REFUSED, NO_SEGMENT = range(1, 6)
STOPPING, FAILED, TOO_LARGE, NOT_COLLATABLE, DENIED = range(6, 11)

_MAGIC = 0x4E4C4454
_VERSION = 2
OLDEST_VERSION = 1
_TRAINER = 0
_INLINE, _TOO_SMALL = 1, 2
_HELLO_REPLY = struct.Struct("<HBBIIIIIQ")
_READ_REPLY = struct.Struct("<qBBHIQ")
_RECORD_ROW = np.dtype([("offset", "<u8"), ("length", "<u4"), ("zero", "<u4")])
_LEASE_ROW = np.dtype([("lease", "<u8"), ("version", "<i8")])


class ProtocolError(Exception):
    """A reply that breaks the contract; the connection is of no more use."""


@dataclass(frozen=True)
class Limits:
    """What the node told in its greeting."""

    version: int
    shared_memory: bool
    max_frame_bytes: int
    max_record_bytes: int
    max_requests: int
    answer_millis: int
    lease_millis: int
    max_segment_bytes: int
    host_id: str


@dataclass(frozen=True)
class Lease:
    """The right to load one sample, under one handle of one connection."""

    handle: int
    index: int
    id: int
    version: int
    variant: int = 0


@dataclass(frozen=True)
class Member:
    """One cache node; `local` is the one that answered."""

    name: str
    host_id: str
    lane_address: str
    budget_bytes: int
    local: bool


@dataclass(frozen=True)
class Owners:
    """Who holds what: of each partition the places in `members` of its holders, its primary
    first."""

    topology_version: int
    members: list[Member]
    holders: list[tuple[int, ...]]


@dataclass
class RaggedField:
    """One field of a ragged batch: where its values lie, sample by sample."""

    offset: int
    ends: np.ndarray
    shapes: np.ndarray


@dataclass
class ReadReply:
    """What a READ brought. `payload` is the inline payload, None for a slot."""

    generation: int
    statuses: bytes
    payload_bytes: int
    too_small: bool
    leases: list[tuple[int, int]] = field(default_factory=list)
    records: list[tuple[int, int]] = field(default_factory=list)
    layout: Optional[Layout] = None
    ragged: list[RaggedField] = field(default_factory=list)
    payload: Optional[memoryview] = None


def _text(value: str) -> bytes:
    encoded = value.encode("utf-8")
    return struct.pack("<I", len(encoded)) + encoded


def hello(token: str, client: str) -> bytes:
    head = struct.pack("<IHHBBH", _MAGIC, OLDEST_VERSION, _VERSION, _TRAINER, 0, 0)
    return head + _text(token) + _text(client[:256])


def hello_reply(body: memoryview) -> Limits:
    reader = _Reader(body)
    version, shared, _, *numbers = reader.unpack(_HELLO_REPLY)
    if not OLDEST_VERSION <= version <= _VERSION:
        raise ProtocolError(
            f"HELLO reply of version {version}, expected {OLDEST_VERSION} to {_VERSION}"
        )
    return Limits(version, shared == 1, *numbers, host_id=reader.text())


def report(
    handle: int, where: int, waited: int, active: int, loads: int, load_nanos: int
) -> bytes:
    return struct.pack("<IIQQQQ", handle, where, waited, active, loads, load_nanos)


_BACKUPS_AS_KEPT = 255


def open_dataset(length: int, digest: str, name: str, pipeline: str, validation: str = "") -> bytes:
    return (
        struct.pack("<q", length)
        + _text(digest)
        + _text(name)
        + _text(pipeline)
        + _text(validation)
        + struct.pack("<B", _BACKUPS_AS_KEPT)
    )


def open_reply(body: memoryview) -> tuple[int, int]:
    """Handle and generation."""
    handle, _, _, generation = _Reader(body).unpack(struct.Struct("<IIqq"))
    return handle, generation


def segment(slot_bytes: int, slots: int) -> bytes:
    return struct.pack("<QII", slot_bytes, slots, 0)


def segment_reply(body: memoryview) -> tuple[int, str]:
    """Segment id and the path of its file."""
    reader = _Reader(body)
    number, _ = reader.unpack(struct.Struct("<II"))
    return number, reader.text()


def segment_id(number: int) -> bytes:
    """MAPPED and DROP."""
    return struct.pack("<II", number, 0)


_LEASE, _STAMPS, _VARIANTS = 1, 2, 4


def read(
    handle: int,
    shape: int,
    lease: bool,
    slot: Optional[tuple[int, int]],
    wait_millis: int,
    indices: Sequence[int],
    stamps: Sequence[int] = (),
    variants: Sequence[int] = (),
) -> bytes:
    """Stamps and variants are as many as indices, or none."""
    number, place = slot or (NO_SLOT, NO_SLOT)
    count = len(indices)
    return struct.pack(
        f"<IBBHIIII{count}q{len(stamps)}Q{len(variants)}H",
        handle,
        shape,
        (_LEASE if lease else 0) | (_STAMPS if stamps else 0) | (_VARIANTS if variants else 0),
        0,
        number,
        place,
        wait_millis,
        count,
        *indices,
        *stamps,
        *variants,
    )


def read_reply(body: memoryview, shape: int, count: int) -> ReadReply:
    reader = _Reader(body)
    generation, replied, flags, _, replied_count, payload_bytes = reader.unpack(_READ_REPLY)
    if replied != shape or replied_count != count:
        raise ProtocolError(
            f"READ reply has {replied_count} samples in shape {replied}, asked for {count} in"
            f" {shape}"
        )
    statuses = bytes(reader.take(count))
    reader.take(-count % 8)
    if statuses.translate(None, b"\0\1\2\3"):
        raise ProtocolError("READ reply has a status that is none")
    leased = statuses.count(LEASED_TO_YOU)
    rows = reader.array(_LEASE_ROW, leased) if leased else ()
    reply = ReadReply(
        generation,
        statuses,
        payload_bytes,
        bool(flags & _TOO_SMALL),
        [(int(row["lease"]), int(row["version"])) for row in rows],
    )
    if not reply.too_small:
        if shape == RECORDS:
            rows = reader.array(_RECORD_ROW, count)
            reply.records = list(zip(rows["offset"].tolist(), rows["length"].tolist()))
        else:
            _table(reader, reply, shape, count)
    if flags & _INLINE:
        reader.take(align(reader.at) - reader.at)
        if len(body) - reader.at != payload_bytes:
            raise ProtocolError(
                f"READ reply has {len(body) - reader.at} bytes of payload, said {payload_bytes}"
            )
        reply.payload = reader.take(payload_bytes)
    return reply


def _table(reader: _Reader, reply: ReadReply, shape: int, count: int) -> None:
    layout_bytes, fields = reader.unpack(struct.Struct("<II"))
    if not layout_bytes:
        if reply.statuses.count(HIT):
            raise ProtocolError("READ reply has hits without a layout")
        return
    start = reader.take(layout_bytes)
    reader.take(-layout_bytes % 8)
    reply.layout = parse(start, _stated_length(start))
    if shape == COLLATED:
        return
    if fields != len(reply.layout.fields):
        raise ProtocolError(f"ragged reply has {fields} fields, its layout {reply.layout.fields}")
    for spec in reply.layout.fields:
        rank, _, offset = reader.unpack(struct.Struct("<IIQ"))
        if rank != len(spec.shape):
            raise ProtocolError(f"field '{spec.name}' has rank {rank}, its layout {spec.shape}")
        ends = reader.array(np.dtype("<i8"), count + 1)
        shapes = reader.array(np.dtype("<i8"), count * rank).reshape(count, rank)
        reply.ragged.append(RaggedField(offset, ends, shapes))


def _stated_length(start: memoryview) -> int:
    if len(start) < 64:
        raise ProtocolError(f"a layout of {len(start)} bytes")
    (body_length,) = struct.unpack_from("<Q", start, 16)
    (descriptor_length,) = struct.unpack_from("<I", start, 24)
    return align(64 + descriptor_length) + body_length


def fill(
    handle: int, variant: int, index: int, lease: int, version: int, record_bytes: int
) -> bytes:
    """All of a FILL but for the record, which follows it."""
    return struct.pack("<IHHqQqII", handle, variant, 0, index, lease, version, record_bytes, 0)


def fill_reply(body: memoryview) -> tuple[int, str]:
    reader = _Reader(body)
    result, *_ = reader.unpack(struct.Struct("<BBBB"))
    return result, reader.text()


def leases(handle: int, variant: int, some: Sequence[Lease]) -> bytes:
    """RENEW and ABANDON."""
    head = struct.pack("<IHHII", handle, variant, 0, len(some), 0)
    return head + b"".join(struct.pack("<qQq", one.index, one.id, one.version) for one in some)


NO_DATASET = 0xFFFF_FFFF


def owners(handle: int) -> bytes:
    """Asks for the members alone with NO_DATASET."""
    return struct.pack("<II", handle, 0)


def owners_reply(body: memoryview) -> Owners:
    reader = _Reader(body)
    version, partitions, count = reader.unpack(struct.Struct("<qII"))
    members = []
    for _ in range(count):
        name, host_id, lane_address = reader.text(), reader.text(), reader.text()
        budget, local = reader.unpack(struct.Struct("<qB"))
        members.append(Member(name, host_id, lane_address, budget, local == 1))
    holders = []
    for partition in range(partitions):
        (copies,) = reader.unpack(struct.Struct("<H"))
        places = reader.unpack(struct.Struct(f"<{copies}H"))
        if not places or max(places) >= count:
            raise ProtocolError(f"partition {partition} is held by {places} of {count} members")
        holders.append(places)
    return Owners(version, members, holders)


def agree(key: str, offered: bytes) -> bytes:
    """Offers a value, or, with none, asks for the one that was offered first."""
    return _text(key) + struct.pack("<II", len(offered), 0) + offered


def agree_reply(body: memoryview) -> bytes:
    """The value, empty while nobody has offered one."""
    reader = _Reader(body)
    size, _ = reader.unpack(struct.Struct("<II"))
    return bytes(reader.take(size))


def error(body: memoryview) -> tuple[int, bool, str]:
    reader = _Reader(body)
    code, retryable, _ = reader.unpack(struct.Struct("<HBB"))
    return code, retryable == 1, reader.text()


def text_reply(body: memoryview) -> str:
    return _Reader(body).text()


class _Reader:
    """Reads a body from front to back, never past its end."""

    def __init__(self, body: memoryview) -> None:
        self._body = body
        self.at = 0

    def take(self, count: int) -> memoryview:
        if count > len(self._body) - self.at:
            raise ProtocolError(f"a reply of {len(self._body)} bytes ends too early")
        taken = self._body[self.at : self.at + count]
        self.at += count
        return taken

    def unpack(self, form: struct.Struct) -> Any:
        return form.unpack(self.take(form.size))

    def array(self, dtype: np.dtype, count: int) -> np.ndarray:
        return np.frombuffer(self.take(dtype.itemsize * count), dtype, count)

    def text(self) -> str:
        (size,) = self.unpack(struct.Struct("<I"))
        try:
            return bytes(self.take(size)).decode("utf-8")
        except UnicodeDecodeError:
            raise ProtocolError("a text that is not UTF-8") from None
