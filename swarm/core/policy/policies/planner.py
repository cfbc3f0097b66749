"""`planner`: follows the plan while its lease holds, and leaves it where it fails.

A robot sees less than the plan knows: the work that a peer has in hand may give way, and where all robots turn to the
agent that looks idle, each is later than it would be as placed. So a request does as placed, even where it is expected
to be late, until `PATIENCE` in sequence that did so have missed their deadlines. From then on one that is expected to
be late runs where its result is expected soonest, and so does one that an agent of the plan cannot take.

A stream that misses by plan stays as placed, or at home, in any case (`Placement.stays`): elsewhere it would be in the
way of others.
"""

from __future__ import annotations

from swarm.core.policy.plan import legs
from swarm.core.policy.policies import Policy
from swarm.core.policy.route import Choice, Situation, along, as_placed, soonest

PATIENCE = 2                         # one late result is chance; each more costs a frame where the plan is wrong


def route(s: Situation) -> Choice | None:
    """As placed, unless the plan has failed lately and is expected to fail again, or cannot be followed now."""
    if s.placement is None:
        return soonest(s)
    if s.placement.stays:
        return as_placed(s)
    planned = along(s, s.placement.variant, legs(s.placement.where), "planned")
    if planned is not None and (planned.predicted_s <= s.left_s or s.missed < PATIENCE):
        return planned
    return soonest(s)


POLICY = Policy(route, uses_plan=True)
