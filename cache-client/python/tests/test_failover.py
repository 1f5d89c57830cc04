"""Home is lost, and another node stands in until it is back."""

from __future__ import annotations

import pickle
import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, Optional

import pytest
from local_node import LocalNode
from proxy import Proxy
from same import assert_same
from sets import Images
from test_training import Scripted, frame, hello
from torch.utils.data import DataLoader

import training_day
from training_day import CachedDataset, CacheWarning
from training_day.attachment import Attachment
from training_day.errors import LaneError
from training_day.lane import messages
from training_day.lane.address import Address
from training_day.lane.connection import Connection


def until(condition: Callable[[], Any], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not so after {seconds} s"
        time.sleep(0.01)


def tells(said: Any, text: str) -> bool:
    """Whether one of the warnings says so; other attachments' threads warn meanwhile, too."""
    return any(text in str(one.message) for one in said.list)


@pytest.fixture
def stand_in(node: LocalNode) -> Iterator[Proxy]:
    """The suite's node over TCP."""
    with Proxy(str(node.socket)) as proxy:
        yield proxy


class Home(Scripted):
    """A node that knows another one and behaves as a test says."""

    def __init__(self, directory: Path, other: Proxy, read: Callable[..., Optional[bytes]]) -> None:
        self.greetings = 0
        self.reads = 0
        self.refuses = False
        self.refused = 0
        self._read = read
        super().__init__(directory, self._answer)
        self.others = [other.address[len("tcp://") :]]

    def _answer(self, kind: int, number: int, body: bytes) -> Optional[bytes]:
        if self.refuses:
            self.refused += 1
            error = struct.pack("<HBBI", messages.STOPPING, 1, 0, 2) + b"no"
            return messages.HEADER.pack(len(error), messages.ERROR, 0, number) + error
        if kind == messages.HELLO:
            self.greetings += 1
            return frame(kind, number, b"\2" + hello()[1:])
        if kind == messages.OPEN:
            return frame(kind, number, struct.pack("<IIqq", 1, 0, 5, 0))
        if kind == messages.READ:
            self.reads += 1
            return self._read(self, number)
        return frame(kind, number, b"")


def error(code: int, number: int) -> bytes:
    body = struct.pack("<HBBI", code, 1, 0, 4) + b"stop"
    return messages.HEADER.pack(len(body), messages.ERROR, 0, number) + body


def stops(home: Home, number: int) -> bytes:
    home.refuses = True
    return error(messages.STOPPING, number)


def closes(home: Home, number: int) -> None:
    home.refuses = True


def hangs(home: Home, number: int) -> bytes:
    home.refuses = True
    return b""


@pytest.mark.parametrize("end", [stops, closes, hangs])
def test_stand_in_takes_over_and_home_gets_its_place_back(
    directory: Path,
    node: LocalNode,
    stand_in: Proxy,
    name: str,
    end: Callable[..., Optional[bytes]],
) -> None:
    raw = Images(8)
    home = Home(directory, stand_in, end)
    ds = CachedDataset(raw, name, address=home.address)
    attachment = ds._samples().attachment
    expected = [raw[k] for k in range(8)]
    state = random.getstate()
    elsewhere = f"{home.address} is lost: .*the one at {stand_in.address}"
    with pytest.warns(CacheWarning, match=elsewhere) as said:
        assert_same(ds.__getitems__(range(8)), expected)
        until(lambda: tells(said, f"{home.address} is lost"))
    assert ds.stats().link.node == stand_in.address
    assert ds.stats().origin_loads == 8
    for _ in range(2):
        assert_same(ds.__getitems__(range(8)), expected)
        node.settle()
    stats = ds.stats()
    assert random.getstate() == state
    # What home missed the stand-in has got, and gives.
    assert (stats.origin_loads, stats.hits) == (16, 8)
    assert stats.link.home == home.address and stats.link.why_not_home
    assert f"it stands in for {home.address}: " in str(stats)
    standing_in = attachment.session
    assert standing_in is not None
    home.refuses = False
    until(lambda: ds.stats().link.node == home.address)
    assert ds.stats().link.why_not_home == ""
    until(lambda: not standing_in.is_open)


def test_node_that_goes_is_left_before_it_is_gone(
    directory: Path, stand_in: Proxy, name: str
) -> None:
    """Nothing is lost: what was read there is whole, the next batch is read elsewhere, and the
    lease that was got there is used there."""
    going = messages.HEADER.pack(8, messages.GOING, 0, 0) + struct.pack("<II", 60_000, 0)
    filled: list[int] = []

    def lease(home: Home, number: int) -> bytes:
        reply = struct.pack("<qBBHIQ", 0, 0, 1, 0, 1, 0) + b"\2" + bytes(7)
        reply += struct.pack("<Qq", 77, 0) + bytes(16)
        home.is_going = True  # type: ignore[attr-defined]
        return going + frame(messages.READ, number, reply + bytes(-len(reply) % 64))

    class Going(Home):
        is_going = False

        def _answer(self, kind: int, number: int, body: bytes) -> Optional[bytes]:
            if kind == messages.HELLO and self.is_going:
                return error(messages.STOPPING, number)
            if kind == messages.FILL:
                filled.append(struct.unpack_from("<IHHq", body)[3])
                return frame(kind, number, bytes(8))
            return super()._answer(kind, number, body)

    class Waits(Images):
        """Loads when the stand-in has the place."""

        def __getitem__(self, index: int) -> Any:
            if index == 3 and not filled:
                until(lambda: attachment.session is not first)
                assert first.is_open and attachment.session is not None
            return super().__getitem__(index)

    home = Going(directory, stand_in, lease)
    raw = Waits(8)
    ds = CachedDataset(raw, name, address=home.address, pipeline_tag="p")
    attachment = ds._samples().attachment
    first = attachment.session
    assert first is not None
    with pytest.warns(CacheWarning, match=f"{home.address} is lost: it is about to stop") as said:
        assert_same(ds[3], raw[3])
        until(lambda: tells(said, "it is about to stop"))
    assert filled == [3] and ds.stats().origin_batches == 0
    until(lambda: not first.is_open)
    reads = home.reads
    assert_same(ds[4], raw[4])
    stats = ds.stats()
    assert stats.link.node == stand_in.address and stats.origin_batches == 0
    assert stats.fills_taken == 2 and home.reads == reads


TAKEN_OUT = "the token of this connection was taken out of the node's lane.tokensFile"


def denied(number: int = 0) -> bytes:
    body = struct.pack("<HBBI", messages.DENIED, 0, 0, len(TAKEN_OUT)) + TAKEN_OUT.encode()
    return messages.HEADER.pack(len(body), messages.ERROR, 0, number) + body


class Denies(Scripted):
    """Greets, and ends connections unasked, saying why, when it is told to."""

    def __init__(self, directory: Path, pieces: tuple[int, ...] = ()) -> None:
        self.ends = threading.Event()
        self.ended = threading.Event()
        self.takes_again = False
        self._once_pieces = pieces
        super().__init__(directory, self._answer)

    def _answer(self, kind: int, number: int, body: bytes) -> Optional[bytes]:
        if kind == messages.HELLO:
            if self.ended.is_set() and not self.takes_again:
                return denied(number)
            return frame(kind, number, b"\2" + hello()[1:])
        if kind == messages.OPEN:
            return frame(kind, number, struct.pack("<IIqq", 1, 0, 5, 0))
        return frame(kind, number, b"")

    def _serve(self, made: socket.socket) -> None:
        if not self.ended.is_set():
            threading.Thread(target=self._end, args=(made,), daemon=True).start()
        try:
            super()._serve(made)
        except OSError:
            pass  # It has been ended.

    def _end(self, made: socket.socket) -> None:
        assert self.ends.wait(60)
        said = denied()
        for piece in self._once_pieces:
            made.sendall(said[:piece])
            said = said[piece:]
        made.sendall(said)
        made.shutdown(socket.SHUT_RDWR)
        self.ended.set()


@pytest.mark.parametrize("pieces", [(), (7,), (16, 30)], ids=str)
@pytest.mark.parametrize("listens", [False, True], ids=["asked", "heard"])
def test_node_that_ends_the_connection_is_heard_out(
    directory: Path, listens: bool, pieces: tuple[int, ...]
) -> None:
    node = Denies(directory, pieces)
    connection = Connection(Address(node.address, "test"), "")
    node.ends.set()
    if listens:
        until(lambda: connection.listen() or not connection.is_open)
        assert connection.why_closed == f"the node closed the connection: {TAKEN_OUT}"
    else:
        assert node.ended.wait(60)
    for _ in range(2):
        with pytest.raises(LaneError, match=TAKEN_OUT) as told:
            connection.call(messages.STATUS, b"")
        assert told.value.code == messages.DENIED and not connection.is_open


@pytest.mark.parametrize(
    "takes_again, knows_others", [(False, True), (True, True), (True, False)]
)
def test_why_the_node_ended_the_connection_is_said_once(
    directory: Path, name: str, takes_again: bool, knows_others: bool
) -> None:
    raw = Images(4)
    node = Denies(directory)
    node.takes_again = takes_again
    ds = CachedDataset(raw, name, address=node.address)
    attachment = ds._samples().attachment
    first = attachment.session
    if knows_others:
        attachment._others = ("tcp://127.0.0.1:1",)
    with pytest.warns(CacheWarning, match=TAKEN_OUT) as said:
        node.ends.set()
        until(lambda: tells(said, TAKEN_OUT))
        if not takes_again:
            assert_same(ds[1], raw[1])
            assert ds.stats().origin_batches == 1
            until(lambda: TAKEN_OUT in str(ds.stats().link))
        else:
            until(lambda: attachment.session not in (None, first))
    words = "has taken us again" if takes_again else "No other one can be had"
    assert sum(TAKEN_OUT in str(one.message) for one in said.list) == 1
    assert tells(said, words if knows_others else "Samples come from the origin until it is back")
    attachment.close()


def test_worker_of_a_later_epoch_knows_the_stand_in(
    directory: Path, node: LocalNode, stand_in: Proxy, name: str
) -> None:
    raw = Images(8)
    home = Home(directory, stand_in, closes)
    ds = CachedDataset(raw, name, address=home.address)
    home.refuses = True
    expected = list(DataLoader(raw, batch_size=4))
    for context in ("fork", "spawn"):
        loader = DataLoader(ds, 4, num_workers=1, multiprocessing_context=context)
        assert_same(list(loader), expected)
        node.settle()
    assert (ds.stats().origin_loads, ds.stats().origin_batches) == (8, 0)
    assert ds.stats().hits == 8


def test_nobody_there_is_said_once_with_what_each_said(
    directory: Path, stand_in: Proxy, name: str
) -> None:
    home = Home(directory, stand_in, closes)
    ds = CachedDataset(Images(4), name, address=home.address)
    home.others = ["127.0.0.1:1"]
    ds._samples().attachment._ask_for_others()
    said = "is lost: .* No other one can be had .tcp://127.0.0.1:1: Connection refused"
    with pytest.warns(CacheWarning, match=said) as all_said:
        assert ds[1]
        until(lambda: all_said.list)
        failed = home.refused
        until(lambda: home.refused > failed + 1)
        assert ds[2]
    # Those of other tests lose the nodes that these have ended.
    assert sum(home.address in str(one.message) for one in all_said.list) == 1
    assert f"no cache node at {home.address}" in str(ds.stats())


@pytest.mark.filterwarnings("ignore::training_day.CacheWarning")
def test_node_killed_while_workers_read_other_stands_in_until_it_is_back(
    pair: Any, name: str
) -> None:
    home = pair.nodes[0]
    raw = Images(96)
    ds = CachedDataset(raw, name, address=home.address, tls_trust=pair.trust, pipeline_tag="p")
    attachment = ds._samples().attachment
    until(lambda: attachment.others or attachment._ask_for_others())
    expected = list(DataLoader(raw, batch_size=8))
    kept = DataLoader(ds, 8, num_workers=2, persistent_workers=True)

    def epoch(loader: DataLoader, at_third: Callable[[], None] = lambda: None) -> Any:
        """Reads one; what it changed in the counters."""
        ds: Any = loader.dataset
        before = ds.stats()
        for number, batch in enumerate(loader):
            assert_same(batch, expected[number])
            if number == 3:
                at_third()
        after = ds.stats()
        return {
            one: getattr(after, one) - getattr(before, one)
            for one in ("hits", "slot_batches", "inline_batches", "origin_loads")
        }

    until(lambda: epoch(kept) == _all("slot_batches"))
    pickled = pickle.dumps(ds)
    epoch(kept, home.kill)
    until(lambda: epoch(kept) == _all("inline_batches"))
    # New workers, which have never seen home, find their way too: by what their data set knew
    # before it was killed.
    until(lambda: epoch(DataLoader(ds, 8, num_workers=2)) == _all("inline_batches"))
    spawned = DataLoader(
        pickle.loads(pickled), 8, num_workers=1, multiprocessing_context="spawn"
    )
    until(lambda: epoch(spawned) == _all("inline_batches"))
    until(lambda: ds.stats().link.tls)
    assert "it stands in for" in str(ds.stats())
    home.start()
    until(lambda: epoch(kept) == _all("slot_batches"))
    until(lambda: ds.stats().link.shared_memory)
    assert f"{home.address} (host" in str(ds.stats().link)


def test_what_fails_beside_training_is_said_and_the_rest_goes_on() -> None:
    attachment = Attachment("unix:/nonexistent/lane.sock")
    went_on = threading.Event()

    def fails() -> None:
        raise KeyError("a fault of ours")

    with pytest.warns(CacheWarning, match="beside training failed: KeyError.'a fault of ours'"):
        attachment.later(0, fails)
        attachment.later(0, went_on.set)
        assert went_on.wait(60)
    attachment.close()


def test_what_is_known_of_other_nodes_is_passed_on(
    directory: Path, stand_in: Proxy, name: str
) -> None:
    others = (stand_in.address,)
    ds = CachedDataset(Images(8), name, address=Home(directory, stand_in, closes).address)
    there = ds._samples().attachment
    assert there.others == others
    again = pickle.loads(pickle.dumps(ds))
    assert pickle.loads(pickle.dumps(again))._others == others
    # Where the process has an attachment that knows of none, be it away or made by somebody else.
    there._others = ()
    assert pickle.loads(pickle.dumps(ds))._others == ()
    assert again._samples().attachment is there
    assert there.others == pickle.loads(pickle.dumps(again))._others == others
    there._others = ()
    assert pickle.loads(pickle.dumps(again))._others == others


def _all(how: str) -> dict[str, int]:
    counted = {"hits": 96, "slot_batches": 0, "inline_batches": 0, "origin_loads": 0}
    return {**counted, how: 12}


def test_doctor_says_how_the_cache_is_reached(
    node: LocalNode, stand_in: Proxy, name: str, capsys: pytest.CaptureFixture
) -> None:
    for address, said in (
        (stand_in.address, "inline: over TCP there is no shared memory"),
        (node.address, "by shared memory"),
    ):
        ds = CachedDataset(Images(16), name, address=address)
        found = training_day.doctor(DataLoader(ds, 4), seconds=5)
        assert found.link == f"{address} (host {ds.stats().link.host_id}), {said}"
        assert f"  cache node             {found.link}\n" in capsys.readouterr().out
