"""The node of this process: home while it is there, else another one of its grid."""

from __future__ import annotations

import heapq
import itertools
import os
import random
import threading
import time
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Callable, Optional, Union

from training_day.errors import CacheWarning, LaneError, NodeGoneError
from training_day.lane import access, messages
from training_day.lane import address as addresses
from training_day.lane.access import Access, Credentials, Where
from training_day.lane.address import Address
from training_day.lane.connection import Connection
from training_day.lane.messages import Lease
from training_day.lane.slots import Slot, SlotPool

__all__ = ["Attachment", "Link", "Session", "attachment", "own_attachment"]

_RETRY_SECONDS = 1.0
_GREETING_SECONDS = 3.0
# For one node while others may be had: one that hangs must not hold up the rest for long.
_QUICK_GREETING_SECONDS = 1.0
_LONGEST_FIRST_LOOK_SECONDS = 3.0
_LISTEN_SECONDS = 1.0
_ASK_FOR_OTHERS_SECONDS = 5.0
_MAX_FAILURES_TOLD = 3

# Training draws from the common generator, and processes forked from one would all draw the same.
_RANDOM = random.SystemRandom()
_REPEAT_SECONDS = 60.0
_LEASES_A_MESSAGE = 4_096


@dataclass(frozen=True)
class Link:
    """How this process reaches the cache now. Texts are empty where there is nothing to say."""

    node: str = ""
    """The address of the node that is asked; empty: there is none."""
    host_id: str = ""
    tls: bool = False
    shared_memory: bool = False
    why_not_shared: str = ""
    """Why batches come through the socket."""
    home: str = ""
    """The node that was named, or this host's."""
    why_not_home: str = ""

    def __str__(self) -> str:
        if not self.node:
            return f"no cache node at {self.home}: {self.why_not_home or 'not looked for yet'}"
        how = "by shared memory" if self.shared_memory else f"inline: {self.why_not_shared}"
        tls = ", TLS 1.3" if self.tls else ""
        said = f"{self.node} (host {self.host_id}{tls}), {how}"
        if self.node != self.home:
            said += f"; it stands in for {self.home}: {self.why_not_home}"
        return said


class Session:
    """One connection with all that lives and dies with it: slots and leases. Threads may share
    it."""

    def __init__(self, connection: Connection, owner: Attachment) -> None:
        self.connection = connection
        self.address = connection.address
        self.limits = connection.limits
        self.since = time.monotonic()
        self._owner = owner
        self._slots = SlotPool(connection, owner.wanted_slots, owner.mapped)
        self._leases: set[Lease] = set()
        self._lock = threading.Lock()
        self._users = 0
        self._unwanted = False
        self._ended = False
        self.going_is_told = False

    @property
    def is_open(self) -> bool:
        return self.connection.is_open

    @property
    def is_going(self) -> bool:
        """Whether the node has said that it goes."""
        return self.connection.is_going

    @property
    def why_not_shared(self) -> str:
        """Why batches come through the socket, empty while they do not."""
        if not self.address.is_local:
            return "over TCP there is no shared memory"
        if not self.limits.shared_memory:
            return "the node offers no shared memory (lane.slots.maxBytes)"
        return self._slots.why_none

    @property
    def longest_wait_millis(self) -> int:
        """The longest a READ may ask the node to wait, so that its answer is in time for us."""
        own = int(self.connection.timeout * 1000) // 2
        return min(self.limits.answer_millis * 3 // 4, own)

    def enter(self) -> bool:
        """Begins a batch, for which the session stays, whatever takes its place; False if that has
        happened already."""
        with self._lock:
            if self._ended or (self._unwanted and not self.is_open):
                return False
            self._users += 1
            return True

    def leave(self) -> None:
        """Ends what `enter` began."""
        with self._lock:
            self._users -= 1
        self._close_if_unused()

    def close_when_unused(self) -> None:
        """Another one has taken the place; this one ends with its last batch and lease."""
        with self._lock:
            self._unwanted = True
        self._close_if_unused()

    def _close_if_unused(self) -> None:
        with self._lock:
            over = self._unwanted and not self._users and not self._leases
            self._ended = self._ended or over
        if over:
            self.close()

    def call(self, kind: int, body: bytes, tail: Any = b"") -> memoryview:
        """One request; whoever looks for a session learns of a connection that is gone."""
        try:
            answer = self.connection.call(kind, body, tail)
        except NodeGoneError as e:
            self._owner.lost(self, e)
            raise
        except LaneError as e:
            if not self.connection.is_open:
                gone = NodeGoneError(f"the node closed the connection: {e}")
                self._owner.lost(self, gone)
                if e.code == messages.STOPPING or self.connection.farewell is not None:
                    raise gone from None
            raise
        if self.connection.is_going:
            self._owner.going(self)
        return answer

    def listen(self) -> None:
        """Looks whether the node has said something, or is gone."""
        self.connection.listen()
        if not self.is_open:
            self._owner.lost(self, NodeGoneError(self.connection.why_closed))
        elif self.connection.is_going:
            self._owner.going(self)

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
        self._close_if_unused()

    def abandon(self, unused: Iterable[Lease]) -> None:
        """Gives leases back unused, for others to load."""
        unused = list(unused)
        with self._lock:
            self._leases.difference_update(unused)
        self._tell(messages.ABANDON, unused)
        self._close_if_unused()

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
    """Keeps a session with a node while there is one to be had. It is the circuit breaker: after a
    missed answer there is no session, which costs a batch nothing, until a node has greeted again.

    Home is the node that was named, or the one of this host. When it goes, any other node of its
    grid takes its place, over TCP; home is looked for once a second meanwhile, and gets its place
    back. A session that is replaced ends when the batches under way on it have, and its leases are
    used.

    `others` are other nodes' addresses that the process knew that made this one. With `begun`,
    training goes on somewhere already: certificates that cannot be used are no error, but like a
    node that is away.
    """

    def __init__(
        self,
        where: Union[Where, str, None] = None,
        token: Optional[str] = None,
        others: Iterable[str] = (),
        begun: bool = False,
    ) -> None:
        self._where = where if isinstance(where, Where) else Where(where, token)
        self._credentials = _credentials_of(self._where)
        self._begun = begun
        self._known_home: Optional[Address] = None
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._session: Optional[Session] = None
        self._replaced: set[Session] = set()
        self._others: tuple[str, ...] = tuple(others)
        self._looked = False
        self._looking = False
        self._look_at = 0.0
        self._lost_because = ""
        self._home_failed = ""
        self._denied = False
        self._finder: Optional[threading.Thread] = None
        self._thread: Optional[threading.Thread] = None
        self._closed = False
        self._wake = threading.Event()
        self._look = threading.Event()
        self._tasks: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._said_at: dict[str, float] = {}
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
        """Calls it once with each piece of shared memory mapped from now on, however often it is
        given."""
        if do not in self._whenever_mapped:
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
        if not self._looked:
            self._look_first()
        return self._session

    @property
    def others(self) -> tuple[str, ...]:
        """Where else the lane is served, as the nodes told last: for workers of this process, which
        may begin when home is away."""
        return self._others

    @property
    def link(self) -> Link:
        """How the cache is reached now."""
        current = self._session
        home = str(self._home())
        away = self._home_failed or self._lost_because
        if current is None:
            return Link(home=home, why_not_home=away)
        why = current.why_not_shared
        return Link(
            str(current.address),
            current.limits.host_id,
            current.connection.is_encrypted,
            not why,
            why,
            home,
            away if str(current.address) != home else "",
        )

    # Looking for a node.

    def _look_first(self) -> None:
        """Raises ValueError for an address, a token or certificates that cannot be used."""
        with self._lock:
            if self._looking or self._looked or self._closed:
                return
            self._home()
            if not self._begun:
                self._credentials.check()
            self._looking = True
        try:
            self._look_around(time.monotonic() + _LONGEST_FIRST_LOOK_SECONDS)
        finally:
            self._looked = True
            self._looking = False
            if not self._is_home():
                self._look_again(_RETRY_SECONDS)

    def _home(self) -> Address:
        try:
            self._known_home = self._where.home()
        except ValueError:
            # Later it is the background that looks, and the environment may have been changed.
            if self._known_home is None:
                raise
        return self._known_home

    def _is_home(self) -> bool:
        current = self._session
        return (
            current is not None
            and not current.is_going
            and str(current.address) == str(self._home())
        )

    def _look_around(self, until: Optional[float] = None) -> None:
        """Tries home, and the others if there is no session; the first that greets gets the
        place."""
        current = self._session
        home = self._home()
        is_home = current is not None and str(current.address) == str(home)
        if is_home and current is not None and not current.is_going:
            return
        if not is_home:
            try:
                quick = _QUICK_GREETING_SECONDS if self._others else _GREETING_SECONDS
                fresh = self._connect(home, quick)
            except (NodeGoneError, LaneError, ValueError) as e:  # ValueError: what it shows.
                self._home_failed = str(e)
            else:
                why, denied = self._lost_because, self._denied
                self._lost_because = self._home_failed = ""
                self._denied = False
                self._take(fresh)
                if denied:
                    self._warn(
                        "denied", f"the cache node at {home} has taken us again, after this: {why}"
                    )
                return
        if current is not None and not current.is_going:
            return
        if is_home:
            self._home_failed = "it is about to stop"
        failures = []
        for other in _RANDOM.sample(self._others, len(self._others)):
            if self._closed or (until is not None and time.monotonic() >= until):
                break
            if current is not None and current.address.text == other:
                continue
            try:
                where = Address(other, f"the grid of {home}")
                fresh = self._connect(where, _QUICK_GREETING_SECONDS)
            except (NodeGoneError, LaneError, ValueError) as e:  # ValueError: no host name.
                failures.append(f"{other}: {e}")
                continue
            self._take(fresh)
            self._warn(
                "elsewhere",
                f"the cache node at {home} is lost: {self._lost_because or self._home_failed}."
                f" Samples come through the one at {where} until it is back, which is slower",
            )
            return
        if current is None:
            self._nowhere(home, failures)

    def _connect(self, where: Address, longest: float) -> Session:
        shown = self._shown(where)
        return Session(Connection(where, shown.token, tls=shown.tls, greeting=longest), self)

    def _shown(self, where: Address) -> Access:
        """As the files are now. Raises ValueError if nothing could ever be read from them."""
        if where.is_local:
            return Access(self._credentials.token)
        shown, why_former = self._credentials.now()
        if why_former:
            self._warn("certificates", f"certificates cannot be renewed: {why_former}")
        return shown

    def _take(self, fresh: Session) -> None:
        with self._lock:
            former, self._session = self._session, fresh
            closed = self._closed or self._pid != os.getpid()
            if closed:
                self._session = None
            self._replaced = {one for one in self._replaced if one.is_open}
            if former is not None:
                self._replaced.add(former)
        if former is not None:
            former.close_when_unused()
        if closed:
            fresh.close()
        else:
            self._ask_for_others()
            self.need_background()

    def _nowhere(self, home: Address, failures: list[str]) -> None:
        if self._lost_because:
            none = "; ".join(failures[:_MAX_FAILURES_TOLD])
            none = f" No other one can be had ({none})." if failures else ""
            self._warn(
                "lost",
                f"the cache node at {home} is lost: {self._lost_because}.{none} Samples come from"
                " the origin until one is there",
            )
        else:
            self._warn(
                "away",
                f"no cache node at {home} ({home.source}): {self._home_failed}. Samples come from"
                " the origin until one is there: start one with `python -m training_day serve`, or"
                f" say where it is in {addresses.VARIABLE}",
            )

    def _ask_for_others(self) -> None:
        """What is known stays as it is when there is no answer."""
        current = self._session
        if current is None:
            return
        try:
            body = current.call(messages.OWNERS, messages.owners(messages.NO_DATASET))
            told = current.parsed(messages.owners_reply, body)
        except (NodeGoneError, LaneError):
            return
        told_of = [
            f"tcp://{one.lane_address}"
            for one in told.members
            if one.lane_address and not one.local
        ]
        if not current.address.is_local:
            # Workers that begin while it stands in are to find it.
            told_of.append(current.address.text)
        home = self._home().text
        self._others = tuple(one for one in dict.fromkeys(told_of) if one != home)

    def lost(self, gone: Session, why: NodeGoneError) -> None:
        with self._lock:
            if self._session is not gone:
                self._replaced.discard(gone)
                current = False
            else:
                self._session = None
                self._lost_because = str(why)
                said = gone.connection.farewell
                self._denied = said is not None and said.code == messages.DENIED
                current = True
        gone.close()
        if not current:
            return
        if not self._others:
            self._denied = False  # It is said now.
            self._look_again(_RETRY_SECONDS)
            self._warn(
                "lost",
                f"the connection to the cache node is lost: {why}. Samples come from the origin"
                " until it is back",
            )
        else:
            # At once, but not again and again when nodes greet and then break.
            lasted = time.monotonic() - gone.since > _RETRY_SECONDS
            self._look_again(0 if lasted else _RETRY_SECONDS)

    def going(self, session: Session) -> None:
        """The node has said that it goes: another one is looked for, and it serves until then."""
        with self._lock:
            told, session.going_is_told = session.going_is_told, True
        if self._session is session and not told:
            self._look_again(0)

    def _look_again(self, delay: float) -> None:
        """In a thread of its own, which a node that hangs holds up; it ends when home is there."""
        with self._lock:
            self._look_at = time.monotonic() + delay
            self._look.set()
            if self._finder is None and not self._closed:
                self._finder = threading.Thread(
                    target=self._find, name="training_day finder", daemon=True
                )
                self._finder.start()
        self.need_background()

    def learn(self, others: Iterable[str]) -> None:
        """Of other nodes, where none is known."""
        with self._lock:
            self._others = self._others or tuple(others)

    def _find(self) -> None:
        while self._pid == os.getpid():
            with self._lock:
                if self._closed or self._is_home():
                    self._finder = None
                    return
                left = self._look_at - time.monotonic()
                if left <= 0:
                    self._look_at = time.monotonic() + _RETRY_SECONDS
                self._look.clear()
            if left > 0:
                self._look.wait(left)
                continue
            try:
                self._look_around()
            except Exception as e:  # Without this thread, the node would never be looked for again.
                self._warn("beside", f"looking for a cache node failed: {e!r}; it is tried again")

    def _warn(self, what: str, text: str) -> None:
        now = time.monotonic()
        if self._closed or now - self._said_at.get(what, -_REPEAT_SECONDS) < _REPEAT_SECONDS:
            return
        self._said_at[what] = now
        if self.say(what):
            try:
                warnings.warn(text, CacheWarning, stacklevel=2)
            except CacheWarning:
                # A filter makes an error of it. In a thread of ours nobody would see that, and the
                # node would never be looked for again.
                if threading.current_thread() not in (self._finder, self._thread):
                    raise

    # What nobody waits for.

    def need_background(self, wake: bool = True) -> None:
        """A thread of ours renews leases, hears what nodes say and does what nobody waits for."""
        if self._thread is not None:
            if wake:
                self._wake.set()
        else:
            with self._lock:
                if self._thread is None and not self._closed:
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
        renew_at = listen_at = 0.0
        ask_at = time.monotonic() + _ASK_FOR_OTHERS_SECONDS
        while self._pid == os.getpid() and not self._closed:
            now = time.monotonic()
            with self._lock:
                current = self._session
                sessions = (current, *self._replaced)
                live = [one for one in sessions if one is not None and one.is_open]
                due = self._tasks[0][0] if self._tasks else now + _ASK_FOR_OTHERS_SECONDS
            if live:
                due = min(due, renew_at, listen_at, ask_at)
            if due > now:
                self._wake.wait(due - now)
                self._wake.clear()
                continue
            while self._tasks and self._tasks[0][0] <= now:
                with self._lock:
                    _, _, do = heapq.heappop(self._tasks)
                try:
                    do()
                except Exception as e:  # Without this thread, leases would end and fills wait.
                    self._warn("beside", f"what the cache does beside training failed: {e!r}")
            if now >= listen_at:
                for one in live:
                    one.listen()
                listen_at = now + _LISTEN_SECONDS
            if live and now >= renew_at:
                for one in live:
                    one.renew()
                shortest = min(one.limits.lease_millis for one in live)
                renew_at = now + max(0.05, shortest / 3000)
            if now >= ask_at:
                self._ask_for_others()
                ask_at = now + _ASK_FOR_OTHERS_SECONDS

    def close(self) -> None:
        """Ends it for good; for one that `own_attachment` made."""
        with self._lock:
            self._closed = True
        self.forget()
        self._wake.set()
        self._look.set()
        with _lock:
            _own.discard(self)

    def forget(self) -> None:
        """Ends the sessions without a word; in a forked child, the parent keeps them."""
        current, self._session = self._session, None
        replaced, self._replaced = self._replaced, set()
        for one in (current, *replaced):
            if one is not None:
                one.close()


_attachments: dict[Where, Attachment] = {}
_own: set[Attachment] = set()
# What other nodes there are, as the process that this one was forked from knew them.
_inherited: dict[Where, tuple[str, ...]] = {}
# A forked process has what could be read last, too.
_credentials: dict[Any, Credentials] = {}
_lock = threading.Lock()


def own_attachment(
    where: Where = Where(), others: Iterable[str] = (), begun: bool = False  # noqa: B008
) -> Attachment:
    """One that nobody shares: requests of one connection follow one another."""
    with _lock:
        made = Attachment(where, others=_known(where, others), begun=begun)
        _own.add(made)
    return made


def attachment(
    where: Where = Where(), others: Iterable[str] = (), begun: bool = False  # noqa: B008
) -> Attachment:
    """This process's attachment to the node at an address; all its data sets share it."""
    with _lock:
        there = _attachments.get(where)
        if there is None:
            there = Attachment(where, others=_known(where, others), begun=begun)
            _attachments[where] = there
        elif not there.others:
            # Made by a data set that knew of none.
            there.learn(others)
        return there


def _known(where: Where, others: Iterable[str]) -> tuple[str, ...]:
    there = _attachments.get(where)
    if there is not None and there.others:
        return there.others
    return _inherited.get(where, ()) or tuple(others)


def _credentials_of(where: Where) -> Credentials:
    said = {name: os.environ[name] for name in access.VARIABLES if name in os.environ}
    key = (where, *said.items())
    return _credentials.setdefault(key, Credentials(where, said))


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()
    for read in _credentials.values():
        read.after_fork()
    for where, one in _attachments.items():
        if one.others:
            _inherited[where] = one.others
    for one in (*_attachments.values(), *_own):
        one.forget()
    _attachments.clear()
    _own.clear()


os.register_at_fork(after_in_child=_after_fork)
