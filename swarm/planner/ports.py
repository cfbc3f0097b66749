"""The planner's ports beside those of `swarm/core/ports.py`: a solver and, optionally, a refiner and foresight.

A host may do the work in another thread or process, or at once. It calls back in the thread of the policy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

import msgspec

from swarm.core.policy.link import LinkQuality
from swarm.core.policy.plan import Placement
from swarm.planner.events import Solve, Solved
from swarm.planner.problem import Held, Pair, Problem
from swarm.planner.solvers.place import Solution

T = TypeVar("T")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Solver(Protocol):
    """Places the streams of a problem."""

    def solve(self, command: Solve, done: Callable[[Solved], None]) -> None:
        """Call `done` once, with the basis of the command."""
        ...


class Foresight(Protocol):
    """Knows the links' future, as only virtual time can."""

    def links(self, measured: Mapping[Pair, LinkQuality]) -> Mapping[Pair, LinkQuality]:
        """These links as they will be while the next plan is in force; what will carry nothing is left out."""
        ...


class Refined(msgspec.Struct, frozen=True):
    """The result of a refinement. Without a solution the present plan stays."""

    solution: Solution | None
    reason: str = ""                 # why there is no solution, or why searches of the portfolio failed
    ended: bool = False              # the refiner's process is gone: it cannot refine again
    shards: int = 0                  # that a large team was placed by
    lost: int = 0                    # of these: their streams stayed where they were; `reason` says why


class Refiner(Protocol):
    """Improves plans, one at a time, with more effort than the planner's own process can make."""

    def start(self, connected: Callable[[str, float], None]) -> None:
        """Start it. connected: called once with the reason why it cannot refine (empty: it can) and the time taken (s).

        Raises: OSError if its process cannot be started.
        """
        ...

    def refine(self, problem: Problem, previous: list[Placement], held: Held,
               refined: Callable[[Refined, float], None]) -> None:
        """Refine a plan. refined: called once with the result and the time taken (s)."""
        ...

    def close(self) -> None:
        """End it, without waiting until it has ended."""
        ...


class MapResult(Protocol[R_co]):
    """The result of a parallel map."""

    @property
    def values(self) -> Mapping[int, R_co]:
        """Results by the index of their item."""
        ...

    @property
    def reason(self) -> str:
        """Why results are missing; empty: none is missing."""
        ...


class ParallelMap(Protocol):
    """Calls a function of an importable module on every item, in parallel on all available processors."""

    def __call__(self, function: Callable[[T], R], items: Sequence[T], timeout_s: float) -> MapResult[R]: ...
