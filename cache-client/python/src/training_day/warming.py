"""Loading a data set into the cache in the background, before training or beside it."""

from __future__ import annotations

import itertools
import math
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Callable, NamedTuple, Optional

import numpy as np
import torch
from torch._utils import ExceptionWrapper

from training_day import randomness
from training_day.attachment import Attachment
from training_day.client import RECORDS, TOO_LARGE, FillWatch, Samples
from training_day.errors import NodeGoneError
from training_day.lane import messages
from training_day.placement import partition_of, partitions_of
from training_day.pool import Pool, portable
from training_day.shared import Shared

__all__ = ["WarmProgress", "WarmUp"]

RUNNING, PAUSED, AWAY = "running", "paused", "away"
COMPLETE, FULL, STOPPED, FAILED = "complete", "full", "stopped", "failed"

_REFUSALS_IN_A_ROW = 64
_MOST_LEASED = 16
_MOST_LOOKED_AT = 64
_MOST_LOOKED_AT_BYTES = 8 << 20
_PIECE_SECONDS = 0.25
_ASK_OWNERS_SECONDS = 5.0
_LOOK_FOR_NODE_SECONDS = 0.1
_LOADED_BY_OTHERS_SECONDS = 0.1
_SECONDS_OF_SPEED = 10.0
_SHOW_SECONDS = 0.5
_TRIES = 3
_NO_ROOM = "budget"

# What became of a sample.
_HIT, _LOADED, _ROOMLESS, _UNFIT, _FAILED, _LOST, _OTHERS = range(7)

Clock = Callable[[], float]


@dataclass(frozen=True)
class WarmProgress:
    """How far a warm-up has come.

    state: "running", "paused", "away" (there is no node; it goes on when there is one), or how it
        ended: "complete", "full", "stopped", "failed".
    done: samples looked at, `hits + loaded + refused + failed`.
    total: samples it is to look at, as ownership is now; None while no node has told.
    hits: samples that were there already, or that somebody else loaded meanwhile.
    loaded: samples loaded and taken by the node.
    refused: samples loaded and not kept: no room, or too large.
    failed: samples that could not be loaded or stored.
    bytes: of the records loaded and taken.
    rate: samples a second, of late.
    seconds_left: at that rate; None while it cannot be told, and at the end.
    reason: why it ended or does not go on, a sentence.
    first_error: of the first sample that failed, or what ended it.
    """

    state: str
    done: int
    total: Optional[int]
    hits: int
    loaded: int
    refused: int
    failed: int
    bytes: int
    rate: float
    seconds_left: Optional[float]
    reason: str
    first_error: Optional[BaseException]

    @property
    def ended(self) -> bool:
        """Whether it goes on no more."""
        return self.state in (COMPLETE, FULL, STOPPED, FAILED)

    def __str__(self) -> str:
        total = "?" if self.total is None else f"{self.total:,}"
        line = (
            f"{self.state}: {self.done:,} of {total} samples, {self.hits:,} there already,"
            f" {self.loaded:,} loaded ({self.bytes / 1e6:,.1f} MB)"
        )
        if self.refused:
            line += f", {self.refused:,} not kept"
        if self.failed:
            line += f", {self.failed:,} failed"
        if not self.ended:
            line += f", {self.rate:,.0f}/s"
            if self.seconds_left is not None:
                line += f", {self.seconds_left:,.0f} s left"
        return f"{line}; {self.reason}" if self.reason else line


class Throttle:
    """Spreads work over time: what is done is charged, and the next may begin when that much time
    has passed. Time not used is not saved up."""

    def __init__(self, per_second: Optional[float], clock: Clock = time.monotonic) -> None:
        self._per_second = math.inf if per_second is None else per_second
        self._clock = clock
        self._free_at = clock()

    def charge(self, amount: float) -> None:
        """So much has been begun now; less than 0, if not all of it has."""
        self._free_at = max(self._free_at, self._clock()) + amount / self._per_second

    def delay(self) -> float:
        """Seconds to wait before the next may begin."""
        return max(0.0, self._free_at - self._clock())

    def piece(self, most: int) -> int:
        """How much is as good as a quarter of a second, from 1 to `most`."""
        return max(1, int(min(most, self._per_second * _PIECE_SECONDS)))


class Share:
    """Which samples are to be looked at, in which order: those of the given order first, then all
    others from the first to the last. Each is handed out once; those whose partition is not ours
    are passed over, and come when it is ours later."""

    _STRIDE = 1 << 20

    def __init__(self, length: int, order: Optional[np.ndarray]) -> None:
        self._length = length
        self._order = order
        self._ordered = 0
        self._next = 0
        self._handed_out = np.zeros(length, bool)
        self._left = np.zeros(0, np.int64)
        self._ours = np.zeros(0, bool)
        self._gained = False

    def take_all(self) -> None:
        """All samples are ours."""
        self._take(np.ones(1, bool))

    def take(self, owners: messages.Owners) -> None:
        """Those samples are ours whose primary is on the host of the node that was asked."""
        if not owners.holders:
            self.take_all()
            return
        hosts = {one.host_id for one in owners.members if one.local}
        here = [one.host_id in hosts for one in owners.members]
        self._take(np.array([here[places[0]] for places in owners.holders], bool))

    def _take(self, ours: np.ndarray) -> None:
        partitions = len(ours)
        if len(self._left) != partitions:
            self._left = np.zeros(partitions, np.int64)
            self._ours = np.zeros(partitions, bool)
            for start in range(0, self._length, self._STRIDE):
                end = min(self._length, start + self._STRIDE)
                waiting = start + np.flatnonzero(~self._handed_out[start:end])
                where = partitions_of(waiting, partitions)
                self._left += np.bincount(where, minlength=partitions)
        self._gained |= bool((ours & ~self._ours).any())
        self._ours = ours

    @property
    def remaining(self) -> int:
        """How many are still to be handed out, as things are."""
        return int(self._left[self._ours].sum())

    def next(self, most: int) -> list[int]:
        """Some samples of ours; none when there is none left."""
        taken: list[int] = []
        order = self._order
        while order is not None and self._ordered < len(order) and len(taken) < most:
            index = int(order[self._ordered])
            self._ordered += 1
            self._hand_out(index, taken)
        while len(taken) < most:
            if self._next >= self._length:
                if not self._gained:
                    break
                self._gained = False  # What became ours behind us is ahead again.
                self._next = 0
            self._hand_out(self._next, taken)
            self._next += 1
        return taken

    def _hand_out(self, index: int, taken: list[int]) -> None:
        if index >= self._length or self._handed_out[index]:
            return
        partition = partition_of(index, len(self._ours))
        if self._ours[partition]:
            self._handed_out[index] = True
            self._left[partition] -= 1
            taken.append(index)


class _Outcome(NamedTuple):
    index: int
    what: int
    size: int = 0
    error: Any = None


class _Watch(FillWatch):
    """Remembers what the node did with records."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: set[int] = set()
        self._settled: dict[int, tuple[int, int, str]] = {}

    def waits(self, index: int) -> None:
        with self._changed:
            self._waiting.add(index)

    def settled(self, index: int, size: int, result: int, reason: str) -> None:
        with self._changed:
            self._waiting.discard(index)
            self._settled[index] = (size, result, reason)
            self._changed.notify_all()

    def take(self, longest: float) -> dict[int, tuple[int, int, str]]:
        """All since the last time, once the node is done with those it was too busy for."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting, longest)
            self._waiting.clear()
            settled, self._settled = self._settled, {}
            return settled


class Filler:
    """Has samples loaded and kept; in the process that uses it, over a connection of its own. For
    one thread at a time."""

    def __init__(self, dataset: Any, epoch: int, beside_training: bool) -> None:
        self._dataset = dataset
        self._epoch = epoch
        self._beside_training = beside_training
        self._watch = _Watch()
        self._client: Optional[Samples] = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_client": None, "_watch": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._watch = _Watch()

    @property
    def client(self) -> Samples:
        client = self._client
        if client is None or client.pid != os.getpid():
            where: Attachment = self._dataset._own_attachment()
            self._watch = _Watch()
            client = Samples(where, self._dataset._spec, Shared(), self._watch)
            self._client = client
        return client

    def look(self, indices: Sequence[int]) -> set[int]:
        """Which of them are there, without a lease."""
        batch = self.client.read(indices, RECORDS, None, *self._meant(indices))
        try:
            here = {
                index
                for k, index in enumerate(indices)
                if batch.is_in_payload(k) or k in batch.records
            }
        finally:
            batch.release()
        missing = [index for index in indices if index not in here]
        if missing and self.client.mixed is not False:
            here.update(self.client.packed().peek(missing, *self._meant(missing)))
        return here

    def most_looked_at(self) -> int:
        size = max(1, self.client.estimate(RECORDS, 1))
        return max(1, min(_MOST_LOOKED_AT, _MOST_LOOKED_AT_BYTES // size))

    def fill(self, indices: Sequence[int]) -> list[_Outcome]:
        client = self.client
        session = client.attachment.session
        filled = client.fill(indices, self._load, *self._meant(indices))
        settled = self._watch.take(session.limits.lease_millis / 1000 + 5 if session else 0)
        outcomes = []
        for index in indices:
            size, result, reason = settled.get(index, (0, messages.DROPPED, ""))
            if index in filled.failed:
                outcomes.append(_Outcome(index, _FAILED, 0, filled.failed[index]))
            elif index not in filled.loaded:
                outcomes.append(_Outcome(index, _HIT if index in filled.hits else _OTHERS))
            elif result == messages.TAKEN:
                outcomes.append(_Outcome(index, _LOADED, size))
            elif reason in (_NO_ROOM, TOO_LARGE):
                outcomes.append(_Outcome(index, _ROOMLESS if reason == _NO_ROOM else _UNFIT, size))
            else:
                outcomes.append(_Outcome(index, _LOST, size))
        return outcomes

    def _meant(self, indices: Sequence[int]) -> tuple[list[int], list[int]]:
        """Their variants in the epoch, and what their sources look like now."""
        dataset = self._dataset
        return dataset._variants_of(self._epoch, indices), dataset._stamps_of(self._epoch, indices)

    def _load(self, index: int, together: bool) -> Any:
        dataset = self._dataset
        load = dataset._load_beside_training if self._beside_training else dataset._load
        return load(self._epoch, index, together)

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None and client.pid == os.getpid():
            client.attachment.close()

    # As a Pool's data set.

    def collated(self, indices: Sequence[int]) -> list[_Outcome]:
        outcomes = self.fill(indices)
        return [one._replace(error=portable(one.error)) if one.error else one for one in outcomes]

    def hits_here(self) -> int:
        return 0

    def __getattr__(self, attribute: str) -> Any:
        # `get_worker_info().dataset` is for the user's code.
        if attribute.startswith("_") or "_dataset" not in self.__dict__:
            raise AttributeError(attribute)
        return getattr(self.__dict__["_dataset"], attribute)


def _unwrapped(error: Any) -> BaseException:
    if isinstance(error, ExceptionWrapper):
        try:
            error.reraise()
        except BaseException as e:
            return e
    return error


def _as_it_is(outcomes: list[_Outcome]) -> list[_Outcome]:
    return outcomes


class _Here:
    """Fills in the thread that asks."""

    def __init__(self, filler: Filler, take: Callable[[list[_Outcome], float], None]) -> None:
        self._filler = filler
        self._take = take

    free = 1

    def give(self, indices: list[int]) -> None:
        started = time.monotonic()
        outcomes = self._filler.fill(indices)
        self._take(outcomes, time.monotonic() - started)

    def wait(self) -> None:
        """Nothing is ever under way."""

    def close(self) -> None:
        """There is nothing to close."""


class _Workers:
    """Fills in processes, one piece at a time in each."""

    def __init__(
        self,
        filler: Filler,
        workers: int,
        context: Any,
        init: Optional[Callable[[int], None]],
        take: Callable[[list[_Outcome], float], None],
    ) -> None:
        self._take = take
        self._changed = threading.Condition()
        self._idle = deque(range(workers))
        self._under_way: dict[int, tuple[int, float]] = {}
        self._results: deque[tuple[int, Any]] = deque()
        self._error: Optional[BaseException] = None
        self._places = itertools.count()
        self._base_seed = int.from_bytes(os.urandom(4), "little")
        self._pool = Pool(
            filler, _as_it_is, workers, context, init, self._arrived, self._broken
        )

    @property
    def free(self) -> int:
        with self._changed:
            return len(self._idle)

    def give(self, indices: list[int]) -> None:
        with self._changed:
            worker = self._idle.popleft()
            place = next(self._places)
            self._under_way[place] = (worker, time.monotonic())
        self._pool.give(worker, 0, self._base_seed, place, indices)

    def wait(self) -> None:
        """Until some piece has been done, if any is under way; then all that are, are taken."""
        with self._changed:
            while self._under_way and not self._results and self._error is None:
                self._changed.wait()
            done, self._results = self._results, deque()
        for place, outcomes in done:
            with self._changed:
                worker, started = self._under_way.pop(place)
                self._idle.append(worker)
            if isinstance(outcomes, ExceptionWrapper):
                outcomes.reraise()
            self._take(outcomes, time.monotonic() - started)
        if self._error is not None:
            raise self._error

    def _arrived(self, epoch: int, place: int, outcomes: Any, hits: int) -> None:
        with self._changed:
            self._results.append((place, outcomes))
            self._changed.notify_all()

    def _broken(self, error: BaseException) -> None:
        with self._changed:
            self._error = error
            self._changed.notify_all()

    def close(self) -> None:
        self._pool.close()


class WarmUp:
    """A data set being loaded into the cache, in the background; what `CachedDataset.warm` returns.

    A context manager that stops it at the end of the block. It ends by itself, and with the
    process.
    """

    def __init__(
        self,
        dataset: Any,
        order: Optional[Iterable[Any]] = None,
        *,
        workers: int = 0,
        all_samples: bool = False,
        samples_per_second: Optional[float] = None,
        bytes_per_second: Optional[float] = None,
        node_timeout: Optional[float] = None,
        max_failures: int = 20,
        progress: bool = False,
        worker_init_fn: Optional[Callable[[int], None]] = None,
        multiprocessing_context: Any = None,
    ) -> None:
        if workers < 0:
            raise ValueError(f"workers={workers}, allowed: 0 and up")
        if workers == 0 and dataset._frozen:
            raise ValueError(
                "workers=0 with frozen=True: what is random is drawn from the generators of the"
                " process, which training draws from, too. Give workers=1 or more"
            )
        if max_failures < 1:
            raise ValueError(f"max_failures={max_failures}, allowed: 1 and up")
        for what, rate in (("samples", samples_per_second), ("bytes", bytes_per_second)):
            if rate is not None and not rate > 0:
                raise ValueError(f"{what}_per_second={rate}, allowed: over 0")
        self._name = dataset.name
        self._all = all_samples
        self._node_timeout = node_timeout
        self._max_failures = max_failures
        length = len(dataset)
        self._share = Share(length, None if order is None else indices_of(order, length))
        self._sample_pace = Throttle(samples_per_second)
        self._byte_pace = Throttle(bytes_per_second)
        self._filler = Filler(dataset, dataset._shared.epoch or 0, workers == 0)
        self._filler.client.open()  # What is refused is refused here.
        self._show = progress
        self._shown_at = -math.inf

        # Of the thread that warms.
        self._again: deque[int] = deque()
        self._tries: dict[int, int] = {}
        self._piece = 1
        self._looks_first = True
        self._rest = 0.0
        self._owners_at: Optional[float] = None
        self._refusals_in_a_row = 0
        self._roomless = 0
        self._failures_in_a_row = 0
        self._size = 0
        self._last_at = time.monotonic()

        # Guarded by _changed.
        self._changed = threading.Condition()
        self._state = RUNNING
        self._reason = ""
        self._paused = False
        self._stopped = False
        self._in_hand = 0
        self._hits = self._loaded = self._refused = self._failed = self._bytes = 0
        self._rate = 0.0
        self._first_error: Optional[BaseException] = None

        # Processes are started here: a thread of ours must not fork while others hold locks.
        try:
            self._crew: Any = (
                _Workers(self._filler, workers, multiprocessing_context, worker_init_fn, self._took)
                if workers
                else _Here(self._filler, self._took)
            )
        except BaseException:
            self._filler.close()
            raise
        self._crew_size = max(1, workers)
        self._thread = threading.Thread(
            target=self._run, name="training_day.warm-up", daemon=True
        )
        self._thread.start()

    def progress(self) -> WarmProgress:
        """How far it has come."""
        with self._changed:
            done, ended = self._done, self._state in (COMPLETE, FULL, STOPPED, FAILED)
            total = left = None
            if self._owners_at is not None:
                total = done + self._in_hand + len(self._again) + self._share.remaining
                if self._rate > 0 and not ended:
                    left = (total - done) / self._rate
            return WarmProgress(
                self._state,
                done,
                total,
                self._hits,
                self._loaded,
                self._refused,
                self._failed,
                self._bytes,
                self._rate,
                left,
                self._reason,
                self._first_error,
            )

    def wait(self, timeout: Optional[float] = None) -> WarmProgress:
        """Waits for the end, of whatever kind, and for `timeout` seconds at most."""
        self._thread.join(timeout)
        return self.progress()

    def pause(self) -> None:
        """Begins no more loads until `resume`."""
        self._set(_paused=True)

    def resume(self) -> None:
        """Goes on after `pause`."""
        self._set(_paused=False)

    def stop(self) -> None:
        """Ends it; loads under way go on to their end, and what they make is kept. Does not
        wait."""
        self._set(_stopped=True)

    def _set(self, **what: bool) -> None:
        with self._changed:
            self.__dict__.update(what)
            self._changed.notify_all()

    def __enter__(self) -> WarmUp:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._thread.join()

    def __repr__(self) -> str:
        return f"WarmUp of {self._name}: {self.progress()}"

    # The thread.

    @property
    def _done(self) -> int:
        return self._hits + self._loaded + self._refused + self._failed

    def _run(self) -> None:
        try:
            while not self._over():
                if self._has_node() and self._has_turn():
                    self._next_piece()
                self._show_line()
            while not isinstance(self._crew, _Here) and self._crew.free < self._crew_size:
                self._crew.wait()  # What is under way counts.
        except BaseException as e:  # It belongs to whoever asks for progress.
            self._end(FAILED, f"{type(e).__qualname__}: {e}", e)
        finally:
            self._crew.close()
            self._filler.close()
            self._show_line(last=True)

    def _over(self) -> bool:
        with self._changed:
            if self._stopped:
                self._end(STOPPED, "")
            return self._state in (COMPLETE, FULL, STOPPED, FAILED)

    def _end(self, state: str, reason: str, error: Optional[BaseException] = None) -> None:
        with self._changed:
            if self._state not in (COMPLETE, FULL, STOPPED, FAILED):
                self._state, self._reason = state, reason
                self._first_error = self._first_error or error
                self._changed.notify_all()

    def _wait(self, state: str, reason: str, seconds: Optional[float]) -> None:
        """Or for less, when something has been said meanwhile."""
        with self._changed:
            if not self._stopped:
                self._state, self._reason = state, reason
                self._changed.wait(seconds)

    def _has_node(self) -> bool:
        """Waits for a node, and asks now and then what is ours; False when it is over."""
        since = time.monotonic()
        while not self._over():
            if self._knows_share():
                return True
            limit = self._node_timeout
            if limit is not None and time.monotonic() - since >= limit:
                why = f"no cache node was there for {limit:g} s"
                self._end(FAILED, why, NodeGoneError(f"{self._name}: {why}"))
                return False
            self._wait(AWAY, "it waits for a cache node", _LOOK_FOR_NODE_SECONDS)
            self._show_line()
        return False

    def _knows_share(self) -> bool:
        client = self._filler.client
        if client.open() is None:
            return False
        asked = self._owners_at
        if asked is not None and (self._all or time.monotonic() - asked < _ASK_OWNERS_SECONDS):
            return True
        owners = None if self._all else client.owners()
        if owners is None and not self._all:
            return False
        with self._changed:
            if owners is None:
                self._share.take_all()
            else:
                self._share.take(owners)
            self._owners_at = time.monotonic()
        return True

    def _has_turn(self) -> bool:
        """Waits until the next load may begin; False when something else is to be looked at."""
        with self._changed:
            if self._paused and not self._stopped:
                self._wait(PAUSED, "", None)
                return False
        delay = max(self._sample_pace.delay(), self._byte_pace.delay(), self._rest)
        self._rest = 0.0
        if delay > 0:
            self._wait(RUNNING, "", min(delay, _SHOW_SECONDS))
            return False
        with self._changed:
            self._state, self._reason = RUNNING, ""
        return True

    def _next_piece(self) -> None:
        if not self._crew.free:
            self._crew.wait()
            return
        piece = self._take_some(
            self._filler.most_looked_at() if self._looks_first else self._most_leased()
        )
        if not piece:
            if self._crew.free < self._crew_size:
                self._crew.wait()
            else:
                self._all_looked_at()
            return
        if self._looks_first:
            here = self._filler.look(piece)
            missing = [index for index in piece if index not in here]
            with self._changed:
                self._hits += len(here)
                self._in_hand -= len(piece)
                self._again.extendleft(reversed(missing))
            self._measure(len(here))
            self._looks_first = not missing
            return
        self._sample_pace.charge(len(piece))
        self._crew.give(piece)

    def _most_leased(self) -> int:
        """A piece, and not beyond the sample that ends it all if this goes on."""
        return min(
            self._piece,
            self._max_failures - self._failures_in_a_row,
            _REFUSALS_IN_A_ROW - self._refusals_in_a_row,
        )

    def _take_some(self, most: int) -> list[int]:
        with self._changed:
            piece = [self._again.popleft() for _ in range(min(most, len(self._again)))]
            piece += self._share.next(most - len(piece))
            self._in_hand += len(piece)
        return piece

    def _all_looked_at(self) -> None:
        if self._roomless:
            self._end(FULL, f"the cache is full: it had no room for {self._roomless}")
        else:
            self._end(COMPLETE, "")

    def _took(self, outcomes: list[_Outcome], seconds: float) -> None:
        """What became of one piece."""
        made = [one for one in outcomes if one.what not in (_HIT, _OTHERS)]
        with self._changed:
            self._in_hand -= len(outcomes)
            for one in outcomes:
                self._count(one)
        self._sample_pace.charge(len(made) - len(outcomes))  # It was charged when it was given.
        self._byte_pace.charge(sum(one.size for one in made))
        self._measure(sum(one.what not in (_OTHERS, _LOST) for one in outcomes))
        if made:
            self._size = max(self._size, *(one.size for one in made))
            most = self._sample_pace.piece(_MOST_LEASED)
            if self._size:
                most = min(most, max(1, self._byte_pace.piece(1 << 62) // self._size))
            fits = int(len(outcomes) * _PIECE_SECONDS / max(1e-9, seconds))
            self._piece = max(1, min(most, fits))
        elif all(one.what == _OTHERS for one in outcomes):
            self._rest = _LOADED_BY_OTHERS_SECONDS
        self._looks_first = not made

    def _count(self, one: _Outcome) -> None:
        if one.what == _FAILED:
            error = _unwrapped(one.error)
            self._failed += 1
            self._failures_in_a_row += 1
            self._first_error = self._first_error or error
            if self._failures_in_a_row == self._max_failures:
                what = f"{type(self._first_error).__qualname__}: {self._first_error}"
                self._end(
                    FAILED,
                    f"{self._max_failures} samples in a row failed, the first one with {what}",
                )
        elif one.what == _HIT:
            self._hits += 1
        elif one.what == _OTHERS:
            self._again.append(one.index)
        elif one.what == _LOADED:
            self._loaded += 1
            self._bytes += one.size
            self._failures_in_a_row = self._refusals_in_a_row = 0
        else:
            self._failures_in_a_row = 0
            self._not_kept(one)

    def _not_kept(self, one: _Outcome) -> None:
        if one.what == _LOST:
            # The node has gone, or the sample has changed since.
            tries = self._tries[one.index] = self._tries.get(one.index, 0) + 1
            if tries < _TRIES:
                self._again.append(one.index)
                return
        self._refused += 1
        if one.what == _ROOMLESS:
            self._roomless += 1
            self._refusals_in_a_row += 1
            if self._refusals_in_a_row == _REFUSALS_IN_A_ROW:
                self._end(
                    FULL,
                    f"the cache is full: it had no room for {_REFUSALS_IN_A_ROW} samples in a row",
                )

    def _measure(self, samples: int) -> None:
        now = time.monotonic()
        seconds = max(1e-9, now - self._last_at)
        self._last_at = now
        with self._changed:
            weight = -math.expm1(-seconds / _SECONDS_OF_SPEED) if self._rate else 1.0
            self._rate += weight * (samples / seconds - self._rate)

    def _show_line(self, last: bool = False) -> None:
        if not self._show:
            return
        now = time.monotonic()
        if last or now - self._shown_at > _SHOW_SECONDS:
            self._shown_at = now
            progress = self.progress()
            share = progress.done / progress.total if progress.total else 0.0
            sys.stderr.write(f"\r[{'#' * int(20 * share):<20}] {self._name} {progress} ")
            if last:
                sys.stderr.write("\n")
            sys.stderr.flush()


def indices_of(order: Iterable[Any], length: int) -> np.ndarray:
    """An order as an array: of indices, a sampler or a batch sampler. Random states are left as
    they were, so that a sampler gives the same order again."""
    generators = list(_generators(order))
    states = [one.get_state() for one in generators]
    with randomness.kept():
        try:
            flat = (int(index) for one in order for index in _items(one))
            indices = np.fromiter(itertools.islice(flat, length), np.int64)
        finally:
            for one, state in zip(generators, states):
                one.set_state(state)
    wrong = indices[(indices < -length) | (indices >= length)]
    if len(wrong):
        raise IndexError(f"order has index={wrong[0]} of {length} samples")
    return np.where(indices < 0, indices + length, indices)


def _items(one: Any) -> Iterable[Any]:
    return one if isinstance(one, (list, tuple)) else (one,)


def _generators(order: Any) -> Iterator[torch.Generator]:
    while order is not None:
        generator = getattr(order, "generator", None)
        if isinstance(generator, torch.Generator):
            yield generator
        order = getattr(order, "sampler", None)
