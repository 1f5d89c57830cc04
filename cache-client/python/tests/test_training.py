"""Whole trainings: the same losses, and no error whatever happens to the node or the workers."""

from __future__ import annotations

import functools
import itertools
import multiprocessing
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader
from torch.utils.data._utils.collate import default_collate

from sets import Images, LargeThenSlow, Slow, noise
from local_node import LocalNode
from same import assert_same
from test_client import stored
from training_day import BatchLoader, CachedDataset, CacheWarning, structure
from training_day.attachment import Attachment
from training_day.client import RECORDS, Samples, Spec
from training_day.errors import LaneError, MalformedRecordError, NodeGoneError
from training_day.lane import messages
from training_day.lane.address import Address
from training_day.lane.connection import Connection
from training_day.shared import Shared

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


class Noisy(Images):
    """As a user without the cache augments: in the data set."""

    def __getitem__(self, index: int) -> Any:
        return noise(super().__getitem__(index))


def losses(dataset: Any, workers: int, context: Optional[str], persistent: bool) -> list[float]:
    """An ordinary training script."""
    torch.manual_seed(11)
    random.seed(11)
    np.random.seed(11)
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 8), nn.Dropout(0.2), nn.Linear(8, 2))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    loader = DataLoader(
        dataset,
        batch_size=8,
        shuffle=True,
        num_workers=workers,
        multiprocessing_context=context,
        persistent_workers=persistent,
    )
    out = []
    for _ in range(2):
        for images, labels in loader:
            loss = nn.functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            out.append(loss.item())
    return out


# Processes that are spawned take seconds each.
WAYS = [
    (0, None, False),
    *itertools.product((2, 4), ("fork",), (False, True)),
    (2, "spawn", True),
]


@functools.lru_cache(maxsize=None)
def plain_losses(workers: int, persistent: bool, augmented: bool) -> list[float]:
    """Without the cache. Workers draw the same however they are started, and forking is faster."""
    raw = Noisy(40) if augmented else Images(40)
    return losses(raw, workers, "fork" if workers else None, persistent)


@pytest.mark.parametrize(
    "workers, context, persistent, augmented",
    [(*way, augmented) for augmented in (False, True) for way in WAYS],
)
def test_losses_are_those_without_the_cache(
    node: LocalNode, name: str, workers: int, context: Any, persistent: bool, augmented: bool
) -> None:
    expected = plain_losses(workers, persistent, augmented)
    cached = CachedDataset(
        Images(40), name, address=node.address, augment=noise if augmented else None
    )
    assert losses(cached, workers, context, persistent) == expected
    assert cached.stats().origin_loads == 40 and cached.stats().hits >= 40


def test_node_killed_in_training_is_no_error(
    start_node: Callable[..., LocalNode], name: str
) -> None:
    node = start_node()
    raw = Slow(400, 0.001)
    ds = CachedDataset(raw, name, address=node.address)
    loader = DataLoader(ds, batch_size=4, num_workers=2, persistent_workers=True)
    expected = list(DataLoader(raw, batch_size=4))
    for _ in range(2):
        for number, batch in enumerate(loader):
            assert_same(batch, expected[number])
            if number == 30:
                node.kill()
    ds[0]
    assert ds._samples().attachment.session is None

    def seconds(batches: DataLoader) -> float:
        started = time.perf_counter()
        assert len(list(batches)) == 100
        return time.perf_counter() - started

    plain = DataLoader(raw, batch_size=4, num_workers=2, persistent_workers=True)
    # A busy machine may hold either of them up, but not each time.
    assert any(seconds(loader) < 3 * seconds(plain) for _ in range(5))


def test_batch_loader_goes_on_when_the_node_is_killed(
    start_node: Callable[..., LocalNode], name: str
) -> None:
    node = start_node()
    raw = Images(200)
    ds = CachedDataset(raw, name, address=node.address)
    expected = list(DataLoader(raw, batch_size=4))
    loader = BatchLoader(ds, 4, num_workers=2)
    list(loader)
    for number, batch in enumerate(loader):
        assert_same(batch, expected[number])
        if number == 5:
            node.kill()
    assert_same(list(loader), expected)
    loader.close()


def _resident(pid: int, kind: str) -> int:
    """Bytes of a process, RssAnon or RssShmem."""
    text = Path(f"/proc/{pid}/status").read_text()
    (line,) = (line for line in text.splitlines() if line.startswith(f"{kind}:"))
    return int(line.split()[1]) << 10


def _holds(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether it does, at the latest then."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


@pytest.fixture(scope="module")
def quiet(directory: Path) -> Iterator[LocalNode]:
    """A node whose connections and slots are those of one test alone."""
    with LocalNode(directory / "quiet") as started:
        yield started


def test_killed_workers_leave_nothing_behind(quiet: LocalNode, name: str) -> None:
    node = quiet
    ds = CachedDataset(LargeThenSlow(5_000), name, address=node.address)
    hot = list(range(32))  # 4 MiB
    for _ in range(2):
        ds.__getitems__(hot)
    stored(node, name)

    def work(number: int) -> None:
        start = 64 + 97 * number
        while True:
            for _ in range(1 + number % 3):
                ds.__getitems__(hot)
            ds.__getitems__([(start + k) % 5_000 for k in range(8)])
            start += 8

    def left() -> tuple[Any, ...]:
        status = node.status()
        return (
            status["fills"]["leases"],
            status["lane"]["connections"],
            status["lane"]["slotsBytes"],
            sorted(node.segments.rglob("*")),
            _resident(node.pid, "RssShmem"),
        )

    # Ours and the one that asks: those that asked before may still be closing.
    assert _holds(lambda: left()[1] == 2, 5)
    before, ended = left(), node.status()["fills"]["leasesEnded"]
    assert before[:2] == (0, 2)
    resident = []
    for number in range(50):
        read = ds.stats().slot_batches
        worker = multiprocessing.get_context("fork").Process(target=work, args=(number,))
        worker.start()
        # One half dies with leases, while it loads; the other at any point of its reads.
        if number % 2:
            assert _holds(lambda: node.status()["fills"]["leases"] > 0, 10)
        else:
            assert _holds(lambda read=read: ds.stats().slot_batches > read + number % 7, 10)
        assert node.status()["lane"]["slotsBytes"] > before[2]
        worker.kill()
        worker.join()
        assert worker.exitcode == -signal.SIGKILL
        resident.append(_resident(node.pid, "RssAnon"))
    assert _holds(lambda: left() == before, 1), f"{left()}, expected {before}"
    after = node.status()["fills"]["leasesEnded"]
    assert after["released"] > ended["released"] and after["expired"] == 0
    # Once the JVM has warmed up: some of its heap. Each worker's slot is 4 MiB.
    assert resident[-1] - resident[9] < 64 << 20, [one >> 20 for one in resident]
    ds._samples().attachment.close()


def _private_bytes(pid: int) -> int:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(
        int(line.split()[1]) * 1024
        for line in text.splitlines()
        if line.startswith(("Private_Clean:", "Private_Dirty:"))
    )


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(256 << 20, id="256MiB"),
        pytest.param(1 << 30, id="1GiB", marks=pytest.mark.slow),
    ],
)
def test_workers_hold_no_copy_of_the_data(
    quiet: LocalNode, start_node: Callable[..., LocalNode], name: str, size: int
) -> None:
    node = quiet if 3 * size <= 1 << 30 else start_node(MEMORY_MAX_SIZE=f"{3 * size}B")
    samples = size >> 18
    ds = CachedDataset(Images(samples, (64, 1_024)), name, address=node.address)
    list(DataLoader(ds, batch_size=16, num_workers=2))
    stored(node, name)
    assert node.status()["memory"]["usedBytes"] > size
    loader = DataLoader(ds, batch_size=4, num_workers=8, persistent_workers=True)
    iterator = iter(loader)
    next(iterator)
    workers = iterator._workers  # type: ignore[attr-defined]
    before = [_private_bytes(worker.pid) for worker in workers]
    for _ in range(2):
        for _ in loader:
            pass
    after = [_private_bytes(worker.pid) for worker in workers]
    more = [(now - then) / 2**20 for now, then in zip(after, before)]
    print("MiB more in each worker:", [round(one, 1) for one in more])
    # Each: a slot of 1 MiB, a batch being made, what torch's allocator keeps, and pages of the
    # parent that it wrote to (with torch 2.15 some 30 MiB). Keeping what it read would be a quarter
    # of all.
    assert sum(more) < 8 * 40
    assert ds.stats().origin_loads == samples and ds.stats().hits > 2 * samples
    ds._samples().attachment.close()


class Scripted:
    """A server that answers what a test says, byte for byte."""

    def __init__(self, directory: Path, answers: Callable[[int, int, bytes], Optional[bytes]]):
        self.path = directory / f"scripted-{time.monotonic_ns() % 10**9}.sock"
        self.address = f"unix:{self.path}"
        self._answers = answers
        self.pieces: tuple[int, ...] = ()
        self.others: list[str] = []
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(self.path))
        self._server.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            made, _ = self._server.accept()
            threading.Thread(target=self._serve, args=(made,), daemon=True).start()

    def _serve(self, made: socket.socket) -> None:
        with made:
            while head := made.recv(16, socket.MSG_WAITALL):
                length, kind, _, number = messages.HEADER.unpack(head)
                body = made.recv(length, socket.MSG_WAITALL) if length else b""
                # Every client asks for the members beside its work.
                if kind == messages.OWNERS and body == messages.owners(messages.NO_DATASET):
                    answer: Optional[bytes] = frame(kind, number, owners(self.others))
                else:
                    answer = self._answers(kind, number, body)
                if answer is None:
                    return
                for piece in self.pieces:
                    made.sendall(answer[:piece])
                    answer = answer[piece:]
                    time.sleep(0.01)
                made.sendall(answer)


def hello(segment_bytes: int = 0) -> bytes:
    limits = (1 << 20, 1 << 20, 8, 100, 1_000)
    head = struct.pack("<HBBIIIIIQ", 1, segment_bytes > 0, 0, *limits, segment_bytes)
    return head + b"\1\0\0\0h"


def owners(others: list[str]) -> bytes:
    """An OWNERS reply: other nodes, by the address of their lane."""
    body = struct.pack("<qII", 1, 0, len(others))
    for text in others:
        encoded = text.encode()
        body += b"\1\0\0\0n\1\0\0\0h" + struct.pack("<I", len(encoded)) + encoded
        body += struct.pack("<qB", 1, 0)
    return body


def frame(kind: int, number: int, body: bytes) -> bytes:
    return messages.HEADER.pack(len(body), kind | messages.REPLY, 0, number) + body


def _greets(kind: int, number: int, body: bytes) -> Optional[bytes]:
    if kind == messages.HELLO:
        return frame(kind, number, hello())
    if kind == messages.OPEN:
        return frame(kind, number, struct.pack("<IIqq", 1, 0, 5, 0))
    return None


READ_ANSWERS = {
    "closed": lambda number: None,
    "silent": lambda number: b"",
    "cut": lambda number: frame(messages.READ, number, bytes(64))[:40],
    "too short": lambda number: frame(messages.READ, number, bytes(3)),
    "another request": lambda number: frame(messages.READ, number + 1, bytes(64)),
    "another type": lambda number: frame(messages.FILL, number, bytes(64)),
    "huge": lambda number: messages.HEADER.pack(1 << 30, messages.READ | 0x80, 0, number),
    "flags": lambda number: messages.HEADER.pack(0, messages.READ | 0x80, 7, number),
    "other count": lambda number: frame(
        messages.READ, number, struct.pack("<qBBHIQ", 0, 0, 0, 0, 9, 0) + bytes(200)
    ),
    "status that is none": lambda number: frame(
        messages.READ, number, struct.pack("<qBBHIQ", 0, 0, 0, 0, 2, 0) + b"\7\7" + bytes(100)
    ),
    "hits without payload": lambda number: frame(
        messages.READ, number, struct.pack("<qBBHIQ", 0, 0, 0, 0, 2, 0) + bytes(8 + 32)
    ),
    "record past the payload": lambda number: frame(
        messages.READ,
        number,
        struct.pack("<qBBHIQ", 0, 0, 1, 0, 2, 64)
        + bytes(8)
        + struct.pack("<QII", 0, 64, 0)
        + struct.pack("<QII", 64, 640, 0)
        + bytes(64 + 64),
    ),
}


@pytest.mark.parametrize("answer", READ_ANSWERS.values(), ids=list(READ_ANSWERS))
@pytest.mark.filterwarnings("ignore::training_day.CacheWarning")
def test_node_that_breaks_the_protocol_leaves_the_batch_to_the_origin(
    directory: Path, name: str, answer: Callable[[int], Optional[bytes]]
) -> None:
    asked = []

    def answers(kind: int, number: int, body: bytes) -> Optional[bytes]:
        asked.append(kind)
        return answer(number) if kind == messages.READ else _greets(kind, number, body)

    scripted = Scripted(directory, answers)
    raw = Images(4)
    ds = CachedDataset(raw, name, address=scripted.address)
    started = time.monotonic()
    assert_same(ds.__getitems__([1, 2]), [raw[1], raw[2]])
    assert time.monotonic() - started < 30
    assert asked == [messages.HELLO, messages.OPEN, messages.READ]


def _long_answers(kind: int, number: int, body: bytes) -> Optional[bytes]:
    if kind == messages.HELLO:
        return frame(kind, number, hello())
    return frame(kind, number, bytes(200_000))


def test_answer_that_still_arrives_is_waited_for(directory: Path) -> None:
    scripted = Scripted(directory, _long_answers)
    connection = Connection(Address(scripted.address, "test"), "", timeout=1)
    scripted.pieces = (1_000,) * 150  # 10 ms lie between them.
    started = time.monotonic()
    assert len(connection.call(messages.STATUS, b"")) == 200_000
    assert time.monotonic() - started > 1 and connection.is_open


def test_answer_that_trickles_is_not_waited_for(directory: Path) -> None:
    scripted = Scripted(directory, _long_answers)
    connection = Connection(Address(scripted.address, "test"), "", timeout=0.2)
    scripted.pieces = (1_000, *(1,) * 10_000)
    with pytest.raises(NodeGoneError, match="answer within"):
        connection.call(messages.STATUS, b"")
    assert not connection.is_open


def test_record_with_a_wrong_magic_is_a_typed_error(directory: Path, name: str) -> None:
    def answers(kind: int, number: int, body: bytes) -> Optional[bytes]:
        if kind != messages.READ:
            return _greets(kind, number, body)
        head = struct.pack("<qBBHIQ", 0, 0, 1, 0, 1, 128) + bytes(8)
        head += struct.pack("<QII", 0, 128, 0)
        return frame(kind, number, head + bytes(-len(head) % 64) + b"XXXX" + bytes(124))

    ds = CachedDataset(Images(4), name, address=Scripted(directory, answers).address)
    with pytest.raises(MalformedRecordError, match="magic"):
        ds.__getitems__([1])


WHOLE = bytes(structure.encode(torch.arange(40)))
# What stands in the slot, how long the reply says it is, and what comes of it: a typed error, or
# None for the sample from the origin.
BROKEN_SLOTS = {
    "cut": (WHOLE, len(WHOLE) - 64, "bodyLength="),
    "cut in its header": (WHOLE, 40, "record length=40"),
    "never written": (bytes(len(WHOLE)), len(WHOLE), "magic=0"),
    "wrong magic": (b"XXXX" + WHOLE[4:], len(WHOLE), "magic=58585858"),
    "unknown format": (WHOLE[:4] + b"\3" + WHOLE[5:], len(WHOLE), "formatVersion=3"),
    "past the slot": (WHOLE, 1 << 20, None),
}


@pytest.mark.parametrize("content, length, error", BROKEN_SLOTS.values(), ids=list(BROKEN_SLOTS))
@pytest.mark.filterwarnings("ignore::training_day.CacheWarning")
def test_broken_slot_is_a_typed_error_or_left_to_the_origin(
    directory: Path, name: str, content: bytes, length: int, error: Optional[str]
) -> None:
    shared = Path("/dev/shm") / f"td-test-{os.getpid()}-{name}"

    def answers(kind: int, number: int, body: bytes) -> Optional[bytes]:
        if kind == messages.HELLO:
            return frame(kind, number, hello(1 << 20))
        if kind == messages.SEGMENT:
            slot_bytes, slots, _ = struct.unpack("<QII", body)
            shared.write_bytes(content.ljust(slot_bytes * slots, b"\0"))
            path = str(shared).encode()
            return frame(kind, number, struct.pack("<III", 1, 0, len(path)) + path)
        if kind != messages.READ:
            return _greets(kind, number, body) or frame(kind, number, b"")
        (slot,) = struct.unpack_from("<I", body, 8)
        inline = slot == messages.NO_SLOT
        reply = struct.pack("<qBBHIQ", 0, 0, 1 if inline else 0, 0, 1, len(WHOLE)) + bytes(8)
        reply += struct.pack("<QII", 0, len(WHOLE) if inline else length, 0)
        if inline:
            reply += bytes(-len(reply) % 64) + WHOLE
        return frame(kind, number, reply)

    raw = Images(4)
    ds = CachedDataset(raw, name, address=Scripted(directory, answers).address)
    try:
        assert_same(ds[1], torch.arange(40))
        assert not shared.exists()
        if error is None:
            assert_same(ds[1], raw[1])
        else:
            with pytest.raises(MalformedRecordError, match=error):
                ds[1]
        assert shared.exists()
    finally:
        shared.unlink(missing_ok=True)


@pytest.mark.parametrize("collated", [False, True], ids=["records", "collated"])
def test_node_killed_in_the_middle_of_a_batch_leaves_it_to_the_origin(
    start_node: Callable[..., LocalNode], name: str, collated: bool
) -> None:
    node = start_node()
    raw = Images(32)
    loads = []

    class Killing(Images):
        def __getitem__(self, index: int) -> Any:
            loads.append(index)
            if len(loads) == 20:
                node.kill()
            return super().__getitem__(index)

    ds = CachedDataset(Killing(32), name, address=node.address, pipeline_tag="killing")
    ds.__getitems__(list(range(16)))
    stored(node, name)
    started = time.monotonic()
    with pytest.warns(CacheWarning, match="the connection to the cache node is lost"):
        if collated:
            batch = ds.collate(ds.collated(range(32)))
        else:
            batch = default_collate(ds.__getitems__(list(range(32))))
    assert time.monotonic() - started < 30
    assert_same(batch, default_collate([raw[index] for index in range(32)]))
    assert loads == list(range(32))


def test_unknown_protocol_version_is_said(directory: Path, name: str) -> None:
    def answers(kind: int, number: int, body: bytes) -> Optional[bytes]:
        return frame(kind, number, b"\x09" + hello()[1:])

    scripted = Scripted(directory, answers)
    with pytest.raises(NodeGoneError, match="HELLO reply of version 9, expected 1 to 2"):
        Connection(Address(scripted.address, "test"), "")
    with pytest.warns(CacheWarning, match="version 9"):
        assert CachedDataset(Images(4), name, address=scripted.address)[1]


def test_node_that_knows_only_other_versions_is_said(directory: Path, name: str) -> None:
    said = b"protocol version 1, allowed: 2 to 3"

    def answers(kind: int, number: int, body: bytes) -> Optional[bytes]:
        error = struct.pack("<HBBI", messages.UNSUPPORTED_VERSION, 0, 0, len(said)) + said
        return messages.HEADER.pack(len(error), messages.ERROR, 0, number) + error

    scripted = Scripted(directory, answers)
    with pytest.raises(LaneError, match="allowed: 2 to 3"):
        Connection(Address(scripted.address, "test"), "")
    raw = Images(4)
    with pytest.warns(CacheWarning, match="allowed: 2 to 3"):
        assert_same(CachedDataset(raw, name, address=scripted.address)[1], raw[1])


def test_truncated_segment_is_read_inline(
    quiet: LocalNode, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = quiet
    cache = Samples(Attachment(node.address, ""), Spec(name, "p", 10), Shared())
    def load(index: int, together: bool) -> Any:
        return structure.pack(torch.full((64,), index), together)

    cache.read(range(10), RECORDS, load).release()
    stored(node, name)
    real = os.open

    def opened(path: Any, *args: Any) -> int:
        if "segments" in str(path) or str(node.segments) in str(path):
            os.truncate(path, 4096 - 1)
        return real(path, *args)

    monkeypatch.setattr(os, "open", opened)
    with pytest.warns(CacheWarning, match="cannot be mapped: it has 4095 bytes"):
        batch = cache.read(range(10), RECORDS, load)
    assert batch.slot is None and batch.hits == 10
    cache.attachment.close()


def test_memory_outlives_its_connection_while_somebody_looks(quiet: LocalNode, name: str) -> None:
    node = quiet

    def load(index: int, together: bool) -> Any:
        return structure.pack(torch.full((64,), index), together)

    def read() -> tuple[Attachment, Any]:
        attachment = Attachment(node.address, "")
        cache = Samples(attachment, Spec(name, "p", 10), Shared())
        cache.read(range(10), RECORDS, load).release()
        stored(node, name)
        batch = cache.read(range(10), RECORDS, load)
        assert batch.slot is not None and batch.hits == 10
        return attachment, batch

    def lane() -> tuple[int, int]:
        status = node.status()["lane"]
        return status["connections"], status["slotsBytes"]

    # Those of the tests before may still be closing.
    assert _holds(lambda: lane() == (1, 0), 30)
    attachment, batch = read()
    whole = bytes(batch.memory)
    attachment.close()
    assert _holds(lambda: lane()[0] == 1, 5)
    # Whoever asks for memory has what nobody holds freed first.
    other, others = read()
    others.release()
    other.close()
    assert _holds(lambda: lane() == (1, len(whole)), 5)
    assert bytes(batch.memory) == whole
    batch.release()
    del batch
    assert _holds(lambda: lane() == (1, 0), 5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    from PIL import Image

    for label, colour in (("red", (200, 20, 20)), ("blue", (20, 20, 200))):
        (tmp_path / label).mkdir()
        for number in range(24):
            image = Image.new("RGB", (80 + number, 70), colour)
            image.putpixel((number, number), (0, 255, 0))
            image.save(tmp_path / label / f"{number}.png")
    return tmp_path


def _run(node: LocalNode, *arguments: str) -> str:
    source = Path(__file__).resolve().parents[1] / "src"
    run = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": str(source), "TRAINING_DAY_ADDRESS": node.address},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_example_trains_on_images(node: LocalNode, name: str, folder: Path) -> None:
    script = str(EXAMPLES / "train_images.py")
    said = _run(node, script, str(folder), "--name", name)
    assert "epoch 2: loss" in said
    assert "144 samples read, 66.7% from the cache" in said and "48 loaded" in said
    assert "100.0% from the cache" in _run(node, script, str(folder), "--name", name)


def test_example_trains_on_two_processes(node: LocalNode, name: str) -> None:
    said = _run(node, str(EXAMPLES / "train_ddp.py"), "--name", name, "--epochs", "2")
    assert "2048 loads of 2048 samples by 2 ranks in 2 epochs" in said


def test_example_goes_on_with_another_number_of_processes(
    node: LocalNode, name: str, tmp_path: Path
) -> None:
    script, checkpoint = str(EXAMPLES / "train_plan.py"), str(tmp_path / "saved.pt")
    same = ["--name", name, "--checkpoint", checkpoint]
    said = _run(node, script, *same, "--processes", "2", "--stop-after", "9")
    assert "epoch 0: 9 steps, 864 samples by 2 ranks, 100.0% expected" in said
    said = _run(node, script, *same, "--processes", "3")
    assert "epoch 0: 13 steps, 1184 samples by 3 ranks" in said
    assert "epoch 1: 22 steps, 2048 samples by 3 ranks" in said
