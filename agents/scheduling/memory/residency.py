"""Which models and stages are in memory: as far as the budget holds, the most useful per byte first. Deterministic.

    value = uses per second x weight of the priority x seconds to have it again;  an absent one gains with its waiting

One part is loaded at a time, so that the memory measured after it decides on the next one. A part is loaded if there is
room for it. It also pushes others out if each of them is worth less per byte, and it is worth `MARGIN` times as much
as all of them. What this robot uses itself comes before what only peers use. A model with no variant in memory gains
with its waiting, so models of equal worth take turns; variants of one model do not.

A part stays while it runs or is promised. The fastest variant of the most urgent stream stays for good, unless several
models are equally urgent. The only variant in memory of an own stream's model stays if one of each model fits. Above
the budget, the part of least worth per byte goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from agents.ports import MemoryEnd, Part
from swarm.core.units import NS, ns

MARGIN = 1.5                         # so that two parts of about the same worth do not push each other out
TURN_S, TURN_LOADS = 4.0, 20.0
"""A part that waits is worth twice as much after TURN_S, or after TURN_LOADS times its load: loads stay rare."""

STAY_S, STAY_LOADS = 1.0, 5.0
"""What was loaded stays for the longer of STAY_S and STAY_LOADS times its load, however much another one is worth."""

FIRST_S = 1.0                        # between two uses, of a part that was used once
SMOOTHING = 0.25                     # share of the newest interval, weight or load time in their means
FORGOTTEN_NS, FORGOTTEN_USES = ns(2.0), 3.0          # nobody wants what was not wanted for the longer of these times
OWN_NS = ns(30.0)                    # what an own stream has used within this time is not pushed out for peers
RETRY_NS = ns(30.0)                  # after a load that failed
HANGS_NS = ns(600.0)                 # a load that takes longer keeps others from being loaded, but not from leaving
LEAST_LOAD_S = 0.005


class Size(NamedTuple):
    """What a part takes: kept and, while it is loaded, at most; and how long a load takes."""

    kept_bytes: int
    peak_bytes: int
    load_s: float


class Move(NamedTuple):
    """What is to be done: load a part, or unload it."""

    part: Part
    load: bool


class _Held(msgspec.Struct):
    """What is known of one part."""

    part: Part
    kept_bytes: int
    peak_bytes: int
    load_s: float
    present: bool
    weight: float = 0.0              # of its users, smoothed
    mean_s: float = FIRST_S          # between two uses
    used_ns: int | None = None       # last use, or last time it was wanted
    own_ns: int | None = None        # the same, by this robot
    waits_ns: int | None = None      # wanted since then, and absent
    retry_ns: int = 0
    stays_ns: int = 0                # until then it is not pushed out

    def value(self, now: int, *, gains: bool = True) -> float:
        """gains: whether it is worth more with its waiting."""
        if self.used_ns is None:
            return 0.0
        value = self.weight * max(self.load_s, LEAST_LOAD_S) / max(self.mean_s, (now - self.used_ns) / NS)
        if self.waits_ns is None or not gains:
            return value
        return value * (1.0 + (now - self.waits_ns) / NS / max(TURN_S, TURN_LOADS * self.load_s))

    def is_own(self, now: int) -> bool:
        """Whether this robot itself uses it."""
        return self.own_ns is not None and now - self.own_ns <= OWN_NS

    def is_forgotten(self, now: int) -> bool:
        return self.used_ns is None or now - self.used_ns > max(FORGOTTEN_NS, FORGOTTEN_USES * self.mean_s * NS)


class Residency:
    """The parts of one agent.

    sizes: of each part that fits alone; from its card until a load has measured it. present: the parts in memory.
    fastest: by model, its fastest variant. limit_bytes: the budget. rss_bytes: resident memory of the process.
    """

    def __init__(
        self, sizes: Mapping[Part, Size], present: Iterable[Part], fastest: Mapping[str, str], limit_bytes: int,
        rss_bytes: int,
    ) -> None:
        loaded = set(present)
        self._parts = {part: _Held(part, *size, present=part in loaded) for part, size in sizes.items()}
        self._fastest, self.limit_bytes, self.rss_bytes = fastest, limit_bytes, rss_bytes
        self._own: list[str] = []                    # models of own streams
        self.stays = ""                              # the model of the most urgent one; empty: several are
        self._moving: dict[Part, int] = {}           # are being loaded or unloaded, and since when

    @property
    def is_over(self) -> bool:
        """Whether the process takes more than the budget."""
        return self.rss_bytes > self.limit_bytes

    def fits_all(self) -> bool:
        """Whether all parts fit together, by their cards and measured sizes."""
        absent_bytes = sum(one.kept_bytes for one in self._parts.values() if not one.present)
        return self.rss_bytes + absent_bytes <= self.limit_bytes

    def is_short(self, rss_bytes: int) -> bool:
        """Whether the process takes more than the budget, or a variant is absent: else nothing is to be decided."""
        return rss_bytes > self.limit_bytes or bool(self.absent())

    def own_models(self, models: Iterable[str]) -> None:
        """The models of own streams."""
        self._own = list(dict.fromkeys(models))

    def absent(self) -> list[tuple[str, str]]:
        """The models and variants that are not in memory."""
        return [one.part[:2] for one in self._parts.values() if not (one.present or one.part.stages)]

    def used(self, part: Part, weight: float, now: int, *, own: bool = True) -> None:
        """A run uses a part, or would use it if it were in memory. own: for a stream of this robot, not for a peer."""
        one = self._parts.get(part)
        if one is None:
            return
        if not one.present and (one.waits_ns is None or one.is_forgotten(now)):
            one.waits_ns = now
        if one.used_ns is None:
            one.weight = weight
        elif now > one.used_ns:
            one.mean_s += SMOOTHING * ((now - one.used_ns) / NS - one.mean_s)
            one.weight += SMOOTHING * (weight - one.weight)
        else:
            one.weight = max(weight, one.weight)
        one.used_ns = now
        one.own_ns = now if own else one.own_ns

    def began(self, part: Part, now: int) -> None:
        """A part is being loaded that `next_move` did not choose."""
        self._moving.setdefault(part, now)

    def came(self, part: Part) -> None:
        """Such a part is in memory now."""
        self._moving.pop(part, None)
        if part in self._parts:
            self._parts[part].present = True

    def measured(self, rss_bytes: int, kept_bytes: Mapping[Part, int]) -> None:
        """The memory of the process, and what loads have added to it."""
        self.rss_bytes = rss_bytes
        for part, size in kept_bytes.items():
            self._resize(self._parts.get(part), size)

    def ended(self, end: MemoryEnd, now: int) -> None:
        """A load or an unload has ended."""
        self.rss_bytes = end.rss_bytes
        self._moving.pop(end.part, None)
        one = self._parts[end.part]
        one.present = end.present
        if end.failed:
            one.retry_ns = now + RETRY_NS
        elif end.present:
            self._resize(one, end.kept_bytes)
            one.load_s += SMOOTHING * (end.took_s - one.load_s)
            one.waits_ns = None
            one.stays_ns = now + round(max(STAY_S, STAY_LOADS * one.load_s) * NS)

    def next_move(self, now: int, is_busy: Callable[[str, str], bool]) -> Move | None:
        """What is to be done now; it has begun then. None: nothing, or one is under way.

        is_busy: whether a variant runs, waits for an executor, or is promised.
        """
        if self._moving and (not self.is_over or any(now - began < HANGS_NS for began in self._moving.values())):
            return None
        move = self._choose(now, is_busy)
        if move is not None:
            self._moving[move.part] = now
            self._parts[move.part].present &= move.load
            if not (move.load or move.part.stages):
                self._wait_from(move.part.model, now)
        return move

    def _wait_from(self, model: str, now: int) -> None:
        """A variant leaves: what another one of its model has waited, while it could run, does not count."""
        for one in self._parts.values():
            if one.part.model == model and one.waits_ns is not None:
                one.waits_ns = now

    def blocked_by(self, now: int, is_busy: Callable[[str, str], bool]) -> list[tuple[str, str]]:
        """The models and variants that are busy where there would be something to do if they were not."""
        if self._moving or self._choose(now, lambda model, variant: False) is None:
            return []
        keys = dict.fromkeys(one.part[:2] for one in self._parts.values() if one.present)
        return [key for key in keys if is_busy(*key)]

    def _choose(self, now: int, is_busy: Callable[[str, str], bool]) -> Move | None:
        present = [one for one in self._parts.values() if one.present and not is_busy(one.part.model, one.part.variant)]
        weakest = sorted((one for one in present if not self._stays(one)), key=lambda one: self._rank(one, now))
        if self.is_over:
            return self._unload(weakest[0]) if weakest else None
        wanted = [one for one in self._parts.values() if not one.present and not one.is_forgotten(now)
                  and now >= one.retry_ns and self._has_its_whole(one.part)]
        for one in sorted(wanted, key=lambda one: self._rank(one, now), reverse=True):
            lacking = one.peak_bytes - (self.limit_bytes - self.rss_bytes)
            if lacking <= 0:
                return Move(one.part, load=True)
            out = self._out_for(one, lacking, weakest, now)
            if out is not None:
                return self._unload(out)
        return None

    def _out_for(self, one: _Held, lacking: int, weakest: Sequence[_Held], now: int) -> _Held | None:
        """The first part to be unloaded for an absent one. None: it is not worth it."""
        out: list[_Held] = []
        own, worth, _ = self._rank(one, now)
        for other in weakest:
            other_own, other_worth, _ = self._rank(other, now)
            if lacking <= 0 or other_own > own or (other_own == own and MARGIN * other_worth >= worth):
                break
            if now >= other.stays_ns and other.part[:2] != one.part[:2]:     # stages are of no use without their whole
                out.append(other)
                lacking -= self._freed_bytes(other)
        lost = sum(self._value(other, now) for other in out if self._is_own(other, now) == own)
        return out[0] if out and lacking <= 0 and MARGIN * lost < self._value(one, now) else None

    def _unload(self, one: _Held) -> Move:
        """A whole variant takes its stages along: they go first."""
        stages = self._stages_of(one)
        return Move((stages or one).part, load=False)

    def _stages_of(self, one: _Held) -> _Held | None:
        """The loaded stages of a whole variant."""
        stages = None if one.part.stages else self._parts.get(one.part._replace(stages=True))
        return stages if stages is not None and stages.present else None

    def _value(self, one: _Held, now: int) -> float:
        stages = self._stages_of(one)
        return one.value(now, gains=one.part.stages or not self._others(one)) + (
            stages.value(now) if stages is not None else 0.0)

    def _freed_bytes(self, one: _Held) -> int:
        stages = self._stages_of(one)
        return one.kept_bytes + (stages.kept_bytes if stages is not None else 0)

    def _rank(self, one: _Held, now: int) -> tuple[bool, float, Part]:
        """What this robot uses is before what only peers use; then by value per byte; ties are broken by name."""
        return self._is_own(one, now), self._value(one, now) / max(self._freed_bytes(one), 1), one.part

    def _is_own(self, one: _Held, now: int) -> bool:
        stages = self._stages_of(one)
        return one.is_own(now) or (stages is not None and stages.is_own(now))

    def _others(self, one: _Held) -> bool:
        """Whether another variant of its model is in memory."""
        return any(other.present and other.part.model == one.part.model and other is not one and not other.part.stages
                   for other in self._parts.values())

    def _has_its_whole(self, part: Part) -> bool:
        return not part.stages or self._parts[part._replace(stages=False)].present

    def _stays(self, one: _Held) -> bool:
        """Whether it is never unloaded for another part."""
        model, variant, stages = one.part
        if stages or model not in self._own:
            return False
        if model == self.stays and variant == self._fastest[model]:
            return True
        return not self._others(one) and (model == self.stays or (self._fit_together() and not self.is_over))

    def _fit_together(self) -> bool:
        """Whether one variant of each own model fits into the budget, by what is in memory beside all parts."""
        base_bytes = self.rss_bytes - sum(one.kept_bytes for one in self._parts.values() if one.present)
        wholes = [one for one in self._parts.values() if not one.part.stages]
        least = [min((one.kept_bytes for one in wholes if one.part.model == model), default=0) for model in self._own]
        return base_bytes + sum(least) <= self.limit_bytes

    def _resize(self, one: _Held | None, kept_bytes: int) -> None:
        if one is not None:
            one.peak_bytes += kept_bytes - one.kept_bytes
            one.kept_bytes = kept_bytes
