"""`greedy`: each request runs where its result is expected soonest; a tie stays at home."""

from __future__ import annotations

from swarm.core.policy.policies import Policy
from swarm.core.policy.route import soonest

POLICY = Policy(soonest)
