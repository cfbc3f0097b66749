"""The faults of a run, as the director injects and clears them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from swarm.core.policy.faults import Fault
from swarm.core.protocol import messages as msg
from swarm.core.units import ns
from swarm.run import events as ev
from tests.run.test_director import T0, Run, killed, of, ready, told


def fault(kind: Any, target: str = "rover_0", **fields: Any) -> Fault:
    return msgspec.structs.replace(Fault(at_s=1.0, kind=kind, target=target), **fields)


def test_faults_are_due_at_their_times_after_the_start() -> None:
    kill = fault("kill")
    assert ev.Wake(T0 + ns(1.0), ev.FaultDue(kill)) in Run(kill).start()


def test_a_kill_is_recorded_as_planned() -> None:
    kill = fault("kill")
    run = Run(kill)
    run.start()
    assert run(ev.FaultDue(kill), 2.0) == [ev.FaultInjected(kill), ev.Kill("rover_0")]
    assert of(run(killed("rover_0"), 2.1), ev.ProcessLost) == [ev.ProcessLost("rover_0", 1, "ended by SIGKILL", True)]


@pytest.mark.parametrize("kind", ["kill", "stop", "slow"])
def test_a_dead_process_gets_no_fault(kind: str) -> None:
    late = fault(kind, for_s=1.0)
    run = Run(late)
    run.start()
    run(killed("rover_0"), 1.5)
    assert run(ev.FaultDue(late), 2.0) == []


def test_a_restart_kills_then_starts_again_with_the_faults_that_last() -> None:
    clock, restart = fault("clock", by_s=-60.0), fault("restart", after_s=0.5)
    run = Run(clock, restart)
    run.start()
    run(ev.FaultDue(clock), 2.0)
    assert run(ev.FaultDue(restart), 2.0) == [ev.FaultInjected(restart), ev.Kill("rover_0")]
    assert run(ev.FaultDue(fault("kill")), 2.0) == []          # it is on its way back
    ended = run(killed("rover_0"), 2.1)
    assert ev.Wake(ns(2.1) + ns(0.5), ev.RestartDue(restart)) in ended
    assert run(ev.RestartDue(restart), 2.6) == [ev.Spawn("rover_0", -60.0, incarnation=2)]
    back = run(ready("rover_0", boot=2), 3.0)
    assert of(back, ev.FaultCleared) == [ev.FaultCleared(restart)]
    names = [type(c.body) for c in back if isinstance(c, ev.Tell) and c.name == "rover_0"]
    assert names == [msg.InjectedFaults, msg.Roster, msg.Start]     # its faults first
    start = next(c.body for c in back if isinstance(c, ev.Tell) and isinstance(c.body, msg.Start))
    assert start.since_s == pytest.approx(2.0)                      # the streams began at 1.0
    assert told(back, msg.Back) == ["world"]


def test_a_dead_process_is_restarted_at_once_and_nothing_comes_back_after_the_streams() -> None:
    restart = fault("restart", after_s=0.5)
    run = Run(restart)
    run.start()
    run(killed("rover_0"), 1.5)
    assert run(ev.FaultDue(restart), 2.0) == [ev.FaultInjected(restart), ev.Spawn("rover_0", incarnation=2)]
    late = Run(restart).drain()
    assert late(ev.RestartDue(restart), 11.5) == late(ev.FaultDue(restart), 11.5) == []


def test_a_pause_ends_with_the_last_of_two_and_with_the_streams() -> None:
    short, long = fault("stop", for_s=1.0), fault("stop", at_s=1.5, for_s=60.0)
    run = Run(short, long)
    run.start()
    assert run(ev.FaultDue(short), 2.0) == [
        ev.FaultInjected(short), ev.Pause("rover_0"), ev.Wake(ns(3.0), ev.FaultExpired(short))]
    run(ev.FaultDue(long), 2.5)
    assert run(ev.FaultExpired(short), 3.0) == [ev.FaultCleared(short)]
    assert run(ev.StreamsDone(), 11.0)[:3] == [ev.StreamsEnded(), ev.Continue("rover_0"), ev.FaultCleared(long)]
    assert run(ev.FaultExpired(long), 62.5) == []


def test_a_full_disk_is_an_order_to_the_record() -> None:
    full = fault("disk_full", "", for_s=1.0)
    run = Run(full)
    run.start()
    assert ev.DiskFull(True) in run(ev.FaultDue(full), 2.0)
    assert run(ev.FaultExpired(full), 3.0) == [ev.DiskFull(False), ev.FaultCleared(full)]
