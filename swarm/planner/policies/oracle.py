"""`oracle`: the planner's own search, on links as they will be. Virtual time puts these into the problem.

`swarm/virtual/planning/foresight.py` knows them. No robot could: the policy bounds what others can reach.
"""

from __future__ import annotations

from collections.abc import Sequence

from swarm.core.policy.plan import Placement
from swarm.planner.problem import Problem
from swarm.planner.solvers.budget import Budget
from swarm.planner.solvers.place import place as planned


def place(problem: Problem, previous: Sequence[Placement], budget: Budget) -> list[Placement]:
    return planned(problem, previous, budget).placements
