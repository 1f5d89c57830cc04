"""Who owned what when an epoch began, as `contract/plan.md` has it."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np

from training_day.lane.messages import Owners

__all__ = ["Ownership", "from_agreed", "to_agree"]

_MAGIC, _VERSION = 0x53504454, 1
_HEAD = struct.Struct("<IHHqII")
_FEWEST, _MOST = 32, 32_768
_MOST_HOSTS = 65_535
_MOST_HOST_BYTES = 512
COPIES = 3


@dataclass(frozen=True, eq=False)
class Ownership:
    """A snapshot of which hosts hold which partitions; equal ones give equal plans.

    hosts: ids of the hosts that hold something, ascending.
    places: `(partitions, 3)`, of each partition the places among `hosts` of those that have a copy,
        the primary's first; -1 where there is no further copy.
    topology_version: of the ownership table.

    Raises ValueError if it is no such thing.
    """

    hosts: tuple[str, ...]
    places: np.ndarray
    topology_version: int = 0

    def __post_init__(self) -> None:
        shape = self.places.shape
        if len(shape) != 2 or shape[1] != COPIES:
            raise _malformed(f"places of shape {shape}, allowed: (partitions, {COPIES})")
        partitions = shape[0]
        if not _FEWEST <= partitions <= _MOST or partitions & (partitions - 1):
            raise _malformed(
                f"partitions={partitions}, allowed: a power of two from {_FEWEST} to {_MOST}"
            )
        encoded = [one.encode() for one in self.hosts]
        if not 1 <= len(encoded) <= _MOST_HOSTS:
            raise _malformed(f"hosts={len(encoded)}, allowed: 1–{_MOST_HOSTS}")
        for one in encoded:
            if not 1 <= len(one) <= _MOST_HOST_BYTES:
                raise _malformed(f"host id of {len(one)} bytes, allowed: 1–{_MOST_HOST_BYTES}")
        if any(a >= b for a, b in zip(encoded, encoded[1:])):
            raise _malformed("hosts are not in ascending order")
        first, second, third = self.places.T
        if first.min() < 0 or self.places.min() < -1 or self.places.max() >= len(encoded):
            raise _malformed(f"a copy on none of {len(encoded)} hosts")
        if ((second < 0) & (third >= 0)).any():
            raise _malformed("a third copy without a second")
        twice = (first == second) | (first == third) | ((second == third) & (second >= 0))
        if twice.any():
            raise _malformed(f"partition {int(twice.argmax())} has a host twice")

    @property
    def partitions(self) -> int:
        """A power of two."""
        return len(self.places)

    @classmethod
    def of(cls, holders: Sequence[Sequence[str]], topology_version: int = 0) -> Ownership:
        """Of the host ids that hold each partition, its primary's first; for simulations and for
        grids of one's own. Further copies on a host do not count, nor more than three."""
        named = [list(dict.fromkeys(some))[:COPIES] for some in holders]
        hosts = sorted({host for some in named for host in some}, key=str.encode)
        place = {host: k for k, host in enumerate(hosts)}
        places = np.full((len(named), COPIES), -1, np.int32)
        for partition, some in enumerate(named):
            places[partition, : len(some)] = [place[host] for host in some]
        return cls(tuple(hosts), places, topology_version)

    @classmethod
    def from_owners(cls, owners: Owners) -> Ownership:
        """Of what a node tells."""
        ids = [one.host_id or f"?{one.name}" for one in owners.members]
        return cls.of([[ids[k] for k in some] for some in owners.holders], owners.topology_version)

    def encode(self) -> bytes:
        """The contract's bytes."""
        out = bytearray(
            _HEAD.pack(_MAGIC, _VERSION, 0, self.topology_version, self.partitions, len(self.hosts))
        )
        for host in self.hosts:
            text = host.encode()
            out += struct.pack("<I", len(text)) + text
        for some in self.places.tolist():
            held = [place for place in some if place >= 0]
            out += struct.pack(f"<B{len(held)}H", len(held), *held)
        return bytes(out)

    @classmethod
    def decode(cls, content: bytes) -> Ownership:
        """Raises ValueError for bytes that are no snapshot."""
        try:
            magic, version, zero, topology, partitions, count = _HEAD.unpack_from(content)
            if (magic, version, zero) != (_MAGIC, _VERSION, 0):
                raise _malformed(f"magic={magic:#x}, version={version}, reserved={zero}")
            if not _FEWEST <= partitions <= _MOST or not 1 <= count <= _MOST_HOSTS:
                raise _malformed(f"partitions={partitions}, hosts={count}")
            at = _HEAD.size
            hosts = []
            for _ in range(count):
                (size,) = struct.unpack_from("<I", content, at)
                text = content[at + 4 : at + 4 + size]
                if len(text) != size:
                    raise _malformed("it ends within a host id")
                hosts.append(text.decode())
                at += 4 + size
            places = np.full((partitions, COPIES), -1, np.int32)
            for partition in range(partitions):
                copies = content[at]
                if not 1 <= copies <= COPIES:
                    raise _malformed(
                        f"copies={copies} of partition {partition}, allowed: 1–{COPIES}"
                    )
                places[partition, :copies] = struct.unpack_from(f"<{copies}H", content, at + 1)
                at += 1 + 2 * copies
        except (struct.error, IndexError):
            raise _malformed(f"it ends after {len(content)} bytes") from None
        except UnicodeDecodeError:
            raise _malformed("a host id that is not UTF-8") from None
        if at != len(content):
            raise _malformed(f"{len(content) - at} bytes too many")
        return cls(tuple(hosts), places, topology)

    @property
    def digest(self) -> int:
        """Of its bytes, 64 bits."""
        return int.from_bytes(sha256(self.encode()).digest()[:8], "little")

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Ownership) and self.encode() == other.encode()

    def __hash__(self) -> int:
        return self.digest


def _malformed(why: str) -> ValueError:
    return ValueError(f"snapshot is malformed: {why}")


def to_agree(snapshot: bytes, rank_hosts: Sequence[str]) -> bytes:
    """What the first rank tells the others: a snapshot, empty if there is none, and the host of
    each rank, "" where it has none."""
    out = bytearray(struct.pack("<I", len(snapshot)) + snapshot)
    out += struct.pack("<I", len(rank_hosts))
    for host in rank_hosts:
        text = host.encode()
        out += struct.pack("<I", len(text)) + text
    return bytes(out)


def from_agreed(content: bytes, world_size: int) -> tuple[bytes, list[str]]:
    """Snapshot and hosts. Raises ValueError if they are not of so many ranks."""
    try:
        (size,) = struct.unpack_from("<I", content)
        snapshot, at = content[4 : 4 + size], 4 + size
        (ranks,) = struct.unpack_from("<I", content, at)
        at += 4
        hosts = []
        for _ in range(min(ranks, _MOST_HOSTS)):
            (size,) = struct.unpack_from("<I", content, at)
            hosts.append(content[at + 4 : at + 4 + size].decode())
            at += 4 + size
    except (struct.error, UnicodeDecodeError):
        raise _malformed(f"{len(content)} bytes of what rank 0 told") from None
    if ranks != world_size:
        raise ValueError(f"rank 0 told of world size={ranks}, but world size={world_size} is set")
    if at != len(content):
        raise _malformed(f"{len(content)} bytes of what rank 0 told, of which it has {at}")
    return snapshot, hosts
