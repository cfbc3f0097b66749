"""Moves two streams at once, in small teams, where no single move gains: each way out may need the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import permutations

from swarm.planner.options.instance import Assignment, Instance
from swarm.planner.solvers.formula import Formula
from swarm.planner.solvers.judge import Judge, Verdict, best
from swarm.planner.solvers.polish import ENOUGH

TRIES, TRIES_OF_OTHER = 12, 4        # options tried of the stream that misses deadlines, and of the other one


def try_pairs(
    instance: Instance, judge: Judge, formula: Formula, verdict: Verdict, phases: int, spent: Callable[[], bool]
) -> Verdict:
    """The best verdict found, from this one on. spent: says when to stop."""
    improved = True
    while improved:
        improved = False
        for assignment in _moves(instance, judge, formula, verdict):
            if spent():
                return verdict
            better = best([verdict, judge.judge(assignment, phases)])
            if better is not verdict:
                verdict, improved = better, True
                break
    return verdict


def _moves(instance: Instance, judge: Judge, formula: Formula, verdict: Verdict) -> Iterator[Assignment]:
    """First a stream that misses deadlines goes elsewhere, then another one to what is then best for it by formula."""
    now = verdict.assignment
    missing = {n for n in range(len(now)) if verdict.outcome.streams[judge.number(n)].on_time < ENOUGH}
    seen: set[Assignment] = {now}
    for stream, other in sorted(permutations(range(len(now)), 2), key=lambda pair: (
            -instance.streams[pair[0]].spec.priority, pair)):
        if stream not in missing:
            continue
        for option in formula.ranked(now, stream)[:TRIES]:
            first = (*now[:stream], option, *now[stream + 1:])
            for then in formula.ranked(first, other)[:TRIES_OF_OTHER]:
                both = (*first[:other], then, *first[other + 1:])
                if both not in seen:
                    seen.add(both)
                    yield both
