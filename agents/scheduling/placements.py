"""The plan that this robot follows, while its lease holds. Deterministic."""

from __future__ import annotations

from swarm.core.policy.plan import Placement, Plan
from swarm.core.units import ns


class Placements:
    """The newest plan and what it says of one robot's streams."""

    def __init__(self, robot: str) -> None:
        self._robot = robot
        self._epoch = -1
        self._until_ns = 0
        self._placed: dict[str, Placement] = {}

    def adopt(self, plan: Plan, now: int) -> None:
        """A newer plan, or the renewed lease of the same; an older epoch is ignored while the newer one holds."""
        if plan.epoch < self._epoch and now < self._until_ns:
            return
        self._epoch = plan.epoch
        self._until_ns = now + ns(plan.lease_s)
        self._placed = {p.stream: p for p in plan.placements if p.agent == self._robot}

    def placement(self, stream: str, now: int) -> Placement | None:
        """Where a stream of this robot is to run, if a valid plan says so."""
        return self._placed.get(stream) if now < self._until_ns else None
