"""What the ranks of a job agree on when an epoch begins, and compare when it ends."""

from __future__ import annotations

import os
import re
import time
from hashlib import blake2b
from typing import Callable, NoReturn, Optional

from training_day.attachment import Attachment
from training_day.errors import LaneError, NodeGoneError, PlanError
from training_day.exchange import Exchange, looks
from training_day.lane import messages
from training_day.ownership import from_agreed, to_agree

__all__ = ["CHECKSUM_MASK", "GridAgreement", "GroupAgreement"]

CHECKSUM_MASK = (1 << 40) - 1
"""Checksums are added up as signed 64-bit numbers, so many bits of each rank's."""

_NAME = re.compile(r"[A-Za-z0-9._-]{1,128}")
_ASK_AGAIN_SECONDS = 0.1
_GOOD, _FAILED = b"\0", b"\1"
_WORD_BYTES = 8


class GroupAgreement:
    """Through the store of a process group. `what` is all that the plan depends on, in words: ranks
    that mean something else do not meet."""

    def __init__(
        self, exchange: Exchange, rank: int, world_size: int, timeout: float, what: str
    ) -> None:
        self._exchange = exchange
        self._rank = rank
        self._world_size = world_size
        self._timeout = timeout
        self._what = what
        self._key = blake2b(what.encode(), digest_size=8).hexdigest()
        self._word = b""
        self._run = ""

    def snapshot(self, host: str, make: Callable[[], bytes]) -> tuple[bytes, list[str]]:
        """What `make` makes on the first rank, and all ranks' hosts.

        A store may outlive the processes, as when torchrun starts them anew, and an earlier try. So
        each rank says a word made for this try, and takes only what was made of that.

        Raises PlanError if some rank's part does not come in time, or `make` failed.
        """
        until = time.monotonic() + self._timeout
        self._word = os.urandom(_WORD_BYTES)
        self._exchange.put(f"{self._key}/host/{self._rank}", self._word + host.encode())
        if self._rank == 0:
            self._exchange.put("announced", self._what.encode())
            answer = self._lead(make, until)
        else:
            answer = self._follow(until)
        return from_agreed(answer, self._world_size)

    def _lead(self, make: Callable[[], bytes], until: float) -> bytes:
        made: Optional[bytes] = None
        offered: list[bytes] = []
        answer = b""
        for _ in looks():
            words, hosts = self._all_hosts(until)
            if words != offered:
                if made is None:
                    made = self._made(make, words)
                answer = to_agree(made, hosts)
                self._offer(words, _GOOD + answer)
                offered = words
            late = self._not_taken(words)
            if late is None:
                break
            if time.monotonic() >= until:
                self._fail(words, self._late(late))
        self._run = words[0].hex()
        return answer

    def _all_hosts(self, until: float) -> tuple[list[bytes], list[str]]:
        words, hosts = [], []
        for rank in range(self._world_size):
            said = self._exchange.get(f"{self._key}/host/{rank}", until)
            if said is None:
                self._check_alone(self._said())
                self._fail(words, self._late(rank))
            words.append(said[:_WORD_BYTES])
            hosts.append(said[_WORD_BYTES:].decode())
        self._check_alone(words[0])
        return words, hosts

    def _late(self, rank: int) -> str:
        return (
            f"rank {rank} of {self._world_size} has not begun it within {self._timeout:g} s:"
            f" {self._what}. All ranks are to go through their samplers with the same arguments and"
            " states"
        )

    def _made(self, make: Callable[[], bytes], words: list[bytes]) -> bytes:
        try:
            return make()
        except Exception as e:
            self._fail(words, f"{type(e).__name__}: {e}", e)

    def _not_taken(self, words: list[bytes]) -> Optional[int]:
        for rank in range(1, self._world_size):
            # Of this try of rank 0's: what an earlier one saw taken is there still.
            if self._exchange.find(f"{self._key}/taken/{rank}") != words[0] + words[rank]:
                return rank
        return None

    def _follow(self, until: float) -> bytes:
        for _ in looks():
            answer = self._answer()
            if answer is not None:
                break
            if time.monotonic() >= until:
                raise PlanError(self._first_rank_is_silent())
            self._check_alone(self._said())
        self._exchange.put(f"{self._key}/taken/{self._rank}", bytes.fromhex(self._run) + self._word)
        if answer[:1] == _FAILED:
            raise PlanError(f"rank 0 has no plan for the others: {answer[1:].decode()}")
        return answer[1:]

    def _answer(self) -> Optional[bytes]:
        """What rank 0 has made of this rank's word, None as long as it has not."""
        offer = self._exchange.find(f"{self._key}/snapshot")
        if offer is None:
            return None
        start = _WORD_BYTES * self._rank
        after = _WORD_BYTES * self._world_size
        if offer[start : start + _WORD_BYTES] != self._word:
            return None
        self._run = offer[:_WORD_BYTES].hex()
        return offer[after:]

    def _offer(self, words: list[bytes], answer: bytes) -> None:
        missing = self._world_size - len(words)
        self._exchange.put(
            f"{self._key}/snapshot", b"".join(words) + bytes(_WORD_BYTES * missing) + answer
        )

    def _fail(self, words: list[bytes], why: str, cause: Optional[Exception] = None) -> NoReturn:
        self._offer(words, _FAILED + why.encode())
        raise PlanError(why) from cause

    def _said(self) -> bytes:
        """The word that was said last in the name of this rank."""
        said = self._exchange.find(f"{self._key}/host/{self._rank}")
        return b"" if said is None else said[:_WORD_BYTES]

    def _check_alone(self, word: bytes) -> None:
        if word != self._word:
            raise PlanError(
                f"two processes say that they are rank {self._rank} of {self._world_size}: give"
                " each its own rank=, not its place on its host"
            )

    def _first_rank_is_silent(self) -> str:
        announced = self._exchange.find("announced")
        theirs = "nothing so far" if announced is None else announced.decode()
        return (
            f"rank 0 has not told within {self._timeout:g} s where samples lie, and no rank plans"
            f" on its own. Rank {self._rank} asked for {self._what}; rank 0 planned last: {theirs}."
            " All ranks are to go through their samplers with the same arguments and states"
        )

    def end(
        self, read: tuple[int, int], planned: tuple[int, int]
    ) -> Optional[tuple[tuple[int, int], tuple[int, int]]]:
        """Adds this rank's count and checksum, read and planned, to the others'. The last to come
        gets the sums, the others None; nobody waits. Checksums are of so many bits."""
        exchange = self._exchange
        turn = exchange.add(f"{self._key}/{self._run}/turns/{self._rank}", 1)
        key = f"{self._key}/{self._run}/sums/{turn}"
        own = (read[0], read[1] & CHECKSUM_MASK, planned[0], planned[1] & CHECKSUM_MASK)
        for place, value in enumerate(own):
            exchange.add(f"{key}/{place}", value)
        if exchange.add(f"{key}/ranks", 1) != self._world_size:
            return None
        sums = [exchange.add(f"{key}/{place}", 0) for place in range(len(own))]
        return (sums[0], sums[1] & CHECKSUM_MASK), (sums[2], sums[3] & CHECKSUM_MASK)

    def say_wrong(self, what: str) -> None:
        """For the others to see."""
        self._exchange.put(f"{self._key}/{self._run}/wrong", what.encode())

    def wrong(self) -> Optional[str]:
        """What the last rank to come found wrong with the epoch, as far as is known."""
        found = self._exchange.find(f"{self._key}/{self._run}/wrong")
        return None if found is None else found.decode()


class GridAgreement:
    """Through the cache nodes, for ranks without a process group. `job` and `attempt` tell this job
    from all others; restarted, it is another attempt."""

    def __init__(
        self,
        where: Attachment,
        job: str,
        attempt: str,
        epoch: int,
        rank: int,
        world_size: int,
        timeout: float,
    ) -> None:
        for name, value in (("job", job), ("attempt", attempt)):
            if not _NAME.fullmatch(value):
                raise ValueError(
                    f"{name}={value!r}, allowed: 1–128 of the letters, digits and . _ -"
                )
        self._where = where
        self._prefix = f"plan/{job}/{attempt}/{epoch}"
        self._rank = rank
        self._world_size = world_size
        self._timeout = timeout

    def snapshot(self, host: str, make: Callable[[], bytes]) -> tuple[bytes, list[str]]:
        """As a GroupAgreement's.

        Raises PlanError if the grid has not got all of it in time.
        """
        until = time.monotonic() + self._timeout
        here = (host or "?").encode()
        kept = self._agreed(f"host/{self._rank}", here, until)
        if kept != here:
            raise PlanError(
                f"{self._prefix}/host/{self._rank} is host {kept.decode()!r}, this rank runs on"
                f" {here.decode()!r}: another run had this job and attempt within the hour, take"
                " another attempt"
            )
        offered = b""
        if self._rank == 0:
            snapshot = make()
            if not snapshot:
                raise PlanError(
                    "rank 0 has no node that tells where samples lie, and without a process group"
                    ' the ranks cannot agree on that: pass ownership=, or take strategy="plain"'
                )
            ranks = range(self._world_size)
            hosts = [self._agreed(f"host/{rank}", b"", until).decode() for rank in ranks]
            offered = to_agree(snapshot, ["" if one == "?" else one for one in hosts])
        agreed = self._agreed("ownership", offered, until)
        return from_agreed(agreed, self._world_size)

    def _agreed(self, name: str, offered: bytes, until: float) -> bytes:
        key = f"{self._prefix}/{name}"
        why = "nobody has offered it"
        while True:
            session = self._where.session
            if session is None:
                why = "there is no node"
            else:
                try:
                    body = session.call(messages.AGREE, messages.agree(key, offered))
                    agreed = session.parsed(messages.agree_reply, body)
                    if agreed:
                        return agreed
                except NodeGoneError as e:
                    why = str(e)
                except LaneError as e:
                    why = str(e)
                    if not e.retryable:
                        raise PlanError(f"{key} cannot be agreed on: {e}") from None
            if time.monotonic() >= until:
                raise PlanError(
                    f"rank {self._rank} has not got {key} from the cache nodes within"
                    f" {self._timeout:g} s: {why}. No rank plans on its own: start all ranks of the"
                    " job, or pass ownership="
                )
            time.sleep(_ASK_AGAIN_SECONDS)
