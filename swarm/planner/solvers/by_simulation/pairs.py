"""Moves one stream or two at once, in small teams, where no move of `polish` gains: each way out may need the other.

The moves are judged in the order of their costs by formula, which has learnt from the simulations of this search: first
over few sets of phases, and over all of them where that is a gain.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, product
from math import isqrt

from swarm.planner.options.instance import Assignment, Instance
from swarm.planner.solvers.formula import Formula
from swarm.planner.solvers.judge import Judge, Verdict, best

MOST_PAIRS = 600                     # considered at a time
SCREEN = 4                           # the first look is over so many times fewer sets of phases


def try_pairs(
    instance: Instance, judge: Judge, formula: Formula, verdict: Verdict, phases: int, spent: Callable[[], bool]
) -> Verdict:
    """The best verdict found, from this one on. spent: says when to stop."""
    few, improved = max(phases // SCREEN, 1), True
    while improved and not spent():
        improved = False
        before = judge.judge(verdict.assignment, few)
        for assignment in _moves(instance, formula, verdict.assignment):
            if spent():
                return verdict
            if best([before, judge.judge(assignment, few)]) is not before:
                better = best([verdict, judge.judge(assignment, phases)])
                if better is not verdict:
                    verdict, improved = better, True
                    break
    return verdict


def _moves(instance: Instance, formula: Formula, now: Assignment) -> list[Assignment]:
    """All moves of one stream, and those of two to their best options by formula, the best moves first."""
    count = len(now)
    tries = isqrt(MOST_PAIRS // max(count * (count - 1) // 2, 1))
    ranked = [formula.ranked(now, stream) for stream in range(count)]
    found: dict[Assignment, float] = {}
    for changed in [*((n,) for n in range(count)), *combinations(range(count), 2)]:
        for options in product(*(ranked[n] if len(changed) == 1 else ranked[n][:tries] for n in changed)):
            move = list(now)
            for n, option in zip(changed, options, strict=True):
                move[n] = option
            if (key := tuple(move)) != now and key not in found:
                found[key] = formula.completed(key)[0]
    return sorted(found, key=lambda move: (found[move], move))
