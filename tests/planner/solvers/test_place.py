"""Placements: as good as the oracle on tiny problems, never worse than the baselines, the same every time."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarm.core.policy import draw
from swarm.core.policy.plan import Placement
from swarm.planner.options.instance import Assignment, Instance
from swarm.planner.problem import AgentInfo, Problem
from swarm.planner.solvers.baselines import best_single_peer, local
from swarm.planner.solvers.budget import CountedBudget
from swarm.planner.solvers.formula import class_weights
from swarm.planner.solvers.judge import FORECAST_PHASES, Judge
from swarm.planner.solvers.place import choices, place, prepared
from swarm.planner.solvers.score import is_better
from tests.planner.builders import agent, links, profile, scattered, stream, team


def round_robin(instance: Instance) -> Assignment:
    """Streams are assigned to the agents in turn."""
    count = len(instance.agents)
    return tuple(
        min(range(len(options)), key=lambda n: ((options[n].agents[-1] - stream) % count, n))
        for stream, options in enumerate(instance.options)
    )


def random_options(instance: Instance) -> Assignment:
    """A random option for each stream, the same one every time."""
    return tuple(int(draw.uniform(0, "random placement", *stream.key) * len(options))
                 for stream, options in zip(instance.streams, instance.options, strict=True))


BASELINES: dict[str, Callable[[Instance], Assignment]] = {
    "local": local, "best_single_peer": best_single_peer, "round_robin": round_robin, "random": random_options,
}


def assigned(instance: Instance, placements: Sequence[Placement]) -> Assignment:
    """The assignment of these placements."""
    placed = {(p.agent, p.stream): p for p in placements}
    return tuple(instance.option(n, placed[stream.key]) or 0 for n, stream in enumerate(instance.streams))


@given(seed=st.integers(0, 10_000), agents=st.integers(1, 6), streams=st.integers(0, 12))
@settings(max_examples=40)
def test_never_worse_than_any_baseline_nor_the_kept_plan(seed: int, agents: int, streams: int) -> None:
    problem = scattered(seed, agents, streams)
    solution = place(problem, budget=CountedBudget(0.01))
    instance = Instance(problem)
    judge = Judge(instance)
    chosen = judge.judge(assigned(instance, solution.placements), judge.phases).score
    for name in ("local", "best_single_peer"):
        assert not is_better(judge.judge(BASELINES[name](instance), judge.phases).score, chosen), name
    again = Instance(problem, solution.placements)
    kept = place(problem, solution.placements, budget=CountedBudget(0.01), seed=1)
    judge = Judge(again)
    assert not is_better(judge.judge(assigned(again, solution.placements), judge.phases).score,
                         judge.judge(assigned(again, kept.placements), judge.phases).score)


def test_the_same_problem_and_seed_give_the_same_plan() -> None:
    problem = scattered(5, 6, 12)
    shuffled = msgspec.structs.replace(
        problem, agents=problem.agents[::-1], streams=problem.streams[::-1],
        links=dict(reversed(list(problem.links.items()))),
    )
    assert place(problem, seed=3) == place(problem, seed=3) == place(shuffled, seed=3)


def test_a_placement_carries_its_forecast_mean_tail_and_share_on_time() -> None:
    problem = scattered(5, 6, 12)
    placements = place(problem).placements
    judge = Judge(Instance(problem, placements))
    outcome = judge.forecast(assigned(Instance(problem, placements), placements)).outcome
    assert len(placements) == len(outcome.streams) > 0
    by_stream = dict(zip([stream.key for stream in judge.problem.streams], outcome.streams, strict=True))
    for one in placements:
        promised = by_stream[one.agent, one.stream]
        assert one.predicted_s == pytest.approx(promised.mean_s, abs=1e-6)
        assert one.predicted_p95_s == pytest.approx(promised.p95_s, abs=1e-6)
        assert one.predicted_on_time == pytest.approx(promised.on_time, abs=1e-4)
    assert len({one.predicted_s for one in placements}) > 5


@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_a_search_among_costs_that_cannot_be_compared_comes_to_an_end(odd: float) -> None:
    problem = team(4, 2)
    broken = [msgspec.structs.replace(p, p50_s=odd) for p in problem.agents[0].profiles]
    agents = (msgspec.structs.replace(problem.agents[0], profiles=tuple(broken)), *problem.agents[1:])
    paths = {pair: msgspec.structs.replace(q, rtt_s=odd) if "carrier_1" in pair else q
             for pair, q in problem.links.items()}
    for start in ("best", "local"):
        place(msgspec.structs.replace(problem, agents=agents, links=paths), budget=CountedBudget(0.05), start=start)


def test_a_small_problem_has_all_cuts_and_a_larger_one_the_best() -> None:
    names = ["a", "b", "c", "d"]
    agents = tuple(AgentInfo(name=name, profiles=(profile("m", 90, stages=12),)) for name in names)
    problem = Problem(agents=agents, streams=(stream("a", "s", "m", 1.0, 2.0, 0),), links=links(names))
    every, some = (len(Instance(problem, every_cut=every).options[0]) for every in (True, False))
    assert every > some
    assert len(prepared(problem).options[0]) == every
    more = msgspec.structs.replace(problem, streams=tuple(stream("a", f"s{n}", "m", 1.0, 2.0, 0) for n in range(4)))
    assert {len(ways) for ways in prepared(more).options} == {some}      # all plans of all cuts are too many


def test_very_many_priority_classes_still_have_finite_costs() -> None:
    streams = tuple(stream("a", f"s{n}", "small", 1.0, 0.5, n) for n in range(400))
    weights = class_weights(streams)
    assert max(weights.values()) <= 1.01e12
    assert all(weights[low] < weights[high] for low, high in itertools.pairwise(sorted(weights)))


def test_long_runs_leave_weak_boards_and_detectors_stay() -> None:
    solution = place(team(6, 2))
    for p in solution.placements:
        if p.stream == "detect":
            assert p.where == [p.agent], p.why
        else:
            assert p.where[0].startswith("carrier"), p.why
            assert "link" in p.why
    carriers = [p.where[0] for p in solution.placements if p.stream == "segment"]
    assert carriers.count("carrier_0") == carriers.count("carrier_1") == 3
    assert solution.on_time > 0.99
    judge = Judge(instance := Instance(team(6, 2)))
    assert all(is_better(solution.score, judge.judge(make(instance), FORECAST_PHASES).score)
               for make in BASELINES.values())


def test_a_strong_peer_is_not_overloaded() -> None:
    problem = team(16, 1, detect_deadline_s=0.5)     # 16 x 67 ms a second and a detector: more than it can bear
    solution = place(problem)
    assert all(p.predicted_on_time > 0.95 for p in solution.placements if p.stream == "detect")
    assert sum(p.where[0] == "carrier_0" for p in solution.placements if p.agent != "carrier_0") >= 2


def test_everything_stays_at_home_where_that_is_good_enough() -> None:
    problem = team(4, 1)
    detect_only = msgspec.structs.replace(problem, streams=tuple(s for s in problem.streams if s.spec.name == "detect"))
    assert all(p.where == [p.agent] for p in place(detect_only).placements)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=25)
def test_a_dead_agent_is_never_used(seed: int) -> None:
    problem = scattered(seed, 4, 8)
    before = place(problem, budget=CountedBudget(0.005)).placements
    dead = problem.agents[seed % 4].name
    agents = tuple(msgspec.structs.replace(a, alive=a.name != dead) for a in problem.agents)
    after = place(msgspec.structs.replace(problem, agents=agents), before, budget=CountedBudget(0.005))
    assert all(dead not in p.where and p.agent != dead for p in after.placements)
    served = {(p.agent, p.stream) for p in after.placements} | {s.key for s in after.unplaced}
    assert served == {s.key for s in problem.streams if s.agent != dead}


def _two_variants(fast_accuracy: float, deadline_s: float) -> Placement:
    profiles = (profile("m", 20, "int8", fast_accuracy), profile("m", 60, "fp32", 0.90))
    problem = Problem(agents=(AgentInfo(name="a", profiles=profiles),),
                      streams=(stream("a", "s", "m", 5.0, deadline_s, 1),), links={})
    return place(problem).placements[0]


@pytest.mark.parametrize(("fast_accuracy", "deadline_s", "variant"), [
    (0.89, 0.2, "int8"),             # as accurate: the faster one
    (0.80, 0.2, "fp32"),             # both in time: the more accurate one
    (0.80, 0.05, "int8"),            # only one in time
])
def test_variants(fast_accuracy: float, deadline_s: float, variant: str) -> None:
    assert _two_variants(fast_accuracy, deadline_s).variant == variant


def test_a_stream_without_a_model_anywhere_is_left_out_and_named() -> None:
    problem = team(1, 1)
    problem = msgspec.structs.replace(problem, streams=(*problem.streams, stream("rover_0", "talk", "llm", 1, 1, 0)))
    solution = place(problem)
    assert [s.key for s in solution.unplaced] == [("rover_0", "talk")]
    assert all(p.stream != "talk" for p in solution.placements)


def test_small_gains_do_not_move_streams() -> None:
    problem = team(6, 2)
    placed = place(problem).placements
    for n in range(20):                              # links and background differ a little every time
        paths = {pair: msgspec.structs.replace(q, rtt_s=q.rtt_s * (0.6 + 0.04 * ((7 * n + i) % 20)))
                 for i, (pair, q) in enumerate(problem.links.items())}
        noisy = msgspec.structs.replace(problem, links=paths)
        solution = place(noisy, placed, seed=n)
        assert not solution.changed
        assert choices(solution.placements) == choices(placed)


def test_a_real_gain_moves_the_streams_that_need_it_only() -> None:
    problem = team(6, 2)
    placed = place(problem).placements
    paths = {pair: msgspec.structs.replace(q, rtt_s=2.0) if "carrier_0" in pair else q
             for pair, q in problem.links.items()}
    solution = place(msgspec.structs.replace(problem, links=paths), placed)
    old, new = choices(placed), choices(solution.placements)
    moved = {key for key in old if old[key] != new[key]}
    assert moved == {key for key, (_, agent) in old.items() if agent == "carrier_0" and key[0] != "carrier_0"}


def test_a_budget_bounds_the_work_beyond_what_is_done_in_any_case() -> None:
    least, usual, much = (place(team(6, 2), budget=CountedBudget(seconds)).worked_s for seconds in (0.0, 0.05, 0.5))
    assert least <= usual <= much < 1.0
    assert usual - least < 0.06


def test_whole_robots_alone_are_a_problem_too() -> None:
    assert place(Problem(agents=(), streams=(), links={})).placements == []
    names = ["a", "b"]
    bare = Problem(agents=tuple(AgentInfo(name=n, profiles=()) for n in names),
                   streams=(stream("a", "s", "m", 1, 1, 0),), links=links(names))
    assert [s.key for s in place(bare).unplaced] == [("a", "s")]


def test_a_stream_that_misses_by_plan_stays_and_one_that_is_held_as_it_did_before() -> None:
    streams = (stream("a", "much", "segmenter", 5.0, 0.6, 1), stream("a", "little", "detector", 1.0, 0.3, 2))
    problem = Problem(agents=(agent("a", 6.0), agent("b", 6.0)), streams=streams, links=links(["a", "b"]))
    stays = {p.stream: p.stays for p in place(problem).placements}
    assert stays == {"much": True, "little": False}          # half a second a run, five times a second
    before = place(problem).placements
    for stayed in (False, True):
        told = [msgspec.structs.replace(p, stays=stayed) for p in before]
        again = place(problem, told, held=frozenset({("a", "much"), ("a", "little")})).placements
        assert {p.stays for p in again} == {stayed}
