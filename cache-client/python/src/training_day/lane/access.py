"""Where a trainer's node is, and what a connection over TCP shows: a token, and certificates."""

from __future__ import annotations

import os
import re
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Optional

from training_day.lane import address as addresses
from training_day.lane.address import Address

__all__ = ["Access", "Credentials", "Where"]

TRUST_VARIABLE = "TRAINING_DAY_TLS_TRUST"
CERTIFICATE_VARIABLE = "TRAINING_DAY_TLS_CERTIFICATE"
KEY_VARIABLE = "TRAINING_DAY_TLS_KEY"
VARIABLES = (addresses.TOKEN_VARIABLE, TRUST_VARIABLE, CERTIFICATE_VARIABLE, KEY_VARIABLE)
"""What the environment may say of all this."""

_MAX_TOKEN_CHARS = 4_096
# Trusts a certificate of the file as such, be it the signer of another, as Java does. The name is
# known to Python from 3.10 on, the flag to all.
_PARTIAL_CHAIN = 0x80000
# A pair that is being replaced, file by file, fits again a moment later.
_TRIES = 3
_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----[A-Za-z0-9+/=\s]*-----END \1-----")
_KEY = "PRIVATE KEY"


@dataclass(frozen=True)
class Access:
    """What a connection over TCP shows; a Unix socket needs none of it."""

    token: str = ""
    tls: Optional[ssl.SSLContext] = None

    def __repr__(self) -> str:
        return f"Access(token={'…' if self.token else 'none'}, tls={self.tls is not None})"


@dataclass(frozen=True)
class Where:
    """What the caller gave; what is None the environment says. PEM files are given by path."""

    address: Optional[str] = None
    token: Optional[str] = None
    tls_trust: Optional[str] = None
    tls_certificate: Optional[str] = None
    tls_key: Optional[str] = None

    def __repr__(self) -> str:
        return f"Where({self.address})"

    def home(self, environment: Optional[Mapping[str, str]] = None) -> Address:
        """The node to talk to. Raises ValueError if it is no address."""
        return addresses.find(self.address, environment)

    def access(self, environment: Optional[Mapping[str, str]] = None) -> Access:
        """Reads the files.

        Raises ValueError if one cannot be used, or is missing; the message says what to do.
        """
        return Access(self.shown_token(environment), _tls(*self.pems(environment)))

    def shown_token(self, environment: Optional[Mapping[str, str]] = None) -> str:
        """The token; empty: none. Raises ValueError for what is none."""
        environment = os.environ if environment is None else environment
        name, token = "token", self.token
        if token is None:
            name = addresses.TOKEN_VARIABLE
            token = environment.get(name, "").strip()
        if len(token) > _MAX_TOKEN_CHARS or not all("!" <= one <= "~" for one in token):
            raise ValueError(
                f"{name} is no token, take up to {_MAX_TOKEN_CHARS} printable ASCII characters"
                " without spaces"
            )
        return token

    def pems(self, environment: Optional[Mapping[str, str]] = None) -> _Pems:
        """The files of what is trusted, of the certificate and of its key; None: not set."""
        environment = os.environ if environment is None else environment
        return (
            _pem("tls_trust", self.tls_trust, TRUST_VARIABLE, environment),
            _pem("tls_certificate", self.tls_certificate, CERTIFICATE_VARIABLE, environment),
            _pem("tls_key", self.tls_key, KEY_VARIABLE, environment),
        )


class Credentials:
    """The access of a Where as its files are now: each connection is made with what they hold then.
    While they hold nothing that can be used, as when someone renews them, what they held before
    counts. Threads may share it; it outlives a fork."""

    def __init__(self, where: Where, environment: Mapping[str, str]) -> None:
        self._where = where
        # As it is now: a variable that is taken away later must not end TLS.
        self._environment = environment
        self._pems = where.pems(environment)
        self._lock = threading.Lock()
        self._access: Optional[Access] = None
        self._read = b""

    @property
    def token(self) -> str:
        """What a Unix socket is shown. Raises ValueError if it is none."""
        return self._where.shown_token(self._environment)

    def check(self) -> None:
        """Raises ValueError if there is nothing that can be used."""
        if self._access is None:
            self.now()

    def now(self) -> tuple[Access, str]:
        """What to show; and, once for each content that cannot be used, why what was read before is
        shown in its place.

        Raises ValueError if nothing could be used yet.
        """
        with self._lock:
            token = self.token
            for tried in range(1, _TRIES + 1):
                digest = _digest(self._pems)
                if self._access is not None and digest == self._read:
                    break
                try:
                    self._access = Access(token, _tls(*self._pems))
                except ValueError as e:
                    # Read while they were changed, they may fit by now.
                    if tried < _TRIES and _digest(self._pems) != digest:
                        continue
                    if self._access is None:
                        raise
                    self._read = digest
                    return self._access, f"{e}. Until then, what was read before counts"
                self._read = digest
                break
            assert self._access is not None
            return self._access, ""

    def after_fork(self) -> None:
        """In the child: a thread of the parent may have had the lock."""
        self._lock = threading.Lock()


_Pems = tuple[Optional["_Pem"], Optional["_Pem"], Optional["_Pem"]]


def _digest(pems: _Pems) -> bytes:
    """Of all there is in the files: a link or a directory on their way may have been changed, and
    times may be as they were."""
    whole = sha256()
    for pem in pems:
        try:
            content = b"" if pem is None else Path(pem.path).read_bytes()
        except OSError as e:
            content = repr(e).encode()
        whole.update(len(content).to_bytes(8, "little") + content)
    return whole.digest()


@dataclass(frozen=True)
class _Pem:
    """A file, and what its user calls it."""

    option: str
    path: str

    def __str__(self) -> str:
        return f"{self.option}={self.path}"

    def blocks(self) -> list[tuple[str, str]]:
        """Kind and text of each."""
        try:
            with open(self.path, encoding="latin-1") as file:
                text = file.read()
        except OSError as e:
            raise ValueError(
                f"{self} cannot be read ({e.strerror}), give a PEM file that this user may read"
            ) from None
        return [(one[1], one[0]) for one in _BLOCK.finditer(text)]

    def certificates(self) -> str:
        found = [text for kind, text in self.blocks() if kind == "CERTIFICATE"]
        if not found:
            raise ValueError(f"{self} has no CERTIFICATE block, give a PEM file with one")
        return "\n".join(found)

    def check_key(self) -> None:
        kinds = [kind for kind, _ in self.blocks()]
        if _KEY in kinds:
            return
        for kind in kinds:
            if kind.endswith(_KEY):
                raise ValueError(
                    f"{self} has a {kind} block, expected {_KEY}; convert it: openssl pkcs8 -topk8"
                    " -nocrypt -in OLD -out NEW"
                )
        raise ValueError(f"{self} has no {_KEY} block, give a PEM file with one")


def _pem(
    option: str, given: Optional[str], variable: str, environment: Mapping[str, str]
) -> Optional[_Pem]:
    if given is not None:
        return _Pem(option, given)
    path = environment.get(variable, "")
    return _Pem(variable, path) if path else None


def _tls(
    trust: Optional[_Pem], certificate: Optional[_Pem], key: Optional[_Pem]
) -> Optional[ssl.SSLContext]:
    if trust is None:
        if certificate is None and key is None:
            return None
        raise ValueError(
            f"{certificate or key}, but tls_trust is not set; set it to the certificates that sign"
            " those of the nodes"
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_flags |= _PARTIAL_CHAIN  # type: ignore[assignment]
    try:
        context.load_verify_locations(cadata=trust.certificates())
    except ssl.SSLError as e:
        raise ValueError(
            f"{trust} has a CERTIFICATE block that is no X.509 certificate: {e}"
        ) from None
    if certificate is None and key is None:
        return context
    if certificate is None or key is None:
        lacking = "tls_certificate" if certificate is None else "tls_key"
        raise ValueError(f"{certificate or key}, but {lacking} is not set; set both or none")
    certificate.certificates()
    key.check_key()
    try:
        # A key that is encrypted must not make it ask on the terminal.
        context.load_cert_chain(certificate.path, key.path, password=lambda: "")
    except (OSError, ValueError) as e:
        if getattr(e, "reason", "") == "KEY_VALUES_MISMATCH":
            raise ValueError(
                f"{key} is not the key of the first certificate in {certificate}, give both from"
                " one pair"
            ) from None
        raise ValueError(f"{certificate} and {key} cannot be used: {e}") from None
    return context
