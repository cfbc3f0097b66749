"""How long peers really take, against what they advertise. Deterministic.

A peer that is slower than it says is given less work; since it is then seen less, what is believed of it fades.
"""

from __future__ import annotations

from collections.abc import Sequence

from swarm.core.policy.cost import leg_p50_s, slowed, together_p50_s
from swarm.core.policy.plan import Leg, Profile
from swarm.core.units import seconds

WEIGHT = 0.25                        # of what was seen last
BOUNDS = (0.125, 8.0)                # of a factor
HALF_S = 10.0                        # after which half of what was believed is forgotten
NOTABLE = 0.05                       # smaller changes are not worth a new profile


class PeerSpeed:
    """One peer's variants: factors by which its run times are longer than advertised, whole and by stage."""

    def __init__(self) -> None:
        self._factors: dict[tuple[str, str], list[float]] = {}     # of a variant: whole, then each stage
        self._said: dict[tuple[str, str], list[float]] = {}        # those that the last profile was made with
        self._at_ns = 0

    def saw(self, profile: Profile, leg: Leg, run_s: float, batch: int = 1) -> bool:
        """A leg took this long, on so many inputs at once. profile: as advertised.

        Returns whether it is to be corrected anew.
        """
        key = (profile.model, profile.variant)
        factors = self._factors.get(key, [])
        if len(factors) != 1 + len(profile.stages):          # not seen before, or cut otherwise since
            factors = self._factors[key] = [1.0] * (1 + len(profile.stages))
            self._said.pop(key, None)
        said_s = together_p50_s(profile, batch) if batch > 1 else leg_p50_s(profile, leg)
        seen = min(max(run_s / said_s, BOUNDS[0]), BOUNDS[1])
        for k in [0] if leg.whole else range(1 + leg.first, 1 + leg.last):
            factors[k] += WEIGHT * (seen - factors[k])
        return self._notable(key)

    def fade(self, now: int) -> bool:
        """Time passes. Returns whether profiles are to be corrected anew."""
        kept = 0.5 ** (seconds(max(0, now - self._at_ns)) / HALF_S)
        self._at_ns = now
        for factors in self._factors.values():
            factors[:] = [1.0 + kept * (factor - 1.0) for factor in factors]
        return any(self._notable(key) for key in self._factors)

    def corrected(self, profiles: Sequence[Profile]) -> list[Profile]:
        """Profiles with the times that are to be expected."""
        return [self._corrected(profile) for profile in profiles]

    def _corrected(self, profile: Profile) -> Profile:
        key = (profile.model, profile.variant)
        factors = self._factors.get(key)
        if factors is None:
            return profile
        self._said[key] = list(factors)
        if len(factors) != 1 + len(profile.stages):
            return profile
        whole, *by_stage = factors
        return slowed(profile, whole, by_stage)

    def _notable(self, key: tuple[str, str]) -> bool:
        factors = self._factors[key]
        said = self._said.get(key) or [1.0] * len(factors)
        return any(abs(factor - before) > NOTABLE * before for factor, before in zip(factors, said, strict=True))
