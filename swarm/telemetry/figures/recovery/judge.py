"""What a fault did to the on-time share: the levels before, during and after it, and the time until it was back.

A frame counts at the moment when its result fell due, since a fault hits the requests that are open when it begins.
The frames before the fault, without the times of earlier losses, tell the normal share; `low_share` finds a loss that
begins with the fault, and its end. A loss in several steps is found step by step: each begins where the last one ended.

Constants: peers detect a death within 2 s and the planner then places anew, so a loss begins at most 3 s (BEGINS_S)
after a fault, or 1 s (AFTER_S) after the end of a longer one. Thirty seconds before it (BEFORE_S) are long enough for
the normal share at 10 requests a second, and short against the slow changes of a mission.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from swarm.telemetry.figures import stats
from swarm.telemetry.figures.due import DueFrames
from swarm.telemetry.figures.recovery import low_share
from swarm.telemetry.summary_types import Level, Recovery

BEFORE_S = 30.0
BEGINS_S = 3.0
AFTER_S = 1.0
STEP_S = 1.0                         # a further step of a loss begins within this time after the last one
NEAR_S = 5.0                         # faults that begin nearer to each other are judged together
SHORT_S = 5.0                        # a loss to the end is lasting if the end is at least so long after the fault


class Span(NamedTuple):
    """A fault from its begin to its end, in seconds since the streams began."""

    from_s: float
    to_s: float


def together(faults: Sequence[Span]) -> list[list[Span]]:
    """Faults in order of their begin, in groups: one that begins near the last one, or during one, belongs to it."""
    groups: list[list[Span]] = []
    for fault in faults:
        if groups and fault.from_s < max(groups[-1][-1].from_s + NEAR_S, *(earlier.to_s for earlier in groups[-1])):
            groups[-1].append(fault)
        else:
            groups.append([fault])
    return groups


def judge(frames: DueFrames, faults: Sequence[Span], left_out: Sequence[str] = ()) -> list[Recovery]:
    """The recovery after each fault. faults: in order of their begin. left_out: robots whose streams do not count."""
    history = _History(frames.where(~np.isin(frames.robot, list(left_out))))
    groups = together(faults)
    found: list[Recovery] = []
    for group, following in itertools.zip_longest(groups, groups[1:]):
        made = history.judge(group, following[0].from_s if following else None)
        made = msgspec.structs.replace(made, together=len(group), left_out=list(left_out))
        found += [made] * len(group)
    return found


class _History:
    """Frames in order of the time at which their results fell due, and which of them are normal: without a loss."""

    def __init__(self, frames: DueFrames) -> None:
        at_s = np.round(frames.due_s + frames.deadline_s, 6)     # without the noise of binary fractions
        order = np.argsort(at_s, kind="stable")
        self._at_s: NDArray[np.float64] = at_s[order]
        self._missed = ~frames.on_time[order]
        self._normal = np.ones(at_s.size, bool)
        self._since_s = 0.0                          # the frames have been normal since then

    def judge(self, group: Sequence[Span], end_s: float | None) -> Recovery:
        """The recovery after a group of faults. end_s: begin of the next one; None: there is none."""
        from_s = group[0].from_s
        latest_s = max(group[-1].from_s + BEGINS_S, max(fault.to_s for fault in group) + AFTER_S)
        start = self._index(from_s)
        before = self._missed[:start][self._normal[:start] & (self._at_s[:start] >= from_s - BEFORE_S)]
        last = self._at_s.size if end_s is None else self._index(end_s)
        steps, end = self._steps(before, start, latest_s, last)
        ends_s = self._time(end) if end_s is None or end < last else end_s
        made = Recovery(verdict="not_hit", recover_s=0.0, n=end - start, after=self._level(from_s, ends_s),
                        before=self._level(max(self._since_s, from_s - BEFORE_S), from_s))
        if steps:
            lows = [self._level(self._time(first), self._time(last)) for first, last, _ in steps]
            made.worst = min(lows, key=lambda level: level.share)
            first, last, ended = steps[-1]
            if ended:
                made.verdict, made.recover_s = "recovered", round(self._time(last) - from_s, 3)
                made.after = self._level(self._time(last), ends_s)
                self._not_normal(start, last)
            elif ends_s - from_s >= SHORT_S:
                made.verdict, made.recover_s, made.after = "lasting", None, lows[-1]
                self._not_normal(0, first)           # from now on the loss is normal
            else:
                made.verdict, made.recover_s, made.after = "too_few", None, lows[-1]
                self._not_normal(start, end)
        elif not low_share.enough(before, self._missed[start:end], self._index(latest_s) - start):
            made.verdict, made.recover_s = "too_few", None
            self._not_normal(start, min(self._index(latest_s), end))
        return made

    def _steps(
        self, before: NDArray[np.bool_], start: int, latest_s: float, end: int
    ) -> tuple[list[tuple[int, int, bool]], int]:
        """The steps of a loss: first frame, frame after the last one, and whether the loss ended there.

        Returns: also the frame at which all that is judged ends: `end`, or the begin of a later loss of its own.
        """
        steps: list[tuple[int, int, bool]] = []
        while start < end and before.size:
            may_begin = min(self._index(latest_s), end) - start
            end = start + low_share.ends_before(before, self._missed[start:end], may_begin)
            step = low_share.find(before, self._missed[start:end], may_begin)
            if step is None:
                break
            steps.append((start + step.first, start + step.last, step.ended))
            if not step.ended:
                break
            start += step.last
            latest_s = self._at_s[start] + STEP_S
        return steps, end

    def _not_normal(self, first: int, last: int) -> None:
        self._normal[first:last] = False
        self._since_s = self._time(last)

    def _index(self, at_s: float) -> int:
        """The first frame whose result fell due at this time or later."""
        return int(np.searchsorted(self._at_s, at_s))

    def _time(self, index: int) -> float:
        """When the result of a frame fell due, in whole milliseconds; of the frame after the last: just after that."""
        if index < self._at_s.size:
            return math.floor(round(self._at_s[index] * 1e3, 3)) / 1e3
        return math.floor(round(self._at_s[-1] * 1e3, 3) + 1.0) / 1e3 if index else 0.0

    def _level(self, from_s: float, to_s: float) -> Level:
        """The level over the frames whose results fell due in [from_s, to_s)."""
        first, last = self._index(from_s), self._index(to_s)
        hits, n = int((~self._missed[first:last]).sum()), max(last - first, 0)
        interval = stats.share_interval(hits, n)
        return Level(from_s=round(from_s, 3), to_s=round(to_s, 3), share=round(hits / n, 6) if n else 0.0, n=n,
                     interval=interval and [round(interval.low, 6), round(interval.high, 6)])
