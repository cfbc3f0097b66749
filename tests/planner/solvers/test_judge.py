"""Plans are judged by what becomes of them in simulation: priorities first, corrected by what was observed."""

from __future__ import annotations

import itertools

import msgspec
import numpy as np
import pytest

from swarm.core.policy.plan import Placement
from swarm.planner.forecast.simulation.outcome import Outcome
from swarm.planner.options.instance import Assignment, Instance
from swarm.planner.problem import AgentInfo, Correction, Problem
from swarm.planner.solvers import judge as judges
from swarm.planner.solvers.baselines import local
from swarm.planner.solvers.by_simulation.polish import polish
from swarm.planner.solvers.formula import Formula
from swarm.planner.solvers.judge import OTHERS, Judge, _Corrections, best
from swarm.planner.solvers.place import place
from tests.planner.builders import links, profile, scattered, stream, team

PHASES = 4


def small(seed: int) -> Problem:
    problem = scattered(seed, 3, 3 + seed % 2, 2, stages=8)
    return msgspec.structs.replace(
        problem, agents=tuple(msgspec.structs.replace(agent, background=0.0) for agent in problem.agents))


def weighted(judge: Judge, assignment: Assignment, phases: int = 24) -> float:
    """Share on time, a class weighing ten times the next lower one."""
    streams = judge.problem.streams
    classes = sorted({one.spec.priority for one in streams})
    weights = [one.spec.rate_hz * 10.0 ** classes.index(one.spec.priority) for one in streams]
    shares = [one.on_time for one in judge.judge(assignment, phases).outcome.streams]
    return sum(w * share for w, share in zip(weights, shares, strict=True)) / sum(weights)


# With few options, so that all can be tried.
@pytest.mark.parametrize("seed", [2, 6, *(pytest.param(seed, marks=pytest.mark.long) for seed in (0, 4))])
def test_plans_of_small_teams_are_as_good_as_the_best_of_all(seed: int) -> None:
    """`swarm bench planner` does the same with a hundred."""
    instance = Instance(small(seed))
    judge = Judge(instance)
    every = itertools.product(*(range(len(options)) for options in instance.options))
    least = best([judge.judge(assignment, 2) for assignment in every])
    placed = {(p.agent, p.stream): p for p in place(instance.problem).placements}
    chosen = tuple(instance.option(n, placed[one.key]) or 0
                   for n, one in enumerate(instance.streams))
    assert weighted(judge, chosen) > weighted(judge, least.assignment) - 0.03


def test_no_gain_of_lower_priorities_is_worth_a_miss_of_a_higher_one() -> None:
    """Twenty low streams at home beside one urgent one that a peer would serve in time."""
    agents = (AgentInfo(name="a", profiles=(profile("m", 90),)), AgentInfo(name="b", profiles=(profile("m", 20),)))
    streams = (stream("a", "urgent", "m", 5.0, 0.1, 9), *(stream("b", f"low{k}", "m", 2.0, 0.2, 0) for k in range(20)))
    solution = place(Problem(agents=agents, streams=streams, links=links(["a", "b"])))
    urgent = next(p for p in solution.placements if p.stream == "urgent")
    at_home = Problem(agents=agents[:1], streams=streams[:1], links={})
    assert urgent.predicted_on_time >= place(at_home).placements[0].predicted_on_time


def test_the_most_important_stream_goes_to_a_busy_peer_where_that_serves_it_better() -> None:
    """A price on utilisation kept it at home, late in most of its frames, while the peer had a third to spare."""
    agents = (AgentInfo(name="a", profiles=(profile("m", 110),)), AgentInfo(name="b", profiles=(profile("m", 40),)))
    streams = (stream("a", "important", "m", 10.0, 0.15, 2), stream("b", "own", "m", 10.0, 0.3, 0))
    solution = place(Problem(agents=agents, streams=streams, links=links(["a", "b"])))
    important = next(p for p in solution.placements if p.stream == "important")
    assert important.where == ["b"]
    assert important.predicted_on_time > 0.9


def test_a_correction_moves_a_stream_from_where_it_fares_worse_than_forecast() -> None:
    problem = team(2, 2)
    placed = place(problem).placements
    segment = next(p for p in placed if p.stream == "segment")
    error = Correction(agent=segment.agent, stream="segment", model="segmenter", variant=segment.variant,
                       where=tuple(segment.where), by=-0.6)
    again = place(msgspec.structs.replace(problem, corrections=(error,)), placed)
    moved = next(p for p in again.placements if (p.agent, p.stream) == (segment.agent, "segment"))
    assert moved.where != segment.where
    assert again.expected[segment.agent, "segment"] > 0.9        # as simulated, where it is now


def test_a_correction_is_shown_in_the_forecast_and_bounded() -> None:
    problem = Problem(agents=(AgentInfo(name="a", profiles=(profile("m", 20),)),),
                      streams=(stream("a", "s", "m", 5.0, 0.1, 0),), links={})
    for by, expected in ((-0.3, 0.7), (0.4, 1.0), (-2.0, 0.0)):
        error = Correction(agent="a", stream="s", model="m", variant="fp32", where=("a",), by=by)
        solution = place(msgspec.structs.replace(problem, corrections=(error,)))
        assert solution.placements[0].predicted_on_time == pytest.approx(expected)
        assert solution.expected["a", "s"] == 1.0


def test_an_error_on_an_agent_counts_half_for_other_streams_of_its_model() -> None:
    problem = team(2, 1)
    error = Correction(agent="rover_0", stream="segment", model="segmenter", variant="fp32", where=("carrier_0",),
                       by=-0.4)
    instance = Instance(msgspec.structs.replace(problem, corrections=(error,)))
    away = tuple(next(n for n, o in enumerate(options) if not o.home) if s.spec.name == "segment" else home
                 for s, options, home in zip(instance.streams, instance.options, local(instance), strict=True))
    verdict = Judge(instance).judge(away, 2)
    by_name = {s.key: (one.on_time, raw) for s, one, raw in zip(
        Judge(instance).problem.streams, verdict.outcome.streams, verdict.expected, strict=True)}
    now, raw = by_name["rover_1", "segment"]
    assert now == pytest.approx(raw - 0.2)
    now, raw = by_name["carrier_0", "detect"]
    assert now == raw


def test_a_shifted_outcome_keeps_its_times() -> None:
    ones, shares = np.ones(2), np.array([[1.0, 0.0], [0.8, 0.5]])
    one, other = Outcome(np.array([0.9, 0.25]), ones, ones, 2 * ones, 0 * ones, 0 * ones, shares).shifted(
        np.array([-0.6, 0.8])).streams
    assert (one.on_time, one.low, one.high, one.p95_s) == pytest.approx((0.3, 0.205, 0.395, 2.0))
    assert (other.on_time, other.low, other.high, other.p95_s) == pytest.approx((1.0, 0.805, 1.0, 2.0), abs=0.01)


def test_polishing_never_returns_a_worse_plan_and_stops_when_told() -> None:
    for seed in range(6):
        instance = Instance(small(seed))
        judge, formula = Judge(instance), Formula(instance)
        first = judge.judge(local(instance), 2)
        assert polish(instance, judge, formula, first, lambda: True) == first.assignment
        polished = polish(instance, judge, formula, first, lambda: False)
        assert weighted(judge, polished) > weighted(judge, first.assignment) - 0.01


def test_a_move_is_judged_by_the_streams_near_it_as_by_all() -> None:
    """In a team of which each stream meets each other one, all are near."""
    instance = Instance(team(2, 1))
    judge = Judge(instance)
    at_home = local(instance)
    moved = next(n for n, one in enumerate(instance.streams) if one.spec.name == "segment")
    away = next(n for n, option in enumerate(instance.options[moved]) if not option.home)
    everywhere = range(len(instance.streams))
    _, changed = judge.local_outcomes(judge.local(at_home), everywhere, at_home, [None, (moved, away)], 2, 0)
    after = (*at_home[:moved], away, *at_home[moved + 1:])
    (there,) = judge.local_outcomes(judge.local(after), everywhere, after, [None], 2, 0)
    assert changed.streams == there.streams


def test_a_team_too_large_to_simulate_is_forecast_by_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judges, "MOST_REQUESTS", 10)
    instance = Instance(team(4, 2))
    judge = Judge(instance)
    verdict = judge.judge(local(instance), 2)
    assert judge.worked_s < 1e-3                    # no request was simulated
    assert 0.0 < verdict.outcome.streams[0].on_time <= 1.0


def test_a_chain_is_corrected_by_the_worst_of_its_agents() -> None:
    errors = [Correction(agent="r", stream="s", model="m", variant="fp32", where=("a",), by=-0.4),
              Correction(agent="q", stream="s", model="m", variant="fp32", where=("b",), by=0.2)]
    corrections = _Corrections(errors)
    chain = Placement(agent="p", stream="s", variant="fp32", where=["a", "a", "b"])
    assert corrections.of("m", chain) == -0.4 * OTHERS
    assert corrections.of("m", msgspec.structs.replace(chain, where=["b"])) == 0.2 * OTHERS
    assert corrections.of("other", chain) == 0.0
