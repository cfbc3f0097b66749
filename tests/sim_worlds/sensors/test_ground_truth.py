from __future__ import annotations

import numpy as np
import pytest

from models.build.train.rendering import render_frames
from sim_worlds.classes import CLUTTER, FLOOR, ROBOT, TARGET, TARGET_CLASSES, WALL
from sim_worlds.environment import Environment
from sim_worlds.physics.bullet import Bullet
from sim_worlds.physics.solids import Thing, box, place_thing
from sim_worlds.scenarios.search_rescue.things import TARGETS
from sim_worlds.sensors import ground_truth
from sim_worlds.sensors.rays import Rays
from sim_worlds.sensors.suite import CAMERA
from swarm.core.protocol.world import Pose
from swarm.core.settings.process_files import RobotSpec
from tests.sim_worlds.rooms import room

EYE = Pose(-1.0, 0.0, 0.0)


def target(label: str, x_m: float, y_m: float = 0.0, yaw_rad: float = 2.6) -> Thing:
    return place_thing(label, TARGETS[label](np.random.default_rng(1)), x_m, y_m, yaw_rad)


def screen(y_m: float, width_m: float, x_m: float = 0.3) -> Thing:
    return place_thing("crates", [box(0, 0, 0, 0.05, width_m, 1.5, (0.3, 0.3, 0.3))], x_m, y_m, 0.0)


def look(environment: Environment) -> tuple[list[ground_truth.TrueBox], np.ndarray]:
    with Bullet(environment) as bullet:
        _, ids = bullet.camera(EYE)
        return (ground_truth.boxes(ids, bullet.target_ids, environment, EYE),
                ground_truth.mask(ids, bullet.class_of))


@pytest.mark.parametrize("label", TARGET_CLASSES)
@pytest.mark.parametrize("x_m", [0.6, 2.5])
def test_the_outline_is_what_the_renderer_draws(label: str, x_m: float) -> None:
    t = target(label, x_m)
    (found,), pixels = look(room([], targets=[t]))
    whole, _ = ground_truth.outline(t.parts, Rays(EYE))
    drawn = pixels == TARGET
    assert np.count_nonzero(whole ^ drawn) <= 0.02 * np.count_nonzero(drawn)
    assert found.unoccluded > 0.95
    assert found.counts
    assert TARGET_CLASSES[found.label] == label
    assert found.visible_px == np.count_nonzero(drawn)
    rows, columns = np.nonzero(drawn)
    assert (found.x0_px, found.y0_px, found.x1_px, found.y1_px) == (
        columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


def test_half_hidden_counts_by_what_is_left() -> None:
    t = target("hazard", 2.0)
    shares = []
    for edge in (-0.35, -0.05, 0.02, 0.35):                  # a screen that comes in from the right
        found, _ = look(room([], targets=[t], clutter=[screen(edge - 1.0, 2.0)]))
        shares.append(found[0].unoccluded if found else 0.0)
        assert all(b.counts == (b.unoccluded >= ground_truth.MIN_UNOCCLUDED) for b in found)
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.95
    assert shares[-1] == 0.0
    assert 0.2 < shares[2] < 0.75


def test_a_far_or_cut_off_target_is_to_be_ignored() -> None:
    eye_to_far = target("hazard", 9.5)
    (far,), _ = look(room([], half_m=10.0, targets=[eye_to_far]))
    assert far.y1_px - far.y0_px < ground_truth.MIN_HEIGHT_PX
    assert not far.counts
    (cut,), _ = look(room([], targets=[target("hazard", 1.0, 1.53)]))
    assert cut.x0_px == 0.0
    assert cut.in_frame < ground_truth.MIN_IN_FRAME
    assert not cut.counts


def test_the_mask_knows_every_class() -> None:
    b = room([Pose(0.3, 0.5, 2.0)], targets=[target("beacon", 1.0)], clutter=[screen(-0.8, 0.4)])
    with Bullet(b, [RobotSpec(name="r", kind="rover")]) as bullet:
        image, ids = bullet.camera(EYE)
        pixels = ground_truth.mask(ids, bullet.class_of)
    assert image.shape == (CAMERA.height_px, CAMERA.width_px, 3)
    assert image.dtype == pixels.dtype == np.uint8
    assert set(np.unique(pixels)) == {FLOOR, WALL, CLUTTER, TARGET, ROBOT}


def test_frames_are_labelled_and_repeat() -> None:
    first, again = (list(render_frames("search_rescue", 5, 40)) for _ in range(2))
    assert all((a.image == b.image).all() and a.boxes == b.boxes and (a.mask == b.mask).all()
               for a, b in zip(first, again, strict=True))
    with_target = sum(any(b.counts for b in f.boxes) for f in first)
    assert 0.5 <= with_target / len(first) <= 0.85
    for f in first:
        assert f.image.shape == (72, 96, 3)
        assert f.mask.shape == (72, 96)
        for b in f.boxes:
            assert 0 <= b.x0_px < b.x1_px <= 96
            assert 0 <= b.y0_px < b.y1_px <= 72
            assert (f.mask[int(b.y0_px):int(b.y1_px), int(b.x0_px):int(b.x1_px)] == TARGET).sum() >= b.visible_px
