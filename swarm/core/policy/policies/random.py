"""`random`: each request runs at home or on a peer that has its model, all as likely."""

from __future__ import annotations

from swarm.core.policy.policies import Policy
from swarm.core.policy.route import Choice, Situation, everywhere


def route(s: Situation) -> Choice | None:
    choices = everywhere(s)
    return choices[int(s.drawn[0] * len(choices))] if choices else None


POLICY = Policy(route, draws=True)
