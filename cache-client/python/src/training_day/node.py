"""Starting a cache node from the built jar."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from training_day.errors import LaneError, NodeGoneError, TrainingDayError
from training_day.lane.address import Address
from training_day.lane.connection import Connection

__all__ = ["OwnNode", "launcher", "serve"]

HOME_VARIABLE = "TRAINING_DAY_HOME"
_START_SECONDS = 600


def launcher() -> Path:
    """`bin/training-day`, of the checkout this package lies in or of a built one elsewhere.

    Raises TrainingDayError, saying where it was looked for.
    """
    home = os.environ.get(HOME_VARIABLE)
    if home:
        found = [Path(home, "cache-node", "bin", "training-day"), Path(home, "bin", "training-day")]
    else:
        here = Path(__file__).resolve()
        found = [
            parent / "cache-node" / "bin" / "training-day"
            for parent in here.parents
            if (parent / "cache-node").is_dir()
        ]
        on_path = shutil.which("training-day")
        found += [Path(on_path)] if on_path else []
    for one in found:
        if os.access(one, os.X_OK):
            return one
    raise TrainingDayError(
        f"no bin/training-day found: set {HOME_VARIABLE} to a checkout of training-day, in which it"
        " builds the node on first use"
    )


def serve(arguments: Sequence[str]) -> None:
    """Becomes the node; does not return."""
    path = str(launcher())
    os.execv(path, [path, "serve", *arguments])


class OwnNode:
    """A node of this process's own, ended with it. Settings are environment variables without
    their prefix TRAINING_DAY_CONFIG_."""

    def __init__(self, **settings: str) -> None:
        self._settings = settings
        self._directory: Optional[str] = None
        self._process: Optional[subprocess.Popen[bytes]] = None
        self.address = ""

    def __enter__(self) -> OwnNode:
        self._directory = tempfile.mkdtemp(prefix="training-day-")
        path = f"{self._directory}/lane.sock"
        self.address = f"unix:{path}"
        settings = {
            "LANE_SOCKET": path,
            "GRID_PORT": str(_free_port()),
            "GRID_COMMUNICATION_PORT": str(_free_port()),
            "METRICS_PORT": "0",
            "LOG_LEVEL": "warn",
            # Nobody else has its samples, or could take its trainers.
            "STOP_HAND_OVER": "0s",
            **self._settings,
        }
        environment = dict(os.environ)
        environment.update({f"TRAINING_DAY_CONFIG_{k}": v for k, v in settings.items()})
        log_path = Path(self._directory, "node.log")
        with open(log_path, "wb") as log:
            self._process = subprocess.Popen(
                [str(launcher()), "serve"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
            )
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                Connection(Address(self.address, "the node just started"), "", 5).close()
                return self
            except (NodeGoneError, LaneError):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    said = log_path.read_text(errors="replace")[-2000:]
                    self.__exit__()
                    raise TrainingDayError(f"the node did not start: {said}") from None
                time.sleep(0.1)

    def kill(self) -> None:
        """Ends it as the loss of its host would, without a word."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
