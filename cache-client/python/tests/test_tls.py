"""The lane over TCP in TLS: against a node that asks for certificates and a token, and against
ends that go wrong."""

from __future__ import annotations

import pickle
import socket
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import certificates
import pytest
import torch
from certificates import Identity
from local_node import LocalNode, free_port
from proxy import Proxy
from same import assert_same
from sets import Images
from test_failover import TAKEN_OUT, denied
from test_training import frame, hello
from torch.utils.data import DataLoader

from training_day import CachedDataset, CacheWarning
from training_day.attachment import Attachment
from training_day.errors import LaneError, NodeGoneError
from training_day.lane import messages
from training_day.lane.access import (
    CERTIFICATE_VARIABLE,
    KEY_VARIABLE,
    TRUST_VARIABLE,
    Credentials,
    Where,
)
from training_day.lane.address import TOKEN_VARIABLE, VARIABLE, Address
from training_day.lane.connection import Connection

TOKEN = "sesame-of-the-tests"


@dataclass(frozen=True)
class Secure:
    """A node whose lane over TCP takes nobody without a certificate and a token."""

    node: LocalNode
    address: str
    own: Identity
    client: Identity
    stranger: Identity

    def given(self, **other: Any) -> dict[str, Any]:
        """All that a trainer needs, as arguments."""
        return {
            "address": self.address,
            "token": TOKEN,
            "tls_trust": self.own.certificate,
            "tls_certificate": self.client.certificate,
            "tls_key": self.client.key,
            **other,
        }

    def connect(self, **other: Any) -> Connection:
        where = Where(**self.given(**other))
        access = where.access({})
        return Connection(where.home({}), access.token, tls=access.tls, greeting=20)


@pytest.fixture(scope="module")
def secure(directory: Path) -> Iterator[Secure]:
    made = directory / "certificates"
    made.mkdir()
    own = certificates.self_signed(made, "own")
    authority = certificates.self_signed(made, "authority")
    client = certificates.signed(made, "client", authority, "DNS:trainer")
    trust, tokens, port = made / "trust.pem", made / "tokens", free_port()
    # The node's own is trusted too: nodes reach each other by it.
    trust.write_text(
        Path(own.certificate).read_text() + Path(authority.certificate).read_text()
    )
    tokens.write_text(f"{TOKEN} default trainer\n")
    tokens.chmod(0o600)
    node = LocalNode(
        directory / "secure",
        LANE_TCP_ENABLED="true",
        LANE_TCP_ADDRESS="127.0.0.1",
        LANE_TCP_PORT=str(port),
        LANE_TLS_ENABLED="true",
        LANE_TLS_CERTIFICATE=own.certificate,
        LANE_TLS_KEY=own.key,
        LANE_TLS_TRUST=str(trust),
        LANE_TLS_CLIENT_CERTIFICATES="true",
        LANE_TOKENS_FILE=str(tokens),
        LANE_MAX_RECORD_SIZE="8MiB",
        MEMORY_MAX_SIZE="256MiB",
        GRID_PARTITIONS="64",
    )
    with node:
        address = f"tcp://127.0.0.1:{port}"
        stranger = certificates.self_signed(made, "stranger")
        yield Secure(node, address, own, client, stranger)


def test_trainer_with_certificate_and_token_reads_in_tls(secure: Secure, name: str) -> None:
    raw = Images(64)
    ds = CachedDataset(raw, name, **secure.given())
    expected = list(DataLoader(raw, batch_size=16))
    for _ in range(2):
        assert_same(list(DataLoader(ds, batch_size=16, collate_fn=ds.collate)), expected)
        secure.node.settle()
    assert_same(list(DataLoader(ds, batch_size=16, num_workers=2)), expected)
    stats = ds.stats()
    assert (stats.origin_loads, stats.origin_batches, stats.slot_batches) == (64, 0, 0)
    assert stats.inline_batches >= 8 and stats.hits == 128
    link = stats.link
    assert link.tls and not link.shared_memory and link.node == link.home == secure.address
    assert "TLS 1.3), inline: over TCP there is no shared memory" in str(stats)
    local = CachedDataset(raw, name, address=secure.node.address)
    assert_same(list(DataLoader(local, batch_size=16)), expected)
    here = local.stats()
    assert here.origin_loads == 0 and here.link.shared_memory and not here.link.tls


def test_spawned_worker_finds_all_in_the_environment(
    secure: Secure, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in (
        (VARIABLE, secure.address),
        (TOKEN_VARIABLE, f" {TOKEN}\n"),
        (TRUST_VARIABLE, secure.own.certificate),
        (CERTIFICATE_VARIABLE, secure.client.certificate),
        (KEY_VARIABLE, secure.client.key),
    ):
        monkeypatch.setenv(variable, value)
    ds = CachedDataset(Images(8), name)
    workers = {"num_workers": 1, "multiprocessing_context": "spawn"}
    list(DataLoader(ds, batch_size=4, **workers))  # type: ignore[arg-type]
    assert ds.stats().fills_taken == 8 and ds.stats().origin_batches == 0


def test_large_batch_comes_whole(secure: Secure, name: str) -> None:
    raw = [torch.randint(0, 256, (1 << 20,), dtype=torch.uint8) for _ in range(8)]
    ds = CachedDataset(raw, name, source="drawn", **secure.given())
    loader = DataLoader(ds, batch_size=8, collate_fn=ds.collate)
    for _ in range(2):
        (batch,) = loader
        assert torch.equal(batch, torch.stack(raw))
        secure.node.settle()
    assert ds.stats().hits == 8


NONE = {"tls_certificate": None, "tls_key": None}
REFUSALS: dict[str, tuple[Callable[[Secure], dict[str, Any]], str]] = {
    "no client certificate": (lambda _: NONE, "it does not accept this side's certificate"),
    "unknown client certificate": (
        lambda s: {"tls_certificate": s.stranger.certificate, "tls_key": s.stranger.key},
        "it does not accept this side's certificate",
    ),
    "node not trusted": (
        lambda s: {"tls_trust": s.stranger.certificate},
        r"its certificate is signed by none of those trusted \(.+\); trust the one",
    ),
    "another name": (
        lambda s: {"address": s.address.replace("127.0.0.1", "localhost")},
        r"its certificate is another host's \(.*localhost.*\); connect to a name that is in it",
    ),
    "no TLS": (
        lambda _: {"tls_trust": None, **NONE},
        r"this node's lane speaks TLS \(lane.tls.enabled=true\); trust its certificate's signer",
    ),
    "no token": (lambda _: {"token": ""}, "token"),
    "wrong token": (lambda _: {"token": "guessed"}, "token"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusal_is_said_and_training_goes_on(secure: Secure, name: str, case: str) -> None:
    changed, said = REFUSALS[case]
    given = secure.given(**changed(secure))
    with pytest.raises((NodeGoneError, LaneError), match=said):
        secure.connect(**changed(secure))
    raw = Images(4)
    with pytest.warns(CacheWarning, match=f"no cache node at {given['address']}.*{said}"):
        ds = CachedDataset(raw, name, **given)
    assert_same([ds[k] for k in range(4)], [raw[k] for k in range(4)])
    assert said.split(" (")[0].split("(")[0].split("\\")[0] in str(ds.stats().link)


def test_plain_node_is_told_apart(secure: Secure, node: LocalNode) -> None:
    with Proxy(str(node.socket)) as plain, pytest.raises(
        NodeGoneError, match=f"TLS with the node at {plain.address}: it speaks no TLS; set lane.tls"
    ):
        secure.connect(address=plain.address)


class TlsServer:
    """Serves one connection at a time, as a test says: the handler gets it before the handshake."""

    def __init__(self, handle: Callable[[socket.socket], None]) -> None:
        self._handle = handle
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = Address(f"tcp://127.0.0.1:{self._server.getsockname()[1]}", "test")

    def __enter__(self) -> TlsServer:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def _serve(self) -> None:
        while True:
            try:
                made, _ = self._server.accept()
            except OSError:
                return
            try:
                self._handle(made)
            except OSError:
                pass
            made.close()


def _encrypted(made: socket.socket, own: Identity, newest: Any = None) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.certificate, own.key)
    if newest is not None:
        context.maximum_version = newest
    return context.wrap_socket(made, server_side=True)


def _request(made: socket.socket) -> int:
    """The number of the next one."""
    head = b""
    while len(head) < 16:
        head += made.recv(16 - len(head))
    length, _, _, number = messages.HEADER.unpack(head)
    while length:
        length -= len(made.recv(length))
    return number


def _to(server: TlsServer, trust: Identity, **limits: float) -> Connection:
    access = Where(tls_trust=trust.certificate).access({})
    return Connection(server.address, "", tls=access.tls, **limits)


def test_expired_certificate_is_said(tmp_path: Path) -> None:
    old = certificates.expired(tmp_path, "old")
    with TlsServer(lambda made: _encrypted(made, old).close()) as server, pytest.raises(
        NodeGoneError, match="its certificate has expired; renew it"
    ):
        _to(server, old)


def test_older_tls_is_refused(tmp_path: Path) -> None:
    own = certificates.self_signed(tmp_path, "own")
    handle = lambda made: _encrypted(made, own, ssl.TLSVersion.TLSv1_2).close()  # noqa: E731
    with TlsServer(handle) as server, pytest.raises(NodeGoneError, match="it refused .*version"):
        _to(server, own)


@pytest.mark.parametrize("begins", [b"", bytes.fromhex("160303007a020000")])
def test_stall_in_the_handshake_is_a_missed_answer(tmp_path: Path, begins: bytes) -> None:
    own = certificates.self_signed(tmp_path, "own")
    over = threading.Event()

    def stall(made: socket.socket) -> None:
        made.sendall(begins)
        over.wait(60)

    with TlsServer(stall) as server:
        with pytest.raises(NodeGoneError, match=f"no TLS handshake with {server.address} in time"):
            _to(server, own, greeting=0.3)
        over.set()


def test_node_that_closes_in_the_handshake_is_said(tmp_path: Path) -> None:
    own = certificates.self_signed(tmp_path, "own")
    with TlsServer(lambda made: made.recv(1) and None) as server, pytest.raises(
        NodeGoneError, match="closed the connection during the handshake|reset by peer"
    ):
        _to(server, own)


def _stalls_in_a_reply(own: Identity, over: threading.Event, sent: int) -> Callable[..., None]:
    def handle(made: socket.socket) -> None:
        secure = _encrypted(made, own)
        secure.sendall(frame(messages.HELLO, _request(secure), hello()))
        reply = frame(messages.STATUS, _request(secure), bytes(200_000))
        secure.sendall(reply[:sent])
        over.wait(60)
        secure.close()

    return handle


@pytest.mark.parametrize("sent", [0, 7, 100_000])
def test_stall_in_a_reply_is_a_missed_answer(tmp_path: Path, sent: int) -> None:
    own, over = certificates.self_signed(tmp_path, "own"), threading.Event()
    with TlsServer(_stalls_in_a_reply(own, over, sent)) as server:
        connection = _to(server, own, timeout=0.5)
        with pytest.raises(NodeGoneError, match="no (whole )?answer within 0.5 s"):
            connection.call(messages.STATUS, b"")
        assert not connection.is_open
        over.set()


def test_connection_closed_by_another_thread_gives_nothing_encrypted_away(tmp_path: Path) -> None:
    own, over = certificates.self_signed(tmp_path, "own"), threading.Event()
    with TlsServer(_stalls_in_a_reply(own, over, 100_000)) as server:
        connection = _to(server, own, timeout=60)
        failed: list[BaseException] = []

        def ask() -> None:
            try:
                connection.call(messages.STATUS, b"")
            except NodeGoneError as e:
                failed.append(e)

        asking = threading.Thread(target=ask)
        asking.start()
        while not connection._lock.locked():
            pass
        connection.close()
        asking.join(30)
        assert len(failed) == 1 and not connection.is_open
        over.set()


def test_notice_is_heard_while_nothing_is_asked(tmp_path: Path) -> None:
    own, over = certificates.self_signed(tmp_path, "own"), threading.Event()
    going = messages.HEADER.pack(8, messages.GOING, 0, 0) + bytes(8)

    def handle(made: socket.socket) -> None:
        secure = _encrypted(made, own)
        greeting = frame(messages.HELLO, _request(secure), b"\2" + hello()[1:])
        secure.sendall(greeting)
        _request(secure)
        secure.sendall(frame(messages.STATUS, 2, b"\0\0\0\0"))
        secure.sendall(going)
        over.wait(60)
        secure.close()

    with TlsServer(handle) as server:
        connection = _to(server, own, timeout=30)
        connection.listen()
        assert connection.is_open and not connection.is_going
        connection.call(messages.STATUS, b"")
        while not connection.is_going:
            connection.listen()
            assert connection.is_open
        over.set()
        while connection.is_open:
            connection.listen()


@pytest.mark.parametrize("how", ["as it is", "as other versions of Python say it"])
def test_farewell_is_heard_when_a_request_cannot_be_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    own, ended = certificates.self_signed(tmp_path, "own"), threading.Event()

    def handle(made: socket.socket) -> None:
        secure = _encrypted(made, own)
        secure.sendall(frame(messages.HELLO, _request(secure), hello()))
        if how == "as it is":
            secure.recv(1)
        secure.sendall(denied())
        secure.close()  # What has come and was not read makes it a reset.
        ended.set()

    def write(part: Any) -> int:
        assert ended.wait(60)
        raise BrokenPipeError("Broken pipe")

    with TlsServer(handle) as server:
        connection = _to(server, own, timeout=60)
        channel: Any = connection._channel
        if how != "as it is":
            monkeypatch.setattr(channel._secure, "write", write)
        for _ in range(2):
            with pytest.raises(LaneError, match=TAKEN_OUT):
                connection.call(messages.STATUS, b"", bytes(64 << 20))
            assert not connection.is_open


FILES: dict[str, tuple[Callable[[Path, Identity, Identity], dict[str, Optional[str]]], str]] = {
    "no such file": (
        lambda d, a, b: {"tls_trust": f"{d}/nowhere"},
        r"tls_trust=\S+nowhere cannot be read \(No such file or directory\), give a PEM file",
    ),
    "no certificate in it": (
        lambda d, a, b: {"tls_trust": a.key},
        r"tls_trust=\S+ has no CERTIFICATE block, give a PEM file with one",
    ),
    "key of another": (
        lambda d, a, b: {
            "tls_trust": a.certificate,
            "tls_certificate": a.certificate,
            "tls_key": b.key,
        },
        r"tls_key=\S+b.key.pem is not the key of the first certificate in tls_certificate=\S+a.pem",
    ),
    "no key in it": (
        lambda d, a, b: {
            "tls_trust": a.certificate,
            "tls_certificate": a.certificate,
            "tls_key": a.certificate,
        },
        r"tls_key=\S+ has no PRIVATE KEY block",
    ),
    "key of another form": (
        lambda d, a, b: {
            "tls_trust": a.certificate,
            "tls_certificate": a.certificate,
            "tls_key": certificates.traditional_key(a, d / "old.pem"),
        },
        r"has a EC PRIVATE KEY block, expected PRIVATE KEY; convert it: openssl pkcs8 -topk8",
    ),
    "key without trust": (
        lambda d, a, b: {"tls_key": a.key},
        r"tls_key=\S+, but tls_trust is not set",
    ),
    "key without certificate": (
        lambda d, a, b: {"tls_trust": a.certificate, "tls_key": a.key},
        r"tls_key=\S+, but tls_certificate is not set; set both or none",
    ),
    "certificate without key": (
        lambda d, a, b: {"tls_trust": a.certificate, "tls_certificate": a.certificate},
        r"tls_certificate=\S+, but tls_key is not set; set both or none",
    ),
    "token with a space": (lambda d, a, b: {"token": "a b"}, "token is no token, take up to 4096"),
}


@pytest.mark.parametrize("case", FILES)
def test_what_cannot_be_used_is_said_at_once(tmp_path: Path, name: str, case: str) -> None:
    made = [certificates.self_signed(tmp_path, one) for one in "ab"]
    given, said = FILES[case]
    with pytest.raises(ValueError, match=said):
        CachedDataset(
            Images(4), name, address="tcp://127.0.0.1:1", **given(tmp_path, *made)
        )  # type: ignore[arg-type]


def test_the_variable_is_named_that_is_wrong() -> None:
    with pytest.raises(ValueError, match=f"{TRUST_VARIABLE}=/nowhere cannot be read"):
        Where().access({TRUST_VARIABLE: "/nowhere"})


def test_only_the_given_certificates_are_trusted(tmp_path: Path) -> None:
    own = certificates.self_signed(tmp_path, "own")
    context = Where(tls_trust=own.certificate).access({}).tls
    assert context is not None and context.minimum_version == ssl.TLSVersion.TLSv1_3
    # The system's would be a hundred more.
    assert context.cert_store_stats()["x509"] == 1
    assert context.check_hostname and context.verify_mode == ssl.CERT_REQUIRED
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "own" not in repr(Where(token="own"))


# Files that are renewed.


class Mounted:
    """Files as Kubernetes mounts a secret: links into a directory whose link is replaced; or plain
    ones that are renamed into place."""

    def __init__(self, directory: Path, linked: bool) -> None:
        self._directory = directory
        self._linked = linked
        self._versions = 0

    def put(self, **files: str) -> None:
        """All of them, by their names and contents."""
        self._versions += 1
        version = self._directory / f"..{self._versions}"
        version.mkdir(parents=True)
        for name, content in files.items():
            (version / name).write_text(content)
        if self._linked:
            link = self._directory / "..next"
            link.symlink_to(version.name)
            link.replace(self._directory / "..data")
            for name in files:
                if not (self._directory / name).exists():
                    (self._directory / name).symlink_to(f"..data/{name}")
        else:
            for name in files:
                (version / name).replace(self._directory / name)

    def __getitem__(self, name: str) -> str:
        return str(self._directory / name)


def _text(path: str) -> str:
    return Path(path).read_text()


class Greeting:
    """A node that speaks TLS as `own`, and greets."""

    def __init__(self, own: Identity) -> None:
        self.own = own

    def __call__(self, made: socket.socket) -> None:
        secure = _encrypted(made, self.own)
        secure.sendall(frame(messages.HELLO, _request(secure), hello()))
        while secure.recv(1):
            pass


@pytest.mark.parametrize("linked", [True, False], ids=["linked", "renamed"])
def test_renewed_files_count_for_new_connections(tmp_path: Path, linked: bool) -> None:
    one, other = (certificates.self_signed(tmp_path, name) for name in ("one", "other"))
    mounted, node = Mounted(tmp_path / "mounted", linked), Greeting(one)
    mounted.put(trust=_text(one.certificate))
    with TlsServer(node) as server:
        attachment = Attachment(Where(server.address.text, tls_trust=mounted["trust"]))

        def connects() -> bool:
            try:
                attachment._connect(server.address, 20).close()
            except NodeGoneError as e:
                assert "signed by none of those trusted" in str(e)
                return False
            return True

        assert connects()
        node.own = other
        assert not connects()
        mounted.put(trust=_text(other.certificate))
        assert connects()
        # What cannot be used changes nothing, and is said once.
        mounted.put(trust="-----BEGIN")
        said = rf"certificates cannot be renewed: tls_trust={mounted['trust']} has no CERTIFICATE"
        with pytest.warns(CacheWarning, match=said) as warned:
            assert connects() and connects()
        texts = [str(one.message) for one in warned]
        (only,) = (text for text in texts if "certificates cannot be renewed" in text)
        assert "what was read before counts" in only, texts
        node.own = one
        mounted.put(trust=_text(one.certificate))
        assert connects()
        attachment.close()


def test_half_of_a_new_pair_is_not_shown(tmp_path: Path) -> None:
    old, new = (certificates.self_signed(tmp_path, name) for name in ("old", "new"))
    mounted = Mounted(tmp_path / "mounted", False)
    mounted.put(trust=_text(old.certificate), cert=_text(old.certificate), key=_text(old.key))
    given = {"tls_trust": "trust", "tls_certificate": "cert", "tls_key": "key"}
    credentials = Credentials(Where(**{k: mounted[v] for k, v in given.items()}), {})
    first, said = credentials.now()
    assert said == "" and credentials.now() == (first, "")
    mounted.put(cert=_text(new.certificate))
    kept, said = credentials.now()
    assert kept is first and "is not the key of the first certificate" in said
    assert credentials.now() == (first, "")
    mounted.put(key=_text(new.key))
    renewed, said = credentials.now()
    assert renewed is not first and said == ""
    Path(mounted["key"]).unlink()
    assert "cannot be read" in credentials.now()[1] and credentials.now() == (renewed, "")


def test_variable_that_is_taken_away_does_not_end_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = certificates.self_signed(tmp_path, "own")
    monkeypatch.setenv(TRUST_VARIABLE, own.certificate)
    attachment = Attachment("tcp://127.0.0.1:1")
    monkeypatch.delenv(TRUST_VARIABLE)
    assert attachment._shown(Address("tcp://127.0.0.1:1", "test")).tls is not None


def test_files_that_break_twice_are_said_twice(tmp_path: Path, name: str) -> None:
    own, nobody = certificates.self_signed(tmp_path, "own"), "tcp://127.0.0.1:1"
    trust = tmp_path / "trust.pem"
    trust.write_text(_text(own.certificate))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CacheWarning)
        ds = CachedDataset(Images(4), name, address=nobody, tls_trust=trust)
    attachment = ds._samples().attachment
    for hand in ("one", "other"):
        trust.write_text(f"renewed by the {hand} hand")
        with pytest.warns(CacheWarning, match="certificates cannot be renewed"):
            attachment._said_at.clear()  # As if it were long ago.
            attachment._shown(Address(nobody, "test"))
    attachment.close()


def test_files_that_break_in_training_are_no_error_in_new_workers(
    tmp_path: Path, name: str
) -> None:
    own = certificates.self_signed(tmp_path, "own")
    trust = tmp_path / "trust.pem"
    trust.write_text(_text(own.certificate))
    raw, nobody = Images(4), "tcp://127.0.0.1:1"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CacheWarning)
        ds = CachedDataset(raw, name, address=nobody, tls_trust=trust)
        trust.write_text("renewed by hand")
        loader = DataLoader(ds, batch_size=4, num_workers=1, multiprocessing_context="fork")
        assert_same(list(loader), list(DataLoader(raw, batch_size=4)))
        # As in a spawned one, which could never read the file.
        assert pickle.loads(pickle.dumps(ds))._begun
        begun = Attachment(Where(nobody, tls_trust=str(trust)), begun=True)
        begun._credentials = Credentials(begun._where, {})
        assert begun.session is None and "has no CERTIFICATE block" in begun.link.why_not_home
        for one in (ds._samples().attachment, begun):
            one.close()
    with pytest.raises(ValueError, match="has no CERTIFICATE block"):
        CachedDataset(raw, name, address="tcp://127.0.0.1:2", tls_trust=trust)
