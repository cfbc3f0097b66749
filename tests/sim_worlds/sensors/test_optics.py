"""What optics make of a picture: blur by the turn, shade to the edges, gain, and noise of the stated variance."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

from sim_worlds.scenarios.search_rescue.building import generate
from sim_worlds.sensors.camera.culling import Culling
from sim_worlds.sensors.camera.optics import Optics, blurred, has_optics
from sim_worlds.sensors.suite import CAMERA, check_suite
from swarm.core.protocol.sensors import Camera, SensorSuite
from swarm.core.protocol.world import Pose
from swarm.core.settings.process_files import RobotSpec

GREY = np.full((72, 96, 3), 100, np.uint8)


def seen(picture: NDArray[np.uint8], w_radps: float = 0.0, *, seed: int = 1, step: int = 0,
         **of: float) -> NDArray[np.uint8]:
    return Optics("camera", replace(CAMERA, **of), seed, "a").of(picture, w_radps, step)


def test_a_camera_without_options_gives_what_is_rendered() -> None:
    assert not has_optics(CAMERA)
    assert (seen(GREY) == GREY).all()


def test_a_turn_blurs_along_the_rows_by_its_way_in_the_picture() -> None:
    edge = np.zeros((72, 96, 3), np.uint8)
    edge[:, 48:] = 200
    way_px = 2.0 * 0.05 * CAMERA.focal_px
    assert way_px == pytest.approx(6.9, abs=0.1)
    blur = seen(edge, 2.0, exposure_s=0.05)[0, :, 0].astype(float)
    assert (seen(edge, -2.0, exposure_s=0.05)[0, :, 0] == blur).all()
    between = np.flatnonzero((blur > 0) & (blur < 200))
    assert len(between) == pytest.approx(way_px, abs=1.0)
    assert np.diff(blur[between]) == pytest.approx(200 / way_px, abs=1.5)        # a straight ramp
    assert (seen(edge, 0.0, exposure_s=0.05) == edge).all()
    assert (seen(GREY, 2.0, exposure_s=0.5) == GREY).all()                       # the edge goes on


def test_a_blur_keeps_the_light_and_is_the_mean_over_its_length() -> None:
    row = np.zeros((1, 9, 3), np.float32)
    row[0, 4] = 9.0
    assert blurred(row, 3.0)[0, :, 0].tolist() == pytest.approx([0, 0, 0, 3, 3, 3, 0, 0, 0], abs=1e-5)
    assert blurred(row, 2.0)[0, :, 0].tolist() == pytest.approx([0, 0, 0, 2.25, 4.5, 2.25, 0, 0, 0], abs=1e-5)
    assert blurred(row, 0.0) is row


def test_noise_has_the_variance_of_shot_and_read_noise_times_the_gain() -> None:
    for level in (20, 100, 200):
        grey = np.full((72, 96, 3), level, np.uint8)
        noisy = seen(grey, full_well_e=2000.0, read_noise_e=20.0).astype(float)
        electrons = level * 2000.0 / 255.0
        want = (electrons + 20.0**2) ** 0.5 * 255.0 / 2000.0
        assert noisy.std() == pytest.approx(want, rel=0.03)
        assert noisy.mean() == pytest.approx(level, abs=0.2)
    bright = seen(GREY, full_well_e=2000.0, read_noise_e=20.0, gain=2.0).astype(float)
    assert bright.std() == pytest.approx(2 * seen(GREY, full_well_e=2000.0, read_noise_e=20.0).std(), rel=0.03)
    assert bright.mean() == pytest.approx(200, abs=0.3)


def test_noise_is_drawn_by_seed_robot_and_step() -> None:
    first = seen(GREY, full_well_e=500.0)
    assert (seen(GREY, full_well_e=500.0) == first).all()
    assert (seen(GREY, full_well_e=500.0, step=1) != first).any()
    assert (seen(GREY, full_well_e=500.0, seed=2) != first).any()


def test_light_falls_to_the_corners_by_the_cosines_fourth_power() -> None:
    shaded = seen(np.full((72, 96, 3), 200, np.uint8), vignetting=1.0)[..., 0].astype(float)
    assert shaded[36, 48] == 200
    cosine2 = CAMERA.focal_px**2 / (CAMERA.focal_px**2 + 47.5**2 + 35.5**2)
    assert shaded[0, 0] == pytest.approx(200 * cosine2**2, abs=0.6)


@pytest.mark.parametrize(("camera", "words"), [
    (replace(CAMERA, width_px=800, height_px=600), "800 x 600 pixels; at most 640 x 480"),
    (replace(CAMERA, read_noise_e=3.0), "read_noise_e without full_well_e"),
    (replace(CAMERA, exposure_s=-1.0), "exposure_s"), (replace(CAMERA, gain=0.0), "gain"),
    (replace(CAMERA, vignetting=2.0), "vignetting"),
])
def test_a_camera_that_makes_no_sense_is_refused(camera: Camera, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_suite(SensorSuite({"camera": camera}))
    check_suite(SensorSuite({"camera": replace(CAMERA, width_px=640, height_px=480)}))


def test_culling_changes_no_pixel() -> None:
    bullet = pytest.importorskip("sim_worlds.physics.bullet")
    building = generate(7, 2)
    fleet = [RobotSpec(name=name, kind="rover", physics="kinematic") for name in "ab"]
    rng = np.random.default_rng(1)
    with bullet.Bullet(building, fleet) as culled, bullet.Bullet(building, fleet) as whole:
        whole._cull = lambda pose: None
        hidden = []
        for _ in range(12):
            pose = Pose(*rng.uniform(-8.0, 8.0, 2), float(rng.uniform(-3.0, 3.0)))
            for got, want in zip(culled.camera(pose), whole.camera(pose), strict=True):
                assert (got == want).all()
            hidden.append(culled._hidden.mean())
    assert 0.5 < np.mean(hidden) < 1.0


def test_a_camera_that_looks_down_or_rolls_culls_nothing() -> None:
    things = generate(7, 2).clutter
    assert Culling(things, CAMERA).hidden(Pose(0.0, 0.0, 0.0)).any()
    assert not Culling(things, CAMERA).hidden(Pose(0.0, 0.0, 0.0, 1.0, roll_rad=0.1)).any()
    assert not Culling(things, replace(CAMERA, pitch_deg=-70.0)).hidden(Pose(0.0, 0.0, 0.0)).any()
