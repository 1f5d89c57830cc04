"""The bytes of one connection, plain or in TLS."""

from __future__ import annotations

import socket
import ssl
import struct
import time
from typing import Any, Optional

from training_day.lane.address import Address
from training_day.lane.names import addresses_of

__all__ = ["Channel", "connect"]

_EXPIRED, _NOT_YET_VALID = 10, 9
_OTHER_NAME, _OTHER_IP = 62, 64
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST")


def connect(address: Address, tls: Optional[ssl.SSLContext], deadline: float) -> Channel:
    """A channel to the node, by the deadline, of `time.monotonic()`. TLS is for TCP alone.

    Raises OSError if there is none.
    """
    if address.is_local:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.settimeout(_left(deadline))
            made.connect(address.target)
        except BaseException:
            made.close()
            raise
        return Channel(made)
    made = _connect_tcp(address.target, deadline)
    try:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Channel(made) if tls is None else _TlsChannel(made, tls, address, deadline)
    except BaseException:
        made.close()
        raise


def _connect_tcp(target: Any, deadline: float) -> socket.socket:
    """To the first of a name's addresses that answers; those that do not share the time."""
    found = addresses_of(*target, deadline)
    last: Optional[OSError] = None
    for k, (family, kind, protocol, _, at) in enumerate(found):
        made = socket.socket(family, kind, protocol)
        try:
            made.settimeout(_left(deadline) / (len(found) - k))
            made.connect(at)
            return made
        except OSError as e:
            made.close()
            last = e
        except BaseException:
            made.close()
            raise
    raise last or OSError(f"no address of {target[0]}")


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("no connection in time")
    return left


class Channel:
    """Plain bytes. No call takes longer than the timeout; one that would raises BlockingIOError.
    One thread sends and receives at a time; any may close."""

    is_encrypted = False

    def __init__(self, made: socket.socket) -> None:
        made.setblocking(True)
        self._made = made
        self.receive = made.recv_into
        """Receives into the memory given, at least a byte of it; 0 at the end."""

    def set_timeout(self, seconds: float) -> None:
        # The kernel's own timeouts save a poll() before each call.
        whole, part = divmod(seconds, 1)
        limit = struct.pack("@ll", int(whole), int(part * 1e6))
        self._made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        self._made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)

    def receive_at_hand(self, room: memoryview) -> int:
        """As `receive`; raises BlockingIOError if there is nothing now."""
        return self._made.recv_into(room, 0, socket.MSG_DONTWAIT)

    def send(self, parts: list[memoryview]) -> None:
        """Sends all of them, one behind the other."""
        if len(parts) == 1:
            self._made.sendall(parts.pop())
        while parts:
            sent = self._made.sendmsg(parts)
            while parts and sent >= len(parts[0]):
                sent -= len(parts[0])
                parts.pop(0)
            if sent:
                parts[0] = parts[0][sent:]

    def close(self, wake: bool) -> None:
        """`wake` ends it for whoever waits, and for all processes that have it."""
        try:
            if wake:
                # Not SSLSocket's own, which makes a plain socket of it first: a thread that still
                # reads would take what is encrypted for what it waits for.
                socket.socket.shutdown(self._made, socket.SHUT_RDWR)
        except OSError:
            pass
        self._made.close()


class _TlsChannel(Channel):
    """TLS 1.3. What is received goes straight to where it is wanted, one record a call.

    `read` and `write` of the SSLSocket are used, since they fail on one that another thread has
    closed, where `recv_into` and `send` go on in plain bytes.
    """

    is_encrypted = True

    def __init__(
        self, made: socket.socket, tls: ssl.SSLContext, address: Address, deadline: float
    ) -> None:
        self._address = address
        self._timeout = _left(deadline)
        # An SSLSocket of a blocking socket waits for ever, whatever the kernel's timeouts say.
        made.settimeout(self._timeout)
        self._secure: ssl.SSLSocket = tls.wrap_socket(
            made, server_hostname=str(address.target[0]), do_handshake_on_connect=False
        )
        self._made = self._secure
        self.receive = self._receive  # type: ignore[assignment]
        try:
            self._greet()
        except BaseException:
            self._secure.close()
            raise

    def _greet(self) -> None:
        try:
            self._secure.do_handshake()
        except ssl.SSLEOFError:
            raise self._failure("it closed the connection during the handshake") from None
        except ssl.SSLError as e:
            raise self._failure(_problem(e)) from None
        except socket.timeout:
            raise TimeoutError(f"no TLS handshake with {self._address} in time") from None

    def _failure(self, problem: str) -> ConnectionError:
        return ConnectionError(f"TLS with the node at {self._address}: {problem}")

    def set_timeout(self, seconds: float) -> None:
        self._timeout = seconds
        self._secure.settimeout(seconds)

    def _receive(self, room: memoryview) -> int:
        try:
            return self._secure.read(len(room), room)  # type: ignore[arg-type, return-value]
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, socket.timeout):
            raise BlockingIOError("nothing has come") from None
        except ssl.SSLError as e:
            raise self._failure(_problem(e)) from None
        except ValueError:
            raise ConnectionError("the connection is closed") from None

    def receive_at_hand(self, room: memoryview) -> int:
        self._secure.settimeout(0)
        try:
            return self._receive(room)
        finally:
            self._secure.settimeout(self._timeout)

    def send(self, parts: list[memoryview]) -> None:
        try:
            for part in parts:
                while len(part):
                    part = part[self._secure.write(part) :]
        except socket.timeout:
            raise BlockingIOError("nothing was taken") from None
        except ValueError:
            raise ConnectionError("the connection is closed") from None
        except ssl.SSLError as e:
            raise self._failure(_problem(e)) from None


def _problem(e: ssl.SSLError) -> str:
    """What a failure means to whoever set things up."""
    said = e.strerror or str(e)
    said = said.rpartition("] ")[2].partition(" (_ssl")[0]
    if isinstance(e, ssl.SSLCertVerificationError):
        why = e.verify_message.rstrip(".")
        if e.verify_code == _EXPIRED:
            return "its certificate has expired; renew it"
        if e.verify_code == _NOT_YET_VALID:
            return "its certificate is not valid yet; set the clocks, or wait"
        if e.verify_code in (_OTHER_NAME, _OTHER_IP) or "match" in why.lower():
            return (
                f"its certificate is another host's ({why}); connect to a name that is in it, or"
                " have one made for this name"
            )
        return (
            f"its certificate is signed by none of those trusted ({why}); trust the one that signed"
            " it"
        )
    low = said.lower()
    if " alert " in f" {low}":
        if "certificate" in low or "unknown ca" in low:
            return f"it does not accept this side's certificate ({said}); set one that it trusts"
        return f"it refused ({said})"
    if e.reason in _NO_TLS or "wrong version number" in low:
        return "it speaks no TLS; set lane.tls.enabled of the node, or trust nothing here"
    return said
