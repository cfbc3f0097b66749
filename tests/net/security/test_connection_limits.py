"""Connections that fill our memory are cut, over real sockets: messages without an end, and with too many frames."""

from __future__ import annotations

import socket as plain
import struct
from contextlib import closing

import numpy as np
import pytest

from swarm.core.protocol.messages import Drain, Happened, Start
from swarm.core.protocol.wire import header
from swarm.net import lanes
from swarm.net.security.tcp import received_bytes
from swarm.transport.endpoint import Endpoint
from tests.core.peak import growth_bytes
from tests.net.harness import Net, lanes_of
from tests.net.keyed import GREETING, Swarm, greet
from tests.net.raw import RawPeer
from tests.patience import HANG_S

MIB = 1 << 20
PIECE_BYTES = 256 << 10
FRAMES = 100_000


class Endless:
    """A peer that speaks ZMTP 3.0 by itself and never ends its one message; `sent`: bytes that the kernel took."""

    def __init__(self, address: str, frame_bytes: int) -> None:
        host, _, port = address.removeprefix("tcp://").partition(":")
        self._socket = plain.create_connection((host, int(port)), timeout=HANG_S)
        ready = b"\x05READY" + _property(b"Socket-Type", b"DEALER") + _property(b"Identity", b"endless")
        self._socket.sendall(GREETING + b"\x04" + bytes([len(ready)]) + ready)
        heard = b""
        while b"READY" not in heard:                         # what comes before that would be no message
            heard += self._socket.recv(4096)
        self._socket.setblocking(False)
        self._stream = (b"\x03" + struct.pack(">Q", frame_bytes) + bytes(frame_bytes)) * -(-MIB // (frame_bytes + 9))
        self.sent, self.cut = 0, False

    def push(self) -> None:
        """A piece more; between two looks of the endpoint, whose timer is in the same loop, a hundred go at most."""
        at = self.sent % len(self._stream)
        try:
            self.sent += self._socket.send(self._stream[at:at + PIECE_BYTES])
        except BlockingIOError:
            return
        except ConnectionError:
            self.cut = True

    def close(self) -> None:
        self._socket.close()


def _property(name: bytes, value: bytes) -> bytes:
    return bytes([len(name)]) + name + struct.pack(">I", len(value)) + value


def open_on(endpoint: Endpoint, lane: str) -> dict[int, int]:
    """Bytes that came and are not accounted for, by connection."""
    connections = lanes_of(endpoint).by_name[lane]._connections
    return {descriptor: received_bytes(descriptor) - min(one.read_bytes, received_bytes(descriptor))
            for descriptor, one in connections._open.items()}


@pytest.mark.parametrize(("lane", "frame_bytes"), [("bulk", MIB), ("bulk", 100), ("urgent", 60_000)])
def test_a_message_without_an_end_is_cut_and_counted_and_frees_what_it_held(
    lane: str, frame_bytes: int
) -> None:
    grew_bytes, _ = growth_bytes(endless, lane, frame_bytes)
    assert grew_bytes < 128 * MIB


def endless(lane: str, frame_bytes: int) -> None:
    """It is cut, and others are served."""
    net = Net()
    b = net.endpoint("b")
    with closing(Endless(getattr(b.member, lane), frame_bytes)) as pushed:
        pushing = net.loop.every(1_000_000, pushed.push)
        net.until(lambda: pushed.cut)
        pushing.cancel()
    assert b.statistics().refused == {"over_buffered": 1}
    net.until(lambda: not lanes_of(b).by_name[lane]._connections._open)
    a = net.endpoint("a")
    a.join([b.member])
    net.until(lambda: a.send("b", Start(), [np.zeros(20_000, np.uint8)] if lane == "bulk" else []))
    net.until(lambda: [m.body for m in net.got["b"]] == [Start()])
    net.close()


@pytest.mark.parametrize("lane", ["urgent", "bulk"])
def test_a_message_of_too_many_frames_is_refused_once_and_holds_up_nobody(net: Net, lane: str) -> None:
    b, a = net.endpoint("b"), net.endpoint("a")
    a.join([b.member])
    net.until(lambda: a.send("b", Start()))
    net.until(lambda: len(net.got["b"]) == 1)
    before = net.loop.statistics().turns
    with closing(RawPeer(b)) as raw:
        raw.frames(lane, [header(raw.envelope(Drain())), *[b""] * FRAMES])
        raw.say(lane, Happened(what="after it"))
        net.until(lambda: b.statistics().refused == {"tensor": 1})
        assert net.loop.statistics().turns - before < FRAMES // 100      # known for what it is before all was taken
        assert a.send("b", Drain())
        net.until(lambda: {type(m.body) for m in net.got["b"]} == {Start, Drain, Happened})
    assert net.loop.statistics().turns - before > FRAMES // 100          # others had their turns
    assert b.statistics().refused == {"tensor": 1}


def talk(net: Net, a: Endpoint, b: Endpoint) -> None:
    """Much on both lanes, with nothing lost and nothing left to account for."""
    a.join([b.member])
    b.join([a.member])
    before = b.statistics().lanes
    net.until(lambda: a.send("b", Start()))
    for i in range(2000):
        if not a.send("b", Happened(what=str(i))):
            net.until(lambda i=i: a.send("b", Happened(what=str(i))))
    for _ in range(24):
        net.until(lambda: a.send("b", Drain(), [np.zeros(MIB, np.uint8)]))
    net.until(lambda: a.statistics().queues["b"].waiting == a.statistics().queues["b"].in_flight_bytes == 0)
    net.until(lambda: b.statistics().lanes["urgent"].received - before["urgent"].received >= 2001)
    assert b.statistics().lanes["bulk"].received_bytes > 24 * MIB
    for lane in ("urgent", "bulk"):
        (left,) = open_on(b, lane).values()
        assert left < 1000
    assert b.statistics().refused == {}


def test_what_honest_peers_send_is_accounted_for(net: Net) -> None:
    talk(net, net.endpoint("a"), net.endpoint("b"))


def test_what_honest_peers_send_in_cipher_is_accounted_for(swarm: Swarm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "PER_S", 1e6)                 # faster than robots send
    talk(swarm.net, swarm.endpoint("a"), swarm.endpoint("b"))


@pytest.mark.parametrize("said", [b"", GREETING[:20], GREETING], ids=["nothing", "half a greeting", "a greeting"])
def test_a_peer_that_goes_while_greeting_is_counted_and_no_error(
    net: Net, said: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    b = net.endpoint("b")
    greet(b, said, stays=False)
    net.until(lambda: b.statistics().lanes["urgent"].broken_off == 1)
    assert b.statistics().refused == {}
    assert caplog.records == []


def test_connections_that_are_gone_are_forgotten(net: Net) -> None:
    a, b = net.endpoint("a"), net.endpoint("b")
    a.join([b.member])
    net.until(lambda: a.send("b", Start()))
    net.until(lambda: len(open_on(b, "urgent")) == len(open_on(b, "bulk")) == 1)
    a.close()
    net.until(lambda: not any(lane._connections._open for lane in lanes_of(b).by_name.values()))
