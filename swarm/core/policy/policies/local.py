"""`local`: every request runs at home, as accurate as time allows."""

from __future__ import annotations

from swarm.core.policy.policies import Policy
from swarm.core.policy.route import Choice, Situation, at_home


def route(s: Situation) -> Choice | None:
    return at_home(s)


POLICY = Policy(route, uses_peers=False)
