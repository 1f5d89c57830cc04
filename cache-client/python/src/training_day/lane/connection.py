"""One connection to a node: requests and their replies, one at a time."""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from typing import Any, Optional

from training_day.errors import LaneError, MalformedRecordError, NodeGoneError
from training_day.lane import messages
from training_day.lane.address import Address
from training_day.lane.messages import HEADER, Limits, ProtocolError

__all__ = ["Connection"]

_GREETING_BYTES = 64 << 10
_GRACE_SECONDS = 1.0
_FIRST_READ = 16 << 10
_LONGEST_NOTICE = 64


class Connection:
    """Connects and greets; belongs to the process that made it.

    Threads may share it, their requests follow one another. After a missed answer, or one that
    breaks the contract, it is closed and every call raises NodeGoneError.

    Raises NodeGoneError if there is no node, LaneError if it does not want us.
    """

    def __init__(self, address: Address, token: str, timeout: Optional[float] = None) -> None:
        self.address = address
        self.pid = os.getpid()
        self._lock = threading.Lock()
        self._next_id = 1
        self._max_frame = _GREETING_BYTES
        self._socket: Optional[socket.socket] = None
        self._head = bytearray(_FIRST_READ)
        self._timeout = timeout or 3.0
        self._going = False
        self._got = 0  # Bytes at the front of _head that are still to be used.
        try:
            self._socket = self._connect()
        except OSError as e:
            raise NodeGoneError(f"{e.strerror or e}") from None
        client = f"python, process {self.pid}"
        body = self.call(messages.HELLO, messages.hello(token, client))
        self.limits: Limits = self._parsed(messages.hello_reply, body)
        self._max_frame = self.limits.max_frame_bytes
        if timeout is None:
            self._set_timeout(self.limits.answer_millis / 1000 + _GRACE_SECONDS)

    def _connect(self) -> socket.socket:
        if self.address.is_local:
            made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            made.settimeout(self._timeout)
            try:
                made.connect(self.address.target)
            except BaseException:
                made.close()
                raise
        else:
            made = socket.create_connection(self.address.target, self._timeout)  # type: ignore
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.setblocking(True)
        self._arm(made)
        return made

    def _set_timeout(self, seconds: float) -> None:
        self._timeout = seconds
        if self._socket is not None:
            self._arm(self._socket)

    def _arm(self, made: socket.socket) -> None:
        # The kernel's own timeouts save a poll() before each call.
        whole, part = divmod(self._timeout, 1)
        limit = struct.pack("@ll", int(whole), int(part * 1e6))
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)

    @property
    def is_open(self) -> bool:
        return self._socket is not None

    @property
    def is_going(self) -> bool:
        """Whether the node has said that it goes; it still answers until it is gone."""
        return self._going

    def listen(self) -> None:
        """Takes what the node has said unasked; without it that is heard with the next reply.
        Does nothing while somebody waits for a reply."""
        made = self._socket
        if made is None or not self._lock.acquire(blocking=False):
            return
        try:
            room = memoryview(self._head)[self._got :]
            self._got += made.recv_into(room, 0, socket.MSG_DONTWAIT)
            self._take_notices()
        except (OSError, ValueError):
            pass  # Nothing has come; or it is over, as the next call will find out.
        finally:
            self._lock.release()

    def _starts_notice(self) -> bool:
        length, kind, _, number = HEADER.unpack_from(self._head)
        return kind == messages.GOING and number == 0 and length <= _LONGEST_NOTICE

    def _take_notices(self) -> None:
        """Off the front of what has been read and not used."""
        head = self._head
        while self._got >= HEADER.size and self._starts_notice():
            whole = HEADER.size + HEADER.unpack_from(head)[0]
            if self._got < whole:
                break
            self._going = True
            head[: self._got - whole] = head[whole : self._got]
            self._got -= whole

    @property
    def timeout(self) -> float:
        """Seconds after which a node that has not answered is taken for gone."""
        return self._timeout

    def call(self, kind: int, body: bytes, tail: Any = b"") -> memoryview:
        """One request and its reply's body; `tail` follows `body` without being copied.

        Raises LaneError if the node answered with an error, NodeGoneError if it did not.
        """
        with self._lock:
            made = self._socket
            if made is None:
                raise NodeGoneError("the connection is closed")
            try:
                kind_back, answer = self._exchange(made, kind, body, tail)
            except (OSError, ProtocolError) as e:
                self.close()
                if isinstance(e, BlockingIOError):
                    e = TimeoutError(f"no answer within {self._timeout:.1f} s")  # type: ignore
                raise NodeGoneError(f"{e}") from None
            except BaseException:
                self.close()  # The reply is still to come, and nobody waits for it.
                raise
        if kind_back == messages.ERROR:
            code, retryable, message = self._parsed(messages.error, answer)
            if code in (messages.MALFORMED, messages.UNSUPPORTED_VERSION, messages.STOPPING):
                self.close()
            raise LaneError(code, retryable, message)
        return answer

    def _exchange(
        self, made: socket.socket, kind: int, body: bytes, tail: Any
    ) -> tuple[int, memoryview]:
        number = self._next_id
        self._next_id += 1
        deadline = time.monotonic() + self._timeout
        header = HEADER.pack(len(body) + len(tail), kind, 0, number)
        if len(tail):
            self._send(made, [memoryview(header + body), memoryview(tail)])
        else:
            made.sendall(header + body)
        head = self._head
        while True:
            self._take_notices()
            if self._got >= HEADER.size and not self._starts_notice():
                break
            more = made.recv_into(memoryview(head)[self._got :])
            if not more:
                raise ConnectionError("the node closed the connection")
            self._got += more
        got, self._got = self._got, 0
        length, kind_back, flags, answered = HEADER.unpack_from(head)
        if length > self._max_frame:
            raise ProtocolError(f"a reply of {length} bytes, at most {self._max_frame} were agreed")
        expected = kind | messages.REPLY
        if answered != number or flags or kind_back not in (expected, messages.ERROR):
            raise ProtocolError(
                f"a frame of type {kind_back:#x} and request {answered}, expected {expected:#x} and"
                f" {number}"
            )
        extra = min(got - HEADER.size, length)
        answer = bytearray(length)
        answer[:extra] = memoryview(head)[HEADER.size : HEADER.size + extra]
        self._got = got - HEADER.size - extra
        if self._got:
            head[: self._got] = head[got - self._got : got]
            self._take_notices()
            if self._got >= HEADER.size and not self._starts_notice():
                raise ProtocolError(f"{self._got} bytes behind a reply")
        view = memoryview(answer)
        while extra < length:
            more = made.recv_into(view[extra:])
            if not more:
                raise ConnectionError("the node closed the connection")
            extra += more
            if extra < length and time.monotonic() > deadline:
                raise TimeoutError(f"no whole answer within {self._timeout:.1f} s")
        return kind_back, view

    @staticmethod
    def _send(made: socket.socket, parts: list[memoryview]) -> None:
        while parts:
            sent = made.sendmsg(parts)
            while parts and sent >= len(parts[0]):
                sent -= len(parts[0])
                parts.pop(0)
            if sent:
                parts[0] = parts[0][sent:]

    def _parsed(self, parse: Any, body: memoryview, *args: Any) -> Any:
        try:
            return parse(body, *args)
        except (ProtocolError, MalformedRecordError, ValueError) as e:
            raise self.break_off(str(e)) from None

    def parsed(self, parse: Any, body: memoryview, *args: Any) -> Any:
        """What `parse` makes of a reply; one that breaks the contract ends the connection."""
        return self._parsed(parse, body, *args)

    def break_off(self, why: str) -> NodeGoneError:
        """Ends the connection because of what the node sent; to be raised."""
        self.close()
        return NodeGoneError(f"the node broke the protocol: {why}")

    def close(self) -> None:
        made, self._socket = self._socket, None
        if made is not None:
            try:
                # Wakes whoever reads; a forked child must not end its parent's connection.
                if self.pid == os.getpid():
                    made.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            made.close()
