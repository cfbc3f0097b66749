"""Keeps a plan as it is where a change gains too little: each change of placement costs."""

from __future__ import annotations

from collections.abc import Callable

from swarm.planner.options.instance import Assignment, Instance
from swarm.planner.solvers.judge import Judge, Verdict
from swarm.planner.solvers.score import is_better

WORTH_ON_TIME = 0.05             # a change is worth it if a stream's on-time share grows by this much ...
WORTH_TOTAL = 0.01               # ... or that of all due frames of a priority ...
WORTH_LATENCY = 0.25             # ... or a stream's p95 latency falls by this share of its deadline ...
WORTH_LEFT = 0.25                # ... or so much more of a stream's requests go as planned


def undo_small_gains(
    instance: Instance, judge: Judge, unchanged: Assignment, verdict: Verdict, phases: int, spent: Callable[[], bool]
) -> Verdict:
    """Undo each change that is not worth its churn; then undo all, unless the rest together is worth it.

    spent: says when to look at no more single changes.
    """
    for stream in range(len(unchanged)):
        if spent():
            break
        now = verdict.assignment
        if now[stream] != unchanged[stream]:
            undone = judge.judge((*now[:stream], unchanged[stream], *now[stream + 1:]), phases)
            if not is_worth(instance, judge, undone, verdict):
                verdict = undone
    before = judge.judge(unchanged, phases)
    return verdict if is_worth(instance, judge, before, verdict) else before


def is_worth(instance: Instance, judge: Judge, before: Verdict, after: Verdict) -> bool:
    """Whether a change gains enough."""
    if not is_better(after.score, before.score):
        return False
    gained: dict[int, float] = {}
    due: dict[int, float] = {}
    for n, stream in enumerate(instance.streams):
        old, new = before.outcome.streams[judge.number(n)], after.outcome.streams[judge.number(n)]
        spec, options = stream.spec, instance.options[n]
        if instance.strain(options[after.assignment[n]]) < instance.strain(options[before.assignment[n]]):
            return True                              # it relieves an agent that is throttled or low on battery
        sooner_s = old.p95_s - new.p95_s if new.p95_s else 0.0       # 0: it has no results any more
        if (new.on_time - old.on_time >= WORTH_ON_TIME or sooner_s >= WORTH_LATENCY * spec.deadline_s
                or old.left - new.left >= WORTH_LEFT):
            return True
        gained[spec.priority] = gained.get(spec.priority, 0.0) + spec.rate_hz * (new.on_time - old.on_time)
        due[spec.priority] = due.get(spec.priority, 0.0) + spec.rate_hz
    return any(gain >= WORTH_TOTAL * due[priority] for priority, gain in gained.items())
