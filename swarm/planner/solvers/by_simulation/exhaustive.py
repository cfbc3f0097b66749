"""Small problems: the formula costs all plans, those that cost least are simulated, and the formula learns from it.

The simulations are short at first: over few sets of phases, then over more of them for those that are still the best.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np

from swarm.planner.options.instance import FEW_STREAMS, Assignment, Instance
from swarm.planner.solvers.formula import Formula
from swarm.planner.solvers.judge import Judge, Verdict, best

MOST_PLANS = 20_000                  # of a problem of which all plans are costed
AT_ONCE = 8                          # looks after which the formula learns
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
        new = [one for one in _in_order(instance, formula) if one not in looks][:AT_ONCE]
        if not new:
            break
        for one in judge.judge_all(new, few):
            looks[one.assignment] = one
            formula.learn(one.assignment, [one.outcome.streams[judge.number(n)].on_time
                                           for n in range(len(instance.streams))])
    kept = list(looks.values())
    for fewer, count in LOOKS:
        kept = [judge.judge(one.assignment, max(phases // fewer, 1)) for one in _first(kept, count)
                if not spent(1.0) or one.assignment == verdict.assignment]
    return best([verdict, *kept])


def _in_order(instance: Instance, formula: Formula) -> list[Assignment]:
    """All assignments, those first that cost least by formula."""
    order = np.argsort(formula.costs_of_all(), kind="stable")
    return list(zip(*(column.tolist() for column in np.unravel_index(order, [len(o) for o in instance.options])),
                    strict=True))


def _first(verdicts: Sequence[Verdict], count: int) -> list[Verdict]:
    """The best so many."""
    left, found = list(verdicts), list[Verdict]()
    while left and len(found) < count:
        found.append(best(left))
        left.remove(found[-1])
    return found
