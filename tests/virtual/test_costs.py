"""What the runtime itself takes passes in virtual time, too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from agents.ports import RunOrder
from agents.runtime.sessions import read_offer
from agents.scheduling.queue.margins import HANDOFF_NS
from sim_worlds import scenarios
from swarm.bench.support.rig import HOST
from swarm.core.policy.plan import Leg
from swarm.core.protocol.messages import Member
from swarm.core.protocol.spans import Frame, RequestId
from swarm.core.protocol.world import Detections
from swarm.core.settings.process_files import RobotSpec
from swarm.core.units import ns
from swarm.virtual.costs import BYTE_NS, FRAME_MS, MESSAGE_NS, WAKE_NS
from swarm.virtual.network import HANDSHAKE_TRIPS, Network
from swarm.virtual.process import VirtualProcess
from swarm.virtual.processes import _take_a_frame
from swarm.virtual.runner import VirtualRunner
from swarm.virtual.stamps import Views, stamped
from swarm.virtual.timeline import Timeline


def process(timeline: Timeline, pid: int = 1) -> VirtualProcess:
    return VirtualProcess(timeline, f"p{pid}", "agent", pid, ended=lambda process: None)


def test_what_a_process_sends_while_it_computes_leaves_after_that_and_later_messages_leave_at_once() -> None:
    timeline = Timeline()
    network, a, b = Network(timeline), process(timeline, 1), process(timeline, 2)
    lanes, of_b = network.lanes(a), network.lanes(b)
    got: list[int] = []
    of_b.attach(lambda name, frames, size: got.append(timeline.now_ns), lambda error: None, lambda names: None)
    connection = lanes.connect(Member(name="p2", role="agent", boot=1, **of_b.addresses), lambda error: None)
    up_ns = HANDSHAKE_TRIPS * 2 * MESSAGE_NS

    def send(takes_ns: int = 0) -> None:
        if takes_ns:
            a.take(takes_ns)
        assert connection.write["urgent"]([b"x"])

    timeline.at(up_ns, a, lambda: send(ns(0.02)))
    timeline.at(up_ns + ns(0.5), a, send)
    while timeline.step():
        pass
    way_ns = MESSAGE_NS + round(BYTE_NS)
    assert got == [up_ns + ns(0.02) + way_ns, up_ns + ns(0.5) + way_ns]


def test_a_frame_takes_the_world_the_time_that_was_measured_and_the_same_in_each_run_of_a_seed() -> None:
    def taken(seed: int, robot: str = "a") -> list[float]:
        timeline = Timeline()
        world = process(timeline)
        made = []
        for number in range(2000):
            _take_a_frame(world, seed, robot, number)
            made.append((world.sends_ns - timeline.now_ns) / 1e6)
        return made

    assert taken(1) == taken(1) != taken(2)
    assert taken(1) != taken(1, "b")
    assert np.quantile(taken(1), [0.1, 0.5, 0.9]) == pytest.approx([FRAME_MS[1], FRAME_MS[5], FRAME_MS[9]], rel=0.12)


def test_only_frames_take_the_world_time() -> None:
    told: list[tuple[str, int]] = []
    fleet = [RobotSpec(name="a", kind="rover", physics="kinematic")]
    with scenarios.load("search_rescue").build(fleet, 3, render=False) as world:
        seen = stamped(world, Views(), lambda robot, number: told.append((robot, number)))
        assert [seen.observe("a", frame=frame).frame is None for frame in (False, True, False)] == [True, False, True]
    assert told == [("a", 2)]


def test_a_run_lasts_as_long_as_it_is_drawn_and_its_thread_wakes_late() -> None:
    timeline = Timeline()
    agent = process(timeline)
    made = Detections([])
    runner = VirtualRunner(agent, agent, read_offer(["detector"], HOST, None), 3, lambda *_: made)
    ends: list[Any] = []
    runner.attach(lambda some: ends.extend((end, timeline.now_ns) for end in some), lambda model, variant: None)
    order = RunOrder(work=1, request=RequestId("a", 1, 1), given=np.zeros(1), frame=Frame(1, "detect", 0))
    runner.start("detector", "int8", Leg("a"), [order])
    while timeline.step():
        pass
    (end, at_ns), = ends
    assert (end.ended, end.made) == ("done", made)
    ran_ns = end.finished_ns - end.started_ns
    assert at_ns == 2 * HANDOFF_NS + ran_ns
    assert ran_ns == round(end.drawn_s * 1e9) + WAKE_NS
