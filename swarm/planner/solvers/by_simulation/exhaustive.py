"""Small problems: the formula costs all plans, those that cost least are simulated, and the formula learns from it.

Some of them are one move from the best one so far: the formula may cost the best of all too high. The simulations are
short at first: over few sets of phases, then over more of them for those that are still the best.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from swarm.planner.options.instance import FEW_STREAMS, Assignment, Instance
from swarm.planner.solvers.formula import Formula
from swarm.planner.solvers.judge import Judge, Verdict, best

MOST_PLANS = 6_000                   # of a problem of which all plans are costed
AT_ONCE, NEAR = 8, 5                 # looks after which the formula learns; of these, one move from the best look
FEWER = 10                           # a first look is over so many times fewer sets of phases than a judgement
LOOKS = (4, 24), (1, 6)              # those after it: so many times fewer sets, of the best so many plans
SHARE = 0.6                          # of the budget, after which the first looks end


def is_small(instance: Instance) -> bool:
    """Whether all plans can be costed."""
    return len(instance.options) <= FEW_STREAMS and 1 < prod(map(len, instance.options)) <= MOST_PLANS


def try_all(
    instance: Instance, judge: Judge, formula: Formula, verdict: Verdict, spent: Callable[[float], bool]
) -> Verdict:
    """The best verdict found, this one among them. spent: whether a share of the budget is."""
    phases = judge.phases
    few = max(phases // FEWER, 1)
    looks = {one.assignment: one for one in judge.judge_all([verdict.assignment], few)}
    while not spent(SHARE):
        costs = formula.costs_of_all()
        for one in looks:
            costs[one] = np.inf
        now = best(list(looks.values())).assignment
        moves = [(*now[:n], option, *now[n + 1:]) for n, ways in enumerate(instance.options)
                 for option in range(len(ways))]
        near = sorted({one for one in moves if one not in looks}, key=lambda one: (costs[one], one))[:NEAR]
        new = list(dict.fromkeys([*near, *_cheapest(costs, AT_ONCE)]))[:AT_ONCE]
        if not new:
            break
        for one in judge.judge_all(new, few):
            looks[one.assignment] = one
            formula.learn(one.assignment, judge.own(one.outcome.on_time))
    kept = list(looks.values())
    for fewer, count in LOOKS:
        kept = [judge.judge(one.assignment, max(phases // fewer, 1)) for one in _first(kept, count)
                if not spent(1.0) or one.assignment == verdict.assignment]
    return best([verdict, *kept])


def _cheapest(costs: NDArray[np.float64], count: int) -> list[Assignment]:
    """The assignments that cost least, but those of infinite cost."""
    flat = costs.ravel()
    count = min(count, int(np.isfinite(flat).sum()))
    first = np.argpartition(flat, max(count - 1, 0))[:count]
    first = first[np.lexsort((first, flat[first]))]
    return list(zip(*(column.tolist() for column in np.unravel_index(first, costs.shape)), strict=True))


def _first(verdicts: Sequence[Verdict], count: int) -> list[Verdict]:
    """The best so many."""
    left, found = list(verdicts), list[Verdict]()
    while left and len(found) < count:
        found.append(best(left))
        left.remove(found[-1])
    return found
