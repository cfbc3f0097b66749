"""A planted run: every due frame with its fate, what processes reported, and the messages that a collector hears."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from swarm.core.policy.faults import Fault
from swarm.core.policy.plan import Plan
from swarm.core.ports import Received
from swarm.core.protocol import messages as msg
from swarm.core.protocol.scene import SHARE, Measure, Mission
from swarm.core.protocol.spans import Frame, LegRun, RequestId, Span
from swarm.core.settings.boards import Board
from swarm.core.settings.launch_file import FleetSpec, LaunchFile, StreamOn
from swarm.telemetry.collector import Collector, Detail
from swarm.telemetry.file_types import SeriesRecord

MS = 1_000_000
COMMANDED_NS = 7_000 * MS
START_NS = COMMANDED_NS + 3_000 * MS     # the streams begin
WAY_MS = 2                               # from the camera to the robot
BOARD = Board(speed={"fp32": 0.2, "int8": 0.2}, memory_mb=4096, power_w=10, source="planted")
MISSION = Mission(headline="found", measures=[
    Measure(name="found", value=3.0, text="targets"), Measure(name="ground", value=0.75, unit=SHARE, text="floor")])


@dataclass(kw_only=True)
class Planted:
    """One due frame and its fate. Times are milliseconds; `due_ms` since the streams began."""

    robot: str
    stream: StreamOn
    number: int
    due_ms: int
    latency_ms: int                  # from due to its ending
    ending: str = "completed"        # completed, late, failed, lost (never ends) or missed (never submitted)
    reason: str = ""                 # why it failed, or what missed it: world or agent
    boot: int = 1
    peer: str = ""                   # the peer that was asked
    from_peer: bool = False          # whose result counted
    legs: Sequence[str] = ()         # agents of a chain
    guarded: bool = False
    fired: bool = False
    batch: int = 1
    preempted: int = 0
    aside_ms: int = 0

    @property
    def result_due_ms(self) -> int:
        return self.due_ms + round(self.stream.deadline_s * 1e3)


@dataclass(kw_only=True)
class Gone:
    """The end of one start of a robot's process."""

    robot: str
    at_ms: int
    boot: int = 1
    planned: bool = True             # by a fault, not by itself


@dataclass(kw_only=True)
class PlantedFault:
    """A fault, with the verdict that is right and the time in which the share was lower: by when results fell due."""

    fault: Fault
    begin_ms: int | None
    end_ms: int | None = None
    verdict: str | None = None
    low_ms: tuple[int, int] | None = None
    together: int = 1


@dataclass(kw_only=True)
class Scene:
    """One planted run."""

    name: str
    launch: LaunchFile
    frames: list[Planted]
    gone: list[Gone] = field(default_factory=list)
    faults: list[PlantedFault] = field(default_factory=list)
    lost_peers: list[tuple[int, str, str]] = field(default_factory=list)      # ms, agent, peer
    again: list[tuple[Planted, str]] = field(default_factory=list)            # messages that come again, or too late
    reports: dict[str, list[tuple[int, msg.AgentNews]]] = field(default_factory=dict)     # boot and report, by robot
    plans: list[msg.PlannerNews] = field(default_factory=list)
    world: msg.WorldNews | None = None

    @property
    def robots(self) -> dict[str, FleetSpec]:
        return {robot: fleet for fleet in self.launch.fleet for robot in fleet.robots()}


def base(name: str, duration_s: float = 30.0, **launch: Any) -> Scene:
    """Two carriers and four rovers whose frames all complete at home, after 40 to 99 ms."""
    settings: dict[str, Any] = {
        "version": 1, "scenario": "search_rescue", "seed": 5, "duration_s": duration_s, "policy": "local",
        "fleet": [FleetSpec(name="rover", count=4, board="weak"), FleetSpec(name="carrier", count=2, board="weak")],
        "streams": [StreamOn(name="detect", on=["rover", "carrier"], model="detector", rate_hz=5, deadline_s=0.15),
                    StreamOn(name="segment", on=["rover"], model="segmenter", rate_hz=1, deadline_s=0.6)],
        "boards": {"weak": BOARD}, **launch}
    of = LaunchFile(**settings)
    frames = []
    for i, (robot, owner) in enumerate((robot, fleet.name) for fleet in of.fleet for robot in fleet.robots()):
        for k, stream in enumerate(stream for stream in of.streams if owner in stream.on):
            period_ms = round(1000 / stream.rate_hz)
            for number in range(round(duration_s * stream.rate_hz)):
                frames.append(Planted(
                    robot=robot, stream=stream, number=number, due_ms=number * period_ms + 7 + 31 * i + 13 * k,
                    latency_ms=40 + (7 * number + 11 * i) % 60))
    return Scene(name=name, launch=of, frames=frames)


def collect(scene: Scene) -> dict[str, Any]:
    """The `summary.json` that the product makes of a planted run."""
    faults = [planted.fault for planted in scene.faults if planted.fault.kind != "crash"]
    collector = Collector(scene.launch, Nowhere(), name="launcher", faults=faults, commanded_ns=COMMANDED_NS,
                          manifest=lambda renderer: {})
    collector.started(START_NS)
    heard = sorted(_heard(scene), key=lambda one: one[:2])
    for at_ms, _, what in heard:
        now = START_NS + at_ms * MS
        if isinstance(what, Gone):
            collector.process_lost(what.robot, what.boot, "signal 9", what.planned, now)
        elif isinstance(what, tuple):
            told = collector.fault_injected if what[1] == "begins" else collector.fault_cleared
            told(what[0], now)
        else:
            collector.handle(what(now))
    for robot in scene.robots:
        if robot not in {gone.robot for gone in scene.gone} or any(f.boot > 1 for f in scene.frames
                                                                    if f.robot == robot):
            collector.process_stopped(robot, 9)
    return collector.finish(scene.launch.duration_s, encrypted=False)


def _heard(scene: Scene) -> Iterator[tuple[int, int, Any]]:
    """When, order within that millisecond, and what the collector hears."""
    for i, frame in enumerate(scene.frames):
        if frame.ending == "missed":
            continue
        span = span_of(frame, i)
        at_ms = frame.due_ms + WAY_MS
        yield at_ms, 1, _from(frame.robot, frame.boot, submitted(frame, span))
        if frame.ending != "lost" and frame.reason != "agent_lost":
            yield frame.due_ms + frame.latency_ms, 2, _from(frame.robot, frame.boot, msg.Ended(span=span))
    ids = {id(frame): i for i, frame in enumerate(scene.frames)}
    end_ms = round(scene.launch.duration_s * 1e3)
    for frame, message in scene.again:
        span = span_of(frame, ids[id(frame)])
        body = (submitted(frame, span) if message == "submitted"
                else msg.Ended(span=msgspec.structs.replace(span, ending="completed")))
        yield end_ms, 3, _from(frame.robot, frame.boot, body)
    for gone in scene.gone:
        yield gone.at_ms, 3, gone
    for planted in scene.faults:
        if planted.begin_ms is not None and planted.fault.kind != "crash":
            yield planted.begin_ms, 0, (planted.fault, "begins")
        if planted.end_ms is not None:
            yield planted.end_ms, 0, (planted.fault, "ends")
    for at_ms, agent, peer in scene.lost_peers:
        yield at_ms, 4, _from(agent, 1, msg.Happened(what="peer_lost", detail={"peer": peer}))
    for robot, reports in scene.reports.items():
        for second, (boot, report) in enumerate(reports):
            yield 1000 * second, 4, _from(robot, boot, report)
    for second, plan in enumerate(scene.plans):
        yield 1000 * second, 4, _from("planner", 1, plan)
    if scene.world is not None:
        yield end_ms, 4, _from("world", 1, scene.world)


def _from(sender: str, boot: int, body: Any) -> Any:
    return lambda now: Received(sender, boot, body, [], None, now, now)


def submitted(frame: Planted, span: Span) -> msg.Submitted:
    """The report that its request was submitted."""
    return msg.Submitted(request=span.request, frame=Frame(frame.boot, frame.stream.name, frame.number),
                         due_s=frame.due_ms / 1e3)


def span_of(frame: Planted, sequence: int) -> Span:
    """The span of its request, on a clock that is the collector's."""
    due_ns = START_NS + frame.due_ms * MS
    return Span(
        request=RequestId(frame.robot, frame.boot, sequence), stream=frame.stream.name, model=frame.stream.model,
        priority=frame.stream.priority, captured_ns=due_ns, submitted_ns=due_ns + WAY_MS * MS,
        deadline_ns=due_ns + round(frame.stream.deadline_s * 1e9), ended_ns=due_ns + frame.latency_ms * MS,
        ran_on=(frame.legs or (frame.peer,))[-1] if frame.from_peer else frame.robot,
        offloaded_to=(frame.legs or (frame.peer,))[-1], guarded=frame.guarded, guard_fired=frame.fired,
        legs=[LegRun(agent=agent, first=k, last=k + 1) for k, agent in enumerate(frame.legs)], batch=frame.batch,
        preempted=frame.preempted, aside_s=frame.aside_ms / 1e3,
        reason=frame.reason if frame.ending == "failed" else "",
        ending=frame.ending if frame.ending in ("completed", "late", "failed") else "open")   # pyright: ignore


class Nowhere:
    """A record that keeps nothing."""

    full = False

    @property
    def unwritten(self) -> Mapping[str, int]:
        return {}

    def manifest(self, facts: Mapping[str, Any]) -> None: ...

    def event(self, at_s: float, who: str, what: str, detail: Detail | None = None) -> None: ...

    def plan(self, at_s: float, plan: Plan, boot: int = 0) -> None: ...

    def series(self, line: SeriesRecord) -> None: ...

    def pose(self, time_s: float, robots: Mapping[str, Any]) -> None: ...

    def scene(self, scene: bytes) -> None: ...

    def requests(self, rows: Sequence[Any]) -> None: ...

    def summary(self, summary: Mapping[str, Any]) -> None: ...
