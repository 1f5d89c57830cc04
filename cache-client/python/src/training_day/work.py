"""What reading one data set costs this process, told to the node from time to time."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Optional

from torch.utils.data import get_worker_info

from training_day.errors import LaneError, NodeGoneError
from training_day.lane import messages

if TYPE_CHECKING:
    from training_day.client import Samples

__all__ = ["Work"]

_TELL_SECONDS = 2.0
_LONGEST_PAUSE_NANOS = 60 * 10**9
_LOOP, _WORKER = range(2)


class Work:
    """Threads may share it. Nothing is kept for a node that does not want to know."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples
        self._lock = threading.Lock()
        self._waited = [0, 0]
        self._active = [0, 0]
        self._loads = 0
        self._load_nanos = 0
        self._last: Optional[int] = None
        self._told_at = 0.0
        self._telling = False

    def waited(self, started: int) -> None:
        """A batch that was asked for then is there; `started` is of `time.perf_counter_ns`."""
        now = time.perf_counter_ns()
        where = _LOOP if get_worker_info() is None else _WORKER
        with self._lock:
            # A longer time between two batches is no training.
            last = self._last if self._last is not None else started
            pause = min(_LONGEST_PAUSE_NANOS, max(0, started - last))
            self._last = now
            self._waited[where] += now - started
            self._active[where] += now - started + pause
        self._tell_soon()

    def loaded(self, nanos: int) -> None:
        """A sample came from the origin."""
        with self._lock:
            self._loads += 1
            self._load_nanos += nanos
        self._tell_soon()

    def _tell_soon(self) -> None:
        if self._telling:
            return
        session = self._samples.attachment.session
        if session is None or session.limits.version < messages.REPORT_SINCE:
            return
        self._telling = True
        wait = self._told_at + _TELL_SECONDS - time.monotonic()
        self._samples.attachment.later(max(0.1, wait), self.tell)

    def tell(self) -> None:
        """Tells what has not been told; what does not reach the node is lost."""
        self._told_at = time.monotonic()
        self._telling = False
        opened = self._samples.opened
        if opened is None or not opened.session.is_open:
            return
        if opened.session.limits.version < messages.REPORT_SINCE:
            return
        for where in (_LOOP, _WORKER):
            with self._lock:
                figures = self._waited[where], self._active[where], self._loads, self._load_nanos
                self._waited[where] = self._active[where] = self._loads = self._load_nanos = 0
            if any(figures):
                try:
                    opened.session.call(
                        messages.REPORT, messages.report(opened.handle, where, *figures)
                    )
                except (NodeGoneError, LaneError):
                    return
