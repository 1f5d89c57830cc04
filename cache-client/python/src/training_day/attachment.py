"""The node of this process, while there is one."""

from __future__ import annotations

import heapq
import itertools
import os
import threading
import time
import warnings
from collections.abc import Iterable
from typing import Any, Callable, Optional

from training_day.errors import CacheWarning, LaneError, NodeGoneError
from training_day.lane import address as addresses
from training_day.lane import messages
from training_day.lane.connection import Connection
from training_day.lane.messages import Lease
from training_day.lane.slots import Slot, SlotPool

__all__ = ["Attachment", "Session", "attachment", "own_attachment"]

_RETRY_SECONDS = 1.0
_REPEAT_SECONDS = 60.0
_LEASES_A_MESSAGE = 4_096


class Session:
    """One connection with all that lives and dies with it: slots and leases. Threads may share
    it."""

    def __init__(self, connection: Connection, owner: Attachment) -> None:
        self.connection = connection
        self.limits = connection.limits
        self._owner = owner
        self._slots = SlotPool(connection, owner.wanted_slots, owner.mapped)
        self._leases: set[Lease] = set()
        self._lock = threading.Lock()

    @property
    def is_open(self) -> bool:
        return self.connection.is_open

    @property
    def longest_wait_millis(self) -> int:
        """The longest a READ may ask the node to wait, so that its answer is in time for us."""
        own = int(self.connection.timeout * 1000) // 2
        return min(self.limits.answer_millis * 3 // 4, own)

    def call(self, kind: int, body: bytes, tail: Any = b"") -> memoryview:
        """One request; whoever looks for a session learns of a connection that is gone."""
        try:
            return self.connection.call(kind, body, tail)
        except NodeGoneError as e:
            self._owner.lost(self, e)
            raise
        except LaneError:
            if not self.connection.is_open:
                self._owner.lost(self, NodeGoneError("the node closed the connection"))
            raise

    def parsed(self, parse: Any, body: memoryview, *args: Any) -> Any:
        try:
            return self.connection.parsed(parse, body, *args)
        except NodeGoneError as e:
            self._owner.lost(self, e)
            raise

    def break_off(self, why: str) -> NodeGoneError:
        gone = self.connection.break_off(why)
        self._owner.lost(self, gone)
        return gone

    def take_slot(self, size: int) -> Optional[Slot]:
        try:
            return self._slots.take(size)
        except NodeGoneError as e:
            self._owner.lost(self, e)
            raise

    def hold(self, lease: Lease) -> None:
        """Renews the lease from now on."""
        with self._lock:
            self._leases.add(lease)
        self._owner.need_background(wake=False)

    def drop(self, lease: Lease) -> None:
        """The lease has been used."""
        with self._lock:
            self._leases.discard(lease)

    def abandon(self, unused: Iterable[Lease]) -> None:
        """Gives leases back unused, for others to load."""
        unused = list(unused)
        with self._lock:
            self._leases.difference_update(unused)
        self._tell(messages.ABANDON, unused)

    def renew(self) -> None:
        with self._lock:
            held = list(self._leases)
        self._tell(messages.RENEW, held)

    def _tell(self, kind: int, some: list[Lease]) -> None:
        groups: dict[tuple[int, int], list[Lease]] = {}
        for lease in some:
            groups.setdefault((lease.handle, lease.variant), []).append(lease)
        try:
            for (handle, variant), group in groups.items():
                for start in range(0, len(group), _LEASES_A_MESSAGE):
                    part = group[start : start + _LEASES_A_MESSAGE]
                    if self.is_open:
                        self.call(kind, messages.leases(handle, variant, part))
        except (NodeGoneError, LaneError):
            pass  # The leases are gone with the connection, or were before.

    def close(self) -> None:
        self.connection.close()
        self._slots.close()


class Attachment:
    """Keeps a session with a node while there is one. It is the circuit breaker: after a missed
    answer there is no session, which costs a batch nothing, until the node has greeted again."""

    def __init__(self, argument: Optional[str], token: Optional[str]) -> None:
        self._argument = argument
        self._token = token
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._session: Optional[Session] = None
        self._connecting = False
        self._retry_at = 0.0
        self._thread: Optional[threading.Thread] = None
        self._closed = False
        self._wake = threading.Event()
        self._tasks: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._said_at: Optional[float] = None
        self._slots_of: dict[int, int] = {}
        self._whenever_mapped: list[Callable[[Any], None]] = []
        self.say: Callable[[str], bool] = lambda what: True
        """Whether this process is the one to warn; others may have done so."""

    def wanted_slots(self) -> int:
        return max(1, sum(list(self._slots_of.values())))

    def want_slots(self, who: object, count: int) -> None:
        """How many batches somebody holds or reads at a time; 0 when it has ended. The garbage
        collector may call it, anywhere: it must not wait for a lock."""
        if count:
            self._slots_of[id(who)] = count
        else:
            self._slots_of.pop(id(who), None)

    def whenever_mapped(self, do: Callable[[Any], None]) -> None:
        self._whenever_mapped.append(do)

    def mapped(self, memory: Any) -> None:
        for do in self._whenever_mapped:
            do(memory)

    @property
    def session(self) -> Optional[Session]:
        """The session there is. Looks for a node the first time, then never blocks."""
        current = self._session
        if current is not None:
            return current
        if self._retry_at == 0.0:
            self._attach()
        return self._session

    def _attach(self, silent: bool = False) -> None:
        with self._lock:
            if self._connecting or self._session is not None or self._closed:
                return
            self._connecting = True
        try:
            where = addresses.find(self._argument)
            token = self._token
            if token is None:
                token = os.environ.get(addresses.TOKEN_VARIABLE, "")
            try:
                connection = Connection(where, token)
            except (NodeGoneError, LaneError) as e:
                self._retry_at = time.monotonic() + _RETRY_SECONDS
                if not silent:
                    self._warn(
                        "away",
                        f"no cache node at {where} ({where.source}): {e}. Samples come from the"
                        " origin until one is there: start one with `python -m training_day"
                        f" serve`, or say where it is in {addresses.VARIABLE}",
                    )
                    self.need_background()
                return
            self._session = Session(connection, self)
        finally:
            self._connecting = False

    def lost(self, gone: Session, why: NodeGoneError) -> None:
        with self._lock:
            if self._session is not gone:
                return
            self._session = None
            self._retry_at = time.monotonic() + _RETRY_SECONDS
        gone.close()
        self._warn(
            "lost",
            f"the connection to the cache node is lost: {why}. Samples come from the origin until"
            " it is back",
        )
        self.need_background()

    def _warn(self, what: str, text: str) -> None:
        now = time.monotonic()
        if self._said_at is not None and now - self._said_at < _REPEAT_SECONDS:
            return
        self._said_at = now
        if self.say(what):
            warnings.warn(text, CacheWarning, stacklevel=2)

    def need_background(self, wake: bool = True) -> None:
        """A thread of ours looks for the node, renews leases and does what nobody waits for."""
        if self._thread is not None:
            if wake:
                self._wake.set()
        else:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(
                        target=self._run, name="training_day", daemon=True
                    )
                    self._thread.start()

    def later(self, delay: float, do: Callable[[], None]) -> None:
        """Does something in the background."""
        with self._lock:
            heapq.heappush(self._tasks, (time.monotonic() + delay, next(self._order), do))
        self.need_background()

    def _run(self) -> None:
        renew_at = 0.0
        while self._pid == os.getpid() and not self._closed:
            now = time.monotonic()
            current = self._session
            due = renew_at if current is not None else self._retry_at
            if self._tasks:
                due = min(due, self._tasks[0][0])
            if due > now:
                self._wake.wait(due - now)
                self._wake.clear()
                continue
            while self._tasks and self._tasks[0][0] <= now:
                with self._lock:
                    _, _, do = heapq.heappop(self._tasks)
                do()
            current = self._session
            if current is not None and now >= renew_at:
                current.renew()
                renew_at = now + max(0.05, current.limits.lease_millis / 3000)
            elif current is None and now >= self._retry_at:
                self._attach(silent=True)

    def close(self) -> None:
        """Ends it for good; for one that `own_attachment` made."""
        with self._lock:
            self._closed = True
        self.forget()
        self._wake.set()
        with _lock:
            _own.discard(self)

    def forget(self) -> None:
        """Ends the session without a word; in a forked child, the parent keeps it."""
        current, self._session = self._session, None
        if current is not None:
            current.close()


_attachments: dict[tuple[Optional[str], Optional[str]], Attachment] = {}
_own: set[Attachment] = set()
_lock = threading.Lock()


def own_attachment(argument: Optional[str] = None, token: Optional[str] = None) -> Attachment:
    """One that nobody shares: requests of one connection follow one another."""
    made = Attachment(argument, token)
    with _lock:
        _own.add(made)
    return made


def attachment(argument: Optional[str] = None, token: Optional[str] = None) -> Attachment:
    """This process's attachment to the node at an address; all its data sets share it."""
    with _lock:
        key = (argument, token)
        if key not in _attachments:
            _attachments[key] = Attachment(argument, token)
        return _attachments[key]


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()
    for one in (*_attachments.values(), *_own):
        one.forget()
    _attachments.clear()
    _own.clear()


os.register_at_fork(after_in_child=_after_fork)
