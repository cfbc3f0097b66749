"""A network of endpoints for each test, in plaintext or with keys."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from swarm.core.clock import ns
from swarm.net import zap
from tests.net.harness import Net
from tests.net.keyed import HANDSHAKE_MS, RELOAD_S, Swarm


@pytest.fixture
def net() -> Iterator[Net]:
    net = Net()
    yield net
    net.close()


@pytest.fixture
def swarm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[Swarm]:
    monkeypatch.setattr(zap, "RELOAD_NS", ns(RELOAD_S))
    monkeypatch.setattr(zap, "HANDSHAKE_MS", HANDSHAKE_MS)
    caplog.set_level(logging.WARNING)
    swarm = Swarm(tmp_path)
    yield swarm
    swarm.close()
