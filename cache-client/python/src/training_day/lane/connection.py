"""One connection to a node: requests and their replies, one at a time."""

from __future__ import annotations

import os
import ssl
import threading
import time
from typing import Any, Optional

from training_day.errors import LaneError, MalformedRecordError, NodeGoneError
from training_day.lane import messages
from training_day.lane.address import Address
from training_day.lane.channel import Channel, connect
from training_day.lane.messages import HEADER, Limits, ProtocolError

__all__ = ["Connection"]

_GREETING_BYTES = 64 << 10
_GREETING_SECONDS = 3.0
_GRACE_SECONDS = 1.0
_MOST_TIMES = 5
_FIRST_READ = 16 << 10
_LONGEST_NOTICE = 64
_LONGEST_FAREWELL = 8 << 10


class Connection:
    """Connects and greets; belongs to the process that made it.

    Threads may share it, their requests follow one another. After a missed answer, or one that
    breaks the contract, it is closed and every call raises NodeGoneError.

    `timeout` is for each answer; by default, what the node tells of itself. While one arrives, its
    time begins anew with what comes, up to five times as long in all. `greeting` is for all
    that comes before: connecting, TLS, HELLO. TLS is for an address of TCP alone.

    Raises NodeGoneError if there is no node, LaneError if it does not want us.
    """

    def __init__(
        self,
        address: Address,
        token: str,
        timeout: Optional[float] = None,
        *,
        tls: Optional[ssl.SSLContext] = None,
        greeting: float = _GREETING_SECONDS,
    ) -> None:
        self.address = address
        self.pid = os.getpid()
        self._lock = threading.Lock()
        self._next_id = 1
        self._max_frame = _GREETING_BYTES
        self._channel: Optional[Channel] = None
        self._head = bytearray(_FIRST_READ)
        self._timeout = timeout or greeting
        self._going = False
        self._farewell: Optional[LaneError] = None
        self._greeted = False
        self._got = 0  # Bytes at the front of _head that are still to be used.
        deadline = time.monotonic() + self._timeout
        try:
            self._channel = connect(address, tls, deadline)
        except OSError as e:
            raise NodeGoneError(f"{e.strerror or e}") from None
        self.is_encrypted = self._channel.is_encrypted
        try:
            self._set_timeout(max(0.001, deadline - time.monotonic()))
            client = f"python, process {self.pid}"
            body = self.call(messages.HELLO, messages.hello(token, client))
            self.limits: Limits = self._parsed(messages.hello_reply, body)
        except BaseException:
            self.close()
            raise
        self._greeted = True
        self._max_frame = self.limits.max_frame_bytes
        self._set_timeout(timeout or self.limits.answer_millis / 1000 + _GRACE_SECONDS)

    def _set_timeout(self, seconds: float) -> None:
        self._timeout = seconds
        channel = self._channel
        if channel is not None:
            channel.set_timeout(seconds)

    @property
    def is_open(self) -> bool:
        return self._channel is not None

    @property
    def is_going(self) -> bool:
        """Whether the node has said that it goes; it still answers until it is gone."""
        return self._going

    @property
    def farewell(self) -> Optional[LaneError]:
        """What the node said unasked when it ended the connection; None: nothing."""
        return self._farewell

    @property
    def why_closed(self) -> str:
        """Why the node has closed the connection, as far as it has told."""
        if self._farewell is not None:
            return f"the node closed the connection: {self._farewell}"
        if self._going:
            return "the node has stopped, as it said it would"
        return "the node closed the connection"

    def listen(self) -> None:
        """Takes what the node has said unasked; without it that is heard with the next reply.
        Does nothing while somebody waits for a reply."""
        channel = self._channel
        if channel is None or not self._lock.acquire(blocking=False):
            return
        try:
            more = channel.receive_at_hand(memoryview(self._head)[self._got :])
            self._got += more
            self._take_notices()
            if not more or self._farewell is not None:
                self.close()
        except BlockingIOError:
            pass  # Nothing has come.
        except OSError:
            self.close()
        finally:
            self._lock.release()

    def _starts_notice(self) -> bool:
        length, kind, _, number = HEADER.unpack_from(self._head)
        if number != 0:
            return False
        # An error that answers no request ends the connection. A node that speaks TLS alone has not
        # read the request that it refuses so; one whose tokens have changed has not been asked.
        return (kind == messages.GOING and length <= _LONGEST_NOTICE) or (
            kind == messages.ERROR and length <= _LONGEST_FAREWELL
        )

    def _take_notices(self) -> None:
        """Off the front of what has been read and not used."""
        head = self._head
        while self._got >= HEADER.size and self._starts_notice():
            length, kind, _, _ = HEADER.unpack_from(head)
            whole = HEADER.size + length
            if self._got < whole:
                break
            if kind == messages.GOING:
                self._going = True
            elif self._farewell is None:
                said = memoryview(bytes(head[HEADER.size : whole]))
                self._farewell = LaneError(*self._parsed(messages.error, said))
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
            channel = self._channel
            if channel is None:
                self._raise_farewell()
                raise NodeGoneError("the connection is closed")
            try:
                kind_back, answer = self._exchange(channel, kind, body, tail)
                if self._farewell is not None:
                    self.close()  # It came behind the reply.
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

    def _hear_farewell(self, channel: Channel) -> None:
        """What the node said before it closed may be here, though nothing can be sent any more.

        Raises LaneError with it. A node that does not accept our certificate says so in TLS, when
        the handshake is over here: an OSError with that.
        """
        try:
            self._got += channel.receive_at_hand(memoryview(self._head)[self._got :])
            self._take_notices()
        except OSError as e:
            if str(e).startswith("TLS"):
                raise
        self._raise_farewell()

    def _raise_farewell(self) -> None:
        said = self._farewell
        if said is not None:
            raise LaneError(said.code, said.retryable, said.message)

    def _exchange(
        self, channel: Channel, kind: int, body: bytes, tail: Any
    ) -> tuple[int, memoryview]:
        number = self._next_id
        self._next_id += 1
        started = time.monotonic()
        header = HEADER.pack(len(body) + len(tail), kind, 0, number)
        parts = [memoryview(header + body)]
        if len(tail):
            parts.append(memoryview(tail))
        try:
            channel.send(parts)
        except BlockingIOError:
            raise
        except OSError:
            self._hear_farewell(channel)
            raise
        head = self._head
        while True:
            self._take_notices()
            self._raise_farewell()
            if self._got >= HEADER.size and not self._starts_notice():
                break
            more = channel.receive(memoryview(head)[self._got :])
            if not more:
                raise ConnectionError(self.why_closed)
            self._got += more
            if self._got < HEADER.size and time.monotonic() > started + self._timeout:
                raise TimeoutError(f"no whole answer within {self._timeout:.1f} s")
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
            more = channel.receive(view[extra:])
            if not more:
                raise ConnectionError(self.why_closed)
            extra += more
            # Each receive ends by itself when nothing comes; a trickle shall end, too.
            if extra < length and time.monotonic() > started + _MOST_TIMES * self._timeout:
                raise TimeoutError(f"no whole answer within {_MOST_TIMES * self._timeout:.1f} s")
        return kind_back, view

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
        channel, self._channel = self._channel, None
        if channel is not None:
            # Wakes whoever reads; a forked child must not end its parent's connection.
            channel.close(self.pid == os.getpid())
