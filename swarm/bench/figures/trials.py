"""Trials of the recovery figures: minutes of frames with a known loss, or none, and what is told of them.

A minute has a fault after FAULT_S. Without a loss, whatever is found is a false alarm. A loss takes LOST of the share
on time, at once, for LASTS_S or to the end. Misses come one by one, or in bursts of ten frames in a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from swarm.telemetry.figures.due import DueFrames
from swarm.telemetry.figures.recovery.judge import Span, judge
from swarm.telemetry.figures.stats import share_interval
from swarm.telemetry.summary_types import Recovery

MINUTE_S = 60.0
FAULT_S = 25.0
LASTS_S = 15.0
LOST = 0.2
DEADLINE_S = 0.2
RATES_HZ = (10, 55, 500)
SHARES = (0.9, 0.95, 0.99)
BURST = 10
Kind = Literal["none", "bursts", "for_a_while", "lasting"]
WITHIN = 0.2                         # a length is right if it is off by at most this share


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """The trials of one rate, share and kind of loss."""

    rate_hz: int
    share: float                     # on time, without the loss
    kind: Kind
    trials: int
    found: int                       # a loss was found; of `none` and `bursts`: false alarms
    right: int                       # for_a_while: its length within 20 %; lasting: told as lasting
    too_few: int                     # told as too few to tell

    @property
    def holds(self) -> bool:
        """Whether the cell meets what is asked of these figures."""
        if self.kind in ("none", "bursts"):
            return self.found <= 0.05 * self.trials
        if self.kind == "lasting":
            return self.right >= 0.95 * self.trials
        return (self.found >= 0.95 * self.trials
                and self.right >= (0.95 if self.rate_hz > RATES_HZ[0] else 0.8) * self.trials)

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of found / trials."""
        return share_interval(self.found, self.trials) or (0.0, 1.0)


def cells(trials: int, seed: int) -> Iterator[Cell]:
    """All cells, one after the other."""
    for rate_hz in RATES_HZ:
        for share in SHARES:
            for kind in ("none", "bursts", "for_a_while", "lasting"):
                yield _cell(rate_hz, share, kind, trials, np.random.default_rng([seed, rate_hz, round(share * 100)]))


def minute(rate_hz: int, share: float, kind: Kind, rng: np.random.Generator) -> DueFrames:
    """A minute of frames of one stream."""
    at_s = (np.arange(round(rate_hz * MINUTE_S)) + rng.random()) / rate_hz
    if kind == "bursts":
        missed = _bursts(at_s.size, 1.0 - share, rng)
    else:
        until_s = {"none": FAULT_S, "for_a_while": FAULT_S + LASTS_S, "lasting": MINUTE_S}[kind]
        low = (at_s >= FAULT_S) & (at_s < until_s)
        missed = rng.random(at_s.size) >= share - LOST * low
    return DueFrames(
        robot=np.full(at_s.size, "rover_0", object), stream=np.full(at_s.size, "detect", object),
        due_s=at_s - DEADLINE_S, deadline_s=np.full(at_s.size, DEADLINE_S),
        latency_s=np.where(missed, np.inf, 0.1), outcome=np.where(missed, "missed", "completed").astype(object))


def _bursts(frames: int, share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Bursts begin at random; one that begins within another makes it no longer."""
    begins = rng.random(frames) < -np.log1p(-share) / BURST
    return np.convolve(begins, np.ones(BURST))[:frames] > 0


def _cell(rate_hz: int, share: float, kind: Kind, trials: int, rng: np.random.Generator) -> Cell:
    told = [judge(minute(rate_hz, share, kind, rng), [Span(FAULT_S, FAULT_S)])[0] for _ in range(trials)]
    return Cell(
        rate_hz=rate_hz, share=share, kind=kind, trials=trials, right=sum(_right(kind, one) for one in told),
        found=sum(one.verdict in ("recovered", "lasting") for one in told),
        too_few=sum(one.verdict == "too_few" for one in told))


def _right(kind: Kind, told: Recovery) -> bool:
    if kind == "for_a_while":
        return told.recover_s is not None and abs(told.recover_s - LASTS_S) <= WITHIN * LASTS_S
    return told.verdict == ("lasting" if kind == "lasting" else "not_hit")
