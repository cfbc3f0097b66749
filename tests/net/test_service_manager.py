"""What a process tells systemd, and writes for the keeper of its board."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from swarm.core.clock import MonotonicClock
from swarm.core.units import ns
from swarm.net import service_manager
from swarm.net.loop import Loop
from swarm.net.service_manager import ServiceManager, notify, starting
from tests.patience import HANG_S


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The socket of a manager of services."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(path)
        listening.settimeout(HANG_S)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        yield listening


def test_without_a_manager_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")


def test_a_manager_that_has_gone_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    notify("READY=1")


def test_ready_comes_first_and_the_loop_feeds_the_watchdog(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "30000")
    loop = Loop(MonotonicClock())
    one = ServiceManager(loop, "rover_0", "agent")
    one.begin()
    assert manager.recv(200) == b"READY=1\nSTATUS=rover_0 serves"
    loop.after(ns(0.05), loop.stop)
    loop.run()
    assert manager.recv(200) == b"WATCHDOG=1"
    one.end()
    loop.close()


def test_the_state_is_written_whole_and_anew_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    loop, open_requests = Loop(MonotonicClock()), [3]
    one = ServiceManager(loop, "rover_0", "agent", lambda: {"open": open_requests[0]})
    one.begin()
    first = json.loads((tmp_path / "agent.json").read_text())
    assert (first["name"], first["role"], first["open"]) == ("rover_0", "agent", 3)
    open_requests[0] = 0
    one.end()
    assert json.loads((tmp_path / "agent.json").read_text())["open"] == 0
    loop.close()


def test_a_write_that_fails_is_told_once_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "later"))
    loop = Loop(MonotonicClock())
    one = ServiceManager(loop, "rover_0", "agent")
    one.begin()
    one.end()
    assert len(caplog.records) == 1
    (tmp_path / "later").mkdir()
    one.end()
    assert json.loads((tmp_path / "later" / "agent.json").read_text())["role"] == "agent"
    loop.close()


def test_a_long_start_is_extended_again_and_again(manager: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_manager, "EXTEND_S", 0.03)
    with starting("building engines", 10.0):
        for _ in range(2):
            assert manager.recv(200).startswith(b"EXTEND_TIMEOUT_USEC=30000\nSTATUS=building engines, for ")
