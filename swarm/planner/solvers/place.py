"""Places all streams: the best of the baselines, a greedy start and the previous plan, improved by local search.

`place` never returns a solution that it predicts to be worse than the best of its baselines. A change of placement must
be worth its churn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from swarm.core.policy import draw
from swarm.core.policy.plan import Placement
from swarm.planner.explain import explain
from swarm.planner.forecast import StreamForecast, changed, evaluate, moved
from swarm.planner.instance import Assignment, Instance
from swarm.planner.problem import Problem, StreamOf
from swarm.planner.solvers.budget import Budget, CountedBudget
from swarm.planner.solvers.local_search import GAIN, Search

BUDGET_S = 0.02                  # of one search: short enough to be repeated several times a second
WORTH_ON_TIME = 0.05             # a change is worth it if a stream's on-time share grows by this much ...
WORTH_TOTAL = 0.01               # ... or the cost falls by this share of the cost of missing all deadlines ...
WORTH_LATENCY = 0.25             # ... or a stream's p95 latency falls by this share of its deadline


class Solution(msgspec.Struct, frozen=True, kw_only=True):
    """Placements with their predicted performance. `cost` is the objective: less is better."""

    placements: list[Placement]
    cost: float
    on_time: float                   # expected share of all results
    solver: str
    evaluations: int
    changed: bool                    # whether placements differ from the previous ones
    unplaced: list[StreamOf] = []    # streams whose model no reachable, living agent has


def place(problem: Problem, previous: Sequence[Placement] = (), budget: Budget | None = None, seed: int = 0,
          start: str = "best", limit_churn: bool = True) -> Solution:
    """The best placements found for a problem, close to the previous ones where that costs little.

    The same problem, seed and counted budget give the same placements.
    budget: ends the search; by default `BUDGET_S` of counted work.
    start: start of the search: greedy, previous, local, best_single_peer, or `best`: the best of these.
    limit_churn: undo changes that gain too little; otherwise the previous placements only break ties.
    """
    instance = Instance(problem, previous)
    search = Search(instance, seed)
    unchanged = search.repair(instance.previous)
    starts: dict[str, Assignment] = {"greedy": search.greedy(), "previous": unchanged, "local": local(instance),
                                     "best_single_peer": best_single_peer(instance)}
    best_start = min(starts, key=lambda name: (search.cost(starts[name]), name))
    first = best_start if start == "best" else start
    improved = search.improve(starts[first], budget or CountedBudget(BUDGET_S))
    best = min(improved, starts[best_start], key=search.cost)
    if limit_churn and any(n is not None for n in instance.previous):
        best = undo_small_gains(instance, unchanged, best)
    forecast = evaluate(instance, best)
    placements = explain(instance, best, forecast)
    rates = [s.spec.rate_hz for s in instance.streams]
    expected = sum(r * f.on_time for r, f in zip(rates, forecast.streams, strict=True))
    due = sum(rates) + sum(s.spec.rate_hz for s in instance.unplaced)
    return Solution(
        placements=placements, cost=forecast.cost, on_time=expected / due if due else 1.0,
        solver=f"{first}+search", evaluations=search.evaluations,
        changed=choices(placements) != choices(previous), unplaced=instance.unplaced,
    )


def choices(placements: Sequence[Placement]) -> dict[tuple[str, str], tuple[str, str]]:
    """Variant and answering agent of every stream (agent, name). Plans with equal choices count as equal."""
    return {(p.agent, p.stream): (p.variant, p.where[-1]) for p in placements}


def undo_small_gains(instance: Instance, unchanged: Assignment, best: Assignment) -> Assignment:
    """Undo each change that is not worth its churn; then undo all, unless the rest together is worth it."""
    after = evaluate(instance, best)
    for stream, options in enumerate(instance.options):
        if best[stream] != unchanged[stream]:
            undone = moved(instance, after, options[best[stream]], options[unchanged[stream]])
            if not _is_worth_moving(instance, undone.cost, undone.streams, after.streams):
                best = (*best[:stream], unchanged[stream], *best[stream + 1:])
                after = changed(after, undone)
    before = evaluate(instance, unchanged)
    worth = _is_worth_moving(instance, before.cost - after.cost, dict(enumerate(before.streams)), after.streams)
    return best if worth else unchanged


def _is_worth_moving(
    instance: Instance, gain: float, before: Mapping[int, StreamForecast], after: Sequence[StreamForecast]
) -> bool:
    """Whether changes gain enough. gain: of cost. before: of the streams that may be different, by number."""
    if gain <= GAIN:
        return False
    if gain >= WORTH_TOTAL * sum(options[0].weight for options in instance.options):
        return True
    return any(after[n].on_time - old.on_time >= WORTH_ON_TIME
               or old.p95_s - after[n].p95_s >= WORTH_LATENCY * instance.streams[n].spec.deadline_s
               for n, old in before.items())


# --- baselines: simple rules, without a search ---


def local(instance: Instance) -> Assignment:
    """Every stream at home, on its fastest variant; on the best idle peer if home cannot run it."""
    return tuple(next((n for n, o in enumerate(options) if o.home), 0) for options in instance.options)


def best_single_peer(instance: Instance) -> Assignment:
    """Every stream on the agent, home included, where it would end first if nothing else ran."""
    return tuple(0 for _ in instance.options)


def round_robin(instance: Instance) -> Assignment:
    """Streams are assigned to the agents in turn."""
    count = len(instance.agents)
    return tuple(
        min(range(len(options)), key=lambda n: ((options[n].agent - stream) % count, n))
        for stream, options in enumerate(instance.options)
    )


def random_options(instance: Instance) -> Assignment:
    """A random option for each stream, the same one every time."""
    return tuple(int(draw.uniform(0, "random placement", *stream.key) * len(options))
                 for stream, options in zip(instance.streams, instance.options, strict=True))


BASELINES: dict[str, Callable[[Instance], Assignment]] = {
    "local": local, "best_single_peer": best_single_peer, "round_robin": round_robin, "random": random_options,
}
