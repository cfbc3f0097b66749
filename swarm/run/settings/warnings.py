"""What a launch may do, and its user should know before the start: load beyond the host, frames at unequal intervals.

The load is a rough estimate from the table below, for a warning only: measured shares of a core, on the host of
`models/artefacts` (AMD EPYC, 2.6 GHz). Emulated boards really run their models, for a part of their emulated time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from swarm.core.policy import policies
from swarm.core.settings.launch_file import FleetSpec, LaunchFile
from swarm.run.settings.process_specs import frames_hz
from swarm.run.settings.resolve import Resolved

FRAME_S = 0.0047                     # rendering one frame of 96 x 72 pixels with TinyRenderer, without shadows
OBSERVATION_S = 0.00025              # sensing and sending, without a frame
BEHAVIOUR_S = 0.0008                 # `search_rescue` on one observation
DYNAMIC = 0.01                       # cores for the physics of one dynamic robot: 0.08 for eight
KINEMATIC = 2.5e-4                   # for the motion of one kinematic robot: 0.023 for 100
AGENT = 0.025                        # loop, heartbeats and telemetry of one agent: 0.2 for eight
BASE = 0.05                          # launcher and planner
RAY = 0.16                           # idle, started by the run
FULL = 0.8                           # share of the cores beyond which single requests wait for a core too often


class Load(NamedTuple):
    """Cores that a run needs, and those that its world needs, which has one at most."""

    world: float
    all: float


def warnings_of(resolved: Resolved, run_s: Mapping[str, float], cores: int) -> list[str]:
    """A sentence for each thing that the user should know. run_s: time of one run of each model on this host."""
    overload = _overload(load_of(resolved, run_s), cores) if resolved.launch.clock == "real" else []
    return [*overload, *_unequal(resolved.launch), *_unseen(resolved.launch)]


def load_of(resolved: Resolved, run_s: Mapping[str, float]) -> Load:
    """The estimate."""
    launch = resolved.launch
    frame_hz = frames_hz(launch)
    robots = sum(fleet.count for fleet in launch.fleet)
    dynamic = sum(fleet.count for fleet in launch.fleet if fleet.physics == "dynamic")
    world = robots * (frame_hz * (FRAME_S + OBSERVATION_S)) + dynamic * DYNAMIC
    world += KINEMATIC * (robots - dynamic)
    agents = robots * (AGENT + frame_hz * BEHAVIOUR_S) + sum(_models(fleet, launch, run_s) for fleet in launch.fleet)
    ray = RAY if policies.load(launch.policy).uses_plan and resolved.ray == "local" else 0.0
    return Load(world, world + agents + BASE + ray)


def _models(fleet: FleetSpec, launch: LaunchFile, run_s: Mapping[str, float]) -> float:
    """Cores for the models of a fleet's streams. An emulated executor takes no more of a core than the board's speed.
    """
    board = launch.boards[fleet.board]
    wanted = sum(stream.rate_hz * run_s[stream.model] for stream in launch.streams if fleet.name in stream.on)
    return fleet.count * min(wanted, board.executors * board.threads * min(1.0, max(board.speed.values())))


def _overload(load: Load, cores: int) -> list[str]:
    cure = "fewer robots, lower rates or fewer frames, or a faster host"
    if load.world > FULL:
        return [f"the world will probably not keep up: it needs about {load.world:.1f} of its one core; {cure}"]
    if load.all > FULL * cores:
        return [f"this host will probably not keep up: the run needs about {load.all:.1f} of {cores} cores; {cure}"]
    return []


def _unseen(launch: LaunchFile) -> list[str]:
    """What `randomise` draws in vain."""
    given, lines = launch.randomise, list[str]()
    if (given.mass or given.friction is not None) and all(fleet.physics == "kinematic" for fleet in launch.fleet):
        lines.append("randomise: kinematic robots have neither mass nor friction; physics: dynamic feels them")
    if (given.light or given.colour or given.texture) and launch.clock == "virtual":
        lines.append("randomise: virtual time draws no pictures, so light, colour and texture change nothing")
    return lines


def _unequal(launch: LaunchFile) -> list[str]:
    frame_hz = frames_hz(launch)
    return [
        f"streams[{i}].rate_hz: {stream.rate_hz:g} Hz of a camera with {frame_hz:g} Hz gives frames at unequal "
        f"intervals; {frame_hz:g} divided by a whole number would be even"
        for i, stream in enumerate(launch.streams)
        if stream.source != "timer" and abs(frame_hz / stream.rate_hz % 1 - 0.5) < 0.499_999
    ]
