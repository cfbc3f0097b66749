"""`oracle`: routes as `planner`, by plans of a planner that knows how fast links will be; in virtual time only.

It is a bound, not a way to fly: it tells how much of what is lost would be saved by knowing the links' future.
"""

from __future__ import annotations

from swarm.core.policy.policies import Policy
from swarm.core.policy.policies.planner import route

POLICY = Policy(route, uses_plan=True, places="oracle", foresees=True)
