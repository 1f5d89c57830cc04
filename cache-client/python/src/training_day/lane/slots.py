"""Shared memory of one connection, cut into slots for one batch each."""

from __future__ import annotations

import fcntl
import mmap
import os
import threading
import time
import warnings
import weakref
from collections import deque
from typing import Callable, Optional

from training_day.errors import CacheWarning, LaneError, NodeGoneError
from training_day.lane import messages
from training_day.lane.connection import Connection

__all__ = ["Slot", "SlotPool"]

_RETRY_SECONDS = 5.0
_PAGE = 4 << 10


class _Segment:
    def __init__(self, number: int, slot_bytes: int, slots: int, memory: mmap.mmap) -> None:
        self.number = number
        self.slot_bytes = slot_bytes
        self.slots = slots
        self.memory = memory
        self.free: deque[Slot] = deque()
        self.retired = False
        self.dropped = False

    @property
    def is_unused(self) -> bool:
        return len(self.free) == self.slots

    def take(self) -> Optional[Slot]:
        try:
            return self.free.pop()
        except IndexError:
            return None


class Slot:
    """Memory for one batch, the taker's until it is released."""

    def __init__(self, pool: SlotPool, owner: _Segment, number: int) -> None:
        self._pool = pool
        self._owner = owner
        self.place = (owner.number, number)
        start = number * owner.slot_bytes
        self.memory = memoryview(owner.memory)[start : start + owner.slot_bytes]

    @property
    def pid(self) -> int:
        return self._pool.pid

    def release(self) -> None:
        """Lets the next batch have it. A slot of a connection that has ended is never used again,
        which keeps a late copy of the node out of the next batch."""
        self._pool.give_back(self, self._owner)


class SlotPool:
    """Asks the node for shared memory when a batch's size is known, and for a larger piece when a
    batch does not fit. Where there is none, batches come through the socket.

    The node frees the pages of a segment that was dropped, whoever has them mapped. When the
    connection ends it waits for the lock on the segment's file, which is held as long as the
    mapping lives: a tensor over it may be in use still.
    """

    def __init__(
        self,
        connection: Connection,
        wanted: Callable[[], int],
        mapped: Optional[Callable[[mmap.mmap], None]] = None,
    ) -> None:
        self.pid = os.getpid()
        self._connection = connection
        self._wanted = wanted
        self._mapped = mapped
        self._lock = threading.RLock()
        self._current: Optional[_Segment] = None
        self._growing = False
        self._closed = False
        self._retry_at = 0.0
        self._refused = False
        self.why_none = ""
        """Why there is no shared memory, as seen last; empty while there is."""
        # Slots that a garbage collection releases are dropped by the next call.
        self._unused: deque[_Segment] = deque()

    def take(self, size: int) -> Optional[Slot]:
        """A slot of at least `size` bytes, None when the batch is to come through the socket.

        Raises NodeGoneError if the connection is gone.
        """
        limits = self._connection.limits
        if size <= 0 or not limits.shared_memory or not self._connection.address.is_local:
            return None
        self._drop_unused()
        with self._lock:
            old = self._current
            if old is not None and old.slot_bytes >= size:
                most = min(self._wanted(), limits.max_segment_bytes // old.slot_bytes)
                slot = old.take()
                if slot is not None or old.slots >= most:
                    return slot
            if self._growing or time.monotonic() < self._retry_at:
                return None
            self._growing = True
        fresh = None
        try:
            fresh = self._grow(size, old)
        finally:
            with self._lock:
                self._growing = False
                if fresh is None or fresh.slots < self._wanted():
                    self._retry_at = time.monotonic() + _RETRY_SECONDS
                if fresh is not None and self._closed:
                    fresh.free.clear()
                    fresh = None
                if fresh is not None:
                    self._current = fresh
                    self._refused = False
                    self.why_none = ""
                    if old is not None and not old.retired:
                        old.retired = True
                        if old.is_unused:
                            self._unused.append(old)
        self._drop_unused()
        with self._lock:
            return fresh.take() if fresh is not None else None

    def give_back(self, slot: Slot, owner: _Segment) -> None:
        """May be called by the garbage collector, anywhere: it must not wait for a reply."""
        owner.free.append(slot)
        if self._closed:
            owner.free.clear()  # The mapping, and with it the lock, ends with the last view.
        elif owner.retired and owner.is_unused:
            self._unused.append(owner)

    def close(self) -> None:
        """The connection has ended. What nobody uses is unmapped, the rest with its last view.
        Takes no lock: after a fork somebody else may have it for ever."""
        self._closed = True
        current, self._current = self._current, None
        if current is not None:
            current.free.clear()
        while self._unused:
            try:
                self._unused.popleft().free.clear()
            except IndexError:
                return

    def _drop_unused(self) -> None:
        while self._unused:
            try:
                gone = self._unused.popleft()
            except IndexError:
                return
            # Who retires it and who gives its last slot back may both find it unused.
            with self._lock:
                again, gone.dropped = gone.dropped, True
            if again:
                continue
            gone.free.clear()
            self._tell(messages.DROP, gone.number)

    def _grow(self, size: int, old: Optional[_Segment]) -> Optional[_Segment]:
        limits = self._connection.limits
        slot_bytes = max(size, old.slot_bytes if old else 0)
        slot_bytes = -(-slot_bytes // _PAGE) * _PAGE
        if slot_bytes > limits.max_segment_bytes:
            self._say(
                f"a batch of {size} bytes passes the node's limit of {limits.max_segment_bytes}"
                " bytes a connection"
            )
            return None
        most = min(limits.max_segment_bytes // slot_bytes, messages.MAX_SLOTS)
        count = max(1, min(most, self._wanted()))
        if old and old.slot_bytes * old.slots + slot_bytes * count > limits.max_segment_bytes:
            with self._lock:
                if not old.is_unused:
                    return None  # It is in use; when its slots are back there is room.
                old.retired = True
                self._current = None
                old.free.clear()
            self._tell(messages.DROP, old.number)
        # Half of the slots serve better than none where shared memory is small.
        while True:
            try:
                body = self._connection.call(messages.SEGMENT, messages.segment(slot_bytes, count))
            except LaneError as e:
                if not self._connection.is_open:
                    raise NodeGoneError(f"the node closed the connection: {e}") from None
                retry = e.code in (messages.NO_SEGMENT, messages.TOO_MANY)
                if retry and count > 1:
                    count //= 2
                    continue
                self._say(e.message)
                return None
            number, path = self._connection.parsed(messages.segment_reply, body)
            return self._map(number, path, slot_bytes, count)

    def _map(self, number: int, path: str, slot_bytes: int, count: int) -> Optional[_Segment]:
        try:
            path = self._connection.address.resolve(path)
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                size = os.fstat(file).st_size
                if size != slot_bytes * count:
                    raise OSError(f"it has {size} bytes, expected {slot_bytes * count}")
                fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB, messages.SEGMENT_LOCK_BYTES)
                memory = mmap.mmap(file, size)
            except BaseException:
                os.close(file)
                raise
            # Closing any descriptor of the file would give up the lock before the mapping ends.
            weakref.finalize(memory, os.close, file).atexit = False
        except (OSError, ValueError) as e:
            self._say(f"{path} cannot be mapped: {e}")
            self._tell(messages.DROP, number)
            return None
        self._connection.call(messages.MAPPED, messages.segment_id(number))
        made = _Segment(number, slot_bytes, count, memory)
        if self._mapped is not None:
            self._mapped(memory)
        for k in reversed(range(count)):
            made.free.append(Slot(self, made, k))
        return made

    def _tell(self, kind: int, number: int) -> None:
        try:
            self._connection.call(kind, messages.segment_id(number))
        except LaneError:
            pass
        except NodeGoneError:
            pass  # Whoever reads next learns it.

    def _say(self, why: str) -> None:
        self.why_none = why
        if not self._refused:
            self._refused = True
            warnings.warn(
                f"no shared memory, batches come through the socket, which is slower: {why}",
                CacheWarning,
                stacklevel=2,
            )
