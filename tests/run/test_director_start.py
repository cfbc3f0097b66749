"""The start of a run, as the director has it: who must be ready, what each is told, and what fails the run before."""

from __future__ import annotations

import pytest

from swarm.core.protocol import messages as msg
from swarm.core.units import ns
from swarm.run import events as ev
from swarm.run.director import SETTLE_NS, Director
from tests.run.test_director import LAUNCH, LIMITS, T0, Run, killed, of, ready, told


def test_all_processes_are_started_at_once_and_have_a_limit() -> None:
    assert Run().begun == [*(ev.Spawn(name) for name in ("world", "rover_0", "rover_1", "planner")),
                           ev.Wake(ns(20.0), ev.ReadyLimit())]


def test_the_streams_start_when_the_last_needed_process_is_ready_without_the_planner() -> None:
    run = Run()
    assert run.start("world", "rover_0")[1:] == []
    commands = run(ready("rover_1"))
    assert run.director.phase == "running"
    assert told(commands, msg.Roster) == told(commands, msg.Start) == ["world", "rover_0", "rover_1"]
    assert commands[-1] == ev.Wake(T0 + ns(10.0), ev.StreamsDone())
    settled = commands.index(ev.Wake(T0 + SETTLE_NS, ev.StartDue()))
    assert told(commands[:settled], msg.Start) == []         # all know each other before the streams start
    assert isinstance(commands[settled + 1], ev.StreamsStarted)


def test_one_that_is_ready_while_connections_are_made_is_told_and_the_start_is_not_put_off() -> None:
    director = Director(LAUNCH, [], open_requests=lambda: 0, limits=LIMITS)
    director.begin(0)
    for name in ("world", "rover_0", "rover_1"):
        commands = director.handle(ready(name), T0)
    assert ev.Wake(T0 + SETTLE_NS, ev.StartDue()) in commands
    late = director.handle(ready("planner"), T0 + 1)
    assert told(late, msg.Roster) == ["world", "rover_0", "rover_1", "planner"]
    assert of(late, ev.Wake) == []
    assert told(director.handle(ev.StartDue(), T0 + SETTLE_NS), msg.Start) == ["world", "rover_0", "rover_1", "planner"]


def test_a_run_that_is_ended_while_connections_are_made_does_not_start() -> None:
    director = Director(LAUNCH, [], open_requests=lambda: 0, limits=LIMITS)
    director.begin(0)
    for name in ("world", "rover_0", "rover_1"):
        director.handle(ready(name), T0)
    assert director.handle(ev.Interrupted(), T0 + 1) == [ev.Stop()]
    director.handle(ev.LoopEnded(), T0 + 2)
    assert director.handle(ev.StartDue(), T0 + SETTLE_NS) == []


def test_a_process_that_is_ready_later_gets_the_roster_and_start_and_its_body_moves_again() -> None:
    run = Run()
    run.start("world", "rover_0", "rover_1")
    commands = run(ready("planner"), 2.0)
    assert told(commands, msg.Roster) == ["world", "rover_0", "rover_1", "planner"]
    assert told(commands, msg.Start) == ["planner"]
    assert told(commands, msg.Back) == []
    run(killed("rover_0"), 3.0)
    assert run(ready("rover_0", boot=2), 4.0) == []            # not started by this run: it is not running
    assert told(Run().drain()(ready("planner", boot=2), 11.0), msg.Drain) == ["planner"]


def test_ready_said_twice_changes_nothing() -> None:
    run = Run()
    run.start()
    assert run(ready("rover_0")) == []


@pytest.mark.parametrize(("returncode", "code"), [(2, 2), (1, 1), (-9, 1)])
def test_a_needed_process_that_ends_before_the_start_fails_the_run(returncode: int, code: int) -> None:
    run = Run()
    assert of(run(ev.ProcessEnded("rover_1", returncode, "ended so")), ev.Stop) == [ev.Stop()]
    assert (run.director.error, run.director.exit_code) == (
        "rover_1, before the run began, ended so: out of solder", code)


def test_a_planner_that_ends_before_the_start_is_only_recorded() -> None:
    run = Run()
    commands = run(ev.ProcessEnded("planner", 1, "ended so"))
    assert of(commands, ev.Stop) == []
    assert of(commands, ev.ProcessLost) == [ev.ProcessLost("planner", 0, "ended so", False)]
    assert run.director.error == ""


def test_processes_that_are_not_ready_in_time_are_named() -> None:
    run = Run()
    run.start("world", "rover_0")
    assert run(ev.ReadyLimit(), 20.0) == [ev.Stop()]
    assert run.director.error == "rover_1 not ready after 20 s: out of solder"
    started = Run()
    started.start()
    assert started(ev.ReadyLimit(), 20.0) == []


def test_a_process_that_cannot_be_started_fails_the_run_only_before_the_start() -> None:
    run = Run()
    assert run(ev.SpawnFailed("rover_1", "no memory")) == [ev.Stop()]
    assert run.director.error == "rover_1 cannot be started: no memory"
    running = Run()
    running.start()
    assert running(ev.SpawnFailed("rover_1", "no memory")) == [ev.NotStarted("rover_1", "no memory")]
    assert "rover_1" not in running.director.running


def starts(commands: list[ev.Command]) -> list[float | None]:
    return [c.body.for_s for c in commands if isinstance(c, ev.Tell) and isinstance(c.body, msg.Start)]


def test_whoever_starts_is_told_how_much_longer_the_streams_run() -> None:
    run = Run()
    assert starts(run.start("world", "rover_0", "rover_1")) == [10.0] * 3
    assert starts(run(ready("planner"), 4.0)) == [7.0]
    assert starts(run(ready("rover_0", boot=2), 12.0)) == [0.0]
