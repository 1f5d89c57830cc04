"""All nodes are stopped by SIGTERM and started again, one by one, while a training goes on."""

from __future__ import annotations

import signal
import threading
import time
from typing import Any, Callable

import pytest
from local_node import LocalNode, of_one_grid
from same import assert_same
from sets import Images
from torch.utils.data import DataLoader

from training_day import CachedDataset

HAND_OVER_SECONDS = 20
# What the documentation asks of a grace period.
GRACE_SECONDS = HAND_OVER_SECONDS + 30
# A node's answer is 2 s, one that is missed 3 s; nothing may be missed twice.
DEADLINE_SECONDS = 6
SOON_SECONDS = 60
BATCHES_BETWEEN = 20


def until(condition: Callable[[], Any], seconds: float = SOON_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not so after {seconds} s"
        time.sleep(0.01)


class Restarts(threading.Thread):
    """Restarts the nodes; `failure` is what went wrong."""

    def __init__(self, nodes: list[LocalNode]) -> None:
        super().__init__(daemon=True)
        self.read = 0
        self.failure: BaseException | None = None
        self._nodes = nodes

    def run(self) -> None:
        try:
            for node in self._nodes:
                self._await_reads()
                assert node.terminate(GRACE_SECONDS) == 128 + signal.SIGTERM, node.log()
                node.start()
                until(lambda: all(map(self._is_ready, self._nodes)))
            self._await_reads()
        except BaseException as e:
            self.failure = e

    def _is_ready(self, node: LocalNode) -> bool:
        """All that Kubernetes waits for before it goes on to the next one."""
        status = node.status()
        return not status["notReady"] and len(status["grid"]["nodes"]) == len(self._nodes)

    def _await_reads(self) -> None:
        first = self.read
        until(lambda: self.read >= first + BATCHES_BETWEEN)


@pytest.mark.filterwarnings("ignore:.* is lost:training_day.CacheWarning")
def test_training_goes_on_with_hits(
    start_node: Callable[..., LocalNode], name: str, capsys: pytest.CaptureFixture
) -> None:
    nodes = [
        start_node(
            STOP_HAND_OVER=f"{HAND_OVER_SECONDS}s",
            DATASETS=f"{{{name}: {{backups: 1}}}}",
            **settings,
        )
        for settings in of_one_grid(2)
    ]
    raw = Images(96)
    expected = list(DataLoader(raw, batch_size=8))
    ds = CachedDataset(raw, name, address=nodes[0].address)
    loader = DataLoader(ds, 8, num_workers=2, persistent_workers=True)
    restarts = Restarts(nodes)
    waits = []

    def epoch() -> int:
        """Reads one; how many samples were loaded."""
        before = ds.stats().origin_loads
        batches = iter(loader)
        for sought in expected:
            start = time.monotonic()
            batch = next(batches)
            waits.append(time.monotonic() - start)
            assert_same(batch, sought)
            restarts.read += 1
        return ds.stats().origin_loads - before

    def in_slots() -> int:
        """How many batches of one epoch more came by shared memory."""
        before = ds.stats().slot_batches
        epoch()
        return ds.stats().slot_batches - before

    until(lambda: epoch() == 0)
    waits.clear()
    before = ds.stats()
    restarts.start()
    while restarts.is_alive():
        assert epoch() == 0
    if restarts.failure is not None:
        raise restarts.failure
    after = ds.stats()
    with capsys.disabled():
        print(
            f"\n2 nodes restarted under {len(waits)} batches,"
            f" the longest took {max(waits) * 1000:.0f} ms"
        )
    assert after.hits - before.hits == 8 * len(waits)
    assert after.origin_batches == before.origin_batches
    assert max(waits) < DEADLINE_SECONDS
    # Home has its trainers back.
    until(lambda: in_slots() == len(expected))
