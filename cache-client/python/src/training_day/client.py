"""Reads batches through the cache: hits from the node, the rest from the origin, once among all
trainers."""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Optional

from training_day import record, shared
from training_day.attachment import Attachment, Session
from training_day.errors import (
    CacheRefusedError,
    CacheWarning,
    LaneError,
    NodeGoneError,
    SourceMismatch,
)
from training_day.lane import messages
from training_day.lane.messages import COLLATED, RAGGED, RECORDS, Lease, ReadReply
from training_day.lane.slots import Slot
from training_day.record import Layout, to_oldest
from training_day.shared import Shared
from training_day.structure import Packing
from training_day.work import Work

__all__ = [
    "COLLATED",
    "RAGGED",
    "RECORDS",
    "Batch",
    "FillWatch",
    "Filled",
    "NotCollatable",
    "Samples",
    "Spec",
]

_SLOT_ATTEMPTS = 3
_ENTER_ATTEMPTS = 3
_OPEN_AGAIN_SECONDS = 1.0
_SHORTEST_ROUND_SECONDS = 0.01
_LEASE_WAIT_SECONDS = 60.0
_FIRST_DELAY_SECONDS = 0.01
_LONGEST_DELAY_SECONDS = 0.5
_MAX_WAITING_BYTES = 64 << 20
_PACKED = "\npacked"

Loader = Callable[[int, bool], Packing]
"""Loads a sample; the flag asks for the record that any sample of the pipeline fits in."""


class NotCollatable(Exception):
    """The samples of a collated or ragged read differ too much for it."""


@dataclass(frozen=True)
class Spec:
    """What is opened."""

    name: str
    pipeline: str
    length: int
    digest: str = ""
    validation: str = ""


@dataclass(eq=False)
class Opened:
    """The data set on one connection."""

    session: Session
    handle: int
    # Whether the node has said that this trainer may not put samples in.
    is_read_only: bool = False


@dataclass
class Batch:
    """One batch as it came. `records` holds what is not in the payload, by position; a position in
    neither is a sample that nobody loaded."""

    count: int
    shape: int
    reply: Optional[ReadReply] = None
    slot: Optional[Slot] = None
    records: dict[int, Any] = field(default_factory=dict)
    hits: int = 0

    @property
    def memory(self) -> Any:
        """What offsets of the reply count from."""
        if self.slot is not None:
            return self.slot.memory
        return self.reply.payload if self.reply is not None else None

    def is_in_payload(self, position: int) -> bool:
        return self.reply is not None and self.reply.statuses[position] == messages.HIT

    @property
    def is_whole(self) -> bool:
        """Whether all samples are in the payload."""
        return (
            self.reply is not None
            and not self.records
            and self.reply.statuses.count(messages.HIT) == self.count
        )

    def release(self) -> None:
        slot, self.slot = self.slot, None
        if slot is not None:
            slot.release()


class _Want:
    """A sample that is not there yet."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.positions: list[int] = []
        # Of the data set, as the node told last before the load.
        self.generation = -1
        self.lease: Optional[Lease] = None
        self.others = False
        self.alone = False


class FillWatch:
    """Is told what becomes of each record that was to be kept; from any thread."""

    def waits(self, index: int) -> None:
        """The node is busy: `settled` follows."""

    def settled(self, index: int, size: int, result: int, reason: str) -> None:
        """The node has taken the record, or never will. `reason` is the node's word for why not,
        or one of BUSY_TOO_LONG, LOST, FAILED, TOO_LARGE."""


BUSY_TOO_LONG, LOST, FAILED, TOO_LARGE = "busy", "lost", "error", "too-large"


class Samples:
    """The samples of one data set in one process. Threads may read side by side."""

    def __init__(
        self,
        attachment: Attachment,
        spec: Spec,
        counters: Shared,
        watch: Optional[FillWatch] = None,
    ) -> None:
        self.pid = os.getpid()
        self.attachment = attachment
        self.spec = spec
        self.counters = counters
        self.watch = watch or FillWatch()
        self.offers = Offers(self)
        self.work = Work(self)
        self._lock = threading.Lock()
        self._opened: Optional[Opened] = None
        self._open_at = 0.0
        self._layout: Optional[Layout] = None
        self._largest = 0
        self._packed: Optional[Samples] = None
        # Whether some samples do not fit the pipeline's fields: None while nobody has looked.
        self._mixed: Optional[bool] = None

    @property
    def opened(self) -> Optional[Opened]:
        """The data set as it was opened last, None before that."""
        return self._opened

    def open(self) -> Optional[Opened]:
        """The data set on the connection there is, None if it cannot be had now.

        Raises CacheRefusedError if the node refuses it, SourceMismatch if for its source.
        """
        session = self.attachment.session
        known = self._opened
        if session is None or (known is not None and known.session is session):
            return known if session is not None else None
        with self._lock:
            known = self._opened
            if known is not None and known.session is session:
                return known
            if time.monotonic() < self._open_at:
                return None
            spec = self.spec
            try:
                body = session.call(
                    messages.OPEN,
                    messages.open_dataset(
                        spec.length, spec.digest, spec.name, spec.pipeline, spec.validation
                    ),
                )
                handle, _ = session.parsed(messages.open_reply, body)
            except NodeGoneError:
                return None
            except LaneError as e:
                # Training that has begun goes on: another node may know the data set otherwise.
                if not e.retryable and known is None:
                    raise self._refusal(e) from None
                self._open_at = time.monotonic() + _OPEN_AGAIN_SECONDS
                self._say(shared.SAID_FAILED, f"{spec.name} cannot be opened now: {e}")
                return None
            if known is not None:
                self.counters.count(shared.RECONNECTS)
            self._opened = Opened(session, handle)
            return self._opened

    def enter(self) -> Optional[Opened]:
        """As `open`, on a session that stays until the caller leaves it."""
        for _ in range(_ENTER_ATTEMPTS):
            opened = self.open()
            if opened is None or opened.session.enter():
                return opened
        return None

    def _refusal(self, e: LaneError) -> CacheRefusedError:
        if ": source " in e.message or "the source of data set" in e.message:
            return SourceMismatch(e.message)
        return CacheRefusedError(e.message)

    def read(
        self,
        indices: Sequence[int],
        shape: int,
        load: Optional[Loader],
        variants: Sequence[int] = (),
        stamps: Sequence[int] = (),
        use_slot: bool = True,
    ) -> Batch:
        """Reads one batch; without `load`, only what the cache has.

        `variants` says which stored variant of each sample is meant, none: the only one. `stamps`
        says what the source of each looks like now, none: nobody looked.

        The caller releases the batch. An exception of `load` passes through, with all leases given
        back.

        Raises NotCollatable for samples that differ, CacheRefusedError for what the node will not
        keep.
        """
        return _Read(self, indices, shape, load, variants, stamps, use_slot).run()

    def fill(
        self,
        indices: Sequence[int],
        load: Loader,
        variants: Sequence[int] = (),
        stamps: Sequence[int] = (),
    ) -> Filled:
        """Loads those that the cache has not got and nobody else is loading, and nothing without a
        node. A sample that fails is noted, and the others are loaded all the same."""
        return _Fill(self, indices, load, variants, stamps).fill()

    def owners(self) -> Optional[messages.Owners]:
        """Who holds which partition of the data set now, None if no node tells."""
        opened = self.open()
        if opened is None:
            return None
        try:
            body = opened.session.call(messages.OWNERS, messages.owners(opened.handle))
            return opened.session.parsed(messages.owners_reply, body)
        except (NodeGoneError, LaneError):
            return None

    def peek(
        self, indices: Sequence[int], variants: Sequence[int] = (), stamps: Sequence[int] = ()
    ) -> dict[int, memoryview]:
        """Records of those of the samples that the cache has."""
        found: dict[int, memoryview] = {}
        opened = self.open()
        if opened is None:
            return found
        try:
            request = messages.read(
                opened.handle, RECORDS, False, None, 0, indices, stamps, variants
            )
            body = opened.session.call(messages.READ, request)
            reply = opened.session.parsed(messages.read_reply, body, RECORDS, len(indices))
            for position, index in enumerate(indices):
                if reply.statuses[position] == messages.HIT:
                    found[index] = _record_of(reply, position)
        except (NodeGoneError, LaneError, messages.ProtocolError):
            pass
        return found

    def packed(self) -> Samples:
        """Where samples are kept that do not fit the pipeline's fields."""
        if self._packed is None:
            spec = self.spec
            own = replace(spec, pipeline=spec.pipeline + _PACKED)
            self._packed = Samples(self.attachment, own, self.counters, self.watch)
            self._packed.work = self.work
        return self._packed

    @property
    def is_packed(self) -> bool:
        return self.spec.pipeline.endswith(_PACKED)

    @property
    def mixed(self) -> Optional[bool]:
        return self._mixed

    @mixed.setter
    def mixed(self, value: bool) -> None:
        self._mixed = value

    def estimate(self, shape: int, count: int) -> int:
        """How many bytes a batch will take; 0 while nothing is known."""
        if shape == COLLATED:
            return record.collated_layout(self._layout, count)[1] if self._layout else 0
        return count * record.align(self._largest)

    def learn(self, layout: Optional[Layout], length: int) -> None:
        if layout is not None:
            self._layout = layout
        if length > self._largest:
            self._largest = length

    def dropped(self, index: int, size: int, reason: str) -> None:
        """A record will not be kept."""
        self.counters.count(shared.FILLS_DROPPED)
        self.watch.settled(index, size, messages.DROPPED, reason)

    def _say(self, what: int, text: str) -> None:
        if self.counters.first_to_say(what):
            warnings.warn(text, CacheWarning, stacklevel=3)


def _record_of(reply: ReadReply, position: int) -> memoryview:
    offset, length = reply.records[position]
    payload = reply.payload
    if payload is None or offset + length > len(payload):
        raise messages.ProtocolError("a record lies outside of the payload")
    return payload[offset : offset + length]


def _some_of(values: dict[int, int], indices: Sequence[int]) -> list[int]:
    return [values[index] for index in indices] if values else []


class _Read:
    """One read-through read. Order matters: one READ for all; then what is leased to us is loaded
    and filled, before anybody else's load is waited for, so that two trainers never wait for each
    other; then what is leased to others is asked for until it is there or falls to us. A node that
    goes away at any point leaves what is not there yet to the origin."""

    def __init__(
        self,
        samples: Samples,
        indices: Sequence[int],
        shape: int,
        load: Optional[Loader],
        variants: Sequence[int],
        stamps: Sequence[int],
        use_slot: bool,
    ) -> None:
        self._samples = samples
        self._indices = indices
        self._variants = dict(zip(indices, variants))
        self._stamps = dict(zip(indices, stamps))
        self._load = load
        self._use_slot = use_slot
        self._batch = Batch(len(indices), shape)
        self._wants: dict[int, _Want] = {}
        self._node: Optional[Opened] = None
        self._counters = samples.counters

    def run(self) -> Batch:
        done = False
        batch = self._batch
        entered = self._node = self._samples.enter()
        try:
            if self._node is not None:
                self._read_whole(self._node)
            self._want_the_rest()
            if self._wants and self._load is not None:
                self._load_all(self._load)
            misses = batch.count - batch.hits
            # Who only looks, and finds some missing, reads again.
            if self._load is not None or not misses:
                self._counters.count(shared.HITS, batch.hits)
                self._counters.count(shared.MISSES, misses)
                self._counters.audit(self._indices)
            if self._node is None:
                self._counters.count(shared.ORIGIN_BATCHES)
            done = True
            return batch
        finally:
            if not done:
                batch.release()
                self._abandon(self._wants.values())
            if entered is not None:
                entered.session.leave()

    # The first READ.

    def _read_whole(self, opened: Opened) -> None:
        samples, shape, count = self._samples, self._batch.shape, self._batch.count
        size = samples.estimate(shape, count)
        try:
            for attempt in range(_SLOT_ATTEMPTS):
                last = attempt == _SLOT_ATTEMPTS - 1
                slot = None
                if self._use_slot and not last:
                    slot = opened.session.take_slot(size)
                reply = self._read_into(opened, slot)
                if not reply.too_small:
                    return
                # Samples grow: some room to spare saves asking again for the next batch.
                needed = reply.payload_bytes
                size = needed if shape == COLLATED else needed + needed // 8
        except NodeGoneError:
            self._node = None
        except LaneError as e:
            self._refuse_or_go_on(opened, e)

    def _read_into(self, opened: Opened, slot: Optional[Slot]) -> ReadReply:
        batch = self._batch
        session = opened.session
        kept = False
        try:
            place = slot.place if slot is not None else None
            lease = self._load is not None
            request = messages.read(
                opened.handle,
                batch.shape,
                lease,
                place,
                0,
                self._indices,
                _some_of(self._stamps, self._indices),
                _some_of(self._variants, self._indices),
            )
            body = session.call(messages.READ, request)
            reply = session.parsed(messages.read_reply, body, batch.shape, batch.count)
            self._take_leases(opened, reply)
            if reply.too_small:
                if slot is None:
                    raise session.break_off("TOO_SMALL, but no slot was named")
                return reply
            batch.hits = reply.statuses.count(messages.HIT)
            if not batch.hits:
                return reply
            memory = slot.memory if reply.payload is None and slot else reply.payload
            if memory is None:
                raise session.break_off("hits without payload")
            self._check_places(session, reply, memory)
            batch.reply = reply
            if reply.payload is None:
                batch.slot = slot
                kept = True
            self._counters.count(
                shared.SLOT_BATCHES if kept else shared.INLINE_BATCHES,
            )
            self._counters.count(shared.BYTES_READ, reply.payload_bytes)
            return reply
        finally:
            if slot is not None and not kept:
                # A slot whose reply has not come belongs to a connection that has been closed.
                slot.release()

    def _variant(self, index: int) -> int:
        return self._variants.get(index, 0)

    def _check_places(self, session: Session, reply: ReadReply, memory: Any) -> None:
        size = len(memory)
        if reply.payload_bytes > size:
            raise session.break_off(f"a payload of {reply.payload_bytes} bytes in {size}")
        if self._batch.shape == RECORDS:
            largest = 0
            for offset, length in reply.records:
                if offset + length > size or offset % record.ALIGNMENT:
                    raise session.break_off(f"a record of {length} bytes at {offset} of {size}")
                largest = max(largest, length)
            self._samples.learn(None, largest)
            return
        layout = reply.layout
        if layout is None:
            raise session.break_off("hits without a layout")
        if self._batch.shape == COLLATED:
            needed = record.collated_layout(layout, self._batch.count)[1]
            if needed != reply.payload_bytes:
                raise session.break_off(f"payloadBytes={reply.payload_bytes}, expected {needed}")
            self._samples.learn(layout, layout.length)
            return
        for one, spec in zip(reply.ragged, layout.fields):
            ends = one.ends
            if ends[0] != 0 or (ends[1:] < ends[:-1]).any() or one.offset + ends[-1] > size:
                raise session.break_off(f"field '{spec.name}' lies outside of the payload")
            if one.shapes.size and (one.shapes < 0).any():
                raise session.break_off(f"field '{spec.name}' has a negative dimension")
            elements = one.shapes.prod(axis=1) if len(spec.shape) else None
            lengths = ends[1:] - ends[:-1]
            if elements is not None and (elements * spec.dtype.item_bytes != lengths).any():
                raise session.break_off(f"field '{spec.name}' has lengths not of its shapes")
        self._samples.learn(None, max(layout.length, reply.payload_bytes // self._batch.count))

    def _take_leases(self, opened: Opened, reply: ReadReply) -> None:
        """Notes what a reply to the whole batch leaves to do; leases stay ours whatever comes."""
        statuses = reply.statuses
        if statuses.count(messages.HIT) == len(statuses) and not self._wants:
            return
        before, self._wants = self._wants, {}
        leases = iter(reply.leases)
        for position, index in enumerate(self._indices):
            status = statuses[position]
            if status == messages.HIT:
                continue
            want = self._wants.get(index)
            if want is None:
                want = self._wants[index] = _Want(index)
                if index in before:
                    want.lease = before.pop(index).lease
            want.positions.append(position)
            want.generation = reply.generation
            if status == messages.LEASED_TO_YOU:
                number, version = next(leases)
                lease = Lease(opened.handle, index, number, version, self._variant(index))
                opened.session.hold(lease)
                if want.lease is not None and want.lease != lease:
                    opened.session.abandon([want.lease])
                want.lease = lease
            # The second place of a sample leased to us may say that it is leased to another.
            want.others = want.lease is None and status == messages.LEASED_TO_OTHER
        self._abandon(before.values())

    def _refuse_or_go_on(self, opened: Opened, e: LaneError) -> None:
        """An error that the user must see is raised; after any other the origin has the samples."""
        if e.code == messages.NOT_COLLATABLE:
            raise NotCollatable(e.message) from None
        if e.code == messages.REFUSED:
            raise self._samples._refusal(e) from None
        if e.code == messages.TOO_LARGE:
            self._read_in_halves(opened)
            return
        self._samples._say(
            shared.SAID_FAILED, f"a READ failed, the batch comes from the origin: {e}"
        )
        self._node = None

    def _read_in_halves(self, opened: Opened) -> None:
        """What one frame cannot hold is asked for in smaller pieces."""
        for want in self._wants.values():  # Of a reply that was TOO_SMALL.
            want.positions.clear()
        for position, index in enumerate(self._indices):
            self._wants.setdefault(index, _Want(index)).positions.append(position)
        self._counters.count(shared.INLINE_BATCHES)
        self._read_some(opened, list(self._wants.values()), 0)

    def _want_the_rest(self) -> None:
        reply = self._batch.reply
        if reply is not None and self._batch.hits == self._batch.count:
            return
        waited = {p for want in self._wants.values() for p in want.positions}
        for position, index in enumerate(self._indices):
            if position in waited or position in self._batch.records:
                continue
            if self._batch.is_in_payload(position):
                continue
            want = self._wants.get(index)
            if want is None:
                want = self._wants[index] = _Want(index)
                want.alone = True
            want.positions.append(position)

    # Loading.

    def _load_all(self, load: Loader) -> None:
        deadline = time.monotonic() + _LEASE_WAIT_SECONDS
        self._look_among_packed()
        self._load_ours(load)
        while self._wants:
            opened = self._node
            left = deadline - time.monotonic()
            if opened is None or left <= 0:
                for want in self._wants.values():
                    want.others = False
                    want.alone = True
            else:
                self._wait_for_others(opened, left)
            self._load_ours(load)

    def _look_among_packed(self) -> None:
        """Samples that do not fit the pipeline's fields are never among its hits."""
        samples = self._samples
        if self._node is None or samples.is_packed or samples.mixed is False:
            return
        ours = [want.index for want in self._wants.values() if not want.others]
        if not ours:
            return
        found = samples.packed().peek(
            ours, _some_of(self._variants, ours), _some_of(self._stamps, ours)
        )
        samples.mixed = bool(found) or bool(samples.mixed)
        if found:
            given_back = []
            for index, content in found.items():
                want = self._wants[index]
                if want.lease is not None:
                    given_back.append(want.lease)
                    want.lease = None
                self._place(want, content)
                self._batch.hits += len(want.positions)
            if self._node is not None:
                self._node.session.abandon(given_back)

    def _load_ours(self, load: Loader) -> None:
        for want in [one for one in self._wants.values() if not one.others]:
            self._load_one(want, load)

    def _load_one(self, want: _Want, load: Loader) -> None:
        started = time.perf_counter_ns()
        packing = load(want.index, self._samples.is_packed)
        self._counters.count(shared.ORIGIN_LOADS)
        took = time.perf_counter_ns() - started
        self._counters.count(shared.LOAD_NANOS, took)
        self._samples.work.loaded(took)
        content = packing.encode(int(time.time() * 1000), self._stamps.get(want.index, 0))
        self._samples.learn(packing.layout, len(content))
        if self._node is not None and not want.alone:
            self._fill(self._node, want, content, load)
        self._place(want, content)

    def _place(self, want: _Want, content: Any) -> None:
        for position in want.positions:
            self._batch.records[position] = content
        self._wants.pop(want.index, None)

    def _fill(self, opened: Opened, want: _Want, content: bytearray, load: Loader) -> None:
        lease, want.lease = want.lease, None
        if opened.is_read_only:
            return
        most = opened.session.limits.max_record_bytes
        if len(content) > most:
            self._samples._say(
                shared.SAID_TOO_LARGE,
                f"sample {want.index} of {self._samples.spec.name}: record of {len(content)} bytes"
                f" > maxRecordBytes={most}, raise lane.maxRecordSize of the node or store less in a"
                " sample. Samples that large are loaded anew each time",
            )
            self._samples.dropped(want.index, len(content), TOO_LARGE)
            if lease is not None:
                opened.session.abandon([lease])
            return
        try:
            variant = self._variant(want.index)
            offers = self._samples.offers
            offers.offer(opened, want.index, variant, lease, want.generation, content)
        except NodeGoneError:
            self._node = None
            self._samples.dropped(want.index, len(content), LOST)
        except LaneError as e:
            if e.code == messages.DENIED:  # The token may read alone: not each sample again.
                opened.is_read_only = True
            elif e.code == messages.REFUSED and not self._samples.is_packed:
                self._fill_packed(want.index, want.generation, load, e)

    def _fill_packed(self, index: int, generation: int, load: Loader, why: LaneError) -> None:
        samples = self._samples
        packed = samples.packed()
        try:
            opened = packed.open()
            if opened is None:
                samples.dropped(index, 0, LOST)
                return
            stamp = self._stamps.get(index, 0)
            content = load(index, True).encode(int(time.time() * 1000), stamp)
            variant = self._variant(index)
            packed.offers.offer(opened, index, variant, None, generation, content)
            samples.mixed = True
        except NodeGoneError:
            self._node = None
            samples.dropped(index, 0, LOST)
        except LaneError as e:
            raise CacheRefusedError(f"sample {index} of {samples.spec.name}: {e}; {why}") from None

    def _abandon(self, some: Any) -> None:
        unused = []
        for want in some:
            if want.lease is not None:
                unused.append(want.lease)
                want.lease = None
        if unused and self._node is not None:
            self._node.session.abandon(unused)

    # Waiting.

    def _wait_for_others(self, opened: Opened, left: float) -> None:
        started = time.monotonic()
        wait = min(opened.session.longest_wait_millis, int(left * 1000) + 1)
        waiting = list(self._wants.values())
        self._read_some(opened, waiting, wait)
        still = len(self._wants) == len(waiting)
        if still and all(want.others for want in waiting) and self._node is not None:
            # A node that says "still leased" without having waited is not asked too fast.
            time.sleep(max(0.0, _SHORTEST_ROUND_SECONDS - (time.monotonic() - started)))

    def _read_some(self, opened: Opened, some: list[_Want], wait: int) -> None:
        try:
            self._read_records(opened, some, wait)
        except NodeGoneError:
            self._node = None
        except LaneError as e:
            self._refuse_or_go_on(opened, e)

    def _read_records(self, opened: Opened, some: list[_Want], wait: int) -> None:
        session = opened.session
        indices = [want.index for want in some]
        lease = self._load is not None
        request = messages.read(
            opened.handle,
            RECORDS,
            lease,
            None,
            wait,
            indices,
            _some_of(self._stamps, indices),
            _some_of(self._variants, indices),
        )
        try:
            body = session.call(messages.READ, request)
        except LaneError as e:
            if e.code != messages.TOO_LARGE:
                raise
            if len(some) == 1:
                some[0].alone = True
                some[0].others = False
                return
            half = len(some) // 2
            self._read_records(opened, some[:half], wait)
            self._read_records(opened, some[half:], wait)
            return
        reply = session.parsed(messages.read_reply, body, RECORDS, len(some))
        leases = iter(reply.leases)
        for position, want in enumerate(some):
            status = reply.statuses[position]
            if status == messages.HIT:
                try:
                    content = _record_of(reply, position)
                except messages.ProtocolError as e:
                    raise session.break_off(str(e)) from None
                self._batch.hits += len(want.positions)
                if want.others:
                    self._counters.count(shared.WAITED_FOR_OTHERS, len(want.positions))
                self._place(want, content)
                continue
            want.generation = reply.generation
            if status == messages.LEASED_TO_YOU:
                number, version = next(leases)
                variant = self._variant(want.index)
                want.lease = Lease(opened.handle, want.index, number, version, variant)
                session.hold(want.lease)
            want.others = status == messages.LEASED_TO_OTHER


@dataclass
class Filled:
    """What became of samples that were to be in the cache. Those in no list are being loaded by
    others, or the node has gone; what the node did with the records, a FillWatch is told."""

    hits: list[int] = field(default_factory=list)
    loaded: list[int] = field(default_factory=list)
    failed: dict[int, Exception] = field(default_factory=dict)


class _Fill(_Read):
    def __init__(
        self,
        samples: Samples,
        indices: Sequence[int],
        load: Loader,
        variants: Sequence[int],
        stamps: Sequence[int],
    ) -> None:
        super().__init__(samples, indices, RECORDS, load, variants, stamps, True)
        self._filled = Filled()

    def fill(self) -> Filled:
        batch = self.run()
        try:
            missing = {*self._wants, *self._filled.loaded, *self._filled.failed}
            if batch.reply is not None or batch.records:
                self._filled.hits = [one for one in self._indices if one not in missing]
            return self._filled
        finally:
            batch.release()

    def _load_all(self, load: Loader) -> None:
        self._look_among_packed()
        for want in [one for one in self._wants.values() if not one.others and not one.alone]:
            if self._node is None:
                return
            try:
                self._load_one(want, load)
                self._filled.loaded.append(want.index)
            except Exception as e:
                self._filled.failed[want.index] = e
                self._abandon([want])
                self._wants.pop(want.index, None)


class Offers:
    """Hands records to the node. One that is busy gets a record again in the background, while its
    lease lasts; training does not wait for that. How much waits so is bounded; over it, records are
    dropped and counted."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples
        self._lock = threading.Lock()
        self._waiting_bytes = 0

    def offer(
        self,
        opened: Opened,
        index: int,
        variant: int,
        lease: Optional[Lease],
        generation: int,
        content: bytearray,
    ) -> None:
        """Returns when the node has the bytes, or they wait in the background. Without a lease, the
        record is of the generation that was current when its load began.

        Raises LaneError if the node refuses the record, with the lease given back.
        """
        if self._once(opened, index, variant, lease, generation, content) != messages.BUSY:
            return
        with self._lock:
            fits = self._waiting_bytes + len(content) <= _MAX_WAITING_BYTES
            self._waiting_bytes += len(content) if fits else 0
        if not fits:
            self._give_up(opened, index, lease, len(content), BUSY_TOO_LONG)
            return
        self._samples.watch.waits(index)
        until = time.monotonic() + opened.session.limits.lease_millis / 1000
        delay = _FIRST_DELAY_SECONDS
        self._later(opened, index, variant, lease, generation, content, delay, until)

    def _once(
        self,
        opened: Opened,
        index: int,
        variant: int,
        lease: Optional[Lease],
        generation: int,
        content: bytearray,
    ) -> int:
        session = opened.session
        if session.limits.version == messages.OLDEST_VERSION:
            to_oldest(content)
        number, version = (lease.id, lease.version) if lease else (0, generation)
        request = messages.fill(opened.handle, variant, index, number, version, len(content))
        try:
            body = session.call(messages.FILL, request, content)
        except LaneError:
            self._give_up(opened, index, lease, len(content), FAILED)
            raise
        result, reason = session.parsed(messages.fill_reply, body)
        if result != messages.BUSY:
            if lease is not None:
                session.drop(lease)
            taken = result == messages.TAKEN
            self._samples.counters.count(shared.FILLS_TAKEN if taken else shared.FILLS_DROPPED)
            self._samples.watch.settled(index, len(content), result, reason)
        return result

    def _later(
        self,
        opened: Opened,
        index: int,
        variant: int,
        lease: Optional[Lease],
        generation: int,
        content: bytearray,
        delay: float,
        until: float,
    ) -> None:
        def again() -> None:
            try:
                result = self._once(opened, index, variant, lease, generation, content)
                busy = result == messages.BUSY
            except NodeGoneError:
                busy = False
                self._samples.dropped(index, len(content), LOST)
            except LaneError:
                busy = False
            if busy and time.monotonic() < until:
                longer = min(2 * delay, _LONGEST_DELAY_SECONDS)
                self._later(opened, index, variant, lease, generation, content, longer, until)
                return
            if busy:
                self._give_up(opened, index, lease, len(content), BUSY_TOO_LONG)
            with self._lock:
                self._waiting_bytes -= len(content)

        self._samples.attachment.later(delay, again)

    def _give_up(
        self, opened: Opened, index: int, lease: Optional[Lease], size: int, reason: str
    ) -> None:
        self._samples.dropped(index, size, reason)
        if lease is not None:
            opened.session.abandon([lease])
