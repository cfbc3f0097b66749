"""Draws the launch of a seed: fleet, boards, links, streams, policy and faults, at random. Deterministic."""

from __future__ import annotations

import random
from typing import Any

import msgspec

from sim_worlds.robots import KINDS
from swarm.core.policy import draw
from swarm.core.settings.boards import Board
from swarm.core.settings.launch_file import Base, FaultSpec, FleetSpec, LaunchFile, PlannerSpec, StreamOn
from swarm.core.settings.links import LinkSpec
from swarm.run.settings.checks import kind_of
from swarm.run.settings.resolve import Resolved

SCENARIO = "patrol"                  # light: the swarm is explored, not its world
MODELS = ("detector", "segmenter")
POLICIES = ("planner", "planner", "planner", "greedy", "split:2", "local")
LASTING = ("stop", "partition", "slow", "corrupt", "lose", "disk_full")
"""Faults that are cleared after a while."""


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """Least and most of what is drawn. robots: with the most likely number between."""

    robots: tuple[int, int, int]
    seconds: tuple[float, float]
    streams: tuple[int, int]
    faults: tuple[int, int]
    kinds: tuple[str, ...]           # of faults
    quiet_s: float                   # at the end, when every fault is over and every restart has happened
    longest_s: float                 # of a fault
    limited: float                   # share of launches with a radio reach


FULL = Sizes(robots=(2, 12, 5), seconds=(10.0, 30.0), streams=(1, 6), faults=(2, 8),
             kinds=(*LASTING, "kill", "restart", "clock"), quiet_s=4.0, longest_s=3.0, limited=0.2)
SMALL = Sizes(robots=(2, 4, 3), seconds=(3.0, 3.0), streams=(1, 2), faults=(1, 3),
              kinds=("stop", "partition", "slow", "corrupt", "lose", "kill", "clock"), quiet_s=1.6, longest_s=0.6,
              limited=0.0)
LINKED = 0.25                        # share of the pairs of fleets that have a link
REACH_M = (2.5, 9.0)                 # starts are 3 m apart, and robots drive within 1.5 m of theirs
START_S = 2.0                        # from a restart's new process until it is ready, at most


def drawn(seed: int, sizes: Sizes) -> LaunchFile:
    """The launch of a seed."""
    rng = draw.stream(seed, "explore")
    low, high, mode = sizes.robots
    count = round(rng.triangular(low - 0.4, high + 0.4, mode))
    strong = rng.randint(0, count // 2)
    fleets = [FleetSpec(name="rover", count=count - strong, board="weak", physics="kinematic")]
    if strong:
        fleets.append(FleetSpec(name="carrier", count=strong, board="strong", physics="kinematic"))
    seconds = round(rng.uniform(*sizes.seconds), 1)
    boards = {"weak": _board(rng, 0.02, 0.2), "strong": _board(rng, 0.2, 0.5)}
    policy = rng.choice(POLICIES)
    robots = [robot for fleet in fleets for robot in fleet.robots()]
    return LaunchFile(
        version=1, scenario=SCENARIO, seed=seed, duration_s=seconds, clock="virtual", policy=policy, fleet=fleets,
        streams=[_stream(rng, k, [fleet.name for fleet in fleets]) for k in range(rng.randint(*sizes.streams))],
        faults=sorted((_fault(rng, sizes, seconds, robots, ["planner"] if policy == "planner" else [])
                       for _ in range(rng.randint(*sizes.faults))), key=lambda fault: fault.at_s or 0.0),
        boards={fleet.board: boards[fleet.board] for fleet in fleets},
        links=_links(rng, [fleet.name for fleet in fleets]), **_reach(seed, sizes),
        planner=PlannerSpec(lease_s=round(rng.uniform(0.5, 5.0), 1), every_s=round(rng.uniform(0.2, 2.0), 1)),
    )


def _reach(seed: int, sizes: Sizes) -> dict[str, Any]:
    """The radio reach of some launches, from draws of its own; in half of them planners stand at the middle."""
    rng = draw.stream(seed, "explore", "reach")
    if rng.random() >= sizes.limited:
        return {}
    reach = {"reach_m": round(rng.uniform(*REACH_M), 1)}
    return {**reach, "base": Base(x_m=0.0, y_m=0.0)} if rng.random() < 0.5 else reach


def resolved(launch: LaunchFile) -> Resolved:
    """A drawn launch as a run takes it. Its behaviour has the scenario's name if it names none."""
    return Resolved(launch=launch, behaviour=launch.behaviour or launch.scenario, ray="none",
                    kinds={fleet.name: kind_of(fleet, KINDS) for fleet in launch.fleet})


def _board(rng: random.Random, low: float, high: float) -> Board:
    speed = round(low * (high / low) ** rng.random(), 3)
    return Board(speed={"fp32": speed, "int8": speed}, memory_mb=4000, power_w=10.0, source="drawn",
                 executors=rng.choice((1, 1, 2)), own_share=rng.choice((0.0, 0.25, 0.5)))


def _stream(rng: random.Random, number: int, fleets: list[str]) -> StreamOn:
    on = [fleet for fleet in fleets if rng.random() < 0.7] or [rng.choice(fleets)]
    return StreamOn(name=f"s{number}", on=on, model=rng.choice(MODELS), rate_hz=rng.choice((0.5, 1.0, 2.0, 5.0)),
                    deadline_s=round(rng.uniform(0.05, 1.0), 2), priority=rng.randint(0, 3))


def _links(rng: random.Random, fleets: list[str]) -> dict[str, LinkSpec]:
    """Links between some fleets, in some of the launches."""
    pairs = [f"{a}:{b}" for k, a in enumerate(fleets) for b in fleets[k:]]
    return {pair: LinkSpec(rate_mbps=round(2.0 * 50.0 ** rng.random(), 1), delay_ms=round(rng.uniform(0.0, 40.0), 1),
                           loss=rng.choice((0.0, 0.0, 0.01, 0.05)))
            for pair in pairs if rng.random() < LINKED}


def _fault(rng: random.Random, sizes: Sizes, seconds: float, robots: list[str], others: list[str]) -> FaultSpec:
    kind = rng.choice(sizes.kinds)
    restart = kind == "restart"
    over_s = seconds - sizes.quiet_s - (START_S if restart else 0.0)
    at_s = round(rng.uniform(0.1, max(0.2, over_s - 0.1)), 2)
    for_s = round(min(rng.uniform(0.05, sizes.longest_s), max(over_s - at_s, 0.05)), 2)
    target: str = rng.choice([*robots, *(others if kind in ("stop", "kill", "restart", "lose", "corrupt") else [])])
    match kind:
        case "kill":
            return FaultSpec(at_s=at_s, kill=target)
        case "restart":
            return FaultSpec(at_s=at_s, restart=target, after_s=round(min(for_s, 1.0), 2))
        case "stop":
            return FaultSpec(at_s=at_s, stop=target, for_s=for_s)
        case "slow":
            return FaultSpec(at_s=at_s, slow=target, factor=round(rng.uniform(1.5, 20.0), 1), for_s=for_s)
        case "corrupt" | "lose":
            share = round(rng.uniform(0.05, 0.6), 2)
            return (FaultSpec(at_s=at_s, corrupt=target, share=share, for_s=for_s) if kind == "corrupt"
                    else FaultSpec(at_s=at_s, lose=target, share=share, for_s=for_s))
        case "clock":
            return FaultSpec(at_s=at_s, clock=target, by_s=float(rng.choice((-3600, -10, 10, 3600))))
        case "disk_full":
            return FaultSpec(at_s=at_s, disk_full=True, for_s=for_s)
        case _:
            names = [*robots, *others]
            rng.shuffle(names)
            cut = rng.randint(1, len(names) - 1)
            return FaultSpec(at_s=at_s, partition=[sorted(names[:cut]), sorted(names[cut:])], for_s=for_s)
