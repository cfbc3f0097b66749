"""What this robot can run now: its variants whole, and stage by stage once their stages are loaded. Deterministic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from agents.peers.own_speed import OwnSpeed, scaled
from agents.scheduling import events as ev
from agents.scheduling.queue.queued_run import QueuedRun
from swarm.core.policy.cost import LONG_S, by_speed, leg_p50_s, named
from swarm.core.policy.plan import Profile
from swarm.core.units import NEVER_NS, ns

ASKED_NS = ns(10.0)
"""Urgent work that a peer asked for is reckoned with for so long; a robot's own streams always are."""


class RunnableVariants:
    """`profiles`, by model, the fastest first, have stages only where they are loaded.

    Stages are loaded when they are first wanted.
    """

    def __init__(self, profiles: Mapping[str, Sequence[Profile]], staged: Iterable[tuple[str, str]]) -> None:
        """staged: models and variants whose stages are loaded already."""
        self._all = profiles
        self._loaded = set(staged)
        self._wanted = set(self._loaded)
        self._urgent: dict[int, int] = {}            # priority -> until when work of it is reckoned with
        self.profiles: dict[str, list[Profile]] = {}
        self._named: dict[tuple[str, str], Profile] = {}
        self._own_speed = OwnSpeed()
        for model in profiles:
            self._renew(model)

    def has(self, model: str, variant: str) -> Profile | None:
        """The profile of a variant as it can be run now."""
        return self._named.get((model, variant))

    @property
    def slowness(self) -> float:
        """How many times as long as its board's profile says this robot takes."""
        return self._own_speed.factor

    def ran(self, work: QueuedRun, took_s: float, ended: bool, now: int) -> bool:
        """A run has left its executor. Returns whether this changes what runs are expected to take."""
        said = named(self._all.get(work.model, ()), work.variant)
        if said is None or work.batch > 1 or work.left.last > len(said.stages):
            return False
        return self._paced(self._own_speed.ran(leg_p50_s(said, work.left), took_s, ended, now))

    def rested(self, now: int) -> bool:
        """Whether time alone changes what runs are expected to take: a slow robot without work is tried again."""
        return self._paced(self._own_speed.rest(now))

    def _paced(self, changed: bool) -> bool:
        for model in self._all if changed else ():
            self._renew(model)
        return changed

    def meets(self, priority: int) -> None:
        """This robot has a stream of this priority."""
        self._urgent[priority] = NEVER_NS

    def asked(self, priority: int, now: int) -> None:
        """A peer asks for work of this priority."""
        if self._urgent.get(priority, 0) <= now:             # one more of what is known already changes little
            self._urgent = {other: until_ns for other, until_ns in self._urgent.items() if until_ns > now}
        self._urgent[priority] = max(self._urgent.get(priority, 0), now + ASKED_NS)

    def want(self, model: str, variant: str) -> list[ev.Command]:
        """Have the stages of a variant loaded, unless that was asked for before, or there are none."""
        profile = named(self._all.get(model, ()), variant)
        if profile is None or not profile.stages or (model, variant) in self._wanted:
            return []
        self._wanted.add((model, variant))
        return [ev.LoadStages(model=model, variant=variant)]

    def want_steps(self, profile: Profile, priority: int, now: int) -> list[ev.Command]:
        """A variant is to run whole: have its stages loaded if it keeps an executor from more urgent work for long."""
        if profile.p50_s < LONG_S or not self.knows_above(priority, now):
            return []
        return self.want(profile.model, profile.variant)

    def knows_above(self, priority: int, now: int) -> bool:
        """Whether more urgent work is to be expected."""
        return any(other > priority and until_ns > now for other, until_ns in self._urgent.items())

    def is_loading(self, model: str, variant: str) -> bool:
        """Whether the variant has stages, and they cannot be run yet."""
        profile = named(self._all.get(model, ()), variant)
        return profile is not None and bool(profile.stages) and (model, variant) not in self._loaded

    def loaded(self, model: str, variant: str) -> None:
        self._loaded.add((model, variant))
        self._renew(model)

    def _renew(self, model: str) -> None:
        self.profiles[model] = by_speed(
            p if (model, p.variant) in self._loaded else msgspec.structs.replace(p, stages=[])
            for p in scaled(self._all[model], self._own_speed.factor)
        )
        self._named.update(((model, p.variant), p) for p in self.profiles[model])
