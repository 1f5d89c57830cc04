"""Whose turn it is to load: a thread that fills the cache beside training loads alone."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch.utils.data import Subset

__all__ = ["Turns", "turns_of"]


class Turns:
    """Of one data set in one process. The user's own threads may load together, as without the
    cache; a thread of ours, of which the data set knows nothing, waits for all and holds up all."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._loading = 0
        self._alone = False

    @contextmanager
    def together(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._alone)
            self._loading += 1
        try:
            yield
        finally:
            with self._changed:
                self._loading -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._alone and self._loading <= 0)
            self._alone = True
        try:
            yield
        finally:
            with self._changed:
                self._alone = False
                self._changed.notify_all()


# By the data set's id, which is its own while anybody holds its turns.
_turns: weakref.WeakValueDictionary[int, Turns] = weakref.WeakValueDictionary()


def turns_of(raw: Any) -> Turns:
    """Those of what is inside of its Subsets: parts of a split read from one data set."""
    while isinstance(raw, Subset):
        raw = raw.dataset
    return _turns.setdefault(id(raw), Turns())


def _none_here() -> None:
    """Threads that were loading are not here, after a fork."""
    for one in _turns.values():
        one.__init__()  # type: ignore[misc]


os.register_at_fork(after_in_child=_none_here)
