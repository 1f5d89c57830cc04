"""The doctor's screen, the commands, and the bench's report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

import training_day
from sets import Images, RandomCrop, Slow, Transformed
from training_day import node as nodes
from training_day.__main__ import main
from training_day.errors import TrainingDayError

SOURCE = Path(training_day.__file__).parents[1]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        env={**os.environ, "PYTHONPATH": str(SOURCE), **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_slow_loader_is_data_bound(capsys: pytest.CaptureFixture) -> None:
    found = training_day.doctor(DataLoader(Slow(64, 0.005), batch_size=4), step=0.001)
    said = capsys.readouterr().out
    assert found.is_data_bound and "data-bound" in said and "not data-bound" not in said
    assert 0.004 < found.load < 1 and found.wait > 0.015
    assert found.samples == 64 and found.batches == 16
    assert found.epoch_cached < found.epoch_now
    assert found.cache_bytes == pytest.approx(64 * found.record_bytes)
    assert found.record_bytes > found.sample_bytes >= 3 * 8 * 8 * 4
    assert len(said.splitlines()) < 24


def test_fast_loader_is_not_data_bound() -> None:
    found = training_day.doctor(DataLoader(Images(64), batch_size=4), step=0.5, show=False)
    assert not found.is_data_bound
    assert any("a cache would not help" in hint for hint in found.hints)


def test_step_may_be_a_function() -> None:
    loader = DataLoader(Slow(32, 0.002), batch_size=4)
    found = training_day.doctor(loader, step=lambda batch: time.sleep(0.003), show=False)
    assert found.step is not None and 0.002 < found.step < 1
    assert found.is_data_bound


def test_random_steps_are_named_and_generators_left_alone() -> None:
    state = torch.get_rng_state()
    loader = DataLoader(Transformed(RandomCrop()), batch_size=4, shuffle=True)
    found = training_day.doctor(loader, show=False)
    assert "loading a sample draws from torch and random and numpy" in found.random
    assert any("augment=fn" in hint for hint in found.hints)
    assert torch.equal(state, torch.get_rng_state())


class Bytes(Images):
    def __getitem__(self, index: int) -> Any:
        return torch.arange(3072).reshape(3, 32, 32) % 256 / 255.0, index


def test_floats_made_of_bytes_are_noticed() -> None:
    found = training_day.doctor(DataLoader(Bytes(8), batch_size=4), show=False)
    assert any("store uint8 before ToTensor: 4 × smaller" in hint for hint in found.hints)


def test_time_is_bounded() -> None:
    started = time.monotonic()
    training_day.doctor(DataLoader(Slow(500, 0.05), batch_size=8), seconds=1, show=False)
    assert time.monotonic() - started < 20  # Of 25.


def make_loader() -> DataLoader:
    return DataLoader(Images(8), batch_size=4)


def test_doctor_is_a_command(capsys: pytest.CaptureFixture) -> None:
    here = str(Path(__file__).parent)
    done = run("training_day", "doctor", "test_doctor:make_loader", PYTHONPATH=f"{SOURCE}:{here}")
    assert done.returncode == 0 and "8 samples, 2 batches" in done.stdout, done.stderr
    assert main(["doctor"]) == 0
    assert "training_day.doctor(loader)" in capsys.readouterr().out
    assert main(["doctor", "nowhere:f"]) == 1
    assert "training_day: 'nowhere:f'" in capsys.readouterr().err


def test_serve_starts_the_launcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    launcher = tmp_path / "cache-node" / "bin" / "training-day"
    launcher.parent.mkdir(parents=True)
    launcher.write_text('#!/bin/sh\necho "started with $*"\n')
    launcher.chmod(0o755)
    done = run("training_day", "serve", "--config", "a.yaml", TRAINING_DAY_HOME=str(tmp_path))
    assert done.stdout == "started with serve --config a.yaml\n"
    monkeypatch.setenv("TRAINING_DAY_HOME", str(tmp_path / "empty"))
    with pytest.raises(TrainingDayError, match="set TRAINING_DAY_HOME to a checkout"):
        nodes.launcher()


def test_checkout_finds_its_own_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRAINING_DAY_HOME", raising=False)
    assert nodes.launcher().name == "training-day"


def test_bench_writes_its_report(
    node: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training_day import bench

    class Given:
        address = node.address

        def __init__(self, **_: str) -> None:
            pass

        def __enter__(self) -> Given:
            return self

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(bench, "OwnNode", Given)
    report = tmp_path / "report.json"
    options = ["--rounds", "1", "--slice", "0.01", "--samples", "128", "--no-epochs", "--report"]
    assert bench.main([*options, str(report)]) == 0
    written = json.loads(report.read_text())
    paths = {row["path"] for row in written["rows"]}
    assert {"memcpy", "lane-collated", "getitems", "loader-default", "loader-collate"} <= paths
    assert {"batch-loader", "dict-stack", "memmap", "pt-files"} <= paths
    assert {"lmdb", "h5py", "stocaching", "redis-mget"} <= paths | {
        one["path"] for one in written["skipped"]
    }
    for row in written["rows"]:
        assert row["output"] in ("fresh", "reused", "views")
        assert row["shapes"] in ("equal", "mixed")
        assert row["bytesPerSecond"] > 0 and row["batches"] > 0
