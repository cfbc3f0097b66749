"""A whole run of two robots in one thread on a clock of its own: director, world, robots, planner and collector.

Nothing is stubbed but the machine: the same classes as in a launched run stand on the ports of `hosts.py`. A clock,
thread, process or socket of the machine that is touched raises. The proof that a second host can drive them.
"""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
import numpy as np
import pytest
import scipy.stats  # noqa: F401  (the figures import it when they need it, and its import reads the time)
import zmq

from agents.robot import Robot
from agents.runtime.offer import Offer
from agents.runtime.sessions import read_offer
from models.store import ARTEFACTS
from sim_worlds import scenarios
from sim_worlds.sensors.suite import CAMERA
from sim_worlds.world_interface import World
from sim_worlds.world_server import WorldServer
from swarm.core.clock import MonotonicClock
from swarm.core.policy.plan import Plan
from swarm.core.ports import Received
from swarm.core.protocol import messages as msg
from swarm.core.protocol.world import Observation
from swarm.core.settings.boards import Board
from swarm.core.settings.launch_file import FaultSpec, FleetSpec, LaunchFile, StreamOn
from swarm.core.settings.process_files import AgentFile, PlannerFile, WorldFile
from swarm.core.units import ns, seconds
from swarm.planner.planner import Planner
from swarm.run import events as ev
from swarm.run.director import Director
from swarm.run.faults import faults_of
from swarm.run.records import record
from swarm.run.roster import Outboxes
from swarm.run.settings.process_specs import ProcessSpec, process_specs
from swarm.run.settings.resolve import Resolved
from swarm.telemetry.collector import Collector
from swarm.telemetry.file_types import SeriesRecord
from tests.one_thread.hosts import SWARM, Stage, bits
from tests.one_thread.runner import FakeRunner
from tests.planner.fakes import SolverAtOnce

FRAME = np.zeros((CAMERA.height_px, CAMERA.width_px, 3), np.uint8)
SLOW = Board(speed={"fp32": 0.004, "int8": 0.004}, memory_mb=4000, power_w=10.0, source="test")
FAST = Board(speed={"fp32": 0.4, "int8": 0.4}, memory_mb=4000, power_w=10.0, source="test")
LAUNCH = LaunchFile(
    version=1, scenario="search_rescue", seed=3, duration_s=6.0, policy="planner",
    fleet=[FleetSpec(name="rover", count=1, board="slow", physics="kinematic"),
           FleetSpec(name="carrier", count=1, board="fast", physics="kinematic")],
    streams=[StreamOn(name="detect", on=["rover", "carrier"], model="detector", rate_hz=5.0, deadline_s=0.15)],
    faults=[FaultSpec(at_s=4.0, kill="carrier_0")], boards={"slow": SLOW, "fast": FAST},
)
RESOLVED = Resolved(
    launch=LAUNCH, behaviour="search_rescue", kinds={"rover": "rover", "carrier": "carrier"}, ray="none")
LONGEST_NS = ns(60.0)


class Blank:
    """A world whose cameras see black frames: it renders nothing."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world, name)

    def observe(self, robot: str, *, frame: bool) -> Observation:
        observed = self._world.observe(robot, frame=frame)
        return msgspec.structs.replace(observed, frame=FRAME) if frame else observed


class Kept:
    """A run folder in memory."""

    full = False

    def __init__(self) -> None:
        self.unwritten: dict[str, int] = {}
        self.events: list[Any] = []
        self.plans: list[Plan] = []
        self.poses: list[Any] = []
        self.scenes: list[bytes] = []
        self.lines: list[SeriesRecord] = []
        self.rows: Sequence[Any] = ()

    def manifest(self, facts: Mapping[str, Any]) -> None:
        pass

    def event(self, at_s: float, who: str, what: str, detail: Any = None) -> None:
        self.events.append((at_s, who, what, detail))

    def plan(self, at_s: float, plan: Plan, boot: int = 0) -> None:
        self.plans.append(plan)

    def pose(self, time_s: float, robots: Mapping[str, Any]) -> None:
        self.poses.append((time_s, dict(robots)))

    def scene(self, scene: bytes) -> None:
        self.scenes.append(scene)

    def series(self, line: SeriesRecord) -> None:
        self.lines.append(line)

    def requests(self, rows: Sequence[Any]) -> None:
        self.rows = list(rows)

    def summary(self, summary: Mapping[str, Any]) -> None:
        pass


class Run:
    """The host of a run: it performs what the director orders, on a stage."""

    def __init__(self, offers: Mapping[str, Offer]) -> None:
        self._offers = offers
        self.stage, self.kept, self.over = Stage(), Kept(), False
        self.stage.ended = self._ended
        host = self.stage.host("launcher", "launcher")
        host.transport.attach(self._received)
        self._outboxes = Outboxes(host.timers, host.transport)
        faults = faults_of(LAUNCH)
        self.collector = Collector(
            LAUNCH, self.kept, name="launcher", faults=faults, commanded_ns=0, manifest=lambda renderer: {})
        self.director = Director(LAUNCH, faults, open_requests=self.collector.open_requests)
        specs = process_specs(RESOLVED, SWARM, host.transport.member, "", "")
        self._specs = {spec.name: spec for spec in specs}
        self._killed: set[str] = set()

    def fly(self) -> dict[str, Any]:
        """To the end. Returns the summary."""
        self._perform(self.director.begin(0), 0)
        assert self.stage.timers.run(lambda: self.over, LONGEST_NS), self.director.phase
        self._handle(ev.LoopEnded())
        return self.collector.finish(seconds(self.director.drain_ns - self.director.start_ns), encrypted=False)

    def _handle(self, event: ev.Event) -> None:
        now = self.stage.clock.at_ns
        self._perform(self.director.handle(event, now), now)

    def _received(self, message: Received) -> None:
        match message.body:
            case msg.Ready(member=member):
                self._handle(ev.ProcessReady(member, message.boot))
            case msg.Drained():
                self._handle(ev.AgentDrained(message.sender))
            case _:
                self.collector.handle(message)

    def _ended(self, name: str) -> None:
        killed = name in self._killed
        self._handle(ev.ProcessEnded(name, -9 if killed else 0, "was killed" if killed else "ended"))

    def _perform(self, commands: Sequence[ev.Command], now: int) -> None:
        for command in commands:
            match command:
                case ev.Spawn(name=name, incarnation=incarnation):
                    self.stage.timers.after(0, partial(self._spawn, self._specs[name].start(incarnation)))
                case ev.Kill(name=name):
                    self._killed.add(name)
                    self.stage.end(name)
                case ev.Join(member=member, boot=boot):
                    self._outboxes.join(member, boot)
                case ev.Leave(name=name):
                    self._outboxes.leave(name)
                case ev.Tell(name=name, body=body):
                    self._outboxes.tell(name, body)
                case ev.Wake(at_ns=at_ns, event=event):
                    self.stage.timers.at(at_ns, partial(self._handle, event))
                case ev.Stop():
                    self.over = True
                case ev.Record():
                    record(command, self.collector, now)
                case _:
                    raise TypeError(f"{command} cannot be done on a stage")

    def _spawn(self, spec: ProcessSpec) -> None:
        host = self.stage.host(spec.name, spec.role)
        match spec.settings:
            case WorldFile() as settings:
                world = scenarios.load(settings.scenario).build(settings.robots, settings.seed, render=False)
                WorldServer(host, settings, Blank(world)).begin()            # type: ignore[arg-type]
            case PlannerFile() as settings:
                Planner(host, settings, SolverAtOnce(), None).begin()
            case AgentFile() as settings:
                offer = self._offers[settings.board_name]
                Robot(settings, host, FakeRunner(host.clock, host.timers, offer), offer, host.files).begin()


@pytest.fixture
def no_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clock, threads, processes and sockets raise."""
    def touched(*arguments: object, **named: object) -> None:
        raise AssertionError("the machine was touched")

    monkeypatch.setattr(MonotonicClock, "now_ns", touched)
    for module, names in ((time, ("time", "time_ns", "monotonic", "monotonic_ns", "sleep")),
                          (threading.Thread, ("start",)), (socket, ("socket",)), (subprocess, ("Popen",)),
                          (os, ("fork", "kill")), (zmq, ("Context",))):
        for name in names:
            monkeypatch.setattr(module, name, touched)


def test_a_run_of_two_robots_needs_no_machine_and_is_the_same_each_time(no_machine: None) -> None:
    offers = {name: read_offer(["detector"], board, ARTEFACTS) for name, board in LAUNCH.boards.items()}
    first, again = Run(offers), Run(offers)
    summary = first.fly()
    assert again.fly() == summary
    assert bits(msgspec.to_builtins(first.kept.rows)) == bits(msgspec.to_builtins(again.kept.rows))
    assert bits(first.kept.plans) == bits(again.kept.plans)
    assert (first.kept.events, first.kept.scenes) == (again.kept.events, again.kept.scenes)

    requests = summary["requests"]
    assert requests["lost"] == 0
    assert requests["due"] == 2 * 5 * 6                                      # two robots, 5 Hz, 6 s
    assert requests["missed"] == {"body": 0, "world": 0, "agent": requests["due"] - requests["submitted"]}
    assert requests["missed"]["agent"] == pytest.approx(10, abs=1)           # 2 s of the dead carrier
    assert requests["failed_by"].get("agent_lost", 0) <= 1                   # open at the carrier when it was killed
    assert summary["offload"]["share"] > 0.2                                 # the slow rover gets help while it can
    assert summary["on_time_ratio"] > 0.5
    assert requests["failed_by"] == {"expired": 11}                          # the rover alone, after the carrier's end
    assert first.kept.plans
    assert [line.at_s for line in first.kept.lines] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert again.kept.lines == first.kept.lines
    points = [point for line in first.kept.lines for point in line.streams.values()]
    assert sum(point.due for point in points) == 60                          # two robots, 5 Hz, 6 s
    assert 40 <= sum(point.ended for point in points) <= requests["submitted"]
    assert sum(point.on_time for point in points) <= requests["completed"]
    assert first.kept.lines[2].agents.keys() == {"rover_0", "carrier_0"}
    assert first.kept.lines[5].agents.keys() == {"rover_0"}                  # the carrier is dead
    assert first.kept.lines[2].streams["rover_0/detect"].predicted_ms is not None
    assert summary["forecast"].keys() == {"rover_0/detect", "carrier_0/detect"}
    assert 0.0 < summary["agents"]["carrier_0"]["busy_share"] < 1.0
    assert summary["planner"]["adopted"] == max(plan.epoch for plan in first.kept.plans)
    assert summary["faults"][0]["kind"] == "kill"
    assert summary["agents"]["carrier_0"]["status"] == "killed"
    assert summary["agents"]["rover_0"]["status"] == "ended"
    assert summary["world"]["steps"] >= 5.9 * 240
    told = [what for _, _, what, _ in first.kept.events]
    assert {"started", "world", "agent_joined", "planned", "fault", "killed", "peer_lost"} <= set(told)
    assert first.director.error == ""
