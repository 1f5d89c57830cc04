"""What reading one data set costs this process, told to the node from time to time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Callable, Optional

from torch.utils.data import get_worker_info

from training_day.errors import LaneError, NodeGoneError
from training_day.lane import messages

if TYPE_CHECKING:
    from training_day.client import Samples

__all__ = ["TimedLoader", "Work"]

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
        self._outer = threading.local()

    def timed(self, make: Callable[[], Any]) -> Any:
        """What `make` gives, a batch that the training loop waits for here, whoever reads it. What
        is read meanwhile in this thread is part of that; an exception is no batch."""
        started = time.perf_counter_ns()
        within = getattr(self._outer, "waits", False)
        self._outer.waits = True
        try:
            batch = make()
        finally:
            self._outer.waits = within
        self.waited(started)
        return batch

    def waited(self, started: int) -> None:
        """A batch that was asked for then is there; `started` is of `time.perf_counter_ns`."""
        if getattr(self._outer, "waits", False):
            return
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


class TimedLoader:
    """A loader whose `next()` is timed for the node; all else is the loader's."""

    def __init__(self, loader: Any, samples: Callable[[], Samples]) -> None:
        self._loader = loader
        self._samples = samples

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Any]:
        iterator: Any = None

        def make() -> Any:
            nonlocal iterator
            if iterator is None:
                iterator = iter(self._loader)  # Starting workers holds training up, too.
            return next(iterator)

        while True:
            try:
                batch = self._samples().work.timed(make)
            except StopIteration:
                return
            yield batch
            del batch

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__") or "_loader" not in self.__dict__:
            raise AttributeError(attribute)
        return getattr(self.__dict__["_loader"], attribute)
