"""What plans are held against: their cost as written, and the least cost that there is."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from swarm.core.policy.plan import Placement
from swarm.planner.forecast import evaluate
from swarm.planner.instance import Instance
from swarm.planner.problem import Problem
from swarm.planner.solvers.local_search import Search


def score(problem: Problem, placements: Sequence[Placement]) -> float:
    """Cost of given placements in a problem; streams that cannot run as written go to their best idle option."""
    instance = Instance(problem, placements)
    return evaluate(instance, tuple(n or 0 for n in instance.previous)).cost


def exhaustive(problem: Problem) -> float:
    """Least cost over all assignments, of a tiny problem."""
    instance = Instance(problem)
    search = Search(instance, 0)
    return min(search.cost(choice) for choice in itertools.product(*(range(len(o)) for o in instance.options)))
