"""What this robot can run now: its variants whole, and stage by stage once their stages are loaded. Deterministic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from agents import events as ev
from swarm.core.cost import LONG_S, named
from swarm.core.plan import Profile


class Ready:
    """`profiles`, by model, have stages only where they are loaded. Stages are loaded when they are first wanted."""

    def __init__(self, profiles: Mapping[str, Sequence[Profile]], staged: Iterable[tuple[str, str]]) -> None:
        """staged: models and variants whose stages are loaded already."""
        self._all = profiles
        self._loaded = set(staged)
        self._wanted = set(self._loaded)
        self._most_urgent = 0                        # of all work that was seen
        self.profiles: dict[str, list[Profile]] = {}
        for model in profiles:
            self._renew(model)

    def has(self, model: str, variant: str) -> Profile | None:
        """The profile of a variant as it can be run now."""
        return named(self.profiles.get(model, ()), variant)

    def want(self, model: str, variant: str) -> list[ev.Command]:
        """Have the stages of a variant loaded, unless that was asked for before, or there are none."""
        profile = named(self._all.get(model, ()), variant)
        if profile is None or not profile.stages or (model, variant) in self._wanted:
            return []
        self._wanted.add((model, variant))
        return [ev.LoadStages(model=model, variant=variant)]

    def want_steps(self, model: str, variant: str, priority: int) -> list[ev.Command]:
        """A variant is to run whole: have its stages loaded if it keeps an executor from more urgent work for long."""
        self._most_urgent = max(self._most_urgent, priority)
        profile = self.has(model, variant)
        if profile is None or priority == self._most_urgent or profile.p50_s < LONG_S:
            return []
        return self.want(model, variant)

    def knows_above(self, priority: int) -> bool:
        """Whether more urgent work has been seen."""
        return self._most_urgent > priority

    def is_loading(self, model: str, variant: str) -> bool:
        """Whether the variant has stages, and they cannot be run yet."""
        profile = named(self._all.get(model, ()), variant)
        return profile is not None and bool(profile.stages) and (model, variant) not in self._loaded

    def loaded(self, model: str, variant: str) -> None:
        self._loaded.add((model, variant))
        self._renew(model)

    def _renew(self, model: str) -> None:
        self.profiles[model] = [
            p if (model, p.variant) in self._loaded else msgspec.structs.replace(p, stages=[])
            for p in self._all[model]
        ]
