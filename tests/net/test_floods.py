"""Peers that flood or never read, over real sockets: the others are served, and memory is bounded."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from swarm.core.protocol.messages import Credit, Drain, Happened, Start
from swarm.core.protocol.wire import header
from swarm.transport.bulk.sender import QUEUE_BYTES
from swarm.transport.endpoint import Endpoint
from tests.net.harness import Net
from tests.net.raw import RawPeer

MIB = 1 << 20


def test_a_flood_from_one_peer_does_not_keep_out_another(net: Net, b: Endpoint, raw: RawPeer) -> None:
    """What another peer says is heard before much of what the flood had said earlier."""
    a = net.endpoint("a")
    a.join([b.member])
    net.until(lambda: a.send("b", Start()))
    net.until(lambda: len(net.got["b"]) == 1)
    flood, sent, before = header(raw.envelope(Credit())), 0, b.statistics().lanes["urgent"].received

    def read() -> int:
        return b.statistics().lanes["urgent"].received - before

    def go_on() -> None:
        nonlocal sent
        while sent < read() + 10_000:
            raw.frames("urgent", [flood])
            sent += 1

    go_on()
    flooding = net.loop.every(1, go_on)                      # each turn
    overtaken = 0
    for i in range(100):
        earlier = sent
        assert a.send("b", Happened(what=str(i)))
        net.until(lambda i=i: len(net.got["b"]) == i + 2)
        overtaken += read() < earlier
    flooding.cancel()
    assert overtaken > 50                                    # all, but for a sender that a busy host held up
    assert [m.body for m in net.got["b"][1:]] == [Happened(what=str(i)) for i in range(100)]


def test_a_peer_that_never_reads_costs_little_memory_and_no_other_peer(net: Net, b: Endpoint, raw: RawPeer) -> None:
    a = net.endpoint("a")
    a.join([b.member])
    b.join([a.member])
    net.until(lambda: b.send("a", Start()))
    given: list[weakref.ref[Any]] = []
    taken = most = 0
    for i in range(1024):                                    # 1 GiB
        tensor = np.full(MIB, i % 251, np.uint8)
        given.append(weakref.ref(tensor))
        taken += b.send("raw", Drain(), [tensor])
        del tensor
        most = max(most, sum(one() is not None for one in given))
        if i % 64 == 0:
            net.until(lambda: b.send("a", Happened(what="beside")))
    net.until(lambda: len(net.got["a"]) == 17)
    assert taken <= (QUEUE_BYTES >> 20) + 16
    assert 0 < most <= taken                                 # what was refused is not held
    assert b.statistics().queues["raw"].full >= 900
    assert b.statistics().unreachable >= 900
