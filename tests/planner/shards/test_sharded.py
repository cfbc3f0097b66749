"""Shards agree at their borders, and a lost one changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from swarm.bench.planner.problems import drawn
from swarm.core.policy.plan import Placement
from swarm.planner.events import Solve
from swarm.planner.problem import Problem
from swarm.planner.shards.partition import partition
from swarm.planner.shards.shard import Shard, Team, solve
from swarm.planner.shards.sharded import MOST_WHOLE, OneByOne, place_by_shards
from swarm.planner.solvers.budget import CountedBudget
from swarm.planner.solvers.place import Solution, choices
from swarm.planner.solvers.solve import possible, solved
from tests.planner.builders import agent, links, stream

GROUPS = [["a", "b"], ["c", "d"]]
STREAMS = tuple(stream(name, f"s{n}", "detector", 2.0, 0.1, 1) for name in "abcd" for n in (0, 1))
PROBLEM = Problem(agents=tuple(agent(name, 1.0) for name in "abcd"), streams=STREAMS, links=links(list("abcd")))


def at(owner: str, name: str, where: str) -> Placement:
    return Placement(agent=owner, stream=name, variant="fp32", where=[where])


class Values:
    """The result of a round."""

    def __init__(self, values: Mapping[int, Solution], reason: str = "") -> None:
        self.values, self.reason = values, reason


def test_a_stream_that_runs_in_another_shard_is_a_guest_there_and_its_load_is_known_to_both() -> None:
    team = Team(PROBLEM)
    now = team.possible([at("a", "s0", "c"), at("d", "s0", "c"), at("a", "s1", "a")])
    one, other = team.shards(GROUPS, now, limit_churn=False, seed=0)
    assert {s.key for s in other.problem.streams} == {*other.own, ("a", "s0")}
    assert other.held == {("a", "s0")}
    assert {a.name for a in other.problem.agents} == {"a", "c", "d"}
    assert {s.key for s in one.problem.streams} == {*one.own, ("d", "s0")}       # it runs where a's stream runs
    assert one.held == {("d", "s0")}
    assert {pair for pair in one.problem.links if "c" in pair} == {("a", "c"), ("c", "a"), ("d", "c"), ("c", "d")}
    assert choices(one.previous)["d", "s0"] == ("fp32", "c")


def test_no_shard_gives_an_agent_of_another_more_to_do() -> None:
    team = Team(PROBLEM)
    one, _ = team.shards(GROUPS, team.possible([at("a", "s0", "c")]), limit_churn=False, seed=0)
    found = [at("a", "s0", "c"), at("a", "s1", "c"), at("b", "s0", "a"), at("c", "s0", "c")]
    assert list(one.accepted(found)) == [("a", "s0"), ("b", "s0")]               # stays; within the shard


def test_placements_of_robots_that_are_gone_are_left_out() -> None:
    team = Team(msgspec.structs.replace(PROBLEM, agents=PROBLEM.agents[:3]))
    assert list(team.possible([at("a", "s0", "d"), at("a", "s1", "b"), at("d", "s0", "d")])) == [("a", "s1")]


def test_a_stream_that_is_held_stays_in_its_shard_too() -> None:
    team = Team(PROBLEM, held=[("b", "s1")])
    one, _ = team.shards(GROUPS, team.possible([at("b", "s1", "a")]), limit_churn=True, seed=0)
    assert one.held == {("b", "s1")}


def test_streams_of_a_lost_shard_stay_where_they_are_and_it_is_counted() -> None:
    previous = [at(s.agent, s.spec.name, "b" if s.agent == "a" else "d") for s in STREAMS]
    lost: list[frozenset[str]] = []

    def first_alone(shards: Sequence[Shard]) -> Values:
        lost.extend(shard.agents for shard in shards[1:])
        return Values({0: solve(shards[0])}, "the node died")

    found = place_by_shards(PROBLEM, previous, first_alone, limit_churn=False, weight=6)
    assert found.solution is not None
    assert (found.shards, found.lost, found.reason) == (2, 1, "the node died")
    assert found.solution.solver == "1 of 2 shards"
    (agents,) = lost
    placed = {(p.agent, p.stream): p for p in found.solution.placements}
    assert placed.keys() == {s.key for s in STREAMS}
    kept = [p for p in previous if p.agent in agents]
    assert kept
    assert [placed[p.agent, p.stream] for p in kept] == kept
    others = [s.key for s in STREAMS if s.agent not in agents]
    assert any(choices(found.solution.placements)[key] != choices(previous)[key] for key in others)


def test_without_any_result_there_is_no_solution() -> None:
    found = place_by_shards(PROBLEM, [], lambda shards: Values({}, "Ray is gone"), weight=6)
    assert (found.solution, found.lost, found.reason) == (None, found.shards, "Ray is gone")


def test_the_second_round_places_over_the_borders_of_the_first_one() -> None:
    problem = drawn(3, 24, 60)
    plans = [place_by_shards(problem, [], lambda shards: Values({n: solve(s) for n, s in enumerate(shards)}),
                             rounds=rounds, weight=16).solution for rounds in (1, 2)]
    at = {name: n for n, shard in enumerate(partition(problem, weight=16)) for name in shard}
    crossing = [sum(at[p.agent] != at[stop] for p in plan.placements for stop in p.where) for plan in plans if plan]
    assert crossing[0] == 0 < crossing[1]
    for plan in plans:
        assert plan is not None
        assert len(possible(problem, plan.placements)) == len(problem.streams)
        assert 0.0 < plan.on_time <= 1.0
        assert len(plan.score) == 4                  # three priorities, and the rest


def test_one_by_one_the_shard_begins_of_which_least_is_placed() -> None:
    team = Team(PROBLEM)
    shards = team.shards(GROUPS, team.possible([at(n, s, n) for n in "ab" for s in ("s0", "s1")]), False, 0)
    result = OneByOne(CountedBudget(1e-6))(shards)
    assert list(result.values) == [1]
    assert result.reason == "no time for 1 of 2 shards"


def test_one_by_one_other_shards_begin_in_the_next_search() -> None:
    placed = [at(n, s, n) for n in "abcd" for s in ("s0", "s1")]
    shards = Team(PROBLEM).shards(GROUPS, Team(PROBLEM).possible(placed), False, 0)
    assert [list(OneByOne(CountedBudget(1e-6), first)(shards).values) for first in range(3)] == [[0], [1], [0]]


def test_a_stream_that_can_run_nowhere_any_more_loses_its_placement_and_is_named_once() -> None:
    bare = msgspec.structs.replace(PROBLEM.agents[0], profiles=())
    cut_off = msgspec.structs.replace(PROBLEM, agents=(bare, *PROBLEM.agents[1:]),
                                      links={pair: link for pair, link in PROBLEM.links.items() if "a" not in pair})
    found = place_by_shards(cut_off, [at("a", "s0", "b"), at("b", "s0", "b")], OneByOne(CountedBudget(10.0)), rounds=2)
    assert found.solution is not None
    assert [stream.key for stream in found.solution.unplaced] == [("a", "s0"), ("a", "s1")]
    assert {(p.agent, p.stream) for p in found.solution.placements} == {s.key for s in STREAMS if s.agent != "a"}


def test_the_planners_own_search_of_a_large_team_is_by_shards() -> None:
    problem = drawn(0, MOST_WHOLE + 1, 100)
    assert solved(Solve(problem, [], (0, 0)), CountedBudget(1e-6), 0).solver == "1 of 3 shards"
