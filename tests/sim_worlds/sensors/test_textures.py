"""Patterns on floor, walls and clutter: drawn by the seed, as dark as asked for, and never on targets or robots."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
from PIL import Image

from sim_worlds import scenarios
from sim_worlds.classes import ROBOT, TARGET
from sim_worlds.engine import Engine
from sim_worlds.physics.surroundings import varied
from sim_worlds.sensors.camera.textures import COUNT, SIZE_PX, choices, pictures, targa
from swarm.core.protocol.world import Pose
from swarm.core.settings.process_files import RobotSpec
from swarm.core.settings.randomise import Surroundings

ROBOTS = [RobotSpec(name=f"r{i}", kind="rover", physics="kinematic") for i in range(3)]


@pytest.mark.parametrize("darkness", [0.2, 0.9])
def test_pictures_darken_by_what_is_asked_for_and_vary(darkness: float) -> None:
    made = pictures(darkness, 7)
    assert {picture.shape for picture in made} == {(SIZE_PX, SIZE_PX)}
    assert len({picture.tobytes() for picture in made}) >= COUNT - 3         # two checks may have the same squares
    for picture in made:
        assert picture.min() == pytest.approx(255 * (1.0 - darkness), abs=2)
        assert picture.max() >= 255 * (1.0 - 0.1 * darkness)
    assert all(np.array_equal(a, b) for a, b in zip(made, pictures(darkness, 7), strict=True))
    assert sum(np.array_equal(a, b) for a, b in zip(made, pictures(darkness, 8), strict=True)) <= 3


def test_solids_have_all_pictures_by_the_seed() -> None:
    drawn = list(itertools.islice(choices(7), 200))
    assert set(drawn) == set(range(COUNT))
    assert drawn == list(itertools.islice(choices(7), 200))
    assert drawn != list(itertools.islice(choices(8), 200))


def test_a_file_holds_its_picture() -> None:
    grey = np.arange(64 * 32, dtype=np.uint8).reshape(64, 32)
    with Image.open(io.BytesIO(targa(grey))) as image:
        assert np.array_equal(np.asarray(image), np.repeat(grey[:, :, None], 3, axis=2))


def test_patterns_darken_all_but_targets_and_robots_and_stay_when_things_come_into_view_again() -> None:
    bullet = pytest.importorskip("sim_worlds.physics.bullet")
    with scenarios.build("search_rescue", ROBOTS, 3, render=False) as world:
        assert isinstance(world, Engine)
        plain = world.environment
    target = plain.targets[0]
    here = Pose(target.x_m - 1.0, target.y_m, 0.0)
    beside = [here, Pose(target.x_m + 0.6, target.y_m + 0.5, 1.0), Pose(0.0, 0.0, 0.0)]
    frames = []
    for place in (plain, varied(plain, Surroundings(texture=0.5, seed=1))):
        with bullet.Bullet(place, ROBOTS, beside) as client:
            frames.append(client.camera(here))
            client.camera(Pose(here.x_m, here.y_m, 3.0))             # other things come into view, and these leave it
            again, _ = client.camera(here)
            assert np.array_equal(again, frames[-1][0])
            of = client.class_of
    (before, ids), (after, same) = frames
    assert np.array_equal(ids, same)
    untouched = np.isin(of[ids + 1], (TARGET, ROBOT)) | (ids < 0)
    assert np.isin((TARGET, ROBOT), of[ids + 1]).all()
    assert np.array_equal(before[untouched], after[untouched])
    covered = after[~untouched].astype(int) - before[~untouched]
    assert covered.max() <= 0
    assert (covered < 0).any(axis=1).mean() > 0.5
    assert (after[~untouched] >= 0.5 * before[~untouched] - 2).all()
