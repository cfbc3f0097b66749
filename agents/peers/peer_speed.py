"""How long peers' runs take, compared with what they advertise. Deterministic.

A peer that is slower than advertised gets less work. Then fewer of its runs are observed, so the correction fades with
time.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import inf

from swarm.core.policy.cost import leg_p50_s, slowed, together_p50_s
from swarm.core.policy.plan import Leg, Profile
from swarm.core.units import seconds

WEIGHT = 0.25                        # of the newest run, in an exponential moving average
LEAST = 0.125                        # of a factor; there is no most, since a peer may be worse than all guesses
HALF_LIFE_S = 10.0                   # of a correction
NOTABLE = 0.05                       # smaller relative changes do not make a new profile


class PeerSpeed:
    """The factors by which one peer's run times exceed those advertised, by variant: whole, and by stage."""

    def __init__(self) -> None:
        self._factors: dict[tuple[str, str], list[float]] = {}     # by variant: whole, then each stage
        self._applied: dict[tuple[str, str], list[float]] = {}     # the factors in the last corrected profile
        self._at_ns = 0

    def observe_run(self, profile: Profile, leg: Leg, run_s: float, batch: int = 1, most: float = inf) -> bool:
        """A leg took `run_s` on a batch of inputs. profile: as advertised. most: times as long, for a guess.

        Returns whether the profile needs a new correction.
        """
        key = (profile.model, profile.variant)
        factors = self._factors.get(key, [])
        if len(factors) != 1 + len(profile.stages):          # not observed before, or its number of stages changed
            factors = self._factors[key] = [1.0] * (1 + len(profile.stages))
            self._applied.pop(key, None)
        advertised_s = together_p50_s(profile, batch) if batch > 1 else leg_p50_s(profile, leg)
        ratio = min(max(run_s / advertised_s, LEAST), most)
        for k in [0] if leg.whole else range(1 + leg.first, 1 + leg.last):
            factors[k] += WEIGHT * (ratio - factors[k])
        return self._notable(key)

    def only(self, variants: Collection[tuple[str, str]]) -> PeerSpeed:
        """What was seen of these variants."""
        kept = PeerSpeed()
        kept._factors = {key: factors for key, factors in self._factors.items() if key in variants}
        kept._at_ns = self._at_ns
        return kept

    def fade(self, now: int) -> bool:
        """Let the corrections fade with time. Returns whether profiles need a new correction."""
        since_ns, self._at_ns = now - self._at_ns, now
        if not self._factors:
            return False                             # nothing is corrected
        kept = 0.5 ** (seconds(max(0, since_ns)) / HALF_LIFE_S)
        for factors in self._factors.values():
            factors[:] = [1.0 + kept * (factor - 1.0) for factor in factors]
        return any(self._notable(key) for key in self._factors)

    def corrected(self, profiles: Sequence[Profile]) -> list[Profile]:
        """The profiles with the expected run times. profiles: as advertised."""
        return [self._corrected(profile) for profile in profiles]

    def _corrected(self, profile: Profile) -> Profile:
        key = (profile.model, profile.variant)
        factors = self._factors.get(key)
        if factors is None:
            return profile
        self._applied[key] = list(factors)
        if len(factors) != 1 + len(profile.stages):
            return profile
        whole, *by_stage = factors
        return slowed(profile, whole, by_stage)

    def _notable(self, key: tuple[str, str]) -> bool:
        factors = self._factors[key]
        applied = self._applied.get(key) or [1.0] * len(factors)
        return any(abs(factor - before) > NOTABLE * before for factor, before in zip(factors, applied, strict=True))
