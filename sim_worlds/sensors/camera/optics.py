"""What a camera's optics and electronics make of a rendered picture: vignetting, motion blur, exposure and noise.

Values of pixels are taken as linear in light. Sources: natural vignetting, by the fourth power of the cosine (the
illumination of a simple lens); noise, by the linear model of EMVA Standard 1288, release 3.1: the variance of a pixel
is its electrons (shot noise) plus that of the dark (read noise). Blur is that of the turn alone: in the middle of a
picture a turn by w moves what is seen by w times the focal length; it is taken as the same everywhere, and a way ahead
blurs nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarm.core.policy import draw
from swarm.core.protocol.sensors import Camera

WHITE = 255.0


class Optics:
    """The camera of one robot. seed: of the run."""

    def __init__(self, name: str, camera: Camera, seed: int, robot: str) -> None:
        self._name, self._camera, self._seed, self._robot = name, camera, seed, robot
        self._shade = _shade(camera) if camera.vignetting else None

    def of(self, picture: NDArray[np.uint8], w_radps: float, step: int) -> NDArray[np.uint8]:
        """The frame of a picture, uint8 [height, width, 3]. w_radps: the turn. step: of the world; it keys the noise.
        """
        camera = self._camera
        light = picture.astype(np.float32)
        if self._shade is not None:
            light *= self._shade
        if camera.exposure_s:
            light = blurred(light, abs(w_radps) * camera.exposure_s * camera.focal_px)
        if camera.full_well_e:
            light = self._noisy(light, step)
        return np.clip(np.rint(light * camera.gain), 0.0, WHITE).astype(np.uint8)

    def _noisy(self, light: NDArray[np.float32], step: int) -> NDArray[np.float32]:
        """With shot and read noise; many electrons are distributed normally."""
        camera = self._camera
        key = draw.integer(self._seed, "sensor", self._robot, self._name, step)
        drawn = np.random.Generator(np.random.Philox(key=key)).standard_normal(light.shape, np.float32)
        electrons = light * np.float32(camera.full_well_e / WHITE)
        electrons += drawn * np.sqrt(electrons + np.float32(camera.read_noise_e**2))
        return electrons * np.float32(WHITE / camera.full_well_e)


def has_optics(camera: Camera) -> bool:
    """Whether its frames are anything else than what is rendered."""
    return bool(camera.exposure_s or camera.vignetting or camera.full_well_e or camera.gain != 1.0)


def blurred(light: NDArray[np.float32], length_px: float) -> NDArray[np.float32]:
    """Each pixel is the mean over so many pixels along its row, around it; beyond the edges the edge goes on."""
    half = length_px / 2
    if half < 1e-3:
        return light
    width = light.shape[1]
    # the integral of a row up to the right edge of each pixel; between edges it is linear
    sums = np.concatenate([np.zeros_like(light[:, :1]), np.cumsum(light, axis=1, dtype=np.float32)], axis=1)
    middle = np.arange(width) + 0.5
    mean = (_until(sums, light, middle + half) - _until(sums, light, middle - half)) / (2 * half)
    return mean.astype(np.float32)


def _until(sums: NDArray[np.float32], light: NDArray[np.float32], at_px: NDArray[np.float64]) -> NDArray[np.float32]:
    """The integral of each row until these places, [height, places, 3]."""
    width = light.shape[1]
    inside = np.clip(at_px, 0.0, width)
    low = np.minimum(inside.astype(np.intp), width - 1)
    share = (inside - low).astype(np.float32)[None, :, None]
    beyond = (at_px - inside).astype(np.float32)[None, :, None]
    edge = np.where(beyond > 0.0, light[:, -1:], light[:, :1])
    return (sums[:, low] * (1.0 - share) + sums[:, low + 1] * share + beyond * edge).astype(np.float32)


def _shade(camera: Camera) -> NDArray[np.float32]:
    """The share of light that reaches each pixel, float32 [height, width, 1]."""
    x = np.arange(camera.width_px) + 0.5 - camera.width_px / 2
    y = (np.arange(camera.height_px) + 0.5 - camera.height_px / 2)[:, None]
    cosine2 = camera.focal_px**2 / (camera.focal_px**2 + x * x + y * y)
    return (1.0 - camera.vignetting * (1.0 - cosine2**2)).astype(np.float32)[..., None]
