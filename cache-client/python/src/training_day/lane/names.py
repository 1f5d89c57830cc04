"""The addresses of a host's name, within a deadline."""

from __future__ import annotations

import os
import socket
import threading
import time
from typing import Any, Optional

__all__ = ["addresses_of"]

Found = list[tuple[Any, ...]]

# Of the time there is, for the name; the rest is for connecting to what was known before.
_SHARE_FOR_NAME = 0.5


class _Look:
    """One question to the resolver, in a thread of its own: it cannot be broken off, and may never
    come back."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._over = threading.Event()
        self.found: Found = []
        self.failure: Optional[OSError] = None
        try:
            threading.Thread(target=self._run, name="training_day names", daemon=True).start()
        except RuntimeError as e:
            raise OSError(f"'{host}' cannot be looked up: {e}") from None

    def _run(self) -> None:
        try:
            self.found = _ask(self._host, self._port)
            _known[self._host, self._port] = self.found
        except OSError as e:
            self.failure = e
        except UnicodeError as e:
            self.failure = OSError(f"'{self._host}' is no host name: {e}")
        finally:
            with _lock:
                _under_way.pop((self._host, self._port), None)
            self._over.set()

    def wait(self, until: float) -> bool:
        return self._over.wait(max(0.0, until - time.monotonic()))


_lock = threading.Lock()
# One question a name, however many wait for the answer: a resolver that hangs gathers no threads.
_under_way: dict[tuple[str, int], _Look] = {}
_known: dict[tuple[str, int], Found] = {}


def addresses_of(host: str, port: int, deadline: float) -> Found:
    """As `socket.getaddrinfo` gives them, of TCP; by the deadline, of `time.monotonic()`. Those
    found last, where the resolver does not answer within half of the time or fails for now.

    Raises OSError if there are none.
    """
    try:
        return _ask(host, port, socket.AI_NUMERICHOST)
    except (socket.gaierror, UnicodeError):
        pass  # It is a name.
    name = (host, port)
    with _lock:
        look = _under_way.get(name)
        if look is None:
            look = _under_way[name] = _Look(host, port)
    known = _known.get(name)
    share = _SHARE_FOR_NAME if known else 1.0
    now = time.monotonic()
    if look.wait(now + share * max(0.0, deadline - now)):
        if look.failure is None:
            return look.found
        if known and getattr(look.failure, "errno", None) == socket.EAI_AGAIN:
            return known
        raise look.failure
    if known:
        return known
    raise TimeoutError(f"the name '{host}' was not resolved in time; look at the resolver")


def _ask(host: str, port: int, flags: int = 0) -> Found:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)


def _after_fork() -> None:
    """The threads that asked are not here."""
    global _lock
    _lock = threading.Lock()
    _under_way.clear()


os.register_at_fork(after_in_child=_after_fork)
