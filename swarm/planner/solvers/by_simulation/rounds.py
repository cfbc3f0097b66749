"""Rounds of a search by formula and a simulation of what it finds, from which the formula learns.

In a large team each round has other phases, so that nothing is kept by the chance of one set of them: what gains in one
round is looked at again in the next one, place by place, beside what it would replace.
"""

from __future__ import annotations

from collections.abc import Callable

from swarm.planner.options.instance import Assignment, Instance
from swarm.planner.solvers.by_simulation.combine import changes, combined
from swarm.planner.solvers.formula import Formula
from swarm.planner.solvers.judge import Judge

ROUND_S = 0.003                  # of counted work: of the search by formula in one round
MOST_ROUNDS = 200
STALE = 8                        # rounds in sequence that find nothing new, after which it ends


def search(instance: Instance, judge: Judge, formula: Formula, first: Assignment, seed: int, workers: int,
           left_s: Callable[[], float]) -> list[Assignment]:
    """The best assignments found from the first one on: what was looked at twice, and what was so once.

    workers: how many searches by formula go side by side. left_s: how much longer it may go on.
    """
    now, promising, stale, seen = first, first, 0, set[Assignment]()
    for number in range(MOST_ROUNDS):
        most_s = min(left_s(), ROUND_S)
        if most_s <= 0.0 or stale >= STALE:
            break
        tried = [one for _, one in formula.improved([promising] * workers, most_s, seed + 1000 * number)]
        stale = stale + 1 if seen.issuperset(tried) else 0
        seen.update(tried)
        before, better, *others = judge.looks([now, promising, *tried], number)
        for verdict in {one.assignment: one for one in (before, better, *others)}.values():
            formula.learn(verdict.assignment, judge.own(verdict.outcome.on_time))
        now = combined(now, changes(instance, before, better))
        promising = combined(now, [change for other in others for change in changes(instance, before, other)])
    return [now, promising]
