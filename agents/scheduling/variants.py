"""The variants that this robot can run now: whole, and stage by stage once their stages are loaded. Deterministic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from agents.peers.own_speed import OwnSpeed, scaled
from agents.ports import Part
from agents.scheduling import events as ev
from agents.scheduling.guards import Fallback
from agents.scheduling.memory.residency import Residency
from agents.scheduling.queue.queued_run import QueuedRun
from swarm.core.policy.cost import LONG_S, by_speed, fastest, leg_p50_s, named, step_p95_s, usual
from swarm.core.policy.plan import Leg, Placement, Profile
from swarm.core.units import NEVER_NS, ns

WHOLE = Leg("")
NOT_LOADED = "not_loaded"            # why a request was not run: what it needs is not in memory now

PEER_PRIORITY_NS = ns(10.0)
"""After a peer's request, more work of its priority is expected for this long; of an own stream it always is."""


class RunnableVariants:
    """`profiles`: by model, the fastest first, without those that are not in memory; a profile has stages only if they
    are loaded.

    Stages are loaded when they are first needed.
    """

    def __init__(
        self, profiles: Mapping[str, Sequence[Profile]], staged: Iterable[tuple[str, str]],
        residency: Residency | None = None,
    ) -> None:
        """staged: models and variants whose stages are loaded already. residency: what is in memory; None: all."""
        self._all = profiles
        self._loaded = set(staged)
        self._absent = set(residency.absent()) if residency is not None else set[tuple[str, str]]()
        self._takes_turns = bool(self._absent) or (residency is not None and not residency.fits_all())
        """Whether what is in memory changes."""
        self._ranked: dict[str, list[Profile]] = {}  # in memory or not
        self.wants: list[tuple[Part, int | None]] = []       # not taken yet; with the priority, None of a peer's
        self._coming: dict[tuple[str, str], None] = {}       # variants whose stages `LoadStages` loads
        self._expected: dict[int, int] = {}          # priority -> until when work of it is expected, ns
        self.profiles: dict[str, list[Profile]] = {}
        self._by_name: dict[tuple[str, str], Profile] = {}
        self._fallbacks: dict[str, Fallback] = {}
        self._own_speed = OwnSpeed()
        for model in profiles:
            self._refresh(model)

    def profile(self, model: str, variant: str) -> Profile | None:
        """The profile of a variant as it can run now."""
        return self._by_name.get((model, variant))

    def want(self, model: str, priority: int | None, variant: str = "", deadline_s: float = 0.0) -> float | None:
        """A request wants a variant; or of a model what usually runs by its deadline, and the fastest one for need.

        priority: None of a peer's. Returns in how many seconds it could run, if that is not in memory; None: it is, or
        never will be.
        """
        if not self._takes_turns:
            return None
        some = self._ranked.get(model, [])
        wanted = [one for one in some if one.variant == variant]
        if some and not variant:
            best, first = usual(some, deadline_s), some[0]
            wanted = [best] if best is first else [best, first]
        absent = [one for one in wanted if (model, one.variant) in self._absent]
        waiting = absent or wanted[1:]               # what is kept for need is of use, though it does not run
        self.wants += [(Part(model, one.variant), priority) for one in waiting]
        return min((one.load_s + one.p50_s for one in absent), default=None)

    def take_wants(self) -> list[tuple[Part, int | None]]:
        """What was wanted since the last call and is not in memory, or is there and will not run."""
        wants, self.wants = self.wants, []
        return wants

    def absent(self) -> list[tuple[str, str]]:
        """The models and variants that are not in memory; sorted."""
        return sorted(self._absent)

    def moved(self, part: Part, present: bool) -> None:
        """A part has come into memory, or is about to leave it."""
        key = part.model, part.variant
        self._takes_turns = True
        if part.stages:
            self._coming.pop(key, None)
        changed = self._loaded if part.stages else self._absent
        (changed.add if present == part.stages else changed.discard)(key)
        self._refresh(part.model)

    def fallback(self, model: str) -> Fallback | None:
        """What the fastest run of a model takes, whole or stage by stage, whichever takes longer; None: it has none.

        Its stages may be loaded before it starts.
        """
        return self._fallbacks.get(model)

    @property
    def slowness(self) -> float:
        """The factor by which this robot's runs take longer than its board's profile says."""
        return self._own_speed.factor

    def observe_run(self, work: QueuedRun, took_s: float, completed: bool, now: int) -> bool:
        """A run has left its executor after `took_s`. Returns whether this changes the expected run times."""
        advertised = named(self._all.get(work.model, ()), work.variant)
        if advertised is None or work.batch > 1 or work.left.last > len(advertised.stages):
            return False
        return self._refresh_if(self._own_speed.observe_run(leg_p50_s(advertised, work.left), took_s, completed, now))

    def recover(self, now: int) -> bool:
        """Returns whether time alone has changed the expected run times: a slow robot without work is tried again."""
        return self._refresh_if(self._own_speed.recover(now))

    def _refresh_if(self, changed: bool) -> bool:
        for model in self._all if changed else ():
            self._refresh(model)
        return changed

    def add_own_priority(self, priority: int) -> None:
        """Add the priority of a stream of this robot."""
        self._expected[priority] = NEVER_NS

    def add_peer_priority(self, priority: int, now: int) -> None:
        """Add the priority of a peer's request."""
        if self._expected.get(priority, 0) <= now:           # clean up only when a priority is new: this is rare
            self._expected = {other: until_ns for other, until_ns in self._expected.items() if until_ns > now}
        self._expected[priority] = max(self._expected.get(priority, 0), now + PEER_PRIORITY_NS)

    def request_stages(self, model: str, variant: str, priority: int | None = None) -> list[ev.Command]:
        """Load the stages of a variant, unless they are there or under way, or it has none."""
        profile = named(self._all.get(model, ()), variant)
        if profile is None or not profile.stages or (model, variant) in self._loaded | self._coming.keys():
            return []
        if self._takes_turns:
            self.wants.append((Part(model, variant, stages=True), priority))
            return []
        self._coming[model, variant] = None
        return [ev.LoadStages(model=model, variant=variant)]

    def request_placed(self, model: str, placement: Placement, priority: int) -> list[ev.Command]:
        """What a plan wants this robot to run, of an own stream: its variant, and its stages if others run some."""
        self.want(model, priority, placement.variant)
        return self.request_stages(model, placement.variant, priority) if len(placement.where) > 1 else []

    def request_stages_if_long(self, profile: Profile, priority: int, now: int) -> list[ev.Command]:
        """A variant is to run whole: load its stages if it could block more urgent work for long."""
        if profile.p50_s < LONG_S or not self.expects_above(priority, now):
            return []
        return self.request_stages(profile.model, profile.variant, priority)

    def expects_above(self, priority: int, now: int) -> bool:
        """Whether work more urgent than this priority is expected."""
        return any(other > priority and until_ns > now for other, until_ns in self._expected.items())

    def is_loading(self, model: str, variant: str) -> bool:
        """Whether the variant has stages that are not loaded yet."""
        profile = named(self._all.get(model, ()), variant)
        return profile is not None and bool(profile.stages) and (model, variant) not in self._loaded

    def stages_loaded(self, model: str, variant: str) -> None:
        """The stages of a variant can run from now on."""
        self._coming.pop((model, variant), None)
        self._loaded.add((model, variant))
        self._refresh(model)

    def coming(self) -> list[Part]:
        """The stages that are being loaded at once, where there is room for all."""
        return [Part(*key, stages=True) for key in self._coming]

    def _refresh(self, model: str) -> None:
        self._ranked[model] = by_speed(scaled(self._all[model], self._own_speed.factor))
        self.profiles[model] = [
            p if (model, p.variant) in self._loaded else msgspec.structs.replace(p, stages=[])
            for p in self._ranked[model] if (model, p.variant) not in self._absent
        ]
        for one in self._all[model]:
            self._by_name.pop((model, one.variant), None)
        self._by_name.update(((model, p.variant), p) for p in self.profiles[model])
        own = fastest(self.profiles[model])
        self._fallbacks.pop(model, None)
        if own is not None:
            advertised = named(self._all[model], own.variant)
            assert advertised is not None
            stages_s = sum(stage.p95_s for stage in advertised.stages) * self._own_speed.factor
            self._fallbacks[model] = Fallback(ns(max(own.p95_s, stages_s)), ns(step_p95_s(own, WHOLE)))
