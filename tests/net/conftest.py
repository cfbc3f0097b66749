"""A network of endpoints for each test, in plaintext or with keys."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from swarm.core.protocol.messages import Start
from swarm.core.units import ns
from swarm.net.security import zap
from swarm.transport.endpoint import Endpoint
from tests.net.harness import Net
from tests.net.keyed import HANDSHAKE_MS, RELOAD_S, Swarm
from tests.net.raw import RawPeer


@pytest.fixture
def net() -> Iterator[Net]:
    with closing(Net()) as net:
        yield net


@pytest.fixture
def b(net: Net) -> Endpoint:
    return net.endpoint("b")


@pytest.fixture
def raw(net: Net, b: Endpoint) -> Iterator[RawPeer]:
    """`b` has joined it, and hears it."""
    raw = RawPeer(b)
    b.join([raw.member])
    raw.say("urgent", Start())
    net.until(lambda: len(net.got["b"]) == 1)
    net.until(lambda: b.send("raw", Start()))
    net.until(lambda: [e.body for e in raw.heard()] == [Start()])
    net.got["b"].clear()
    yield raw
    raw.close()


@pytest.fixture
def swarm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[Swarm]:
    monkeypatch.setattr(zap, "RELOAD_NS", ns(RELOAD_S))
    monkeypatch.setattr(zap, "HANDSHAKE_MS", HANDSHAKE_MS)
    caplog.set_level(logging.WARNING)
    swarm = Swarm(tmp_path)
    yield swarm
    swarm.close()
