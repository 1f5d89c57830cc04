"""What the processes of a job tell one another without a collective, through the store that their
process group was made with. Nobody waits for a rank without a deadline."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Optional, Protocol

import torch.distributed as dist

from training_day.errors import PlanError

__all__ = ["Exchange", "GroupStore", "group_store", "looks"]

_FIRST_DELAY_SECONDS = 0.002
_LONGEST_DELAY_SECONDS = 0.05


def looks() -> Iterator[None]:
    """Waits before all but the first, longer and longer."""
    delay = _FIRST_DELAY_SECONDS
    while True:
        yield
        time.sleep(delay)
        delay = min(2 * delay, _LONGEST_DELAY_SECONDS)


class GroupStore(Protocol):
    """As torch's `Store`, of which `add` answers at once and `get` waits."""

    def set(self, key: str, value: bytes) -> Any: ...

    def get(self, key: str) -> bytes: ...

    def add(self, key: str, by: int) -> int: ...


def group_store(group: Optional[Any]) -> tuple[GroupStore, str]:
    """The store of the default process group, and a prefix for the keys of `group`.

    Raises PlanError if its back end has none.
    """
    try:
        store = dist.distributed_c10d._get_default_store()
    except Exception as e:
        raise PlanError(f"the process group has no store ({e}): pass ownership=") from None
    if store is None:
        raise PlanError(
            f"the back end {dist.get_backend()} of the process group has no store: pass ownership="
        )
    first = 0 if group is None else dist.get_global_rank(group, 0)
    return store, f"training_day/{first}/{dist.get_world_size(group)}"


class Exchange:
    """Values and sums under one prefix. A value is there for good once it is announced."""

    def __init__(self, store: GroupStore, prefix: str) -> None:
        self._store = store
        self._prefix = prefix

    def put(self, name: str, value: bytes) -> None:
        key = f"{self._prefix}/{name}"
        self._store.set(key, value)
        self._store.add(f"{key}/there", 1)

    def find(self, name: str) -> Optional[bytes]:
        """The value, None if nobody has put it yet; does not wait."""
        key = f"{self._prefix}/{name}"
        if self._store.add(f"{key}/there", 0) == 0:
            return None
        return bytes(self._store.get(key))

    def get(self, name: str, until: float) -> Optional[bytes]:
        """The value, None if nobody has put it before `until` on the monotonic clock.

        `Store.wait` would do, but what it holds meanwhile others of this process may need.
        """
        value = None
        for _ in looks():
            value = self.find(name)
            if value is not None or time.monotonic() >= until:
                break
        return value

    def add(self, name: str, by: int) -> int:
        """The sum of all that has been added."""
        return int(self._store.add(f"{self._prefix}/{name}", by))
