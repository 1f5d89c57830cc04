"""The lane against a real node: hits, misses, leases, shapes, slots."""

from __future__ import annotations

import itertools
import mmap
import struct
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from local_node import LocalNode
from proxy import Proxy
from same import assert_same
from training_day import shared, structure
from training_day.attachment import Attachment
from training_day.client import COLLATED, RAGGED, RECORDS, NotCollatable, Samples, Spec
from training_day.errors import CacheRefusedError, LaneError, SourceMismatch
from training_day.lane import messages, slots
from training_day.lane.messages import Limits, ReadReply
from training_day.shared import Shared
from training_day.structure import Packing


def sample(index: int) -> dict:
    return {"image": torch.full((3, 8), index % 256, dtype=torch.uint8), "label": index}


def stored(node: LocalNode, name: str) -> None:
    """Waits until the node has stored what it has taken."""
    deadline = time.monotonic() + 10
    while node.status()["fills"]["inFlightBytes"] and time.monotonic() < deadline:
        time.sleep(0.005)


class Counting:
    def __init__(self, make: Callable[[int], object] = sample) -> None:
        self.loads: list[int] = []
        self._make = make

    def __call__(self, index: int, together: bool) -> Packing:
        self.loads.append(index)
        return structure.pack(self._make(index), together)


def samples(node: LocalNode, name: str, **spec: object) -> Samples:
    spec = {"pipeline": "p", "length": 1000, **spec}
    return Samples(Attachment(node.address, ""), Spec(name, **spec), Shared())  # type: ignore


def decoded(batch: object) -> list:
    assert isinstance(batch.count, int)  # type: ignore[attr-defined]
    out = []
    for position in range(batch.count):  # type: ignore[attr-defined]
        if position in batch.records:  # type: ignore[attr-defined]
            out.append(structure.decode(batch.records[position]))  # type: ignore[attr-defined]
        else:
            offset, length = batch.reply.records[position]  # type: ignore[attr-defined]
            out.append(structure.decode(batch.memory, offset, length))  # type: ignore[attr-defined]
    return out


def test_misses_are_loaded_once_and_hits_come_in_order(node: LocalNode, name: str) -> None:
    cache, load = samples(node, name), Counting()
    for round in range(3):
        indices = [5, 1, 9, 5, 700] if round < 2 else [700, 9]
        batch = cache.read(indices, RECORDS, load)
        assert_same(decoded(batch), [sample(i) for i in indices])
        assert batch.is_whole == (round > 0)
        batch.release()
        stored(node, name)
    assert sorted(load.loads) == [1, 5, 9, 700]
    totals = cache.counters.totals()
    assert (totals["hits"], totals["misses"], totals["fills_taken"]) == (7, 5, 4)
    assert totals["slot_batches"] == 2 and totals["inline_batches"] == 0


def test_collated_batch_lies_in_one_piece(node: LocalNode, name: str) -> None:
    cache, load = samples(node, name), Counting()
    cache.read(range(64), COLLATED, load).release()
    batch = cache.read(range(64), COLLATED, load)
    assert batch.is_whole and batch.slot is not None
    images = np.frombuffer(batch.memory, np.uint8, 64 * 24).reshape(64, 3, 8)
    assert (images == np.arange(64).reshape(64, 1, 1)).all()
    assert len(load.loads) == 64


def test_ragged_batch_has_offsets_and_shapes(node: LocalNode, name: str) -> None:
    cache = samples(node, name)
    load = Counting(lambda i: (torch.arange(i), "x" * i))
    cache.read([3, 0, 5], RAGGED, load).release()
    batch = cache.read([3, 0, 5], RAGGED, load)
    assert batch.reply is not None and batch.is_whole
    assert batch.reply.ragged[0].ends.tolist() == [0, 24, 24, 64]
    assert batch.reply.ragged[0].shapes.tolist() == [[3], [0], [5]]
    assert batch.reply.ragged[1].ends.tolist() == [0, 3, 3, 8]
    with pytest.raises(NotCollatable):
        cache.read([3, 0, 5], COLLATED, load)


def test_other_source_under_one_name_is_refused_naming_both(node: LocalNode, name: str) -> None:
    samples(node, name, digest="one").read([0], RECORDS, Counting()).release()
    with pytest.raises(SourceMismatch) as refusal:
        samples(node, name, digest="two").read([0], RECORDS, Counting())
    assert "one" in str(refusal.value) and "two" in str(refusal.value)


def test_index_past_the_source_is_refused(node: LocalNode, name: str) -> None:
    with pytest.raises(CacheRefusedError):
        samples(node, name).read([1000], RECORDS, Counting())


def test_samples_of_other_structure_are_kept_too(node: LocalNode, name: str) -> None:
    def odd(i: int) -> object:
        return (i, None) if i % 5 else (i, "text", [i])

    cache, load = samples(node, name), Counting(odd)
    indices = list(range(20))
    assert_same(decoded(cache.read(indices, RECORDS, load)), [odd(i) for i in indices])
    for other in (cache, samples(node, name)):
        again = Counting(odd)
        batch = other.read(indices, RECORDS, again)
        assert_same(decoded(batch), [odd(i) for i in indices])
        assert again.loads == [] and batch.hits == 20
        batch.release()


def test_failing_loader_gives_its_leases_back(node: LocalNode, name: str) -> None:
    first, second = samples(node, name), samples(node, name)

    def broken(index: int, together: bool) -> Packing:
        raise FileNotFoundError(index)

    with pytest.raises(FileNotFoundError):
        first.read([1, 2, 3], RECORDS, broken)
    started = time.monotonic()
    load = Counting()
    second.read([1, 2, 3], RECORDS, load).release()
    assert load.loads == [1, 2, 3] and time.monotonic() - started < 8, "no lease expired"


def test_trainers_that_read_at_once_load_once(node: LocalNode, name: str) -> None:
    loads: list[int] = []

    def load(index: int, together: bool) -> Packing:
        loads.append(index)
        time.sleep(0.01)
        return structure.pack(sample(index), together)

    results: list[list] = []

    def train() -> None:
        cache = samples(node, name)
        batch = cache.read(range(32), RECORDS, load)
        results.append(decoded(batch))

    threads = [threading.Thread(target=train) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(loads) == list(range(32))
    for got in results:
        assert_same(got, [sample(i) for i in range(32)])
    assert len(results) == 4


def test_lease_is_renewed_while_loading(start_node: Callable[..., LocalNode], name: str) -> None:
    node = start_node(LANE_ANSWER_TIMEOUT="200ms", FILL_LEASE_TIMEOUT="400ms")
    loads: list[int] = []

    def slow(index: int, together: bool) -> Packing:
        loads.append(index)
        time.sleep(1.2)
        return structure.pack(sample(index), together)

    thread = threading.Thread(target=lambda: samples(node, name).read([1], RECORDS, slow))
    thread.start()
    while not loads:
        time.sleep(0.01)
    batch = samples(node, name).read([1], RECORDS, slow)
    thread.join()
    assert loads == [1] and batch.hits == 1


def test_without_shared_memory_batches_come_inline(
    start_node: Callable[..., LocalNode], name: str
) -> None:
    node = start_node(LANE_SLOTS_MAX_BYTES="1MiB", LANE_SLOTS_MAX_BYTES_PER_CONNECTION="1MiB")
    cache = samples(node, name)
    load = Counting(lambda i: torch.full((100_000,), i, dtype=torch.uint8))
    with pytest.warns(UserWarning, match="no shared memory"):
        cache.read(range(16), RECORDS, load).release()
        batch = cache.read(range(16), RECORDS, load)
    assert [int(t[0]) for t in decoded(batch)] == list(range(16))
    assert batch.slot is None and len(load.loads) == 16
    assert cache.counters.totals()["inline_batches"] == 1


def test_growing_samples_get_larger_slots(node: LocalNode, name: str) -> None:
    cache = samples(node, name)
    load = Counting(lambda i: torch.zeros(1 << (i + 6)))
    for i in range(10):
        cache.read([i], RECORDS, load).release()
        for _ in range(2):
            batch = cache.read([i, i], RECORDS, load)
            assert batch.slot is not None and batch.is_whole
            batch.release()
    assert len(load.loads) == 10


def test_tcp_brings_everything_inline(node: LocalNode, name: str) -> None:
    with Proxy(str(node.socket)) as proxy:
        spec = Spec(name, "p", 1000)
        cache = Samples(Attachment(proxy.address, ""), spec, Shared())
        load = Counting()
        cache.read(range(8), COLLATED, load).release()
        stored(node, name)
        assert cache.read(range(8), COLLATED, load).is_whole
        totals = cache.counters.totals()
        assert (totals["slot_batches"], totals["inline_batches"]) == (0, 1)


class Told:
    """A session whose node says what a test wants it to, and notes what it is asked."""

    def __init__(self, say: Callable[[int, bytes], object]) -> None:
        self.limits = Limits(2, False, 1 << 20, 1 << 20, 8, 1000, 1000, 0, "host")
        self.longest_wait_millis = 1
        self.asked: list[tuple[int, bytes]] = []
        self._say = say

    def call(self, kind: int, body: bytes, tail: object = b"") -> object:
        self.asked.append((kind, body))
        return self._say(kind, body)

    def parsed(self, parse: object, said: object, *_: object) -> object:
        return said

    def enter(self) -> bool:
        return True

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None

    def samples(self) -> Samples:
        attachment = SimpleNamespace(session=self, later=lambda *_: None)
        return Samples(attachment, Spec("s", "p", 8), Shared())  # type: ignore[arg-type]


def test_fill_without_a_lease_is_of_the_generation_that_was_read() -> None:
    def node(kind: int, body: bytes) -> object:
        if kind == messages.OPEN:
            # Another publish has come when the packed samples are opened.
            return (2, 3) if b"packed" in body else (1, 1)
        if kind == messages.FILL:
            if filled(body)[0] == 1:
                raise LaneError(messages.REFUSED, False, "another schema")
            return messages.TAKEN, ""
        return ReadReply(2, bytes([status]), 0, False, [(77, 2 << 32)], [(0, 0)])

    def filled(body: bytes) -> tuple[int, int, int]:
        handle, _, _, _, lease, version, _, _ = struct.unpack("<IHHqQqII", body)
        return handle, lease, version

    for status in (messages.LEASED_TO_YOU, messages.MISS):
        told = Told(node)
        cache = told.samples()
        cache.mixed = False
        cache.read([5], RECORDS, Counting()).release()
        fills = [filled(body) for kind, body in told.asked if kind == messages.FILL]
        leased = status == messages.LEASED_TO_YOU
        assert fills == [(1, 77, 2 << 32) if leased else (1, 0, 2), (2, 0, 2)]


def test_batch_that_no_frame_holds_counts_each_sample_once() -> None:
    def node(kind: int, body: bytes) -> object:
        if kind == messages.OPEN:
            return 1, 1
        (slot,) = struct.unpack_from("<I", body, 8)
        if slot != messages.NO_SLOT:
            return ReadReply(1, bytes([messages.MISS] * 3), 4096, True)
        (count,) = struct.unpack_from("<I", body, 20)
        if len(told.asked) < 5:
            raise LaneError(messages.TOO_LARGE, False, "three do not fit a frame")
        # Others have filled them meanwhile.
        hits, record = bytes([messages.HIT] * count), (0, len(content))
        return ReadReply(1, hits, len(content), False, [], [record] * count, payload=content)

    content = memoryview(structure.pack(sample(1), False).encode(0, 0))
    told = Told(node)
    slot = SimpleNamespace(place=(0, 0), release=lambda: None)
    told.take_slot = lambda size: slot  # type: ignore[attr-defined]
    cache = told.samples()
    cache.mixed = False
    batch = cache.read([1, 2, 1], RECORDS, Counting())
    assert sorted(batch.records) == [0, 1, 2]
    assert (batch.hits, cache.counters.totals()["misses"]) == (3, 0)


def test_segment_is_dropped_once_by_who_retires_it_and_who_empties_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    last: list[slots.Slot] = []

    class Racing(slots._Segment):
        """Gets its last slot back in the moment when it is retired."""

        def __setattr__(self, attribute: str, value: object) -> None:
            super().__setattr__(attribute, value)
            if attribute == "retired" and value:
                last.pop().release()

    told: list[int] = []
    numbers = itertools.count()

    def call(kind: int, body: bytes) -> object:
        told.append(kind)
        return next(numbers), ""

    def mapped(self: slots.SlotPool, number: int, _: str, size: int, count: int) -> slots._Segment:
        made = slots._Segment if number else Racing
        segment = made(number, size, count, mmap.mmap(-1, size * count))
        segment.free.extend(slots.Slot(self, segment, k) for k in range(count))
        return segment

    monkeypatch.setattr(slots.SlotPool, "_map", mapped)
    node = SimpleNamespace(
        limits=Limits(2, True, 1 << 20, 1 << 20, 8, 1000, 1000, 1 << 20, "host"),
        address=SimpleNamespace(is_local=True),
        call=call,
        parsed=lambda parse, said: said,
    )
    pool = slots.SlotPool(node, lambda: 1)  # type: ignore[arg-type]
    small = pool.take(100)
    assert small is not None
    last.append(small)
    assert pool.take(10_000) is not None
    assert told == [messages.SEGMENT, messages.SEGMENT, messages.DROP]


def test_mapped_memory_is_told_once_to_each_who_asked() -> None:
    told: list[object] = []
    attachment = Attachment("unix:/nowhere/lane.sock", "")
    for _ in range(3):
        attachment.whenever_mapped(told.append)
    attachment.mapped("memory")
    assert told == ["memory"]


def test_counters_of_processes_add_up() -> None:
    one = Shared()
    one.count(shared.HITS, 2)
    assert one.totals()["hits"] == 2
    assert one.first_to_say(1) and not one.first_to_say(1) and one.first_to_say(2)
    assert one.epoch is None
    one.epoch = 0
    assert one.epoch == 0
