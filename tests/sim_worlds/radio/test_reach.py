"""Who hears whom by distance: pairs, the border, and hundreds of places beside a plain count."""

from __future__ import annotations

import numpy as np
import pytest

from sim_worlds.radio.reach import Reach


def line(*x_m: float) -> np.ndarray:
    return np.array([[x, 0.0] for x in x_m])


def test_before_the_first_look_all_hear_each_other() -> None:
    assert Reach(3, 1.0).heard_by(1) == [0, 2]
    assert Reach(3, 1.0).share_apart == 0.0


def test_places_within_the_reach_hear_each_other_and_others_do_not() -> None:
    reach = Reach(4, 8.0)
    assert reach.update(line(0.0, 8.0, 8.1, 30.0)).tolist() == [0, 1, 2, 3]
    assert [reach.heard_by(i) for i in range(4)] == [[1], [0, 2], [1], []]
    assert reach.share_apart == pytest.approx(4 / 6)


def test_only_those_that_hear_others_than_before_are_told() -> None:
    reach = Reach(3, 8.0)
    reach.update(line(0.0, 5.0, 100.0))
    assert reach.update(line(0.0, 6.0, 100.0)).tolist() == []
    assert reach.update(line(0.0, 8.5, 100.0)).tolist() == [0, 1]
    assert reach.update(line(0.0, 8.5, 10.0)).tolist() == [1, 2]


def test_at_the_border_a_pair_does_not_flap() -> None:
    reach = Reach(2, 10.0)
    reach.update(line(0.0, 9.9))
    for away_m in (10.0, 9.8, 10.0):
        assert reach.update(line(0.0, away_m)).tolist() == []
    assert reach.update(line(0.0, 10.1)).tolist() == [0, 1]
    for away_m in (9.9, 9.6, 10.1, 9.51):
        assert reach.update(line(0.0, away_m)).tolist() == []
        assert reach.heard_by(0) == []
    assert reach.update(line(0.0, 9.4)).tolist() == [0, 1]
    assert reach.update(line(0.0, 9.9)).tolist() == []
    assert reach.heard_by(0) == [1]


@pytest.mark.parametrize("count", [0, 1])
def test_alone_there_is_nobody_to_hear(count: int) -> None:
    reach = Reach(count, 8.0)
    assert reach.update(np.zeros((count, 2))).tolist() == list(range(count))
    assert reach.update(np.ones((count, 2))).tolist() == []
    assert reach.share_apart == 0.0


def test_many_places_are_as_by_the_plain_rule() -> None:
    """Three hundred robots wander; each pair by itself, with its own memory."""
    draw, count, reach_m = np.random.default_rng(5), 300, 6.0
    xy = draw.uniform(0.0, 60.0, (count, 2))
    reach, heard = Reach(count, reach_m), np.zeros((count, count), bool)
    for look in range(8):
        changed = reach.update(xy)
        away = np.hypot(*(xy[:, None] - xy).transpose(2, 0, 1))
        before, heard = heard, (away <= reach_m) & (heard | (away <= 0.95 * reach_m) | (look == 0))
        np.fill_diagonal(heard, False)
        assert all(reach.heard_by(i) == np.flatnonzero(heard[i]).tolist() for i in range(count))
        if look:
            assert changed.tolist() == np.flatnonzero((heard != before).any(axis=1)).tolist()
            assert 0 < len(changed) < count
        xy += draw.normal(0.0, 0.05, (count, 2))
