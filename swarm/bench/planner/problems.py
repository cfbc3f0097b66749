"""Draws planning problems: boards, models, streams and links between neighbours, idle to overloaded. Deterministic."""

from __future__ import annotations

import random
from math import hypot, pi, sqrt

from swarm.core.policy import draw
from swarm.core.policy.link import LinkQuality
from swarm.core.policy.plan import Profile, StageProfile, StreamSpec
from swarm.planner.problem import AgentInfo, Problem, StreamOf

TIGHTNESS = (0.4, 0.7, 1.0, 1.3)     # work asked for, as a share of what all executors can do
NEIGHBOURS = 12.0                    # of a robot, on average
SLOW = (0.5, 1.0, 1.0, 2.0, 2.0, 4.0)
MODELS = {"small": (10.0, 1), "middle": (40.0, 2), "large": (120.0, 4)}      # milliseconds on a board of 1.0; stages
FRAME_BYTES = 20_736
VARIANTS = (("accurate", 1.0, 0.90), ("quick", 0.7, 0.84))                   # time, accuracy


def drawn(seed: int, robots: int, stages: int) -> Problem:
    """The problem of a seed: so many robots, streams whose models have so many stages together."""
    rng = draw.stream(seed, "bench planner", robots, stages)
    names = [f"r{n}" for n in range(robots)]
    slow = {name: rng.choice(SLOW) for name in names}
    executors = {name: 2 if slow[name] == min(SLOW) else 1 for name in names}
    wanted: list[tuple[str, str, float, float, int]] = []
    drawn_stages = 0
    while drawn_stages < stages:
        wanted.append((rng.choice(names), rng.choice(list(MODELS)), rng.choice((1.0, 2.0, 5.0, 10.0)),
                       rng.choice((2.0, 4.0, 8.0)), rng.randrange(3)))
        drawn_stages += MODELS[wanted[-1][1]][1]
    work_s = sum(rate_hz * MODELS[model][0] / 1e3 for _, model, rate_hz, _, _ in wanted)
    capacity = sum(executors[name] / slow[name] for name in names)
    scale = TIGHTNESS[seed % len(TIGHTNESS)] * capacity / work_s
    streams = [StreamOf(agent=name, spec=StreamSpec(
        name=f"s{n}", model=model, rate_hz=rate_hz, priority=priority,
        deadline_s=round(min(max(patience * scale * MODELS[model][0] / 1e3, 0.05), 10.0), 4)))
        for n, (name, model, rate_hz, patience, priority) in enumerate(wanted)]
    agents = [AgentInfo(name=name, executors=executors[name], own_share=0.5,
                        profiles=tuple(_profiles(rng, slow[name] * scale))) for name in names]
    return Problem(agents=tuple(agents), streams=tuple(streams), links=_links(rng, names))


def _profiles(rng: random.Random, slow: float) -> list[Profile]:
    made: list[Profile] = []
    for model, (ms, stages) in MODELS.items():
        for variant, factor, accuracy in VARIANTS:
            p50_s = max(ms * slow * factor * rng.uniform(0.9, 1.1) / 1e3, 1e-4)
            each = [StageProfile(p50_s / stages, 1.15 * p50_s / stages, (1 + n) * FRAME_BYTES) for n in range(stages)]
            made.append(Profile(
                model=model, variant=variant, p50_s=p50_s, p95_s=1.15 * p50_s, memory_bytes=10_000_000,
                accuracy=accuracy, input_bytes=FRAME_BYTES, stages=each if stages > 1 else []))
    return made


def _links(rng: random.Random, names: list[str]) -> dict[tuple[str, str], LinkQuality]:
    """Between robots within reach of each other, slower with the distance."""
    at = {name: (rng.random(), rng.random()) for name in names}
    reach = min(sqrt(NEIGHBOURS / (pi * max(len(names), 1))), 2.0)
    cells: dict[tuple[int, int], list[str]] = {}
    for name, (x, y) in at.items():
        cells.setdefault((int(x / reach), int(y / reach)), []).append(name)
    links: dict[tuple[str, str], LinkQuality] = {}
    for name, (x, y) in at.items():
        column, row = int(x / reach), int(y / reach)
        near = [other for i in (-1, 0, 1) for j in (-1, 0, 1) for other in cells.get((column + i, row + j), ())]
        for other in near:
            far = hypot(x - at[other][0], y - at[other][1]) / reach
            if other != name and far <= 1.0:
                links[name, other] = LinkQuality(
                    rtt_s=round(0.002 + 0.01 * far, 4), bytes_per_s=round(2e7 * 10.0 ** (-1.5 * far)), samples=10)
    return links
