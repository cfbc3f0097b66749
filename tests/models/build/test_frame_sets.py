"""Labelled frames for training and test: places of all scenarios that have targets, by seeds that no mission has."""

import itertools

import numpy as np
import pytest

from models.build.train import frame_sets
from models.build.train.rendering import render_frames
from sim_worlds import scenarios
from sim_worlds.engine import Engine
from sim_worlds.robots import KINDS, FlyingKind
from swarm.core.settings.process_files import RobotSpec

SCENARIOS = sorted(set(frame_sets.SCENARIOS["detect"]))


def test_the_detector_sees_each_scenario_that_has_targets() -> None:
    having = []
    for name in scenarios.available():
        fleet = [RobotSpec(name="robot_0", kind=scenarios.kind(name), physics="kinematic")]
        with scenarios.build(name, fleet, 1, render=False) as world:
            assert isinstance(world, Engine)
            having += [name] if world.environment.targets else []
    assert having == SCENARIOS


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_frames_show_targets_from_where_robots_are(scenario: str) -> None:
    frames = list(render_frames(scenario, 1001, 12, robots=3))
    assert sum(any(box.counts for box in frame.boxes) for frame in frames) >= 4
    assert {frame.image.shape for frame in frames} == {(72, 96, 3)}
    flies = isinstance(KINDS[scenarios.kind(scenario)], FlyingKind)
    assert all((frame.pose.z_m > 0.8) == flies for frame in frames)


def test_the_same_arguments_give_the_same_frames() -> None:
    one, two, other = (list(render_frames("convoy", seed, 4, robots=3)) for seed in (1001, 1001, 1002))
    assert all(np.array_equal(a.image, b.image) and a.boxes == b.boxes for a, b in zip(one, two, strict=True))
    assert not all(np.array_equal(a.image, b.image) for a, b in zip(one, other, strict=True))


def test_places_take_the_scenarios_in_turn() -> None:
    turns = frame_sets.SCENARIOS["detect"]
    where = frame_sets.places("detect", "test", 100, 10)
    assert where == list(zip(itertools.islice(itertools.cycle(turns), 10), range(5000, 5010), strict=True))
    assert frame_sets.places("segment", "calibrate", 8, 4) == [("search_rescue", 3000), ("search_rescue", 3001)]
    assert frame_sets.told("segment", "calibrate", 8, 4) == "8 frames of places 3000-3001 of search_rescue"


def test_more_frames_than_the_seeds_give_are_refused() -> None:
    with pytest.raises(ValueError, match="calibrate has 50 places of 4 frames, 201 were asked for"):
        frame_sets.places("detect", "calibrate", 201, 4)


def test_sets_have_no_place_in_common_with_each_other_nor_with_missions() -> None:
    seeds = [set(range(1000)), *(set(seeds) for seeds in frame_sets.SEEDS.values())]
    assert sum(map(len, seeds)) == len(set.union(*seeds))


def test_patrol_has_nothing_to_detect() -> None:
    with pytest.raises(ValueError, match="scenario patrol has no targets"):
        next(render_frames("patrol", 1, 1))
