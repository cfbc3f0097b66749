"""Robots that join and leave by the launch file, an event of the director at a time."""

from __future__ import annotations

import msgspec

from swarm.core.policy.faults import Fault
from swarm.core.protocol import messages as msg
from swarm.core.settings.launch_file import FleetSpec
from swarm.core.units import ns
from swarm.run import events as ev
from swarm.run.director import Director
from tests.run.test_director import LAUNCH, LIMITS, T0, Run, of, told

VISITOR = FleetSpec(name="mule", count=1, board="host", joins_at_s=3.0, leaves_at_s=6.0)
VISITED = msgspec.structs.replace(LAUNCH, fleet=[*LAUNCH.fleet, VISITOR])
READY = ev.ProcessReady(msg.Member(name="mule_0", role="agent", urgent="u", bulk="b"), 1)
THERE = "world", "rover_0", "rover_1", "planner"


def run_with(*faults: Fault) -> Run:
    run = Run()
    run.director = Director(VISITED, faults, open_requests=lambda: run.open, limits=LIMITS)
    run.begun = run.director.begin(0)
    return run


def joined(*faults: Fault) -> Run:
    run = run_with(*faults)
    run.start(*THERE)
    run(ev.JoinDue("mule_0"), 4.0)
    run(READY, 4.5)
    return run


def ended(returncode: int) -> ev.ProcessEnded:
    return ev.ProcessEnded("mule_0", returncode, "ended")


def test_the_run_begins_without_it_and_its_body_is_switched_off() -> None:
    run = run_with()
    assert "mule_0" not in [c.name for c in of(run.begun, ev.Spawn)]
    begun = run.start("world", "rover_0", "rover_1")
    gone = next(k for k, c in enumerate(begun) if isinstance(c, ev.Tell) and c.body == msg.Gone(name="mule_0", boot=0))
    start = next(k for k, c in enumerate(begun) if isinstance(c, ev.Tell) and isinstance(c.body, msg.Start))
    assert gone < start                              # before its first observation is due
    assert ev.Wake(T0 + ns(3.0), ev.JoinDue("mule_0")) in begun
    assert ev.Wake(T0 + ns(6.0), ev.LeaveDue("mule_0")) in begun


def test_it_joins_as_a_process_that_comes_back() -> None:
    run = run_with()
    run.start(*THERE)
    assert run(ev.JoinDue("mule_0"), 4.0) == [ev.Spawn("mule_0")]
    came = run(READY, 4.5)
    assert ev.RobotJoined("mule_0") in came
    assert told(came, msg.Back) == ["world"]
    assert next(c.body for c in came if isinstance(c, ev.Tell) and isinstance(c.body, msg.Start)) == msg.Start(
        since_s=3.5, for_s=6.5)
    assert "mule_0" in told(came, msg.Roster)


def test_it_ends_its_requests_and_leaves_and_nothing_is_lost() -> None:
    run = joined()
    leaves = run(ev.LeaveDue("mule_0"), 7.0)
    assert told(leaves, msg.Drain) == ["mule_0"]
    assert told(leaves, msg.Gone) == ["world"]
    assert ev.Wake(ns(7.0) + ns(0.5 + 2.0), ev.LeaveLimit("mule_0")) in leaves      # deadline, and drain_extra_s
    assert told(run(ev.AgentDrained("mule_0"), 7.1), msg.Shutdown) == ["mule_0"]
    left = run(ended(0), 7.2)
    assert ev.RobotLeft("mule_0", 1) in left
    assert of(left, ev.ProcessLost) == []
    assert run(ev.LeaveLimit("mule_0"), 9.5) == []
    assert run(ev.JoinDue("mule_0"), 20.0) != []     # it is not said twice by a launch


def test_one_that_does_not_end_its_requests_is_killed() -> None:
    run = joined()
    run(ev.LeaveDue("mule_0"), 7.0)
    assert run(ev.LeaveLimit("mule_0"), 9.5) == [ev.Kill("mule_0")]
    assert ev.RobotLeft("mule_0", 1) in run(ended(-9), 9.6)


def test_one_that_is_not_ready_when_it_is_to_leave_is_killed() -> None:
    run = run_with()
    run.start(*THERE)
    run(ev.JoinDue("mule_0"), 4.0)
    assert ev.Kill("mule_0") in run(ev.LeaveDue("mule_0"), 7.0)
    assert ev.RobotLeft("mule_0", 0) in run(ended(-9), 7.1)


def test_one_that_crashes_is_a_loss_also_while_it_leaves() -> None:
    run = joined()
    assert [lost.planned for lost in of(run(ended(1), 5.0), ev.ProcessLost)] == [False]
    run = joined()
    run(ev.LeaveDue("mule_0"), 7.0)
    assert [lost.planned for lost in of(run(ended(1), 7.1), ev.ProcessLost)] == [False]


def test_no_fault_hits_it_while_it_is_outside_and_none_brings_it_back() -> None:
    restart = Fault(at_s=1.0, kind="restart", target="mule_0", after_s=4.0)
    run = run_with(restart)
    run.start(*THERE)
    assert run(ev.FaultDue(restart), 2.0) == []
    run = joined(restart)
    assert of(run(ev.FaultDue(restart), 5.0), ev.Kill) == [ev.Kill("mule_0")]
    run(ended(-9), 5.1)
    run(ev.LeaveDue("mule_0"), 7.0)
    assert run(ev.RestartDue(restart), 9.0) == []


def test_one_that_a_fault_has_killed_before_stays_killed() -> None:
    kill = Fault(at_s=4.0, kind="kill", target="mule_0")
    run = joined(kill)
    assert of(run(ev.FaultDue(kill), 5.0), ev.Kill) == [ev.Kill("mule_0")]
    assert [lost.planned for lost in of(run(ended(-9), 5.1), ev.ProcessLost)] == [True]
    leaves = run(ev.LeaveDue("mule_0"), 7.0)
    assert (of(leaves, ev.Kill), of(leaves, ev.RobotLeft), told(leaves, msg.Drain)) == ([], [], [])


def test_one_whose_battery_is_empty_ends_at_once_and_for_good() -> None:
    restart = Fault(at_s=1.0, kind="restart", target="rover_1", after_s=1.0)
    run = run_with(restart)
    run.start(*THERE)
    assert run(ev.BatteryEmpty("rover_1"), 3.0) == [ev.RobotEmpty("rover_1"), ev.Kill("rover_1")]
    assert run(ev.BatteryEmpty("rover_1"), 3.5) == []          # the world says so again and again
    ends = run(ev.ProcessEnded("rover_1", -9, "ended by SIGKILL"), 3.6)
    assert [(lost.name, lost.planned) for lost in of(ends, ev.ProcessLost)] == [("rover_1", True)]
    assert of(ends, ev.RobotLeft) == []
    assert run(ev.FaultDue(restart), 4.0) == []
    run = run_with(restart)
    run.start(*THERE)
    run(ev.FaultDue(restart), 2.0)
    run(ev.ProcessEnded("rover_1", -9, "ended by SIGKILL"), 2.1)
    assert run(ev.BatteryEmpty("rover_1"), 2.5) == [ev.RobotEmpty("rover_1")]       # it has no process now
    assert run(ev.RestartDue(restart), 3.1) == []              # and gets none


def test_a_battery_that_is_empty_before_or_after_its_robot_is_there_ends_nothing() -> None:
    run = run_with()
    run.start(*THERE)
    assert run(ev.BatteryEmpty("mule_0"), 2.0) == []


def test_nobody_joins_or_leaves_after_the_streams() -> None:
    run = run_with()
    run.start(*THERE)
    run(ev.StreamsDone(), 11.0)
    assert run(ev.JoinDue("mule_0"), 11.1) == []
    run = joined()
    run(ev.StreamsDone(), 11.0)
    assert run(ev.LeaveDue("mule_0"), 11.1) == []
