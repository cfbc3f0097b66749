"""The file of each process, made from a resolved launch file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import msgspec

from swarm.core.policy import policies
from swarm.core.protocol.messages import Member
from swarm.core.settings import randomise
from swarm.core.settings.launch_file import PLANNERS, FleetSpec, LaunchFile
from swarm.core.settings.process_files import AgentFile, PlannerFile, RadioSpec, RobotSpec, WorldFile
from swarm.run.settings.resolve import Resolved

FRAME_HZ_MIN = 5.0                   # also of scans: a small lidar (RPLIDAR A1) turns 5.5 times a second
FRAME_HZ_MOST = 30.0                 # beyond it cameras would render too many frames that no stream takes


class ProcessSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A process to start: `swarm ROLE FILE`, with these settings in the file."""

    name: str
    role: str
    settings: AgentFile | PlannerFile | WorldFile

    def start(self, incarnation: int) -> ProcessSpec:
        """The same process, for its start of this number."""
        if not isinstance(self.settings, AgentFile):
            return self
        return msgspec.structs.replace(
            self, settings=msgspec.structs.replace(self.settings, incarnation=incarnation))


def process_specs(
    resolved: Resolved, swarm: str, launcher: Member, keys: str, recordings: str = ""
) -> list[ProcessSpec]:
    """In the order of `LaunchFile.processes`. keys: the key folder of the run. recordings: their folder, if wanted."""
    launch = resolved.launch
    common: dict[str, Any] = {"version": 1, "swarm": swarm, "seed": launch.seed, "keys": keys, "launcher": launcher,
                              "faults": bool(launch.faults), "reach": launch.reach_m is not None}
    team = [robot for fleet in launch.fleet for robot in fleet.robots()]
    frame_hz = frames_hz(launch)
    world = WorldFile(
        scenario=launch.scenario, map=launch.map,
        robots=[spec for fleet in launch.fleet for spec in _robots(launch, fleet, resolved.kinds[fleet.name])],
        frame_hz=frame_hz, sense_hz=frame_hz, radio=_radio(launch), gui=resolved.gui,
        surroundings=randomise.surroundings(launch.randomise, launch.seed), **common,
    )
    specs = [ProcessSpec(name="world", role="world", settings=world)]
    policy = policies.load(launch.policy)
    for fleet in launch.fleet:
        streams = [stream.spec() for stream in launch.streams if fleet.name in stream.on]
        own = {stream.model for stream in streams}
        load = sorted({stream.model for stream in launch.streams} - own) if policy.uses_peers else []
        for robot in fleet.robots():
            agent = AgentFile(
                name=robot, board_name=fleet.board, board=launch.boards[fleet.board], streams=streams,
                policy=launch.policy, behaviour=resolved.behaviour, team=team, load=load, variants=launch.variants,
                links=launch.links, record=recordings if launch.record else "", **common,
            )
            specs.append(ProcessSpec(name=robot, role="agent", settings=agent))
    airtimes = {pair: link.airtime for pair, link in launch.links.items() if link.airtime is not None}
    if policy.uses_plan:
        for name in PLANNERS[:1 + launch.planner.standby]:
            specs.append(ProcessSpec(name=name, role="planner", settings=PlannerFile(
                name=name, ray="none" if policy.places else resolved.ray, lease_s=launch.planner.lease_s,
                every_s=launch.planner.every_s, places=policy.places, airtimes=airtimes, **common)))
    return specs


def frames_hz(launch: LaunchFile) -> float:
    """Observations per second of each robot, each with a frame."""
    return camera_hz([stream.rate_hz for stream in launch.streams if stream.source != "timer"])


def camera_hz(rates_hz: Sequence[float]) -> float:
    """The rate of the cameras: the least common multiple of the streams' rates that is at least FRAME_HZ_MIN.

    If it is above FRAME_HZ_MOST, the highest rate: the other streams then have uneven periods.
    """
    exact = [Fraction(rate_hz).limit_denominator(1000) for rate_hz in rates_hz] or [Fraction(FRAME_HZ_MIN)]
    shared = math.lcm(*(rate.denominator for rate in exact))
    common = Fraction(math.lcm(*(int(rate * shared) for rate in exact)), shared)
    frame_hz = common * math.ceil(FRAME_HZ_MIN / common)
    highest_hz = max(rates_hz, default=FRAME_HZ_MIN)
    return float(frame_hz) if frame_hz <= max(FRAME_HZ_MOST, highest_hz) else max(highest_hz, FRAME_HZ_MIN)


def _radio(launch: LaunchFile) -> RadioSpec | None:
    if launch.reach_m is None:
        return None
    return RadioSpec(reach_m=launch.reach_m, base=launch.base,
                     planners=[name for name in launch.processes() if name in PLANNERS])


def _robots(launch: LaunchFile, fleet: FleetSpec, kind: str) -> list[RobotSpec]:
    return [RobotSpec(
        name=name, kind=kind, urdf=fleet.urdf, wheels=fleet.wheels, physics=fleet.physics, sensors=fleet.sensors,
        spawn=spawn, battery_wh=fleet.battery_wh, charge=fleet.charge,
        mass=randomise.mass(launch.randomise, launch.seed, name),
        noise=randomise.noise(launch.randomise, launch.seed, name)) for name, spawn in fleet.places()]
