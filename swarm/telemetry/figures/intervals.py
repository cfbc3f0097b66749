"""How often the share on time that was observed lies in the interval that its plan forecast."""

from __future__ import annotations

import math

import msgspec

from swarm.telemetry.figures.due import DueFrames
from swarm.telemetry.figures.planner import FEWEST, PlanHistory
from swarm.telemetry.figures.stats import likely_shares
from swarm.telemetry.summary_types import IntervalFigures

ROUNDING = 1e-12


class _Pair(msgspec.Struct):
    """A stream under one plan: sums over its frames."""

    frames: int = 0
    on_time: int = 0
    predicted: float = 0.0
    low: float = 0.0
    high: float = 0.0


def held(due: DueFrames, plans: PlanHistory) -> IntervalFigures:
    """Over pairs of a stream of a robot and a plan; the forecasts of one plan are averaged over its frames."""
    pairs: dict[tuple[str, str, int], _Pair] = {}
    submitted = due.where(due.outcome != "missed")
    columns = (submitted.robot, submitted.stream, submitted.due_s, submitted.on_time)
    for robot, stream, due_s, on_time in zip(*columns, strict=True):
        number, placement = plans.numbered(str(robot), str(stream), float(due_s))
        if placement is not None:
            pair = pairs.setdefault((str(robot), str(stream), number), _Pair())
            pair.frames += 1
            pair.on_time += bool(on_time)
            pair.predicted += placement.predicted_on_time
            pair.low += placement.low
            pair.high += placement.high
    counted = [pair for pair in pairs.values()
               if pair.frames >= FEWEST and pair.high - pair.low < pair.frames]          # otherwise all is within
    covered = sum(is_inside(pair.predicted / pair.frames, pair.low / pair.frames, pair.high / pair.frames, pair.on_time,
                            pair.frames) for pair in counted)
    return IntervalFigures(
        pairs=len(counted), covered=covered, covered_share=round(covered / len(counted), 4) if counted else None,
        left_out=len(pairs) - len(counted))


def is_inside(predicted: float, low: float, high: float, hits: int, of: int) -> bool:
    """Whether the observed share, hits / of, lies in the interval of the predicted one, widened for so few frames.

    The two errors are independent: ends are combined as squares (Newcombe, Statistics in Medicine 17, 1998, method 10).
    """
    chance = likely_shares(predicted, of)
    off = hits / of - predicted
    forecast, counted = ((high - predicted, chance.high - predicted) if off > 0.0
                         else (predicted - low, predicted - chance.low))
    return abs(off) <= math.hypot(max(forecast, 0.0), counted) + ROUNDING
