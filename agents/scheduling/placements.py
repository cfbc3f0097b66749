"""The plan that this robot follows while the plan's lease is valid. Deterministic."""

from __future__ import annotations

from swarm.core.policy.plan import Placement, Plan
from swarm.core.protocol.messages.presence import PlanFollowed
from swarm.core.units import ns, seconds


class Placements:
    """The newest plan, and its placements of one robot's streams."""

    def __init__(self, robot: str) -> None:
        self._robot = robot
        self._epoch = -1
        self._planner = ("", 0)                      # who made it: name and boot
        self._until_ns = 0
        self._placed: dict[str, Placement] = {}
        self._missed: dict[str, int] = {}            # by stream: see `missed`

    def adopt(self, plan: Plan, planner: tuple[str, int], now: int) -> None:
        """Follow a plan, or renew the lease of the same plan.

        While a plan is valid, an older epoch is ignored, and so is the same epoch of another planner: of two planners
        one leads.
        """
        older = plan.epoch < self._epoch or (plan.epoch == self._epoch and planner != self._planner)
        if older and now < self._until_ns:
            return
        self._epoch, self._planner = plan.epoch, planner
        self._until_ns = now + ns(plan.lease_s)
        before, self._placed = self._placed, {p.stream: p for p in plan.placements if p.agent == self._robot}
        self._missed = {stream: missed for stream, missed in self._missed.items()
                        if (p := self._placed.get(stream)) is not None and _is_same(p, before[stream])}

    def placement(self, stream: str, now: int) -> Placement | None:
        """The placement of a stream of this robot, if a valid plan has one."""
        return self._placed.get(stream) if now < self._until_ns else None

    def missed(self, stream: str) -> int:
        """Of the newest requests that went as a stream is placed now, or at home, how many in sequence were late."""
        return self._missed.get(stream, 0)

    def ended(self, placement: Placement | None, in_time: bool) -> None:
        """A request has ended. placement: as which it went; None: it went as none."""
        now = self._placed.get(placement.stream) if placement is not None else None
        if placement is not None and now is not None and _is_same(now, placement):
            self._missed[placement.stream] = 0 if in_time else self.missed(placement.stream) + 1

    def followed(self, now: int) -> PlanFollowed | None:
        """The plan in force. None: there is none."""
        if now >= self._until_ns:
            return None
        name, boot = self._planner
        return PlanFollowed(planner=name, boot=boot, epoch=self._epoch, left_s=seconds(self._until_ns - now))


def _is_same(one: Placement, other: Placement) -> bool:
    """Whether a stream runs on the same variant and agents."""
    return one.variant == other.variant and one.where == other.where
