"""The watch of messages: a start of a member that has ended, a planner that was paused."""

from __future__ import annotations

from typing import Any

import msgspec

from agents.robot import Robot
from swarm.core.ports import Received
from swarm.core.protocol import messages as msg
from swarm.core.settings.launch_file import FaultSpec
from swarm.virtual.explore.drawing import FULL, SMALL, drawn, resolved
from swarm.virtual.explore.explorer import NoRecord, explored
from swarm.virtual.explore.invariants import Watch
from swarm.virtual.run import VirtualRun


def test_a_robot_that_acts_on_a_start_that_has_ended_is_found() -> None:
    launch = resolved(drawn(1, SMALL))
    run = VirtualRun(launch, NoRecord())
    watch: Any = Watch(run, launch.launch)
    run.begin()
    while run.timeline.happened < 600:
        assert run.step()
    name, peer, *_ = (name for name, policy in run.processes.policies.items() if isinstance(policy, Robot))
    robot, host, peers_host = run.processes.policies[name], run.processes.hosts[name], run.processes.hosts[peer]
    boot, now, inner = peers_host.transport.member.boot, host.clock.now_ns(), host.transport

    def hears(boot: int) -> None:
        handler: Any = inner
        handler._handler(Received(peer, boot, msg.Heartbeat(sequence=1), [], None, now, now))

    assert isinstance(robot, Robot)
    assert robot.view.boot(peer) == boot
    watch._messages._started[peer, boot + 1] = 1000              # as if it had been started again
    hears(boot + 1)
    hears(boot)                                                  # it is stale, and nothing comes of it
    assert watch.broken is None
    view: Any = robot.view
    member = view._members[peer]
    member.boot, member.ended, member.state = boot - 1, (), "alive"        # as if it had forgotten both starts
    hears(boot)
    assert watch.broken.invariant == "an ended start is not heard"
    assert watch.broken.about == [name, peer]
    run.close()


def test_a_planner_that_was_paused_when_an_agent_was_lost_does_not_renew_a_plan_that_needs_it() -> None:
    launch = drawn(2198, FULL)
    rover, carrier = launch.fleet
    faults = [FaultSpec(at_s=6.29, stop="carrier_1", for_s=1.38), FaultSpec(at_s=7.05, stop="planner", for_s=2.55)]
    flown = explored(resolved(msgspec.structs.replace(
        launch, fleet=[msgspec.structs.replace(rover, count=1), carrier], faults=faults, duration_s=10.6,
        streams=[stream for stream in launch.streams if stream.name == "s3"])), with_story=True)
    assert flown.broken is None, flown.story
