"""What the planner needs of a host beside `swarm/core/ports.py`: something that solves, and perhaps something better.

A host may do the work elsewhere or at once; it calls back in the thread of the policy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

import msgspec

from swarm.core.policy.plan import Placement
from swarm.planner.events import Solve, Solved
from swarm.planner.problem import Problem
from swarm.planner.solvers.place import Solution

T = TypeVar("T")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Solver(Protocol):
    """Places the streams of a problem."""

    def solve(self, command: Solve, done: Callable[[Solved], None]) -> None:
        """Call `done` once, with the basis of the command."""
        ...


class Refined(msgspec.Struct, frozen=True):
    """What a refinement came to. Without a solution the plan at hand stands."""

    solution: Solution | None
    reason: str = ""                 # why there is none, or why parts of the portfolio were lost
    ended: bool = False              # the refiner's process is gone: it cannot refine again


class Refiner(Protocol):
    """Improves plans with more effort than the planner's own process has: one at a time."""

    def start(self, connected: Callable[[str, float], None]) -> None:
        """Start it. connected: called once with why it cannot refine (empty: it can) and the seconds that it took.

        Raises: OSError where its process cannot be started.
        """
        ...

    def refine(self, problem: Problem, previous: list[Placement], refined: Callable[[Refined, float], None]) -> None:
        """Refine this. refined: called once with the result and the seconds that it took."""
        ...

    def close(self) -> None:
        """End it, without waiting for the end."""
        ...


class MapResult(Protocol[R_co]):
    """What came back of a parallel map."""

    @property
    def values(self) -> Mapping[int, R_co]:
        """Results by the number of their item."""
        ...

    @property
    def reason(self) -> str:
        """Why others are missing; empty: none is."""
        ...


class ParallelMap(Protocol):
    """Calls a function of an importable module on every item, on as many processors as there are."""

    def __call__(self, function: Callable[[T], R], items: Sequence[T], timeout_s: float) -> MapResult[R]: ...
