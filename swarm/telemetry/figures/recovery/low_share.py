"""Finds the time in which fewer frames were on time than otherwise: a change-point test on the order of misses.

Model: frames miss with one rate, and in a stretch that begins soon after the fault with a rate that is higher by at
least MARGIN. Evidence for a stretch is the logarithm of the generalised likelihood ratio (Siegmund, Sequential
Analysis, 1985): how much better two rates explain the misses than one. Frames are counted, not seconds, so the test is
the same at any rate. Misses come in clumps (a busy carrier misses for several robots), which multiplies the chance of a
high ratio; so the ratio is divided by their clumping.

The thresholds are those with which `swarm bench figures` finds at most 5 % false alarms a minute. They grow with the
logarithm of the number of frames that may begin a stretch, as in any scan over so many places. The end of a loss needs
less evidence: in a lasting loss a random walk with negative drift rises by BACK with a probability of exp(-BACK).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MARGIN = 0.05                        # a loss is at least so high; less is not noticed by people
LEAST = 4                            # misses of a stretch
FOUND, PER_LOG = 0.8, 1.5            # evidence that a loss needs: FOUND + PER_LOG * log(frames that may begin it)
BACK, BACK_PER_LOG = 2.2, 0.4        # the same for its end, over staying to the last frame
LOSSES = np.array([0.06, 0.1, 0.15, 0.2, 0.3, 0.45, 0.65, 0.9])      # rates of misses above normal that are tried
FEW, RUN = 1, 10                     # misses that are added to those seen, and the length of their run
PLAIN, SURELY = 0.2, 1.5             # a loss that should be found; its evidence, over the threshold

Misses = NDArray[np.bool_]


class LowShare(NamedTuple):
    """A stretch of frames with a lower share on time."""

    first: int                       # its first frame
    last: int                        # the frame after its last one
    ended: bool                      # whether it ended before the last frame


def find(before: Misses, after: Misses, places: int) -> LowShare | None:
    """The loss that explains the misses best and begins with one of the first `places` frames; None: none was found.

    before: [frames] whether each was missed, without a fault. after: [frames] the same from a fault on.
    """
    if not places:
        return None
    search = _Search(before, after)
    best, lasting = search.best(places), search.best(places, to_the_end=True)
    clumps = search.clumping(best, places)
    if search.gain(best) < threshold(places) * clumps:
        return None
    ended = search.gain(best) - search.gain(lasting) > back(places) * clumps
    return (best if ended else lasting)._replace(ended=ended)


def ends_before(before: Misses, after: Misses, places: int) -> int:
    """The first frame of a loss that did not begin with one of the first `places` frames but later; else the end."""
    search = _Search(before, after)
    best = search.best(after.size)
    if best.first < places:
        return after.size
    clumps = search.clumping(best, places)
    of_its_own = search.gain(best) - max(search.gain(search.best(places)), 0.0) > back(places) * clumps
    return best.first if of_its_own and search.gain(best) >= threshold(after.size) * clumps else after.size


def enough(before: Misses, after: Misses, places: int) -> bool:
    """Whether a loss of 20 points (PLAIN), spread evenly over all frames from the fault on, would be found."""
    if not before.size or not after.size or places < 1:
        return False
    rate = min(float(before.mean()) + PLAIN, 1.0)
    lost = np.arange(after.size) * rate % 1.0 < rate
    evidence = _Search(before, lost).gain(LowShare(0, after.size, False))
    return evidence >= SURELY * threshold(places) * clumping(before, lost)


def threshold(places: int) -> float:
    """The evidence that a loss needs which may begin at so many places."""
    return FOUND + PER_LOG * math.log(max(places, 1))


def back(places: int) -> float:
    """The evidence that the end of a loss needs."""
    return BACK + BACK_PER_LOG * math.log(max(places, 1))


def clumping(rest: Misses, stretch: Misses) -> float:
    """How much more the number of misses varies than that of independent ones, outside a stretch with a loss.

    Few misses tell little: it is as if one more (FEW) had come in a run of ten (RUN), so that the only run of misses of
    a minute is not blamed on the fault near which it came by chance; in a shorter one if those of the stretch, when
    there are enough misses and hits to see it, came in shorter ones.
    """
    run = min(RUN, _autocorrelation_time(stretch)) if _least(stretch) >= RUN else RUN
    weight = _least(rest)
    return ((_autocorrelation_time(rest) * weight if weight else 0.0) + run * FEW) / (weight + FEW)


def _least(missed: Misses) -> int:
    """The number of misses, or of hits if these are fewer."""
    return min(int(missed.sum()), int((~missed).sum()))


def _autocorrelation_time(missed: Misses) -> float:
    """1 if misses are independent, 10 if they come in runs of ten.

    The integrated autocorrelation, summed up to the first pair of lags that is not positive (Geyer, Statistical
    Science 7, 1992).
    """
    rest = missed - missed.mean()
    power = np.abs(np.fft.rfft(rest, 1 << (2 * rest.size - 1).bit_length())) ** 2
    covariance = np.fft.irfft(power)[:rest.size // 2 * 2]
    pairs = (covariance / covariance[0]).reshape(-1, 2).sum(axis=1)
    ends = np.flatnonzero(pairs <= 0.0)
    return max(1.0, 2.0 * float(pairs[:ends[0] if ends.size else None].sum()) - 1.0)


class _Search:
    """Walks through the misses after a fault: with each tried pair of rates, a log likelihood ratio that grows with a
    miss and falls with every other frame. A stretch with most evidence begins with a miss and ends with one.
    """

    def __init__(self, before: Misses, after: Misses) -> None:
        self._before, self._after = before, after
        self._lost, self._places = np.concatenate([[0], np.cumsum(after)]), np.flatnonzero(after)
        lost, frames = int(before.sum()), before.size
        normal = np.array([(lost + 0.5) / (frames + 1.0), (lost + self._lost[-1] + 0.5) / (frames + after.size + 1.0)])
        low = np.repeat(normal, LOSSES.size)[:, None]
        high = np.minimum(low + np.tile(LOSSES, normal.size)[:, None], 1.0 - 0.1 * (1.0 - low))
        misses = np.arange(self._places.size)
        self._walk = np.log(high / low) * misses + np.log((1.0 - high) / (1.0 - low)) * (self._places - misses)

    def best(self, places: int, to_the_end: bool = False) -> LowShare:
        """The stretch with most evidence among the best of each walk: from its lowest point to the highest after it."""
        begins = int(np.searchsorted(self._places, places))
        if not begins:
            return LowShare(0, 0, False)
        lowest = np.minimum.accumulate(self._walk[:, :begins], axis=1)
        rise = self._walk - np.pad(lowest, ((0, 0), (0, self._places.size - begins)), mode="edge")
        ends = np.full(len(rise), begins - 1) if to_the_end else rise.argmax(axis=1)
        found = set[LowShare]()
        for row, end in zip(self._walk, ends, strict=True):
            first = row[:min(end, begins - 1) + 1].argmin()
            last = self._after.size if to_the_end else self._places[end] + 1
            found.add(LowShare(int(self._places[first]), int(last), False))
        return max(found, key=lambda stretch: (self.gain(stretch), stretch))

    def gain(self, stretch: LowShare) -> float:
        """The evidence for a stretch."""
        lost, frames = int(self._lost[stretch.last] - self._lost[stretch.first]), stretch.last - stretch.first
        if lost < LEAST:
            return -math.inf
        return _ratio(lost, frames, int(self._before.sum()) + int(self._lost[-1]) - lost,
                      self._before.size + self._after.size - frames)

    def clumping(self, stretch: LowShare, places: int) -> float:
        """The clumping of the misses in a stretch, and of those before and after the time in which it may begin."""
        rest = np.concatenate([self._before, self._after[max(stretch.last, places):]])
        return clumping(rest, self._after[stretch.first:stretch.last])


def _ratio(lost: float, frames: int, lost_else: float, frames_else: int) -> float:
    """log(likelihood with a rate for each part / likelihood with one rate); -inf: not MARGIN apart."""
    if not frames_else or lost / frames < lost_else / frames_else + MARGIN:
        return -math.inf
    return (_likelihood(lost, frames) + _likelihood(lost_else, frames_else)
            - _likelihood(lost + lost_else, frames + frames_else))


def _likelihood(lost: float, frames: float) -> float:
    """The logarithm of the greatest likelihood of so many misses."""
    return sum(k * math.log(k / frames) for k in (lost, frames - lost) if k > 0)
