"""How a team is split: by hand on small teams, and by count on a drawn one."""

from __future__ import annotations

from swarm.bench.planner.problems import drawn
from swarm.core.policy.link import LinkQuality
from swarm.planner.problem import Problem
from swarm.planner.shards.partition import partition
from tests.planner.builders import agent, links, stream


def linked(pairs: list[tuple[str, str]], names: str = "abcdef") -> Problem:
    quality = LinkQuality(rtt_s=0.004, bytes_per_s=6e6, samples=10)
    return Problem(agents=tuple(agent(name, 1.0) for name in names), streams=(),
                   links={pair: quality for a, b in pairs for pair in ((a, b), (b, a))})


LINE = linked([("a", "b"), ("b", "c"), ("c", "d"), ("d", "e"), ("e", "f")])


def test_a_line_is_cut_in_the_middle_and_in_the_other_turn_at_thirds() -> None:
    assert partition(LINE, weight=3) == [["a", "b", "c"], ["d", "e", "f"]]
    assert partition(LINE, turn=1, weight=3) == [["a", "b"], ["c", "d"], ["e", "f"]]
    assert partition(LINE, weight=6) == partition(LINE, turn=1, weight=6) == [["a", "b", "c", "d", "e", "f"]]


def test_a_robot_with_streams_weighs_more() -> None:
    streams = tuple(stream("a", f"s{n}", "detector", 1.0, 0.1, 0) for n in range(4))
    problem = Problem(agents=LINE.agents, streams=streams, links=LINE.links)
    assert partition(problem, weight=5) == [["a"], ["b", "c", "d", "e", "f"]]


def test_robots_without_a_path_to_each_other_are_cut_apart_first() -> None:
    apart = linked([("a", "c"), ("c", "e"), ("b", "d"), ("d", "f")])
    assert partition(apart, weight=3) == [["a", "c", "e"], ["b", "d", "f"]]


def test_where_all_are_equally_near_each_shard_gets_its_share_of_the_strong_boards() -> None:
    names = [f"r{n}" for n in range(8)]
    agents = tuple(agent(name, 0.5 if n < 2 else 4.0) for n, name in enumerate(names))
    problem = Problem(agents=agents, streams=(), links=links(names))
    assert [len({"r0", "r1"}.intersection(shard)) for shard in partition(problem, weight=4)] == [1, 1]


def test_a_weak_link_is_farther_than_many_good_ones() -> None:
    slow = LinkQuality(rtt_s=0.2, bytes_per_s=1e5, samples=10)
    ring = Problem(agents=LINE.agents, streams=(), links={**LINE.links, ("f", "a"): slow, ("a", "f"): slow})
    assert partition(ring, weight=3) == [["a", "b", "c"], ["d", "e", "f"]]


def test_a_link_that_carries_nothing_is_very_far() -> None:
    dead = LinkQuality(rtt_s=0.004, bytes_per_s=1e-320)
    broken = Problem(agents=LINE.agents, streams=(), links={**LINE.links, ("c", "d"): dead, ("d", "c"): dead})
    assert partition(broken, weight=3) == [["a", "b", "c"], ["d", "e", "f"]]


def test_each_robot_is_in_one_shard_and_most_borders_of_one_turn_are_inside_in_the_other() -> None:
    problem = drawn(0, 300, 600)
    one, other = (partition(problem, turn) for turn in (0, 1))
    assert one != other
    at = [{name: n for n, shard in enumerate(shards) for name in shard} for shards in (one, other)]
    for shards, names in zip((one, other), at, strict=True):
        assert len(names) == sum(map(len, shards)) == 300
        assert max(map(len, shards)) <= 2 * min(map(len, shards))
    crossing = [(a, b) for a, b in problem.links if at[0][a] != at[0][b]]
    assert crossing
    assert sum(at[1][a] == at[1][b] for a, b in crossing) >= len(crossing) / 2
