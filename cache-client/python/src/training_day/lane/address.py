"""Where a node listens."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional, Union

__all__ = ["Address", "find"]

VARIABLE = "TRAINING_DAY_ADDRESS"
TOKEN_VARIABLE = "TRAINING_DAY_TOKEN"
_HOST_SOCKET = "/run/training-day/lane.sock"
_MAX_PATH_BYTES = 107


@dataclass(frozen=True)
class Address:
    """`unix:PATH` or `tcp://HOST:PORT`; `source` is who said so, for messages."""

    text: str
    source: str

    def __post_init__(self) -> None:
        if self.text.startswith("unix:"):
            size = len(os.fsencode(self.text[len("unix:") :]))
            if not 1 <= size <= _MAX_PATH_BYTES or "\0" in self.text:
                raise self._refusal(f"the path has {size} bytes, allowed: 1–{_MAX_PATH_BYTES}")
        elif self.text.startswith("tcp://"):
            host, _, port = self.text[len("tcp://") :].rpartition(":")
            if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65_536:
                raise self._refusal("expected tcp://HOST:PORT with a port of 1–65535")
        else:
            raise self._refusal("expected unix:PATH or tcp://HOST:PORT")

    def _refusal(self, why: str) -> ValueError:
        return ValueError(f"address '{self.text}' (from {self.source}): {why}")

    @property
    def is_local(self) -> bool:
        """Whether it is a Unix socket, so that node and caller are on one host."""
        return self.text.startswith("unix:")

    @property
    def target(self) -> Union[str, tuple[str, int]]:
        """What a socket connects to."""
        if self.is_local:
            return self.text[len("unix:") :]
        host, _, port = self.text[len("tcp://") :].rpartition(":")
        return host.strip("[]"), int(port)

    def resolve(self, told: str) -> str:
        """A path as a node tells of it: a relative one begins at the socket's directory."""
        return os.path.join(os.path.dirname(self.text[len("unix:") :]), told)

    def __str__(self) -> str:
        return self.text


def find(argument: Optional[str], environment: Optional[Mapping[str, str]] = None) -> Address:
    """The node to talk to, by the order of the contract.

    Raises ValueError if the value that counts is no address.
    """
    environment = os.environ if environment is None else environment
    if argument is not None:
        return Address(argument, "the address given")
    if environment.get(VARIABLE):
        return Address(environment[VARIABLE], VARIABLE)
    own = f"/tmp/training-day-{os.getuid()}/lane.sock"
    mounted = os.path.isdir(os.path.dirname(_HOST_SOCKET))
    if os.path.exists(_HOST_SOCKET) or (mounted and not os.path.exists(own)):
        return Address(f"unix:{_HOST_SOCKET}", "the default")
    return Address(f"unix:{own}", "the default")
