"""`planner`: follows the plan while its lease holds and it can meet the deadline; otherwise like `greedy`.

A stream that misses by plan stays as placed (`Placement.stays`): elsewhere it would be in the way of others.
"""

from __future__ import annotations

from swarm.core.policy.plan import legs
from swarm.core.policy.policies import Policy
from swarm.core.policy.route import Choice, Situation, along, soonest


def route(s: Situation) -> Choice | None:
    """The plan's placement, if every agent that it names can run its part, and the result is expected in time, or the
    stream stays in any case."""
    if s.placement is not None:
        planned = along(s, s.placement.variant, legs(s.placement.where), "planned")
        if planned is not None and (planned.predicted_s <= s.left_s or s.placement.stays):
            return planned
    return soonest(s)


POLICY = Policy(route, uses_plan=True)
