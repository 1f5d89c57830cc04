"""A cache node in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from training_day.lane import messages
from training_day.lane.address import Address
from training_day.lane.connection import Connection

ROOT = Path(__file__).resolve().parents[3]
LAUNCHER = ROOT / "cache-node" / "bin" / "training-day"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def of_one_grid(count: int) -> list[dict[str, str]]:
    """Settings of so many small nodes, each a host of its own, that find each other."""
    ports = [free_port() for _ in range(count)]
    return [
        {
            "GRID_PORT": str(port),
            "GRID_HOST_ID": f"host-{port}",
            "GRID_DISCOVERY_ADDRESSES": ",".join(f"127.0.0.1:{one}" for one in ports),
            "GRID_LOCAL_ADDRESS": "127.0.0.1",
            "LANE_TCP_ENABLED": "true",
            "LANE_TCP_PORT": str(free_port()),
            "LANE_MAX_RECORD_SIZE": "1MiB",
            "MEMORY_MAX_SIZE": "64MiB",
        }
        for port in ports
    ]


def _command() -> list[str]:
    """The launcher; within a build, which has just packaged the node, the node itself."""
    if not os.environ.get("TRAINING_DAY_TESTS_OF_BUILD"):
        return [str(LAUNCHER), "serve"]
    return [
        *java(
            f"@{LAUNCHER.parent / 'ignite.jvmargs'}",
            *["-Xmx1g", "-XX:MaxDirectMemorySize=1g", "-XX:+UseG1GC", "-XX:G1HeapRegionSize=8m"],
            "-XX:TieredStopAtLevel=1",
        ),
        "io.trainingday.cli.Main",
        "serve",
    ]


def java(*options: str) -> list[str]:
    """A JVM with the node's classes."""
    home = os.environ.get("JAVA_HOME")
    target = ROOT / "cache-node" / "target"
    return [
        f"{home}/bin/java" if home else "java",
        *options,
        "-cp",
        f"{target}/cache-node.jar:{target}/lib/*",
    ]


class LocalNode:
    """Settings are given as environment variables without their prefix."""

    def __init__(self, directory: Path, **settings: str) -> None:
        self.directory = directory
        self.socket = directory / "lane.sock"
        self.address = f"unix:{self.socket}"
        self.segments = directory / "segments"
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> LocalNode:
        self.directory.mkdir(parents=True, exist_ok=True)
        # A directory of /dev/shm: segments must lie on a tmpfs.
        self.segments = Path("/dev/shm") / f"td-test-{os.getpid()}-{self.directory.name}"
        self.segments.mkdir(exist_ok=True)
        settings = {
            "LANE_SOCKET": str(self.socket),
            "LANE_SEGMENT_DIRECTORY": str(self.segments),
            "GRID_PORT": str(free_port()),
            "GRID_COMMUNICATION_PORT": str(free_port()),
            "METRICS_PORT": "0",
            "MEMORY_MAX_SIZE": "1GiB",
            "GRID_PARTITIONS": "64",
            **self._settings,
        }
        environment = {**os.environ, "TRAINING_DAY_JAVA_OPTS": "-XX:TieredStopAtLevel=1"}
        environment.update({f"TRAINING_DAY_CONFIG_{k}": v for k, v in settings.items()})
        with open(self.directory / "node.log", "ab") as log:
            self._process = subprocess.Popen(
                _command(),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=environment,
            )
        deadline = time.monotonic() + 120
        while True:
            try:
                self.status()
                return self
            except Exception as e:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"the node did not start: {e}\n{self.log()}") from None
                time.sleep(0.1)

    def log(self) -> str:
        return (self.directory / "node.log").read_text(errors="replace")[-4000:]

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def status(self) -> dict[str, Any]:
        """What STATUS says."""
        connection = Connection(Address(self.address, "test"), "", 10)
        try:
            return json.loads(messages.text_reply(connection.call(messages.STATUS, b"")))
        finally:
            connection.close()

    def settle(self) -> None:
        """Waits until the node has stored what it has taken."""
        deadline = time.monotonic() + 10
        while self.status()["fills"]["inFlightBytes"]:
            assert time.monotonic() < deadline, "fills are still under way after 10 s"
            time.sleep(0.005)

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def terminate(self, seconds: float) -> int:
        """SIGTERM; its exit code, when it has handed over and ended within that time."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(seconds)

    def stop(self) -> None:
        """Without a word: asked to stop, a node waits for its trainers to leave it."""
        if self.runs:
            self.kill()
        shutil.rmtree(self.segments, ignore_errors=True)

    def __enter__(self) -> LocalNode:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
