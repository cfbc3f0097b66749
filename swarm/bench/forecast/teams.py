"""Draws the small teams whose forecasts are held against virtual time. Deterministic."""

from __future__ import annotations

import random

from swarm.core.policy import draw
from swarm.core.settings.boards import Board
from swarm.core.settings.launch_file import FleetSpec, LaunchFile, PlannerSpec, StreamOn
from swarm.core.settings.links import LinkSpec

SCENARIO = "patrol"                  # light: streams are looked at, not a world
MODELS = ("detector", "segmenter")
ROBOTS = ("a", "b", "c")             # fleets of one robot each, so that each has streams and a board of its own
SPEEDS = (0.03, 0.5)                 # of boards: from one that a detector keeps busy to one with time to spare
RATES_HZ = (1.0, 2.0, 5.0, 10.0)
DEADLINES_S = (0.1, 0.15, 0.3, 0.6)
LINKED = 0.7                         # share of the pairs that have a narrow link


def drawn(seed: int, duration_s: float) -> LaunchFile:
    """The team of a seed: three robots with three or four streams, idle or overloaded."""
    rng = draw.stream(seed, "bench forecast")
    streams = [StreamOn(name=f"s{k}", on=[rng.choice(ROBOTS)], model=rng.choice(MODELS), rate_hz=rng.choice(RATES_HZ),
                        deadline_s=rng.choice(DEADLINES_S), priority=rng.randint(0, 2))
               for k in range(rng.randint(3, 4))]
    pairs = [f"{one}:{other}" for k, one in enumerate(ROBOTS) for other in ROBOTS[k + 1:]]
    return LaunchFile(
        version=1, scenario=SCENARIO, seed=seed, duration_s=duration_s, clock="virtual", policy="planner",
        fleet=[FleetSpec(name=name, count=1, board=f"board_{name}", physics="kinematic") for name in ROBOTS],
        boards={f"board_{name}": _board(rng) for name in ROBOTS}, streams=streams,
        links={pair: LinkSpec(rate_mbps=round(4.0 * 25.0 ** rng.random(), 1), delay_ms=round(rng.uniform(0.0, 20.0), 1),
                              loss=0.0) for pair in pairs if rng.random() < LINKED},
        planner=PlannerSpec(lease_s=5.0, every_s=1.0),
    )


def _board(rng: random.Random) -> Board:
    low, high = SPEEDS
    speed = round(low * (high / low) ** rng.random(), 3)
    return Board(speed={"fp32": speed, "int8": speed}, memory_mb=4000, power_w=10.0, source="drawn",
                 executors=rng.choice((1, 1, 2)))
