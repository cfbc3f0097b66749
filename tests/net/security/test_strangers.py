"""Strangers who only connect, over real sockets: they are few, cost nothing, and end nothing."""

from __future__ import annotations

import errno
import os
import socket as plain
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from swarm.core.clock import MonotonicClock, WallClock
from swarm.net.loop import Loop
from swarm.net.process import OwnProcess
from swarm.net.security import connection_limits, zap
from swarm.net.security.keyring import Keyring
from swarm.transport.endpoint import Endpoint
from tests.descriptors import no_descriptor_left
from tests.net.harness import lanes_of
from tests.net.keyed import Swarm, still_serves
from tests.patience import HANG_S

CURVE = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"CURVE".ljust(20, b"\0") + bytes(32)


@pytest.fixture
def crowd() -> Iterator[ExitStack]:
    with ExitStack() as crowd:
        yield crowd


def connect(crowd: ExitStack, to: Endpoint, source: str = "127.0.0.1") -> plain.socket:
    host, port = to.member.urgent.removeprefix("tcp://").split(":")
    return crowd.enter_context(plain.create_connection((host, int(port)), HANG_S, source_address=(source, 0)))


def opened(of: Endpoint) -> int:
    return len(lanes_of(of).by_name["urgent"]._connections._open)


def is_cut(connection: plain.socket) -> bool:
    """Whether the other side has closed it."""
    connection.setblocking(False)
    try:
        while connection.recv(4096):                         # the greeting
            pass
    except BlockingIOError:
        return False
    except ConnectionError:
        pass
    return True


def test_of_too_many_unfinished_connections_the_oldest_of_the_busiest_address_is_cut(
    swarm: Swarm, crowd: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zap, "HANDSHAKE_MS", 60_000)
    monkeypatch.setattr(connection_limits, "MOST_UNFINISHED", 8)
    a = swarm.endpoint("a")
    other = connect(crowd, a, "127.0.0.2")                   # which is older than all of the crowd
    swarm.net.until(lambda: opened(a) == 1)
    idle = [connect(crowd, a) for _ in range(20)]
    swarm.until_refused(a, "unfinished", 13)
    swarm.net.until(lambda: opened(a) == 8)
    assert [is_cut(one) for one in idle] == 13 * [True] + 7 * [False]
    assert not is_cut(other)
    still_serves(swarm, a)


def test_an_idle_connection_is_not_looked_at(swarm: Swarm, crowd: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = swarm.joined()
    connections = lanes_of(a).by_name["urgent"]._connections
    for _ in range(5):
        connect(crowd, a)
    swarm.net.until(lambda: opened(a) == 6)                  # they, and b
    connections._check()
    looked: list[int] = []
    progress = connection_limits.received_bytes
    monkeypatch.setattr(connection_limits, "received_bytes", lambda at: looked.append(at) or progress(at))
    connections._check()
    assert looked == []
    before = len(swarm.net.got["a"])
    assert b.send("a", b.member and swarm.net.got["b"][0].body)
    swarm.net.until(lambda: len(swarm.net.got["a"]) > before)
    connections._check()
    assert len(set(looked)) == 1                             # that of b alone


def test_a_handshake_without_an_end_is_cut(swarm: Swarm, crowd: ExitStack) -> None:
    a = swarm.endpoint("a")
    endless = connect(crowd, a)
    endless.sendall(CURVE + b"\x06" + struct.pack(">Q", 60_000) + bytes(50_000))
    swarm.until_refused(a, "unfinished")
    swarm.net.until(lambda: opened(a) == 0)
    still_serves(swarm, a)


def test_a_member_has_few_connections_that_say_nothing_and_few_that_speak(
    swarm: Swarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_limits, "MOST_SILENT", 3)
    monkeypatch.setattr(connection_limits, "MOST_UNFINISHED", 1)
    a = swarm.endpoint("a")
    silent: list[Any] = []
    for _ in range(5):
        silent.append(swarm.stranger(a, swarm.pair("b")))
    swarm.until_refused(a, "silent", 1)
    for socket in silent:
        socket.close(linger=0)
    for _ in range(connection_limits.MOST_OF_MEMBER + 1):
        speaker = swarm.stranger(a, swarm.pair("b"))
        before = len(swarm.net.got["a"])
        swarm.says(speaker, "b")
        swarm.net.until(lambda before=before: len(swarm.net.got["a"]) > before)
    swarm.until_refused(a, "connections", 1)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO])
@pytest.mark.parametrize("call", ["listdir", "open"])
def test_while_files_are_short_the_last_keys_stay_in_force(
    swarm: Swarm, monkeypatch: pytest.MonkeyPatch, number: int, call: str
) -> None:
    ring = Keyring(swarm.folder.path, "a")
    swarm.folder.enrol(swarm.folder.new("c").key)            # so that there is something to read

    def short(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, short)
        change = ring.reload()
        assert (ring.names(), change.names, len(change.refused)) == (["a", "b"], frozenset(), 1)
        assert ring.reload().refused == {}                   # told of once
    assert ring.reload().names == {"c"}
    assert ring.names() == ["a", "b", "c"]


def test_a_folder_that_is_gone_enrols_nobody(swarm: Swarm) -> None:
    ring = Keyring(swarm.folder.path, "a")
    (swarm.folder.path / "enrolled").rename(swarm.folder.path / "elsewhere")
    assert ring.reload().names == {"a", "b"}
    assert ring.names() == []


def test_what_must_go_on_has_descriptors_though_all_others_are_taken(swarm: Swarm) -> None:
    loop = Loop(MonotonicClock())
    machine, ring = OwnProcess(loop, WallClock(0.0)), Keyring(swarm.folder.path, "a")
    swarm.folder.revoke("b")
    with no_descriptor_left():
        with pytest.raises(OSError, match="Too many open files"):
            os.dup(0)
        assert machine.rss_bytes() > 1 << 20
        machine.health()
        assert ring.reload().names == {"b"}
    loop.close()
