"""Observed shares in and outside their forecast's interval, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from swarm.core.policy.plan import Placement, Plan
from swarm.telemetry.figures.due import DueFrames
from swarm.telemetry.figures.intervals import held, is_inside
from swarm.telemetry.figures.planner import PlanHistory
from swarm.telemetry.figures.stats import likely_shares


def test_the_chance_of_a_count_is_wilsons() -> None:
    """Of a half, 96 times: 0.5 +- 1.96 / (1 + 0.04) x sqrt(0.25 / 96 + 0.04 / 384) = 0.5 +- 0.0981; z^2 = 3.8416."""
    assert likely_shares(0.5, 96) == pytest.approx((0.4019, 0.5981), abs=1e-4)
    low, high = likely_shares(1.0, 20)
    assert (low, high) == (pytest.approx(20 / (20 + 3.8415), abs=1e-4), 1.0)


@pytest.mark.parametrize(("predicted", "low", "high", "hits", "of", "inside"), [
    (0.9, 0.9, 0.9, 17, 20, True),           # Wilson about 0.9 of 20: 0.699 to 0.972
    (0.9, 0.9, 0.9, 14, 20, True),           # 0.70
    (0.9, 0.9, 0.9, 13, 20, False),          # 0.65
    (0.9, 0.9, 0.9, 20, 20, False),          # 1.0, which is beyond 0.972
    (0.9, 0.9, 1.0, 20, 20, True),           # up to 0.9 + sqrt(0.1^2 + 0.072^2) = 1.02
    (0.9, 0.7, 0.9, 13, 20, True),           # down to 0.9 - sqrt(0.2^2 + 0.201^2) = 0.616
    (0.9, 0.7, 0.9, 12, 20, False),          # 0.60
    (0.9, 0.7, 0.9, 1300, 2000, False),      # many frames widen little: down to 0.9 - sqrt(0.2^2 + 0.014^2)
    (1.0, 1.0, 1.0, 20, 20, True),
    (0.5, 0.6, 0.7, 10, 20, True),           # a mean outside its own interval widens by the count alone
])
def test_an_interval_is_widened_by_the_error_of_a_small_count(
    predicted: float, low: float, high: float, hits: int, of: int, inside: bool
) -> None:
    assert is_inside(predicted, low, high, hits, of) is inside


def plan(epoch: int, *placements: Placement) -> Plan:
    return Plan(epoch=epoch, lease_s=100.0, placements=list(placements))


def placed(robot: str, share: float, low: float, high: float) -> Placement:
    return Placement(agent=robot, stream="detect", variant="int8", where=[robot], predicted_on_time=share, low=low,
                     high=high)


def frames(*rows: tuple[str, float, str]) -> DueFrames:
    """Robot, when it fell due, and outcome."""
    return DueFrames(
        robot=np.array([robot for robot, _, _ in rows], object), stream=np.full(len(rows), "detect", object),
        due_s=np.array([due_s for _, due_s, _ in rows]), deadline_s=np.full(len(rows), 0.1),
        latency_s=np.full(len(rows), math.inf), outcome=np.array([how for _, _, how in rows], object))


def row(robot: str, from_s: float, good: int, bad: int, missed: int = 0) -> list[tuple[str, float, str]]:
    return [(robot, from_s, how) for how, count in (("completed", good), ("late", bad), ("missed", missed))
            for _ in range(count)]


def test_pairs_of_stream_and_plan_are_counted_and_newer_forecasts_of_a_plan_are_the_same_plan() -> None:
    history = PlanHistory()
    history.handle(0.0, plan(1, placed("a", 0.9, 0.9, 0.9), placed("b", 0.5, 0.0, 1.0)))
    history.handle(5.0, plan(1, placed("a", 0.7, 0.7, 0.7), placed("b", 0.5, 0.0, 1.0)))     # a newer forecast
    history.handle(10.0, plan(2, placed("a", 0.9, 0.9, 0.9)))
    history.handle(20.0, plan(3, placed("a", 0.9, 0.9, 0.9)))
    made = held(frames(
        *row("a", 1.0, good=10, bad=0), *row("a", 6.0, good=6, bad=4),       # 16 of 20 where 0.8 was forecast
        *row("b", 1.0, good=20, bad=0),                      # no interval is known
        *row("a", 11.0, good=0, bad=20, missed=50),          # 0 of 20 where 0.9 was forecast
        *row("a", 21.0, good=19, bad=0, missed=50),          # 19 are too few, missed ones do not count
        *row("c", 1.0, good=20, bad=0),                      # no plan has it
    ), history)
    assert (made.pairs, made.covered, made.covered_share, made.left_out) == (2, 1, 0.5, 2)


def test_without_plans_there_is_no_share() -> None:
    made = held(frames(*row("a", 1.0, 30, 0)), PlanHistory())
    assert (made.pairs, made.covered, made.covered_share, made.left_out) == (0, 0, None, 0)
