"""A little memory that a data set shares with the workers made of it: the epoch, what has been
said already, and counters. It is made before the workers are, so persistent ones see it change."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import Any, Optional

import numpy as np
import torch

from training_day.checksums import checksum

__all__ = ["COUNTERS", "Shared"]

COUNTERS = (
    "hits",
    "misses",
    "origin_loads",
    "waited_for_others",
    "fills_taken",
    "fills_dropped",
    "slot_batches",
    "inline_batches",
    "origin_batches",
    "reconnects",
    "bytes_read",
    "load_nanos",
)
_ROWS = 256
_COLUMNS = 16
_EPOCH, _EPOCH_SET, _SAID, _AUDITED = range(4)
_AUDIT_COUNT, _AUDIT_CHECKSUM = _COLUMNS - 3, _COLUMNS - 2
_PID = _COLUMNS - 1


# Threads of a process count side by side. A sum that is short of one would be said to be a sample
# that nobody read.
_lock = threading.Lock()


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


class Shared:
    """Row 0 holds the state; each process counts in a row of its own, which outlives it."""

    def __init__(self) -> None:
        self._tensor = torch.zeros((_ROWS, _COLUMNS), dtype=torch.int64).share_memory_()
        self._array: np.ndarray = self._tensor.numpy()
        self._made_by = os.getpid()
        self._row: Optional[np.ndarray] = None
        self._row_pid = -1

    def __getstate__(self) -> dict[str, Any]:
        return {"tensor": self._tensor, "made_by": self._made_by}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # A plain pickle, as of a copy, brings memory of its own, which workers would not see change.
        self._tensor = state["tensor"].share_memory_()
        self._made_by = state["made_by"]
        self._array = self._tensor.numpy()
        self._row = None
        self._row_pid = -1

    @property
    def epoch(self) -> Optional[int]:
        """What `set_epoch` said last, in whatever process; None before."""
        state = self._array[0]
        return int(state[_EPOCH]) if state[_EPOCH_SET] else None

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._array[0, _EPOCH] = epoch
        self._array[0, _EPOCH_SET] = 1

    def first_to_say(self, what: int) -> bool:
        """Whether nobody among the processes has said this yet; `what` is a bit."""
        state = self._array[0]
        if state[_SAID] & what:
            return False
        state[_SAID] |= what
        return True

    def count(self, name: int, by: int = 1) -> None:
        pid = os.getpid()
        with _lock:
            if self._row_pid != pid:
                self._row = self._claim(pid)
                self._row_pid = pid
            assert self._row is not None
            self._row[name] += by

    def own(self, name: int) -> int:
        """What this process has counted."""
        self.count(name, 0)
        assert self._row is not None
        return int(self._row[name])

    def totals(self) -> dict[str, int]:
        sums = self._array[1:].sum(axis=0)
        return {name: int(sums[k]) for k, name in enumerate(COUNTERS)}

    def audit(self, indices: Sequence[int]) -> None:
        """Some samples have been read. Only counted once somebody wants to know."""
        if not self._array[0, _AUDITED]:
            return
        self.count(_AUDIT_COUNT, len(indices))
        self.count(_AUDIT_CHECKSUM, checksum(indices))

    def audited(self) -> Optional[tuple[int, int]]:
        """How many samples have been read since this was first asked, and the checksum of their
        indices, in 64 bits. None in another process than made this: of several ranks made of one
        process, each would see what all of them read."""
        if self._made_by != os.getpid():
            return None
        self._array[0, _AUDITED] = 1
        count, sums = self._array[1:, _AUDIT_COUNT : _AUDIT_CHECKSUM + 1].sum(axis=0).tolist()
        return count, sums

    def _claim(self, pid: int) -> np.ndarray:
        for step in range(_ROWS - 1):
            row = self._array[1 + (pid + step) % (_ROWS - 1)]
            if row[_PID] in (0, pid) or not _is_alive(int(row[_PID])):
                row[_PID] = pid
                return row
        return self._array[1 + pid % (_ROWS - 1)]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


(
    HITS,
    MISSES,
    ORIGIN_LOADS,
    WAITED_FOR_OTHERS,
    FILLS_TAKEN,
    FILLS_DROPPED,
    SLOT_BATCHES,
    INLINE_BATCHES,
    ORIGIN_BATCHES,
    RECONNECTS,
    BYTES_READ,
    LOAD_NANOS,
) = range(len(COUNTERS))

SAID_AWAY = 1
SAID_TOO_LARGE = 2
SAID_FAILED = 4
SAID_LOST = 8
SAID_ELSEWHERE = 16
SAID_DENIED = 32
LOADED_TWICE = (64, 128, 256)  # The first loads, and no more than those.
