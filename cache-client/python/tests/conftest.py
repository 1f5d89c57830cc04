"""A node of the tests' own, started once; what needs none does not start it."""

from __future__ import annotations

import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import certificates  # noqa: E402
from local_node import LocalNode, of_one_grid  # noqa: E402
from training_day import attachment  # noqa: E402

# The suite's processes must not find a node that runs on the machine.
os.environ["TRAINING_DAY_ADDRESS"] = "unix:/nonexistent/lane.sock"


@pytest.fixture(scope="session")
def directory() -> Iterator[Path]:
    """Short, as the path of a socket must be."""
    made = Path(tempfile.mkdtemp(prefix="td-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="session")
def node(directory: Path) -> Iterator[LocalNode]:
    with LocalNode(directory / "node") as started:
        yield started


@pytest.fixture(autouse=True)
def no_word_of_former_tests(directory: Path) -> Iterator[None]:
    """A test's trainers end with it: else they go on looking for nodes that are gone, and warn of
    it in the midst of other tests. Those of the node that all use stay."""
    yield
    stays = f"unix:{directory}/node/lane.sock"
    for where, one in [*attachment._attachments.items()]:
        if where.address != stays or one.session is None:
            attachment._attachments.pop(where)
            one.close()


@dataclass(frozen=True)
class Pair:
    """A grid of two nodes on hosts of their own, whose lanes over TCP speak TLS. Who kills one
    starts it again."""

    nodes: list[LocalNode]
    trust: str


@pytest.fixture
def pair(both: Pair) -> Iterator[Pair]:
    """Whole again for the next test, when one fails that has killed a node."""
    yield both
    for one in both.nodes:
        if not one.runs:
            one.start()


@pytest.fixture(scope="session")
def both(directory: Path) -> Iterator[Pair]:
    own = certificates.self_signed(directory, "pair")
    nodes = [
        LocalNode(
            directory / f"of-two-{number}",
            LANE_TLS_ENABLED="true",
            LANE_TLS_CERTIFICATE=own.certificate,
            LANE_TLS_KEY=own.key,
            LANE_TLS_TRUST=own.certificate,
            **settings,
        )
        for number, settings in enumerate(of_one_grid(2))
    ]
    with nodes[0], nodes[1]:
        yield Pair(nodes, own.certificate)


_numbers = itertools.count()


@pytest.fixture
def name() -> str:
    """A data set name that no other test uses."""
    return f"set-{os.getpid()}-{next(_numbers)}"


@pytest.fixture
def start_node(directory: Path) -> Iterator[Callable[..., LocalNode]]:
    """Starts nodes that a test may kill."""
    started: list[LocalNode] = []

    def start(**settings: str) -> LocalNode:
        one = LocalNode(directory / f"own-{next(_numbers)}", **settings)
        started.append(one)
        return one.start()

    yield start
    for one in started:
        one.stop()
