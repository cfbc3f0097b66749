"""`static`: the first plan of the planner, never changed but for agents that are gone."""

from __future__ import annotations

from collections.abc import Sequence

from swarm.core.policy.plan import Placement
from swarm.planner.problem import Problem
from swarm.planner.solvers.budget import Budget
from swarm.planner.solvers.place import place as planned


def place(problem: Problem, previous: Sequence[Placement], budget: Budget) -> list[Placement]:
    kept = {(p.agent, p.stream): p for p in previous}
    if all(stream.key in kept for stream in problem.streams):
        return list(previous)
    new = {(p.agent, p.stream): p for p in planned(problem, previous, budget).placements}
    return [kept.get(key, placement) for key, placement in new.items()]
