"""Trainers that are other users than their node, as in pods."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from local_node import LocalNode
from training_day import structure
from training_day.attachment import Attachment
from training_day.client import COLLATED, Samples, Spec
from training_day.lane.address import Address
from training_day.lane.connection import Connection
from training_day.shared import Shared
from training_day.structure import Packing

USER, GROUP, OTHER_USER, OTHER_GROUP = 21_021, 21_022, 21_023, 21_024

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become other users")


@pytest.fixture(scope="module")
def run() -> Iterator[Path]:
    """The directory of a node with a tenant; on a tmpfs, and for all to pass through."""
    with tempfile.TemporaryDirectory(prefix="td-", dir="/dev/shm") as made:
        os.chmod(made, 0o755)
        directory = Path(made) / "run"
        with LocalNode(directory, LANE_TENANTS=f"team:{GROUP}"):
            yield directory


def becomes(user: int, group: int, act: Callable[[], str]) -> str:
    """What `act` returns in a process of that user and group."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        said = ""
        try:
            os.setgroups([group])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
            said = act()
        except BaseException as e:
            said = repr(e)
        finally:
            os.write(write, said.encode())
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


def load(index: int, together: bool) -> Packing:
    return structure.pack({"image": torch.full((3, 8), index, dtype=torch.uint8)}, together)


def test_another_user_of_the_group_reads_from_shared_memory(run: Path) -> None:
    # As where the directory is mounted elsewhere: the node's name for it is not the trainer's.
    mounted = run.parent / "mounted"
    mounted.symlink_to(run / "team")

    def train() -> str:
        cache = Samples(
            Attachment(f"unix:{mounted}/lane.sock", ""), Spec("s", pipeline="p", length=64), Shared()
        )
        for _ in range(2):
            cache.read(range(64), COLLATED, load).release()
        totals = cache.counters.totals()
        return f"{totals['hits']} hits, {totals['inline_batches']} inline"

    assert becomes(USER, GROUP, train) == "64 hits, 0 inline"


def test_a_user_without_the_group_reaches_nothing(run: Path) -> None:
    def intrude() -> str:
        for act in (os.listdir, os.stat):
            try:
                return f"{act(run / 'team' if act is os.listdir else run / 'team' / 'lane.sock')}"
            except PermissionError:
                pass
        Connection(Address(f"unix:{run}/team/lane.sock", "test"), "")
        return "connected"

    assert "Permission denied" in becomes(OTHER_USER, OTHER_GROUP, intrude)
