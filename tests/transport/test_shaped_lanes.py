"""Lanes that delay: each message is handed on at the time that its link says, in the order of its lane."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest

from swarm.core.policy import draw
from swarm.core.policy.shaped_link import ShapedLink
from swarm.core.policy.trace import RateTrace
from swarm.core.protocol.messages import Member
from swarm.core.protocol.wire import Buffer, WireError
from swarm.core.units import ns
from swarm.transport.ports import LANES, SEND_QUEUE, LaneStatistics
from swarm.transport.shaped_lanes import ShapedLanes
from swarm.virtual.process import VirtualProcess
from swarm.virtual.timeline import Timeline


class Wire:
    """A connection that notes what it is given and when; `up`: whether it takes anything."""

    def __init__(self, process: VirtualProcess) -> None:
        self.process, self.up, self.closed = process, True, False
        self.got: list[tuple[int, str, bytes]] = []
        self.write = {lane: lambda frames, lane=lane: self._write(lane, frames) for lane in LANES}

    def is_ready(self, lane: str) -> bool:
        return self.up

    def close(self) -> None:
        self.closed = True

    def _write(self, lane: str, frames: Sequence[Buffer]) -> bool:
        if self.up:
            self.got.append((self.process.now_ns(), lane, b"".join(map(bytes, frames))))
        return self.up


class Below:
    """The lanes below, with a wire to each member."""

    addresses: Mapping[str, str] = {"urgent": "u", "bulk": "b"}
    public_key = "key"

    def __init__(self, process: VirtualProcess) -> None:
        self.process, self.wires = process, list[Wire]()

    def attach(self, received: object, refuse: object, keys_changed: object) -> None: ...

    def check(self, member: Member) -> None: ...

    def connect(self, member: Member, failed: Callable[[WireError], None]) -> Wire:
        self.wires.append(Wire(self.process))
        return self.wires[-1]

    def statistics(self) -> Mapping[str, LaneStatistics]:
        return {}

    def close(self, linger_ms: int = 0) -> None: ...


def link(loss: float = 0.3) -> ShapedLink:
    """8 Mbit/s, which is a byte each microsecond, over 20 ms."""
    return ShapedLink(RateTrace.of([(0.0, 8.0)]), delay_ns=ns(0.02), loss=loss, losses=draw.stream(1, "a", "b"))


class Desk:
    """Shaped lanes of a process `a`, with a link to `b` and none to `c`."""

    def __init__(self, loss: float = 0.0) -> None:
        self.timeline = Timeline()
        self.process = VirtualProcess(self.timeline, "a", "agent", 1, ended=lambda process: None)
        self.below = Below(self.process)
        self.lanes = ShapedLanes(
            self.below, self.process, self.process, lambda name: link(loss) if name == "b" else None)
        self.connection = self.connect("b")
        self.wire = self.below.wires[0]
        self.begin_ns = self.process.now_ns()

    def connect(self, name: str):
        member = Member(name=name, role="agent", boot=1, urgent="tcp://127.0.0.1:1", bulk="tcp://127.0.0.1:2")
        return self.lanes.connect(member, lambda error: None)

    def passes(self, for_s: float) -> None:
        until_ns = self.timeline.now_ns + ns(for_s)
        self.process.after(ns(for_s), lambda: None)
        while self.timeline.now_ns < until_ns:
            assert self.timeline.step()

    def got_s(self, lane: str) -> list[float]:
        return [(at_ns - self.begin_ns) / 1e9 for at_ns, of, _ in self.wire.got if of == lane]


def test_both_lanes_share_the_rate() -> None:
    desk = Desk()
    assert desk.connection.write["bulk"]([b"head", bytes(9_996)])
    assert desk.connection.write["urgent"]([bytes(100)])
    assert desk.connection.write["bulk"]([bytes(2000)])
    desk.passes(0.02)
    assert desk.wire.got == []
    desk.passes(0.1)
    assert desk.got_s("bulk") == pytest.approx([0.03, 0.0321])
    assert desk.got_s("urgent") == pytest.approx([0.0301])


def test_messages_are_handed_on_when_the_policy_says_and_a_lane_keeps_the_order() -> None:
    desk, twin, due = Desk(loss=0.3), link(), dict[str, list[int]](urgent=[], bulk=[])
    for number in range(60):
        lane, size = ("urgent", 50) if number % 3 else ("bulk", 4000)
        assert desk.connection.write[lane]([number.to_bytes(1, "big"), bytes(size)])
        arrives_ns = twin.arrives_ns(size + 1, desk.process.now_ns())
        due[lane].append(max([arrives_ns, *due[lane][-1:]]))
        desk.passes(0.003)
    desk.passes(2.0)
    for lane in LANES:
        assert [at_ns for at_ns, of, _ in desk.wire.got if of == lane] == due[lane]
        numbers = [content[0] for _, of, content in desk.wire.got if of == lane]
        assert numbers == sorted(numbers)
    assert len(desk.wire.got) == 60
    delays_ns = {at_ns - desk.begin_ns - ns(0.003) * content[0] for at_ns, _, content in desk.wire.got}
    assert max(delays_ns) > 2 * min(delays_ns)       # some waited for packets that were lost


@pytest.mark.parametrize("lane", LANES)
def test_a_full_queue_and_a_connection_that_is_down_take_nothing(lane: str) -> None:
    desk = Desk()
    most = SEND_QUEUE[lane]
    assert [desk.connection.write[lane]([b"x"]) for _ in range(most + 2)] == [True] * most + [False] * 2
    assert not desk.connection.is_ready(lane)
    desk.passes(0.1)
    assert len(desk.wire.got) == most
    assert desk.connection.write[lane]([b"x"])
    desk.wire.up = False
    assert not desk.connection.write[lane]([b"y"])
    desk.passes(0.1)                                 # the one that waited is dropped
    desk.wire.up = True
    assert desk.connection.write[lane]([b"z"])
    desk.passes(0.1)
    assert [content for _, _, content in desk.wire.got[most:]] == [b"z"]


def test_nothing_is_handed_on_after_the_end_and_a_new_connection_goes_on_with_the_link() -> None:
    desk = Desk()
    assert desk.connection.write["bulk"]([bytes(50_000)])
    desk.connection.close()
    assert desk.wire.closed
    again = desk.connect("b")
    assert again.write["urgent"]([b"x"])
    desk.passes(0.1)
    assert desk.wire.got == []
    (at_ns, _, _), = desk.below.wires[1].got
    assert at_ns - desk.begin_ns == pytest.approx(ns(0.050001 + 0.02), abs=2)


def test_a_member_without_a_link_has_the_connection_of_the_lanes_below() -> None:
    desk = Desk()
    assert desk.connect("c") is desk.below.wires[1]
    assert desk.lanes.addresses == desk.below.addresses
    assert desk.lanes.public_key == "key"
