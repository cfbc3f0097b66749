"""The plan that this robot follows while the plan's lease is valid. Deterministic."""

from __future__ import annotations

from swarm.core.policy.plan import Placement, Plan
from swarm.core.units import ns


class Placements:
    """The newest plan, and its placements of one robot's streams."""

    def __init__(self, robot: str) -> None:
        self._robot = robot
        self._epoch = -1
        self._until_ns = 0
        self._placed: dict[str, Placement] = {}

    def adopt(self, plan: Plan, now: int) -> None:
        """Follow a plan, or renew the lease of the same plan. An older epoch is ignored while a newer one is valid."""
        if plan.epoch < self._epoch and now < self._until_ns:
            return
        self._epoch = plan.epoch
        self._until_ns = now + ns(plan.lease_s)
        self._placed = {p.stream: p for p in plan.placements if p.agent == self._robot}

    def placement(self, stream: str, now: int) -> Placement | None:
        """The placement of a stream of this robot, if a valid plan has one."""
        return self._placed.get(stream) if now < self._until_ns else None
