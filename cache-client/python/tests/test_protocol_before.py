"""Against a node of the release before: protocol 1, records of format 1, as its bytes stood. And
what protocol 2 adds for a trainer: a node that says that it goes."""

from __future__ import annotations

import struct
import threading
from pathlib import Path
from typing import Optional

import pytest
from test_training import Images, Scripted, assert_same, frame, hello

from training_day import CachedDataset
from training_day.lane import messages
from training_day.lane.address import Address
from training_day.lane.connection import Connection

GOLDEN = Path(__file__).resolve().parents[2] / "contract" / "golden"

# HELLO as the client before sent it, up to its token: magic, versions 1 to 1, trainer.
HELLO_BEFORE = bytes.fromhex("54444c4e0100010000000000")
# GOING: 8 bytes, type 55, request 0, closes in 500 ms.
GOING = bytes.fromhex("08000000370000000000000000000000f401000000000000")


def test_hello_offers_the_version_before_too() -> None:
    now = messages.hello("", "me")
    assert now[:12] == bytes.fromhex("54444c4e0100020000000000")
    assert now[:6] == HELLO_BEFORE[:6] and len(now) == 12 + 4 + 4 + 2


def test_node_before_gets_records_of_format_one(directory: Path, name: str) -> None:
    filled: list[bytes] = []

    def before(kind: int, number: int, body: bytes) -> Optional[bytes]:
        if kind == messages.HELLO:
            lowest, highest = struct.unpack_from("<HH", body, 4)
            assert lowest <= 1 <= highest, "the node before speaks 1"
            return frame(kind, number, hello())
        if kind == messages.OPEN:
            return frame(kind, number, struct.pack("<IIqq", 1, 0, 5, 0))
        if kind == messages.READ:
            lease = struct.pack("<qBBHIQ", 0, 0, 1, 0, 1, 0) + b"\2" + bytes(7)
            lease += struct.pack("<Qq", 77, 0) + bytes(16)
            return frame(kind, number, lease + bytes(-len(lease) % 64))
        if kind == messages.FILL:
            handle, _, _, index, lease, _, size, _ = struct.unpack_from("<IHHqQqII", body)
            assert (handle, index, lease, size) == (1, 3, 77, len(body) - 40)
            filled.append(body[40:])
            return frame(kind, number, bytes(8))
        return frame(kind, number, b"")

    raw = Images(4)
    scripted = Scripted(directory, before)
    assert_same(CachedDataset(raw, name, address=scripted.address)[3], raw[3])
    assert len(filled) == 1
    # As the release before checked: magic, version 1, no flags, nothing behind the seal.
    assert filled[0][:8] == (GOLDEN / "tiny.tdr").read_bytes()[:8]
    assert not any(filled[0][48:64])


@pytest.mark.parametrize("pieces", [(24,), (16, 8), (7, 17), (24, 3), (23, 20)])
def test_going_before_a_reply_is_heard(directory: Path, pieces: tuple[int, ...]) -> None:
    def answers(kind: int, number: int, body: bytes) -> Optional[bytes]:
        if kind == messages.HELLO:
            return frame(kind, number, b"\2" + hello()[1:])
        return GOING + frame(kind, number, struct.pack("<I", 2) + b"ok")

    scripted = Scripted(directory, answers)
    scripted.pieces = pieces
    connection = Connection(Address(scripted.address, "test"), "")
    assert not connection.is_going
    assert messages.text_reply(connection.call(messages.STATUS, b"")) == "ok"
    assert connection.is_going and connection.is_open
    assert messages.text_reply(connection.call(messages.STATUS, b"")) == "ok"


def test_going_while_nothing_is_asked_is_heard_by_listening(directory: Path) -> None:
    said = threading.Event()

    def answers(kind: int, number: int, body: bytes) -> Optional[bytes]:
        said.set()
        return frame(kind, number, b"\2" + hello()[1:]) + GOING

    scripted = Scripted(directory, answers)
    connection = Connection(Address(scripted.address, "test"), "")
    assert said.wait(10)
    connection.listen()
    assert connection.is_going and connection.is_open
    connection.listen()
    assert connection.is_open
