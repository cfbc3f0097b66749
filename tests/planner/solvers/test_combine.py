"""Changes between two judged assignments, by hand: which belong together, what each gains, which are kept."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from swarm.planner.solvers.by_simulation.combine import Change, changes, combined

# Streams 0 to 3 of agents 0 to 3. Option 0 of each runs at home, option 1 on agent 4, option 2 on agent 5.
OWNERS = ["a0", "a1", "a2", "a3"]
INSTANCE: Any = SimpleNamespace(
    streams=[SimpleNamespace(agent=name) for name in OWNERS], agent_of=OWNERS.index,
    options=[[SimpleNamespace(agents=agents) for agents in ((n,), (n, 4), (n, 5))] for n in range(4)])


def verdict(assignment: tuple[int, ...], *costs: float) -> Any:
    return SimpleNamespace(assignment=assignment, costs=costs)


def test_changes_that_share_no_agent_are_told_apart_with_what_each_gains() -> None:
    before, after = verdict((0, 0, 0, 0), 4.0, 3.0, 2.0, 1.0), verdict((1, 2, 0, 0), 1.0, 5.0, 2.0, 1.0)
    first, second = changes(INSTANCE, before, after)
    assert (first.moves, first.gain) == ({0: 1}, 3.0)
    assert (second.moves, second.gain) == ({1: 2}, -2.0)
    assert combined((0, 0, 0, 0), [first, second]) == (1, 0, 0, 0)


def test_moves_to_the_same_agent_are_one_change() -> None:
    before, after = verdict((0, 0, 0, 0), 4.0, 3.0, 2.0, 1.0), verdict((1, 1, 0, 0), 1.0, 5.0, 2.0, 1.0)
    (one,) = changes(INSTANCE, before, after)
    assert (one.moves, one.gain, one.agents) == ({0: 1, 1: 1}, 1.0, frozenset({0, 1, 4}))


def test_a_stream_that_stays_counts_for_the_changes_on_its_agents() -> None:
    # stream 2 stays on agent 4, to which stream 0 moves, and stream 3 stays at home, where nothing changes
    before, after = verdict((0, 0, 1, 0), 4.0, 0.0, 2.0, 9.0), verdict((1, 0, 1, 0), 1.0, 0.0, 7.0, 0.0)
    (one,) = changes(INSTANCE, before, after)
    assert (one.moves, one.gain) == ({0: 1}, 3.0 - 5.0)


def test_of_changes_that_share_an_agent_the_better_one_is_kept() -> None:
    found = [Change({0: 1}, frozenset({0, 4}), 1.0), Change({1: 1}, frozenset({1, 4}), 2.0),
             Change({2: 2}, frozenset({2, 5}), 0.5), Change({3: 2}, frozenset({3}), 0.0)]
    assert combined((0, 0, 0, 0), found) == (0, 1, 2, 0)


def test_nothing_has_changed() -> None:
    same = verdict((0, 1, 2, 0), 1.0, 1.0, 1.0, 1.0)
    assert changes(INSTANCE, same, same) == []
    assert combined(same.assignment, []) == same.assignment
