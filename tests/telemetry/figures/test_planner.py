"""The planner's work and its promises, against counts by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from swarm.core.policy.plan import Placement, Plan
from swarm.core.protocol.messages import PlannerNews
from swarm.core.protocol.messages.telemetry import SolveEnd
from swarm.telemetry.figures.due import DueFrames
from swarm.telemetry.figures.planner import FEWEST, PlanHistory, figures, forecasts, p95_ms


def news(took_s: float, end: SolveEnd, epoch: int, refined: bool = False) -> PlannerNews:
    return PlannerNews(
        epoch=epoch, took_s=took_s, solver="ray" if refined else "greedy+search", refined=refined, end=end)


def test_solves_refinements_changes_and_stale_results_are_counted_apart_with_times_apart() -> None:
    made = figures([
        news(0.010, "stale", 0), news(0.030, "adopted", 1), news(0.020, "kept", 1), news(0.900, "adopted", 2, True),
        news(0.040, "kept", 2), news(0.700, "stale", 2, True), news(0.500, "kept", 2, True)], starts=1)
    assert (made.solves, made.refined, made.adopted, made.stale, made.epoch) == (4, 3, 2, 2, 2)
    assert (made.solve_ms_p50, made.refine_ms_p50) == (25.0, 700.0)
    assert (made.solver, made.ray, made.starts) == ("ray", True, 1)


def test_a_planner_that_was_restarted_begins_at_its_first_epoch_again() -> None:
    assert figures([news(0.01, "adopted", 7), news(0.01, "adopted", 1)], starts=2).epoch == 1


def test_without_a_planner_there_are_no_times() -> None:
    made = figures([], starts=0)
    assert (made.solves, made.adopted, made.epoch, made.ray, made.solver) == (0, 0, 0, False, "")
    assert made.solve_ms_p50 is made.refine_ms_p50 is None


# --- which plan held ---


def plan(epoch: int, *predicted_s: float, stream: str = "detect", lease_s: float = 3.0) -> Plan:
    """One placement of rover_0, rover_1, ... each."""
    return Plan(epoch=epoch, lease_s=lease_s, placements=[
        Placement(agent=f"rover_{k}", stream=stream, variant="int8", where=["carrier_0"], predicted_s=mean_s,
                  predicted_p95_s=2 * mean_s, predicted_on_time=0.9) for k, mean_s in enumerate(predicted_s)])


def predicted_s(history: PlanHistory, at_s: float, robot: str = "rover_0") -> float | None:
    found = history.placement(robot, "detect", at_s)
    return None if found is None else found.predicted_s


def test_a_plan_holds_from_its_arrival_to_the_next_one_or_to_the_end_of_its_lease() -> None:
    history = PlanHistory()
    assert predicted_s(history, 1.0) is None
    history.handle(1.0, plan(1, 0.1))
    history.handle(3.0, plan(1, 0.1))                        # renewed to 6.0
    history.handle(4.0, plan(2, 0.2))                        # to 7.0
    history.handle(9.0, plan(2, 0.2))                        # after a gap
    assert [predicted_s(history, at_s) for at_s in (0.99, 1.0, 3.99, 4.0, 6.99, 7.0, 8.99, 9.0, 11.99, 12.0)] == [
        None, 0.1, 0.1, 0.2, 0.2, None, None, 0.2, 0.2, None]
    assert history.placement("rover_1", "detect", 1.0) is history.placement("rover_0", "segment", 1.0) is None


def test_an_older_epoch_is_ignored_until_the_lease_of_the_newer_one_has_ended_as_agents_do() -> None:
    history = PlanHistory()
    history.handle(0.0, plan(5, 0.1))
    history.handle(1.0, plan(1, 0.4))                        # of a planner that was restarted
    history.handle(2.9, plan(1, 0.4))
    assert predicted_s(history, 2.95) == 0.1
    history.handle(3.0, plan(1, 0.4))
    assert predicted_s(history, 3.0) == 0.4


# --- predicted beside measured ---


def frames(*rows: tuple[str, float, float], deadline_s: float = 0.15) -> DueFrames:
    """Robot, when it fell due, and latency of each frame of the stream detect; an infinite latency: no result."""
    outcomes = ["failed" if lat == math.inf else "completed" if lat <= deadline_s else "late" for _, _, lat in rows]
    return DueFrames(
        robot=np.array([robot for robot, _, _ in rows], object), stream=np.array(["detect"] * len(rows), object),
        due_s=np.array([due_s for _, due_s, _ in rows]), deadline_s=np.full(len(rows), deadline_s),
        latency_s=np.array([lat for _, _, lat in rows]), outcome=np.array(outcomes, object))


def history_of(*plans: tuple[float, Plan]) -> PlanHistory:
    history = PlanHistory()
    for at_s, one in plans:
        history.handle(at_s, one)
    return history


def test_each_frame_is_compared_with_the_plan_that_held_when_it_fell_due() -> None:
    history = history_of((1.0, plan(1, 0.100)), (3.0, plan(2, 0.040, lease_s=2.0)))
    made = forecasts(frames(
        ("rover_0", 0.5, 9.0),                               # before the first plan
        ("rover_0", 1.0, 0.110), ("rover_0", 2.9, 0.190),    # of plan 1: one late
        ("rover_0", 3.0, 0.060), ("rover_0", 4.9, math.inf),         # of plan 2: one without a result
        ("rover_0", 5.0, 9.0),                               # its lease has ended
        ("rover_1", 3.0, 9.0),                               # not placed
    ), history)
    assert list(made) == ["rover_0/detect"]
    one = made["rover_0/detect"]
    assert one.frames == 4
    assert (one.predicted_ms, one.measured_ms, one.error_ms) == (70.0, 120.0, 50.0)      # (100+100+40+40)/4, 360/3
    assert (one.predicted_on_time, one.measured_on_time, one.error_on_time) == (0.9, 0.5, -0.4)
    assert (one.predicted_ms_p95, one.measured_ms_p95, one.error_ms_p95) == (140.0, None, None)      # four are too few


def test_the_tail_of_a_forecast_is_over_all_frames() -> None:
    history = history_of((0.0, plan(1, 0.050, lease_s=100.0)))
    rows = [("rover_0", k * 0.2, 0.010 * (k + 1)) for k in range(20)]
    one = forecasts(frames(*rows), history)["rover_0/detect"]
    assert (one.predicted_ms_p95, one.measured_ms_p95, one.error_ms_p95) == (100.0, 190.0, 90.0)    # the 19th of 20
    lost = [*rows[:18], *(("rover_0", 3.6 + k, math.inf) for k in range(2))]
    one = forecasts(frames(*lost), history)["rover_0/detect"]
    assert (one.measured_ms_p95, one.error_ms_p95) == (None, None)                       # 10 % have no result
    assert one.measured_ms == pytest.approx(95.0)


def test_without_plans_or_results_there_is_nothing_to_compare() -> None:
    assert forecasts(frames(("rover_0", 1.0, 0.1)), PlanHistory()) == {}
    one = forecasts(frames(("rover_0", 1.0, math.inf)), history_of((0.0, plan(1, 0.1))))["rover_0/detect"]
    assert (one.frames, one.measured_ms, one.error_ms, one.measured_on_time) == (1, None, None, 0.0)


@pytest.mark.parametrize(("values", "value_ms"), [
    ([0.001] * (FEWEST - 1), None), ([0.001] * FEWEST, 1.0), ([0.001] * 95 + [math.inf] * 5, 1.0),
    ([0.001] * 94 + [math.inf] * 6, None), ([], None)])
def test_a_percentile_needs_twenty_values_and_is_nothing_beyond_the_last_result(
    values: Sequence[float], value_ms: float | None
) -> None:
    assert p95_ms(values) == value_ms
