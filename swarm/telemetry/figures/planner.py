"""What the planner did, and what its plans promised beside what came."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from swarm.core.policy.plan import Placement, Plan
from swarm.core.protocol.messages import PlannerNews
from swarm.telemetry.figures.due import DueFrames
from swarm.telemetry.summary_types import ForecastFigures, PlannerFigures

FEWEST = 20                          # frames that bear a 95th percentile


def figures(news: Sequence[PlannerNews], starts: int) -> PlannerFigures:
    """The planner's work. news: all its reports, in order. starts: how many starts of its process reported."""
    took_ms = {refined: [one.took_s * 1e3 for one in news if one.refined == refined] for refined in (False, True)}
    return PlannerFigures(
        solves=len(took_ms[False]), refined=len(took_ms[True]), adopted=sum(one.end == "adopted" for one in news),
        stale=sum(one.end == "stale" for one in news), epoch=news[-1].epoch if news else 0,
        solve_ms_p50=_median(took_ms[False]), refine_ms_p50=_median(took_ms[True]),
        solver=news[-1].solver if news else "", ray=bool(took_ms[True]), starts=starts,
    )


class _Held(msgspec.Struct):
    """A plan and the time during which it held, seconds since the streams began."""

    from_s: float
    until_s: float
    epoch: int
    number: int                      # of the plan: newer forecasts of a plan are the same plan
    placements: dict[tuple[str, str], Placement]     # by robot and stream


class PlanHistory:
    """Which plan held when, by the rule of the agents: an older epoch is ignored while a newer one is valid."""

    def __init__(self) -> None:
        self._held: list[_Held] = []

    def handle(self, at_s: float, plan: Plan) -> None:
        """A plan, or the renewal of its lease, arrived."""
        until_s = at_s + plan.lease_s
        placements = {(one.agent, one.stream): one for one in plan.placements}
        if self._held and at_s < self._held[-1].until_s:
            last = self._held[-1]
            if plan.epoch < last.epoch:
                return
            if (plan.epoch, placements) == (last.epoch, last.placements):
                last.until_s = until_s
                return
            last.until_s = at_s
        number = self._held[-1].number + (plan.epoch != self._held[-1].epoch) if self._held else 1
        self._held.append(_Held(at_s, until_s, plan.epoch, number, placements))

    def placement(self, robot: str, stream: str, at_s: float) -> Placement | None:
        """The placement of a robot's stream at this time; None: no plan held, or it does not have this stream."""
        return self.numbered(robot, stream, at_s)[1]

    def numbered(self, robot: str, stream: str, at_s: float) -> tuple[int, Placement | None]:
        """The same, and the number of its plan, from 1 on; 0: no plan held."""
        index = bisect.bisect_right(self._held, at_s, key=lambda held: held.from_s) - 1
        if index < 0 or at_s >= self._held[index].until_s:
            return 0, None
        return self._held[index].number, self._held[index].placements.get((robot, stream))


def forecasts(due: DueFrames, plans: PlanHistory) -> dict[str, ForecastFigures]:
    """Predicted beside measured, by `robot/stream`, over the frames that fell due while a plan placed their stream."""
    placements = [plans.placement(str(robot), str(stream), float(due_s))
                  for robot, stream, due_s in zip(due.robot, due.stream, due.due_s, strict=True)]
    members: dict[str, list[int]] = {}
    for number, placement in enumerate(placements):
        if placement is not None:
            members.setdefault(f"{placement.agent}/{placement.stream}", []).append(number)
    return {name: _forecast([p for n in numbers if (p := placements[n])], due.latency_s[numbers], due.on_time[numbers])
            for name, numbers in sorted(members.items())}


def p95_ms(latencies_s: NDArray[np.float64] | Sequence[float]) -> float | None:
    """95th percentile, without a result as infinite; None: fewer than FEWEST, or more than 5 % without a result."""
    if len(latencies_s) < FEWEST:
        return None
    value_s = float(np.sort(latencies_s)[math.ceil(0.95 * len(latencies_s)) - 1])
    return round(value_s * 1e3, 3) if value_s < math.inf else None


def _forecast(
    placements: Sequence[Placement], latency_s: NDArray[np.float64], on_time: NDArray[np.bool_]
) -> ForecastFigures:
    """Of one stream of one robot, frame by frame."""
    finite_s = latency_s[np.isfinite(latency_s)]
    mean = float(np.mean([p.predicted_s for p in placements])) * 1e3, _mean_ms(finite_s)
    p95 = float(np.mean([p.predicted_p95_s for p in placements])) * 1e3, p95_ms(latency_s)
    share = float(np.mean([p.predicted_on_time for p in placements])), float(np.mean(on_time))
    return ForecastFigures(
        frames=len(placements),
        predicted_ms=round(mean[0], 3), measured_ms=mean[1], error_ms=_error(*mean),
        predicted_ms_p95=round(p95[0], 3), measured_ms_p95=p95[1], error_ms_p95=_error(*p95),
        predicted_on_time=round(share[0], 4), measured_on_time=round(share[1], 4),
        error_on_time=round(share[1] - share[0], 4),
        low_on_time=round(float(np.mean([p.low for p in placements])), 4),
        high_on_time=round(float(np.mean([p.high for p in placements])), 4),
    )


def _error(predicted: float, measured: float | None) -> float | None:
    return None if measured is None else round(measured - predicted, 3)


def _mean_ms(values_s: NDArray[np.float64]) -> float | None:
    return round(float(values_s.mean()) * 1e3, 3) if values_s.size else None


def _median(values_ms: Sequence[float]) -> float | None:
    return round(float(np.median(values_ms)), 3) if values_ms else None
