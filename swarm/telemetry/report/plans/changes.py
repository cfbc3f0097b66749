"""Which plans changed what: plans that place all streams alike are one."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import NamedTuple

from swarm.core.policy.plan import Placement
from swarm.telemetry.file_types import PlanRecord

Stream = tuple[str, str]             # robot and name


class Way(NamedTuple):
    """How a stream runs."""

    where: str                       # in words
    variant: str


class Change(NamedTuple):
    """A plan that differs from the one before. before, now: how each stream runs."""

    plan: PlanRecord                 # the first of those that place all streams so
    before: dict[Stream, Way]
    now: dict[Stream, Way]

    @property
    def moved(self) -> list[Stream]:
        """Streams that run elsewhere now or on another variant, are new, or are no longer placed."""
        return sorted(key for key in {**self.before, **self.now} if self.before.get(key) != self.now.get(key))


def changes(plans: Sequence[PlanRecord]) -> list[Change]:
    """The plans with a time, without those that only tell again what the one before them does."""
    found: list[Change] = []
    for plan in plans:
        now = {(p.agent, p.stream): Way(runs_on(p), p.variant) for p in plan.placements}
        if isfinite(plan.at_s) and (not found or now != found[-1].now):
            found.append(Change(plan, found[-1].now if found else {}, now))
    return found


def runs_on(placement: Placement) -> str:
    return " + ".join(placement.where)
