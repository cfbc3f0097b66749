"""The runs of all blocks: what is next, what is repeated, what counts, and what a resumed sweep does."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.experiments.design.sweep import MOST_LOSSES, Point, Ran, Sweep
from tests.experiments.files import point, ran

BLOCKS = [[point("a1", 1, "a"), point("b1", 1, "b")], [point("b2", 2, "b"), point("a2", 2, "a")]]


def drained(sweep: Sweep) -> list[str]:
    """The ids of all that wait."""
    return [one.id for one in iter(sweep.next, None)]


def ends(sweep: Sweep, id: str, *invalid: str, error: str = "") -> Ran:
    """The run of a point ends, in the round in which it was asked for. Returns its line of the journal."""
    of = ran(id, *invalid, error=error, round=sweep.round(id))
    sweep.ended(of)
    return of


def test_blocks_are_flown_in_order_their_arms_back_to_back() -> None:
    assert drained(Sweep(BLOCKS)) == ["a1", "b1", "b2", "a2"]


@pytest.mark.parametrize("k", range(5))
def test_a_sweep_resumes_from_any_prefix_of_its_journal(k: int) -> None:
    order = ["a1", "b1", "b2", "a2"]
    sweep = Sweep(BLOCKS, [ran(id) for id in order[:k]], repeats=2)
    assert sweep.left == 4 - k
    assert drained(sweep) == order[k:]


def test_a_resumed_sweep_with_repeats_goes_on_where_it_was() -> None:
    """Run by run of one whole journal with an invalid run: what is left is the rest of it."""
    whole, sweep = list[Ran](), Sweep(BLOCKS, repeats=1)
    while (one := sweep.next()) is not None:
        whole.append(ends(sweep, one.id, *(["busy"] if one.id == "b1" else [])))
    ids = [one.id for one in whole]
    assert ids == ["a1", "b1", "a1", "b1", "b2", "a2"]       # the repeated block is next, as a whole
    for k in range(len(whole) + 1):
        resumed, left = Sweep(BLOCKS, whole[:k], repeats=1), list[str]()
        while (one := resumed.next()) is not None:
            left.append(one.id)
            ends(resumed, one.id, *(["busy"] if one.id == "b1" else []))
        assert left == ids[k:]


@pytest.mark.parametrize("repeats", [0, 1, 3])
def test_a_block_that_stays_invalid_is_repeated_as_a_whole_and_no_more_than_repeats_times(repeats: int) -> None:
    sweep, flown = Sweep(BLOCKS, repeats=repeats), Counter[str]()
    while (one := sweep.next()) is not None:
        flown[one.id] += 1
        ends(sweep, one.id, *(["busy"] if one.id == "a2" else []))
    assert flown == {"a1": 1, "b1": 1, "a2": 1 + repeats, "b2": 1 + repeats}
    assert sweep.repeated() == 2 * repeats
    assert [sweep.block_counts(one) for block in BLOCKS for one in block] == [True, True, False, False]


def test_a_repeat_that_counts_brings_its_block_back() -> None:
    sweep = Sweep(BLOCKS[:1], [ran("a1", "busy"), ran("b1")], repeats=2)
    assert not sweep.block_counts(BLOCKS[0][1])
    assert drained(sweep) == ["a1", "b1"]
    ends(sweep, "b1")
    assert not sweep.block_counts(BLOCKS[0][0])
    ends(sweep, "a1")
    assert sweep.block_counts(BLOCKS[0][0])
    assert sweep.next() is None
    assert sweep.newest()["a1"].counts


def test_errors_are_not_repeated_and_take_their_block_out() -> None:
    sweep = Sweep(BLOCKS[:1], repeats=3)
    assert drained(sweep) == ["a1", "b1"]
    ends(sweep, "a1", error="boom")
    ends(sweep, "b1", "busy")
    assert sweep.next() is None
    assert not sweep.block_counts(BLOCKS[0][1])


def test_a_block_without_all_runs_does_not_count() -> None:
    assert not Sweep(BLOCKS, [ran("a1")]).block_counts(BLOCKS[0][0])


def test_a_lost_run_is_next_until_it_is_lost_too_often() -> None:
    sweep = Sweep(BLOCKS)
    for _ in range(MOST_LOSSES - 1):
        one = sweep.next()
        assert one is not None
        assert one.id == "a1"
        assert sweep.lost(one.id)
    assert sweep.next() is not None
    assert not sweep.lost("a1")
    assert drained(sweep) == ["b1", "b2", "a2"]


def test_runs_of_other_points_are_left_alone() -> None:
    sweep = Sweep(BLOCKS[:1], [ran("of another seed"), ran("a1")])
    assert drained(sweep) == ["b1"]
    assert list(sweep.newest()) == ["a1"]
    assert sweep.repeated() == 0


def test_further_seeds_are_flown_after_the_first_ones() -> None:
    sweep = Sweep(BLOCKS[:1])
    sweep.add(BLOCKS[1:])
    assert drained(sweep) == ["a1", "b1", "b2", "a2"]


def test_a_new_arm_of_a_block_that_was_repeated_runs_once() -> None:
    journal = [ran("a1", "busy"), ran("b1"), ran("a1", round=1), ran("b1", round=1)]
    block = [*BLOCKS[0], point("c1", 1, "c")]
    sweep = Sweep([block], journal, repeats=2)
    assert drained(sweep) == ["c1"]
    assert not sweep.block_counts(block[0])
    journal.append(ends(sweep, "c1"))
    assert journal[-1].round == 1
    assert sweep.block_counts(block[0])
    assert Sweep([block], journal, repeats=2).left == 0


def test_half_a_block_from_elsewhere_is_flown_again_as_a_whole() -> None:
    """A block that is whole stays, wherever it was flown; half of one is completed where its other half was."""
    whole = [ran("a1", host="here"), ran("b1", host="here")]
    journal = [*whole, ran("b2", host="here")]
    elsewhere = {where: Sweep(BLOCKS, journal, 1, lambda run, at=where: run.host != at) for where in ("here", "there")}
    assert drained(elsewhere["here"]) == ["a2"]
    sweep = elsewhere["there"]
    assert drained(sweep) == ["b2", "a2"]
    journal += [ends(sweep, "b2"), ends(sweep, "a2")]
    assert [run.round for run in journal[-2:]] == [1, 1]
    assert sweep.block_counts(BLOCKS[1][0])
    assert sweep.left == 0
    assert Sweep(BLOCKS, journal, 1, lambda run: run.host != "there").left == 0


def test_a_round_that_was_broken_off_is_no_repeat() -> None:
    journal = [ran("a1", host="here")]
    sweep = Sweep(BLOCKS[:1], journal, 1, lambda run: run.host != "there")
    assert drained(sweep) == ["a1", "b1"]
    ends(sweep, "a1", "busy")
    ends(sweep, "b1")
    assert drained(sweep) == ["a1", "b1"]                    # the one repeat
    ends(sweep, "a1", "busy")
    ends(sweep, "b1")
    assert sweep.left == 0


def test_the_time_between_the_runs_of_a_block_that_counts() -> None:
    """Each run takes a second: a ends at 100 and b begins at 160; the other block is not whole."""
    runs = [ran("b1", ended_at=161.0), ran("a1", ended_at=100.0), ran("a2", ended_at=0.0)]
    assert Sweep(BLOCKS, runs).apart_s() == 60.0
    assert Sweep(BLOCKS, runs[:1]).apart_s() == 0.0
    assert Sweep([[point("a1")]], runs[1:2]).apart_s() == 0.0


@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 2), st.integers(1, 4), st.data())
def test_whatever_happens_every_point_ends_and_none_runs_twice_but_for_repeats(
    cells: int, arms: int, repeats: int, jobs: int, data: st.DataObject
) -> None:
    """Runs end in any order, count or not, fail or are lost; now and then the coordinator dies and resumes."""
    blocks = [[point(f"{cell}-{arm}", cell) for arm in range(arms)] for cell in range(cells)]
    ids = [one.id for block in blocks for one in block]
    journal, flying = list[Ran](), list[Point]()
    sweep = Sweep(blocks, repeats=repeats)
    for _ in itertools.count():
        while len(flying) < jobs and (one := sweep.next()) is not None:
            assert one.id not in [other.id for other in flying]
            flying.append(one)
        if not flying:
            break
        one = flying.pop(data.draw(st.integers(0, len(flying) - 1)))
        match data.draw(st.sampled_from(["fine", "fine", "invalid", "error", "lost", "killed"])):
            case "killed":
                flying.clear()
                sweep = Sweep(blocks, journal, repeats)
                continue
            case "lost" if sweep.lost(one.id):
                continue
            case how:
                journal.append(ends(sweep, one.id, *(["busy"] if how == "invalid" else []),
                                    error="boom" if how in ("error", "lost") else ""))
    runs = Counter(one.id for one in journal)
    assert sorted(runs) == sorted(ids)
    for block in blocks:
        rounds = {runs[one.id] for one in block}
        assert len(rounds) == 1                              # a block is repeated as a whole
        assert rounds.pop() <= 1 + repeats
        assert sweep.block_counts(block[0]) is all(sweep.newest()[one.id].counts for one in block)
    assert Sweep(blocks, journal, repeats).next() is None
