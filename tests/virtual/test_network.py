"""Lanes between virtual processes: order, delay, bounded queues, and what the dead and the paused do not get."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from swarm.core.policy.shaped_link import ShapedLink
from swarm.core.policy.trace import RateTrace
from swarm.core.protocol.messages import Member
from swarm.core.protocol.wire import WireError
from swarm.core.units import ns
from swarm.transport.ports import RECEIVE_QUEUE, SEND_QUEUE
from swarm.virtual.costs import BYTE_NS, MESSAGE_NS
from swarm.virtual.network import HANDSHAKE_TRIPS, Network, VirtualConnection, VirtualLanes
from swarm.virtual.process import VirtualProcess
from swarm.virtual.timeline import Timeline

UP_NS = HANDSHAKE_TRIPS * 2 * MESSAGE_NS


class Pair:
    """Two processes, and a connection from a to b. `got`: what b has received, and when."""

    def __init__(self, shaped: Callable[[str, str], ShapedLink | None] = lambda sender, to: None) -> None:
        self.timeline = Timeline()
        self.network = Network(self.timeline, shaped)
        self.a, self.b = (VirtualProcess(self.timeline, name, "agent", pid, ended=lambda process: None)
                          for pid, name in enumerate("ab", start=1))
        self.from_a, self.of_b = self.network.lanes(self.a), self.network.lanes(self.b)
        self.got: list[tuple[int, str, list[bytes]]] = []
        self.refused: list[str] = []
        self.of_b.attach(self._received, lambda error: self.refused.append(error.cause), lambda names: None)
        self.connection = self.connect(self.of_b)

    def connect(self, lanes: VirtualLanes) -> VirtualConnection:
        member = Member(name=lanes.process.name, role="agent", boot=1, **lanes.addresses)
        return self.from_a.connect(member, lambda error: None)

    def _received(self, name: str, frames: Any, size: int) -> None:
        if frames[0] == b"bad":
            raise WireError("header", "bad")
        self.got.append((self.timeline.now_ns, name, list(frames)))

    def wait(self, until_ns: int) -> None:
        self.timeline.at(until_ns, self.a, lambda: None)
        while self.timeline.now_ns < until_ns:
            assert self.timeline.step()


@pytest.fixture
def pair() -> Pair:
    pair = Pair()
    pair.wait(UP_NS)
    return pair


def test_nothing_is_sent_before_the_handshake() -> None:
    pair = Pair()
    assert not pair.connection.write["urgent"]([b"x"])
    pair.wait(UP_NS)
    assert pair.connection.write["urgent"]([b"x"])


def test_a_message_takes_its_time_by_its_size_and_is_counted_on_both_sides(pair: Pair) -> None:
    assert pair.connection.write["bulk"]([b"head", b"x" * 100_000])
    assert pair.connection.write["urgent"]([b"small"])
    pair.wait(UP_NS + 10 * MESSAGE_NS)
    (small_ns, sender, _), (large_ns, _, large) = pair.got
    assert sender == "a"
    assert small_ns == pytest.approx(UP_NS + MESSAGE_NS, abs=2)
    assert large_ns == pytest.approx(UP_NS + MESSAGE_NS + 100_004 * BYTE_NS, abs=1)
    assert large == [b"head", b"x" * 100_000]
    sent, received = pair.from_a.statistics()["bulk"], pair.of_b.statistics()["bulk"]
    assert (sent.sent, sent.sent_bytes) == (received.received, received.received_bytes) == (1, 100_004)


def test_a_lane_keeps_the_order(pair: Pair) -> None:
    sizes = [50_000, 10, 30_000, 1]
    assert all(pair.connection.write["bulk"]([b"x" * size]) for size in sizes)
    pair.wait(UP_NS + 10 * MESSAGE_NS)
    assert [len(frames[0]) for _, _, frames in pair.got] == sizes


@pytest.mark.parametrize("lane", ["urgent", "bulk"])
def test_a_peer_that_does_not_read_fills_its_queue_and_is_served_again_when_it_does(pair: Pair, lane: str) -> None:
    pair.b.pause()
    most = SEND_QUEUE[lane] + RECEIVE_QUEUE[lane]
    assert [pair.connection.write[lane]([b"x"]) for _ in range(most + 2)] == [True] * most + [False] * 2
    pair.wait(UP_NS + 10 * MESSAGE_NS)
    assert pair.got == []
    pair.b.resume()
    pair.wait(UP_NS + 20 * MESSAGE_NS)
    assert len(pair.got) == most
    assert pair.connection.write[lane]([b"x"])


def test_the_dead_get_nothing_and_neither_does_a_successor_at_another_address(pair: Pair) -> None:
    assert pair.connection.write["urgent"]([b"on its way"])
    pair.b.end()
    assert not pair.connection.write["urgent"]([b"x"])
    successor = VirtualProcess(pair.timeline, "b", "agent", 3, ended=lambda process: None)
    lanes = pair.network.lanes(successor)
    assert not pair.connection.write["urgent"]([b"x"])
    again = pair.connect(lanes)
    pair.wait(2 * UP_NS + 1)
    assert pair.got == []
    assert again.write["urgent"]([b"x"])


def test_a_shaped_link_delays_both_lanes_of_one_direction_and_all_later_connections() -> None:
    asked: list[tuple[str, str]] = []

    def shaped(sender: str, to: str) -> ShapedLink | None:
        asked.append((sender, to))
        return ShapedLink(RateTrace.of([(0.0, 8.0)]), delay_ns=ns(0.02)) if sender == "a" else None

    pair = Pair(shaped)
    pair.wait(UP_NS)
    successor = VirtualProcess(pair.timeline, "a", "agent", 3, ended=lambda process: None)
    pair.from_a = pair.network.lanes(successor)
    again = pair.connect(pair.of_b)
    pair.wait(2 * UP_NS)
    assert pair.connection.write["bulk"]([bytes(10_000)])
    assert pair.connection.write["urgent"]([bytes(100)])
    assert again.write["urgent"]([bytes(200)])
    pair.wait(2 * UP_NS + ns(1.0))
    arrive_s = [(at_ns - 2 * UP_NS - MESSAGE_NS) / 1e9 for at_ns, _, _ in pair.got]
    assert arrive_s == pytest.approx([0.0300035, 0.0301, 0.0303], abs=1e-6)
    assert asked == [("a", "b")]
    back = pair.of_b.connect(Member(name="a", role="agent", boot=1, **pair.from_a.addresses), lambda error: None)
    pair.from_a.attach(pair._received, lambda error: None, lambda names: None)
    pair.wait(3 * UP_NS + ns(1.0))
    assert back.write["urgent"]([b"x"])
    pair.wait(3 * UP_NS + ns(1.0) + 2 * MESSAGE_NS)
    assert pair.got[-1][1] == "b"


def test_a_link_can_be_replaced_and_a_lane_still_keeps_the_order(pair: Pair) -> None:
    pair.network.set_link("a", "b", ShapedLink(None, delay_ns=ns(0.5)))
    assert pair.connection.write["urgent"]([b"slow"])
    pair.network.set_link("a", "b", ShapedLink(None, delay_ns=ns(0.01)))
    assert pair.connection.write["urgent"]([b"fast"])
    assert pair.connection.write["bulk"]([b"faster"])
    pair.wait(UP_NS + ns(1.0))
    assert [(at_ns - UP_NS, frames) for at_ns, _, frames in pair.got] == [
        (ns(0.01), [b"faster"]), (ns(0.5), [b"slow"]), (ns(0.5) + 1, [b"fast"])]


def test_a_closed_connection_sends_nothing(pair: Pair) -> None:
    pair.connection.close()
    assert not pair.connection.write["urgent"]([b"x"])


def test_a_message_that_is_refused_is_counted_and_the_next_one_arrives(pair: Pair) -> None:
    pair.connection.write["urgent"]([b"bad"])
    pair.connection.write["urgent"]([b"good"])
    pair.wait(UP_NS + 10 * MESSAGE_NS)
    assert pair.refused == ["header"]
    assert [frames for _, _, frames in pair.got] == [[b"good"]]
