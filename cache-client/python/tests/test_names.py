"""Names of hosts, with a resolver that hangs, fails or changes its mind."""

from __future__ import annotations

import multiprocessing
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from proxy import Proxy
from test_training import Scripted, _greets

from training_day.errors import NodeGoneError
from training_day.lane import names
from training_day.lane.address import Address
from training_day.lane.connection import Connection


class Resolver:
    """In place of the system's. Names that it is told of are 127.0.0.1, others are none."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}
        self.failure = socket.EAI_NONAME
        self.answers = threading.Event()
        self.answers.set()
        self.asked: list[str] = []
        self._system = socket.getaddrinfo

    def __call__(self, host: str, port: int, **more: Any) -> Any:
        if len(host) > 64:
            return self._system(host, port)
        if not more.get("flags"):
            self.asked.append(host)
            assert self.answers.wait(60)
            if host not in self.known:
                raise socket.gaierror(self.failure, "as the test says")
            host = self.known[host]
        return self._system(host, port, **{**more, "flags": socket.AI_NUMERICHOST})


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    made = Resolver()
    monkeypatch.setattr(names.socket, "getaddrinfo", made)
    yield made
    made.answers.set()


@pytest.fixture
def port(directory: Path) -> Iterator[int]:
    """Of a node that greets."""
    with Proxy(str(Scripted(directory, _greets).path)) as proxy:
        yield int(proxy.address.rpartition(":")[2])


def connect(name: str, port: int, seconds: float = 60) -> None:
    Connection(Address(f"tcp://{name}:{port}", "test"), "", greeting=seconds).close()


def test_resolver_that_hangs_is_a_missed_answer_and_asked_once(
    resolver: Resolver, name: str, port: int
) -> None:
    resolver.known[name] = "127.0.0.1"
    resolver.answers.clear()
    for _ in range(3):
        with pytest.raises(NodeGoneError, match=f"the name '{name}' was not resolved in time"):
            connect(name, port, 0.05)
    assert resolver.asked == [name]
    resolver.answers.set()
    connect(name, port)
    assert resolver.asked in ([name], [name, name])


def test_what_is_known_serves_while_the_resolver_is_away(
    resolver: Resolver, name: str, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolver.known[name] = "127.0.0.1"
    connect(name, port)
    resolver.known.clear()
    resolver.failure = socket.EAI_AGAIN
    connect(name, port)
    resolver.answers.clear()
    monkeypatch.setattr(names, "_SHARE_FOR_NAME", 0.005)
    connect(name, port, 60)
    resolver.answers.set()


def test_name_that_is_gone_or_elsewhere_is_not_looked_for_where_it_was(
    resolver: Resolver, name: str, port: int
) -> None:
    resolver.known[name] = "127.0.0.1"
    connect(name, port)
    resolver.known[name] = "127.0.0.9"
    gone: list[NodeGoneError] = []

    def try_it() -> None:
        try:
            connect(name, port)
        except NodeGoneError as e:
            gone.append(e)

    with socket.create_server(("127.0.0.9", port)) as moved:
        moved.settimeout(30)
        trying = threading.Thread(target=try_it)
        trying.start()
        moved.accept()[0].close()
        trying.join(60)
        assert len(gone) == 1
    resolver.known.clear()
    with pytest.raises(NodeGoneError, match="as the test says"):
        connect(name, port)


def test_addresses_and_nonsense_need_no_resolver(resolver: Resolver, port: int) -> None:
    connect("127.0.0.1", port)
    with pytest.raises(NodeGoneError, match="'a{70}.b' is no host name"):
        connect("a" * 70 + ".b", port)
    assert resolver.asked == []


def test_forked_process_does_not_wait_for_its_parents_question(
    resolver: Resolver, name: str, port: int
) -> None:
    resolver.known[name] = "127.0.0.1"
    resolver.answers.clear()
    with pytest.raises(NodeGoneError, match="was not resolved in time"):
        connect(name, port, 0.05)
    fork = multiprocessing.get_context("fork")
    child = fork.Process(target=_resolve, args=(resolver, name, port))
    child.start()
    child.join(60)
    assert child.exitcode == 0


def _resolve(resolver: Resolver, name: str, port: int) -> None:
    resolver.answers = threading.Event()
    resolver.answers.set()
    assert names.addresses_of(name, port, time.monotonic() + 30)
