"""Where a node is looked for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from training_day.lane import address


def test_argument_comes_before_the_environment() -> None:
    found = address.find("unix:/a", {address.VARIABLE: "unix:/b"})
    assert (found.text, found.source) == ("unix:/a", "the address given")


def test_environment_comes_before_the_default() -> None:
    assert address.find(None, {address.VARIABLE: "tcp://h:1"}).target == ("h", 1)


def test_default_is_the_users_own_socket() -> None:
    found = address.find(None, {address.VARIABLE: ""})
    assert found.is_local and str(found.target).endswith("/lane.sock")


def test_directory_that_is_mounted_counts_while_its_node_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = tmp_path / "run" / "lane.sock"
    monkeypatch.setattr(address, "_HOST_SOCKET", str(host))
    own = f"unix:/tmp/training-day-{os.getuid()}/lane.sock"
    assert address.find(None, {}).text == own
    host.parent.mkdir()
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)  # Nobody's, who has no node.
    assert address.find(None, {}).text == f"unix:{host}"


@pytest.mark.parametrize(
    "text, why",
    [
        ("/a", "expected unix:PATH or tcp://HOST:PORT"),
        ("unix:", "the path has 0 bytes, allowed: 1–107"),
        ("unix:/" + "a" * 107, "the path has 108 bytes"),
        ("tcp://:1", "expected tcp://HOST:PORT with a port of 1–65535"),
        ("tcp://h:0", "port of 1–65535"),
        ("tcp://h:65536", "port of 1–65535"),
        ("tcp://h:x", "port of 1–65535"),
    ],
)
def test_no_address_is_refused_naming_who_said_so(text: str, why: str) -> None:
    with pytest.raises(ValueError) as refusal:
        address.find(None, {address.VARIABLE: text})
    assert f"address '{text}' (from TRAINING_DAY_ADDRESS): " in str(refusal.value)
    assert why in str(refusal.value)


def test_address_of_version_six() -> None:
    assert address.find("tcp://[::1]:9463").target == ("::1", 9463)
