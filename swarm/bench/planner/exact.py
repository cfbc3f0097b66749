"""Small problems of which all plans are tried: how far the planner is behind the best of them."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable
from math import prod
from typing import Any

from swarm.bench.planner.problems import drawn
from swarm.planner.explanation import points
from swarm.planner.options.instance import Assignment, Instance
from swarm.planner.problem import in_order
from swarm.planner.solvers.judge import Judge
from swarm.planner.solvers.place import place

ROBOTS, STREAMS = (2, 3, 4), (3, 4)
MOST_PLANS = 6_000                   # of a problem: one with more is not taken
SCREEN, KEPT = 2, 24                 # sets of phases at the first trial of all plans; the best so many are tried again
PHASES, UNSEEN = 192, 2000
EQUAL, NEAR = 0.5, 2.0               # points on time: what a simulation of so many phases can tell; the bar


def tried(problems: int, progress: Callable[[str], None]) -> dict[str, Any]:
    """Figures over so many problems of up to 4 robots and 4 streams with cuts."""
    behind: list[float] = []
    plans = seed = 0
    while len(behind) < problems:
        seed += 1
        robots = ROBOTS[seed % len(ROBOTS)]
        problem = in_order(drawn(100_000 + seed, robots, 2 * STREAMS[seed % len(STREAMS)]))
        if not 2 <= len(problem.streams) <= max(STREAMS):
            continue
        instance = Instance(problem, every_cut=True)
        count = prod(len(options) for options in instance.options)
        if not 2 <= count <= MOST_PLANS:
            continue
        progress(f"problem {len(behind) + 1} of {problems}: {count} plans")
        plans += count
        placed = {(p.agent, p.stream): p for p in place(problem, limit_churn=False).placements}
        mine = tuple(instance.option(n, placed[one.key]) for n, one in enumerate(instance.streams))
        behind.append(_behind(instance, tuple(option or 0 for option in mine)))
    return {
        "exact": True, "problems": problems, "plans": plans,
        "equal_ratio": round(sum(one <= EQUAL for one in behind) / problems, 4),
        "near_ratio": round(sum(one <= NEAR for one in behind) / problems, 4),
        "behind_mean_points": round(statistics.mean(behind), 3), "behind_max_points": round(max(behind), 3),
    }


def _behind(instance: Instance, mine: Assignment) -> float:
    """Points on time that an assignment lacks beside the best of all."""
    judge, problem = Judge(instance), instance.problem
    every = itertools.product(*(range(len(options)) for options in instance.options))
    first = sorted(every, key=lambda one: -points(problem, judge.judge(one, SCREEN).outcome))[:KEPT]
    final = {one: points(problem, judge.unseen(one, PHASES, UNSEEN)) for one in dict.fromkeys([*first, mine])}
    return max(0.0, max(final.values()) - final[mine])


def as_text(figures: dict[str, Any]) -> str:
    return (f"{figures['problems']} small problems, {figures['plans']} plans tried\n"
            f"as good as the best (within {EQUAL:g} points): {figures['equal_ratio']:.1%}; within {NEAR:g} points: "
            f"{figures['near_ratio']:.1%}\nbehind: {figures['behind_mean_points']:g} points on average, "
            f"{figures['behind_max_points']:g} at most\n")

