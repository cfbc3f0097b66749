"""The director of a run, an event at a time: no processes, no clock, no sockets."""

from __future__ import annotations

from typing import Any

import pytest

from swarm.core.policy.faults import Fault
from swarm.core.protocol import messages as msg
from swarm.core.settings.launch_file import FleetSpec, LaunchFile, StreamOn
from swarm.core.units import ns
from swarm.run import events as ev
from swarm.run.director import RESPAWN_S, SETTLE_NS, Director, Limits

STREAM = StreamOn(name="detect", on=["rover"], model="detector", rate_hz=5, deadline_s=0.5)
LAUNCH = LaunchFile(version=1, scenario="search_rescue", seed=7, duration_s=10.0, policy="planner",
                    fleet=[FleetSpec(name="rover", count=2, board="host")], streams=[STREAM])
LIMITS = Limits(ready_s=20.0, ready_per_robot_s=0.0, drain_extra_s=2.0, shutdown_s=5.0)
ROLES = {"world": "world", "planner": "planner", "rover_0": "agent", "rover_1": "agent"}
T0 = ns(1.0)                         # when the streams start


class Run:
    """A director with what a host would answer."""

    def __init__(self, *faults: Fault) -> None:
        self.open, self.words = 0, {"rover_1": "out of solder"}
        self.director = Director(LAUNCH, faults, open_requests=lambda: self.open,
                                 last_words=lambda name: self.words.get(name, ""), limits=LIMITS)
        self.begun = self.director.begin(0)

    def __call__(self, event: ev.Event, now_s: float = 1.0) -> list[ev.Command]:
        commands = self.director.handle(event, ns(now_s))
        if ev.Wake(ns(now_s) + SETTLE_NS, ev.StartDue()) in commands:
            commands += self.director.handle(ev.StartDue(), ns(now_s))       # as if no time had passed
        return commands

    def start(self, *names: str) -> list[ev.Command]:
        """These are ready, or all; what the last of them causes."""
        return [self(ready(name)) for name in names or ROLES][-1]

    def drain(self) -> Run:
        self.start("world", "rover_0", "rover_1", "planner")
        self(ev.StreamsDone(), 11.0)
        return self


def ready(name: str, boot: int = 1) -> ev.ProcessReady:
    return ev.ProcessReady(msg.Member(name=name, role=ROLES[name], urgent="u", bulk="b"), boot)


def killed(name: str) -> ev.ProcessEnded:
    return ev.ProcessEnded(name, -9, "ended by SIGKILL")


def told(commands: list[ev.Command], kind: type[msg.Message]) -> list[str]:
    """Names of those who get such a message."""
    return [c.name for c in commands if isinstance(c, ev.Tell) and isinstance(c.body, kind)]


def of(commands: list[ev.Command], kind: type[Any]) -> list[Any]:
    return [c for c in commands if isinstance(c, kind)]


def test_a_planner_that_crashes_is_started_again_after_a_while_and_at_last_left_alone() -> None:
    run = Run()
    run.start("world", "rover_0", "rover_1", "planner")
    at_s = 2.0
    for crashes, wait_s in enumerate(RESPAWN_S, 1):
        commands = run(ev.ProcessEnded("planner", 1, "ended so"), at_s)
        assert of(commands, ev.Wake) == [ev.Wake(ns(at_s + wait_s), ev.RespawnDue("planner"))]
        assert of(commands, ev.Spawn) == []
        at_s += wait_s
        assert run(ev.RespawnDue("planner"), at_s) == [
            ev.Respawned("planner", crashes), ev.Spawn("planner", incarnation=crashes + 1)]
        assert run(ev.RespawnDue("planner"), at_s) == []     # it runs
        assert told(run(ready("planner", boot=crashes + 1), at_s), msg.Start) == ["planner"]
    commands = run(ev.ProcessEnded("planner", 1, "ended so"), at_s)
    assert of(commands, ev.Wake) == []
    assert of(commands, ev.ProcessLost)


def test_neither_a_planner_that_was_killed_on_purpose_nor_one_after_the_streams_is_started_again() -> None:
    fault = Fault(at_s=1.0, kind="kill", target="planner")
    run = Run(fault)
    run.start("world", "rover_0", "rover_1", "planner")
    run(ev.FaultDue(fault), 2.0)
    assert of(run(killed("planner"), 2.0), ev.Wake) == []
    crashed = Run()
    crashed.start("world", "rover_0", "rover_1", "planner")
    assert of(crashed(ev.ProcessEnded("planner", 1, "ended so"), 10.9), ev.Wake)
    assert of(crashed(ev.StreamsDone(), 11.0), ev.StreamsEnded) == [ev.StreamsEnded()]
    assert crashed(ev.RespawnDue("planner"), 11.4) == []


def test_the_end_of_a_robot_is_recorded_and_told_to_the_world_alone() -> None:
    run = Run()
    run.start()
    commands = run(ev.ProcessEnded("rover_1", 1, "ended so"), 2.0)
    assert of(commands, ev.ProcessLost) == [ev.ProcessLost("rover_1", 1, "ended so: out of solder", False)]
    assert told(commands, msg.Gone) == ["world"]
    assert ev.Leave("rover_1") in commands


def test_without_a_world_the_run_is_cut_short_and_drains() -> None:
    run = Run()
    run.start()
    commands = run(killed("world"), 3.5)
    assert run.director.error == "cut short: 2.5 s after the start, the world ended by SIGKILL"
    assert told(commands, msg.Drain) == ["planner", "rover_0", "rover_1"]
    assert run.director.phase == "draining"


def test_the_drain_ends_when_all_agents_have_drained_and_no_request_is_open() -> None:
    run = Run().drain()
    run.open = 1
    for name in ("rover_0", "rover_1"):
        assert of(run(ev.DrainCheck(), 11.1), ev.Wake)         # it looks again
        run(ev.AgentDrained(name), 11.1)
    assert of(run(ev.DrainCheck(), 11.2), ev.Wake)
    run.open = 0
    commands = run(ev.DrainCheck(), 11.3)
    assert told(commands, msg.Shutdown) == ["world", "rover_0", "rover_1", "planner"]
    assert ev.Wake(ns(11.3) + ns(5.0), ev.ShutdownLimit()) in commands


def test_a_dead_agent_is_not_waited_for() -> None:
    run = Run().drain()
    run(ev.AgentDrained("rover_0"), 11.1)
    run(killed("rover_1"), 11.1)
    assert told(run(ev.DrainCheck(), 11.2), msg.Shutdown) == ["world", "rover_0", "planner"]


def test_the_drain_takes_no_longer_than_the_longest_deadline_and_two_seconds() -> None:
    run = Run().drain()
    run.open = 5
    assert told(run(ev.DrainCheck(), 13.5), msg.Shutdown) == []
    assert told(run(ev.DrainCheck(), 13.51), msg.Shutdown) != []


def test_the_loop_ends_with_the_last_process_or_at_the_limit() -> None:
    run = Run().drain()
    run(ev.DrainCheck(), 14.0)
    assert run(ev.ShutdownLimit(), 19.0) == [ev.Stop()]
    for name in ("world", "rover_0", "rover_1"):
        commands = run(ev.ProcessEnded(name, 0, "ended with exit code 0"), 14.1)
        assert commands == [ev.Leave(name), ev.ProcessStopped(name, 1)]
    assert run(killed("planner"), 14.2) == [ev.Leave("planner"), ev.Stop()]      # no orderly end


def test_the_first_interruption_drains_and_the_second_stops_at_once() -> None:
    run = Run()
    run.start()
    assert told(run(ev.Interrupted(), 2.0), msg.Drain) == list(ROLES)
    assert run(ev.Interrupted(), 2.1) == [ev.Stop()]
    assert Run()(ev.Interrupted()) == [ev.Stop()]              # before the start there is nothing to drain


def test_the_times_of_a_run_are_kept() -> None:
    run = Run().drain()
    run(ev.LoopEnded(), 15.0)
    director = run.director
    assert (director.start_ns, director.drain_ns, director.since_ns) == (T0, ns(11.0), ns(15.0))


def test_an_event_of_no_kind_is_a_bug() -> None:
    with pytest.raises(TypeError, match="no event of a run"):
        Run()(ev.Event())


def test_while_the_host_does_not_run_no_limit_passes() -> None:
    run = Run()
    run(ev.HeldUp(8.0), 20.0)
    assert run(ev.ReadyLimit(), 20.0) == [ev.Wake(ns(28.0), ev.ReadyLimit())]
    assert run(ev.ReadyLimit(), 28.0) == [ev.Stop()]
    draining = Run().drain()
    draining.open = 5
    draining(ev.HeldUp(8.0), 19.0)
    assert told(draining(ev.DrainCheck(), 21.5), msg.Shutdown) == []
    assert told(draining(ev.DrainCheck(), 21.51), msg.Shutdown) != []
    draining(ev.HeldUp(3.0), 26.0)
    assert draining(ev.ShutdownLimit(), 26.51) == [ev.Wake(ns(21.51) + ns(8.0), ev.ShutdownLimit())]


def test_only_a_run_that_ended_before_its_time_is_interrupted() -> None:
    done = Run().drain()
    done(ev.Interrupted(), 11.1)                             # the streams were over
    assert not done.director.interrupted
    done(ev.Interrupted(), 11.2)
    assert done.director.interrupted                         # the drain was not
    for event in (ev.Interrupted(), killed("world")):
        run = Run()
        run(event, 0.5)
        assert not run.director.interrupted                  # the streams had not begun
        run = Run()
        run.start()
        run(event, 2.0)
        assert run.director.interrupted
