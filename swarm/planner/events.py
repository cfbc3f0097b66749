"""Events for the planner's state, and the commands that it returns."""

from __future__ import annotations

import msgspec

from swarm.core.policy.plan import Placement, Plan
from swarm.core.protocol.messages import Body, PlannerNews
from swarm.membership.events import Failed, Joined
from swarm.planner.problem import Held, Problem
from swarm.planner.solvers.place import Solution


class Heard(msgspec.Struct, frozen=True):
    """A message of an agent was received."""

    sender: str
    boot: int
    body: Body


class Tick(msgspec.Struct, frozen=True):
    """Time has passed. Sent several times a second."""


class Solved(msgspec.Struct, frozen=True):
    """A solve has ended."""

    basis: tuple[int, int]           # as in the command
    solution: Solution
    solve_s: float
    refined: bool = False


Event = Heard | Joined | Failed | Tick | Solved


class Solve(msgspec.Struct, frozen=True):
    """Solve this, and answer with `Solved` of the same basis. refine: only with a refiner."""

    problem: Problem
    previous: list[Placement]
    basis: tuple[int, int]           # number of the team, and epoch of the plan, that it is made for
    refine: bool = False
    limit_churn: bool = True         # keep previous placements that are nearly as good
    held: Held = frozenset()
    turn: int = 0                    # of the searches of a large team: each has other borders, and begins elsewhere


class Publish(msgspec.Struct, frozen=True):
    """Send the plan to all agents."""

    plan: Plan


class Report(msgspec.Struct, frozen=True):
    """An event for the record."""

    what: str
    detail: dict[str, str | float | int]


class SolveEnded(msgspec.Struct, frozen=True):
    """A solution was adopted, kept the plan as it is, or was stale."""

    news: PlannerNews


Command = Solve | Publish | Report | SolveEnded


class PlannerStatistics(msgspec.Struct, frozen=True):
    """Counts since the start; `agents` and `epoch`: now."""

    agents: int
    solves: int                      # searches in process
    refined: int                     # searches on Ray
    adopted: int                     # of both: those that changed the plan
    stale: int                       # of both: those for a team or plan that had changed
    epoch: int
