"""A node of the tests' own, started once; what needs none does not start it."""

from __future__ import annotations

import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from local_node import LocalNode  # noqa: E402

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
