"""The formula against the simulation, and the search by it."""

from __future__ import annotations

import statistics

import msgspec
import pytest

from swarm.planner.options.instance import Assignment, Instance
from swarm.planner.options.option import BACKGROUND_RUN_S
from swarm.planner.problem import NO_SOURCE, AgentInfo, Problem, StreamOf, sources, sources_first
from swarm.planner.solvers.baselines import local
from swarm.planner.solvers.formula import Forecast, Formula
from tests.planner.builders import agent, links, profile, scattered, simulated, stream, team


def evaluate(instance: Instance, assignment: Assignment) -> Forecast:
    return Formula(instance).forecast(assignment)


@pytest.mark.parametrize("stages", [0, 8], ids=["whole", "in steps"])
def test_it_promises_little_more_than_a_simulation_where_agents_are_not_overloaded(stages: int) -> None:
    errors: list[float] = []
    for seed in range(24):
        instance = Instance(team(3, 1) if seed % 3 == 0 else scattered(seed, 3, 9, 1, stages))
        choice = Formula(instance).completed([None] * len(instance.streams))[1]
        forecast = evaluate(instance, choice)
        if max(forecast.utilisation) < 0.9:
            errors += [one.on_time - share for one, share in zip(
                forecast.streams, simulated(instance, choice), strict=True)]
    assert len(errors) > 40
    assert statistics.mean(map(abs, errors)) < 0.05
    assert statistics.mean(errors) < 0.02


def test_a_detector_misses_while_a_long_run_is_in_its_way() -> None:
    streams = (stream("a", "detect", "detector", 5.0, 0.1, 1), stream("a", "segment", "segmenter", 1.0, 0.6, 1))
    instance = Instance(Problem(agents=(agent("a", 3.0),), streams=streams, links={}))
    detect, segment = evaluate(instance, local(instance)).streams
    # once a second a run of 250 ms begins after the detection of the same frame: that of the next frame is late
    assert 0.6 < detect.on_time < 0.85
    assert segment.on_time > 0.95
    shed = 0.1                                       # what load shedding takes beside it, which the formula leaves out
    assert detect.on_time == pytest.approx(simulated(instance, local(instance))[0] + shed, abs=0.06)


def test_a_long_run_in_steps_is_not_in_a_detectors_way() -> None:
    models = (profile("detector", 30), profile("segmenter", 250, stages=16))
    streams = (stream("a", "detect", "detector", 5.0, 0.12, 2), stream("a", "segment", "segmenter", 1.0, 0.6, 0))
    instance = Instance(Problem(agents=(AgentInfo(name="a", profiles=models),), streams=streams, links={}))
    detect, segment = evaluate(instance, local(instance)).streams
    assert detect.on_time > 0.99
    assert detect.wait_s < 0.005
    assert segment.latency_s > 0.25 / (1.0 - 5 * 0.03)       # the detector goes first each time
    seen = simulated(instance, local(instance))
    assert seen[0] > 0.99
    assert seen[1] == pytest.approx(segment.on_time, abs=0.04)


def test_of_two_equal_streams_at_home_one_waits_for_the_other() -> None:
    streams = tuple(stream("a", name, "detector", 1.0, 0.1, 1) for name in ("one", "other"))
    instance = Instance(Problem(agents=(agent("a", 6.0),), streams=streams, links={}))
    first, second = evaluate(instance, local(instance)).streams
    assert first.on_time > 0.9
    assert second.on_time < 0.1                      # 120 ms for both, of a deadline of 100 ms
    assert sum(simulated(instance, local(instance))) < 1.1


def test_more_load_is_never_better_for_those_who_share_it() -> None:
    shares: list[float] = []
    for count in range(1, 12):
        streams = [stream("a", f"s{n}", "detector", 5.0, 0.15, 1) for n in range(count)]
        instance = Instance(Problem(agents=(agent("a", 3.0),), streams=tuple(streams), links={}))
        shares.append(evaluate(instance, local(instance)).streams[0].on_time)
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == 1.0
    assert shares[-1] < 0.7                          # 1.7 executors' worth of work


def test_beyond_saturation_the_important_is_carried_first() -> None:
    streams = [stream("a", f"low{n}", "segmenter", 2.0, 0.6, 0) for n in range(4)]
    streams.append(stream("a", "high", "detector", 5.0, 0.4, 2))
    instance = Instance(Problem(agents=(agent("a", 3.0),), streams=tuple(streams), links={}))
    forecast = evaluate(instance, local(instance))
    by_name = {s.spec.name: f for s, f in zip(instance.streams, forecast.streams, strict=True)}
    assert by_name["high"].on_time > 0.8
    assert by_name["low0"].on_time < 0.4


def test_a_second_executor_shortens_the_wait() -> None:
    streams = (stream("a", "detect", "detector", 5.0, 0.12, 2), stream("a", "segment", "segmenter", 1.0, 0.6, 0))
    one, two = (
        evaluate(instance, local(instance)).streams[0]
        for instance in (Instance(Problem(agents=(agent("a", 3.0, executors=n),), streams=streams, links={}))
                         for n in (1, 2))
    )
    assert two.wait_s < one.wait_s
    assert two.on_time > one.on_time


@pytest.mark.parametrize("seed", range(6))
def test_costs_that_were_followed_move_by_move_are_those_of_the_whole(seed: int) -> None:
    formula = Formula(instance := Instance(scattered(seed, 5, 14, 2, 8), every_cut=seed % 2 == 1))
    greedy, start = formula.completed([None] * len(instance.streams))
    ((cost, found),) = formula.improved([start], 0.02, seed)
    assert cost <= greedy + 1e-9
    assert formula.completed(found) == (pytest.approx(cost, rel=1e-9), found)
    assert formula.forecast(found).cost == pytest.approx(cost, rel=1e-9)
    assert Formula(instance).improved([start], 0.02, seed) == [(cost, found)]  # the same seed finds the same


def test_the_work_of_a_search_is_counted_and_bounded() -> None:
    formula = Formula(instance := Instance(scattered(3, 8, 40)))
    start = formula.completed([None] * len(instance.streams))[1]
    before = formula.worked_s
    formula.improved([start], 0.005, 0)
    assert 0.005 <= formula.worked_s - before < 0.0055


def test_no_move_of_one_stream_improves_what_was_found() -> None:
    formula = Formula(instance := Instance(scattered(5, 4, 8, 2, 4)))
    ((cost, found),) = formula.improved([[None] * len(instance.streams)], 0.05, 0)
    for n, options in enumerate(instance.options):
        for other in range(len(options)):
            assert formula.completed((*found[:n], other, *found[n + 1:]))[0] >= cost - 1e-9


def test_a_chain_loads_each_of_its_agents() -> None:
    names = ["a", "b"]
    agents = tuple(AgentInfo(name=name, profiles=(profile("m", 300, stages=4),)) for name in names)
    problem = Problem(agents=agents, streams=(stream("a", "s", "m", 5.0, 0.6, 1),), links=links(names))
    instance = Instance(problem)
    at_home = next(n for n, o in enumerate(instance.options[0]) if o.where == ("a",))
    halves = next(n for n, o in enumerate(instance.options[0]) if o.where == ("a", "a", "b", "b"))
    whole, cut = evaluate(instance, (at_home,)), evaluate(instance, (halves,))
    assert whole.utilisation == [pytest.approx(5 * 0.3045), 0.0]
    assert cut.utilisation == [pytest.approx(5 * 0.15225), pytest.approx(5 * 0.15225)]
    assert whole.streams[0].on_time == pytest.approx(1 / (5 * 0.3045), abs=1e-3)
    # the fallback is due 0.25 s after a frame, its answer comes after 0.34 s: it takes from the next frame's first leg
    assert cut.streams[0].on_time == pytest.approx(simulated(instance, (halves,))[0], abs=0.05)


def test_load_that_no_stream_explains_takes_its_share() -> None:
    quiet, busy = (Problem(agents=(agent("a", 1.0, background=b),), streams=(stream("a", "s", "detector", 5, 0.05, 1),),
                           links={}) for b in (0.0, 0.6))
    calm, held = (evaluate(i, local(i)).streams[0] for i in (Instance(quiet), Instance(busy)))
    assert calm.on_time == 1.0
    assert held.on_time < 0.9
    assert held.wait_s > BACKGROUND_RUN_S / 4


def test_variants_worse_in_both_ways_are_no_options() -> None:
    profiles = (profile("m", 10, "fast", 0.80), profile("m", 20, "slow_same", 0.81), profile("m", 30, "good", 0.90))
    problem = Problem(agents=(AgentInfo(name="a", profiles=profiles),), streams=(stream("a", "s", "m", 5, 0.2, 1),),
                      links={})
    assert {o.variant for o in Instance(problem).options[0]} == {"fast", "good"}


def test_a_link_too_thin_or_unknown_is_no_option() -> None:
    thin = team(1, 1)
    slow = Problem(agents=thin.agents, streams=thin.streams, links=links(["rover_0", "carrier_0"], bytes_per_s=2e4))
    gone = Problem(agents=thin.agents, streams=thin.streams, links={})
    for problem in (slow, gone):
        instance = Instance(problem)
        detect = next(n for n, s in enumerate(instance.streams) if s.key == ("rover_0", "detect"))
        assert all(o.home for o in instance.options[detect])


def closer(source: str, name: str, deadline_s: float) -> StreamOf:
    """A stream that looks at the outcomes of `source`; a run takes as long as a detection."""
    one = stream("a", name, "detector", 1.0, deadline_s, 1)
    return msgspec.structs.replace(one, spec=msgspec.structs.replace(one.spec, source=source))


def test_a_stream_that_looks_closer_has_what_its_source_leaves_of_the_deadline() -> None:
    """A detection takes 30 ms, by p95 34.5, on average 30.45, and 5 ms beside: the other begins after 35.45 ms."""
    def shares(*deadlines_s: float) -> list[tuple[float, float]]:
        streams = (stream("a", "look", "detector", 1.0, 0.2, 1), closer("look", "closer", deadlines_s[0]))
        instance = Instance(Problem(agents=(agent("a", 3.0, executors=2),), streams=streams, links={}))
        begins_s = dict(zip((s.spec.name for s in instance.streams), instance.begins_s, strict=True))
        assert begins_s == {"look": 0.0, "closer": pytest.approx(0.03545, abs=1e-9)}
        found = evaluate(instance, local(instance)).streams
        return [(one.on_time, one.latency_s - one.wait_s) for one in found]

    (closer_on_time, closer_s), (look_on_time, look_s) = shares(0.12)
    assert look_s == pytest.approx(0.03545, abs=1e-9)
    assert closer_s == pytest.approx(2 * 0.03545, abs=1e-3)          # and what its source waits
    assert (look_on_time, closer_on_time) == (1.0, pytest.approx(1.0, abs=0.02))
    (too_late, _), _ = shares(0.06)                                  # 24.55 ms are left for 30
    assert too_late < 0.05


def test_sources_that_are_not_there_or_in_a_ring_are_none() -> None:
    streams = [closer("b", "a", 0.1), closer("c", "b", 0.1), closer("b", "c", 0.1), closer("nowhere", "d", 0.1)]
    found = sources(streams)
    assert found == [NO_SOURCE, NO_SOURCE, 1, NO_SOURCE]
    assert sources_first(found) == [0, 1, 3, 2]
    assert len(Instance(Problem(agents=(agent("a", 1.0),), streams=tuple(streams), links={})).streams) == 4
