"""Plans explained: what a stream could have instead, what holds it back, how far the plan is behind the best known."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from swarm.core.policy.link import LinkQuality
from swarm.core.policy.plan import NotLoaded
from swarm.planner.explanation import explained, points, with_rate, without
from swarm.planner.forecast.simulation.outcome import Outcome
from swarm.planner.problem import AgentInfo, Problem
from tests.planner.builders import links, profile, stream, team


def one(*models: float, deadline_s: float = 0.2, rate_hz: float = 5.0) -> Problem:
    """A stream on `a`, and agents that take these times (ms)."""
    names = [chr(ord("a") + n) for n in range(len(models))]
    agents = tuple(AgentInfo(name=name, profiles=(profile("m", ms),)) for name, ms in zip(names, models, strict=True))
    return Problem(agents=agents, streams=(stream("a", "s", "m", rate_hz, deadline_s, 1),), links=links(names))


def test_a_stream_in_time_is_held_back_by_nothing_and_its_plan_is_the_best_of_all() -> None:
    plan = explained(one(20.0, 10.0))
    (only,) = plan.streams
    assert (only.limit, plan.gap) == ("", 0.0)
    assert plan.gap_to == "the best of all 2 plans"
    assert plan.on_time == only.on_time == 1.0
    assert only.low <= only.on_time <= only.high
    (instead,) = only.alternatives                   # the other agent
    assert {only.where, instead.where} == {("a",), ("b",)}
    assert instead.gained[1] == pytest.approx(0.0, abs=0.01)


def test_what_an_alternative_costs_is_in_results_per_second() -> None:
    plan = explained(one(150.0, 170.0, 180.0, deadline_s=0.3, rate_hz=10.0))
    (only,) = plan.streams
    assert only.alternatives
    for other in only.alternatives:
        assert other.gained[1] == pytest.approx(10.0 * (other.on_time - only.on_time), abs=0.6)
        assert other.gained[1] < 0.6                           # none is much better than the plan


@pytest.mark.parametrize(("problem", "limit"), [
    (one(300.0, deadline_s=0.2), "the deadline: 200 ms, and the quickest way takes"),
    (one(150.0, rate_hz=10.0), "a, which is busy"),
])
def test_what_holds_a_stream_back_is_named(problem: Problem, limit: str) -> None:
    assert explained(problem).streams[0].limit.startswith(limit)


def test_a_full_memory_is_named_where_the_model_would_be_in_time_on_its_agent() -> None:
    problem = one(300.0, 20.0)
    home, mule = problem.agents

    def with_mule(p50_s: float, model: str = "m", **more: object) -> Problem:
        full = msgspec.structs.replace(mule, profiles=(), not_loaded=(NotLoaded(model, "int8", p50_s),), **more)
        return msgspec.structs.replace(problem, agents=(home, full))

    (only,) = explained(with_mule(0.02), alternatives=False).streams
    assert only.limit == "b's memory: m int8 does not fit, and would take 34 ms there"
    for other in (with_mule(0.3), with_mule(0.02, "else"), with_mule(0.02, background=0.9)):
        assert explained(other, alternatives=False).streams[0].limit.startswith("the deadline")
    nobody = msgspec.structs.replace(with_mule(0.02), agents=(
        msgspec.structs.replace(home, profiles=()), with_mule(0.02).agents[1]))
    assert explained(nobody, alternatives=False).unplaced == {
        "a s": "b's memory: m int8 does not fit, and would take 30 ms there"}


def test_a_robot_that_leaves_takes_its_streams_and_links_along() -> None:
    left = without(team(2, 1), ["rover_0"])
    assert {agent.name for agent in left.agents} == {"rover_1", "carrier_0"}
    assert {item.agent for item in left.streams} == {"rover_1", "carrier_0"}
    assert not any("rover_0" in pair for pair in left.links)


def test_a_link_has_its_rate_both_ways_and_keeps_its_delay() -> None:
    changed = with_rate(team(1, 1), [("rover_0", "carrier_0")], 250e3).links
    assert changed == {pair: LinkQuality(rtt_s=0.004, bytes_per_s=250e3, samples=10) for pair in changed}
    assert len(changed) == 2
    assert with_rate(team(1, 1), [("rover_0", "nobody")], 1.0) == team(1, 1)


def shares(*on_time: float) -> Outcome:
    return Outcome(*[np.array(on_time)] * 6, shares=np.array([on_time]))


def test_points_weigh_priorities() -> None:
    problem = Problem(agents=(), links={}, streams=(
        stream("a", "high", "m", 2.0, 1.0, 5), stream("a", "low", "m", 2.0, 1.0, 0)))
    assert points(problem, shares(1.0, 0.5)) == pytest.approx(100 * (10 + 0.5) / 11)
    assert points(problem, shares(0.5, 1.0)) == pytest.approx(100 * (5 + 1) / 11)
