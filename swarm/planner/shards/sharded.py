"""Places the streams of a large team shard by shard.

The forecast of the whole is the sum of those of its shards. In it robots that leave a plan, because they expect to be
late, turn to agents of their shard alone; in a simulation of the whole team more of their results are on time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from math import fsum

import msgspec

from swarm.core.policy.plan import Placement
from swarm.planner.ports import MapResult, ParallelMap
from swarm.planner.problem import Problem, StreamOf
from swarm.planner.shards.partition import WEIGHT, partition
from swarm.planner.shards.shard import Key, Shard, Team, solve
from swarm.planner.solvers.budget import Budget
from swarm.planner.solvers.place import BUDGET_S, Solution, choices

MOST_WHOLE = 300                     # robots: about as many as `judge.MOST_REQUESTS` allows to simulate as a whole
REFINED_ROUNDS = 2                   # of a refinement: the second one has other borders
LARGE_BUDGET_S = 2.0                 # of the planner's own search of a large team, one shard after the other
SHARD_S = 0.2                        # more time for each shard: three times what it takes a core of the reference host


class Sharded(msgspec.Struct, frozen=True):
    """The result of a search by shards."""

    solution: Solution | None        # None: not one shard was solved
    shards: int                      # of all rounds together
    lost: int                        # of these: they have no result, so their streams stayed where they were
    reason: str                      # why; empty: none was lost


SolveAll = Callable[[Sequence[Shard]], MapResult[Solution]]


def is_large(problem: Problem) -> bool:
    """Whether a team is placed by shards."""
    return len(problem.agents) > MOST_WHOLE


def budget_s(problem: Problem) -> float:
    """Of the planner's own search."""
    return LARGE_BUDGET_S if is_large(problem) else BUDGET_S


def place_by_shards(
    problem: Problem, previous: Sequence[Placement], solve_all: SolveAll, *, seed: int = 0, rounds: int = 1,
    turn: int = 0, limit_churn: bool = True, held: Collection[Key] = (), weight: int = WEIGHT,
) -> Sharded:
    """The best placements found, close to the previous ones. The same results of shards give the same placements.

    solve_all: the solutions of the shards of a round; of a missing one, streams stay where they are.
    turn: of the first round; each round has other borders than the one before. weight: of a shard (`partition.py`).
    """
    team = Team(problem, held)
    now = before = team.possible(previous)
    found: list[Solution] = []
    rest: list[float] = []                           # of the scores of a round
    expected: dict[Key, float] = {}
    unplaced: dict[Key, StreamOf] = {}
    shards, reason = 0, ""
    for number in range(rounds):
        groups = partition(problem, (turn + number) % 2, weight)
        cut = team.shards(groups, now, limit_churn and bool(before), seed + number)
        solved = solve_all(cut)
        shards, reason, now = shards + len(cut), reason or solved.reason, dict(now)
        rest = [] if solved.values else rest
        for n, solution in sorted(solved.values.items()):
            accepted = cut[n].accepted(solution.placements)
            for stream in solution.unplaced:
                if stream.key in cut[n].own:
                    now.pop(stream.key, None)        # where it was it can no longer run
                    expected.pop(stream.key, None)
                    unplaced[stream.key] = stream
            now |= accepted
            expected |= {key: share for key, share in solution.expected.items() if key in accepted}
            rest.append(solution.score[-1])
            found.append(solution)
    if not found:
        return Sharded(None, shards, shards, reason)
    lost = shards - len(found)
    placements = [now[key] for key in sorted(now)]
    shares = {key: placement.predicted_on_time for key, placement in now.items()}
    due = fsum(stream.spec.rate_hz for stream in problem.streams)
    on_time = fsum(stream.spec.rate_hz * shares.get(stream.key, 0.0) for stream in problem.streams)
    return Sharded(Solution(
        placements=placements, score=(*_misses(problem, shares), fsum(rest)), on_time=on_time / due if due else 1.0,
        expected=expected, solver=f"{shards - lost} of {shards} shards" if lost else f"{shards} shards",
        worked_s=fsum(solution.worked_s for solution in found), changed=choices(placements) != choices(previous),
        unplaced=[stream for key, stream in unplaced.items() if key not in now],
    ), shards, lost, reason)


def _misses(problem: Problem, shares: Mapping[Key, float]) -> list[float]:
    """Share of the due frames that misses, by priority, as in `score.py`; all of a stream without a placement."""
    missed: dict[int, list[float]] = {}
    due: dict[int, list[float]] = {}
    for stream in problem.streams:
        missed.setdefault(stream.spec.priority, []).append(stream.spec.rate_hz * (1.0 - shares.get(stream.key, 0.0)))
        due.setdefault(stream.spec.priority, []).append(stream.spec.rate_hz)
    return [fsum(missed[priority]) / fsum(due[priority]) for priority in sorted(missed, reverse=True)]


def in_parallel(parallel_map: ParallelMap, timeout_s: float) -> SolveAll:
    """All shards of a round side by side. timeout_s: of a round, beside `SHARD_S` for each shard."""
    return lambda shards: parallel_map(solve, shards, timeout_s + SHARD_S * len(shards))


class OneByOne:
    """The shards of a round one after the other, those first of which least is placed, until a budget ends.

    first: among those of which equally much is placed, so that other shards come first in the next search.
    """

    def __init__(self, budget: Budget, first: int = 0) -> None:
        self._budget, self._first, self._worked_s = budget, first, 0.0

    def __call__(self, shards: Sequence[Shard]) -> Solutions:
        values: dict[int, Solution] = {}
        for n in sorted(range(len(shards)), key=lambda n: (_placed(shards[n]), (n - self._first) % len(shards))):
            if self._budget.left_s(self._worked_s) <= 0.0:
                return Solutions(values, f"no time for {len(shards) - len(values)} of {len(shards)} shards")
            values[n] = solve(shards[n])
            self._worked_s += values[n].worked_s
        return Solutions(values)


class Solutions(msgspec.Struct, frozen=True):
    """The result of a round: solutions by the number of their shard, and why some are missing."""

    values: dict[int, Solution]
    reason: str = ""


def _placed(shard: Shard) -> float:
    """Share of its streams that has a placement."""
    return sum((p.agent, p.stream) in shard.own for p in shard.previous) / max(len(shard.own), 1)
