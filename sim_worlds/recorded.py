"""A body that replays what a robot saw: the frames of a recording, one after the other, and again from the first one.

It moves nothing: commands have no effect, and its pose stays at the origin.
"""

from __future__ import annotations

import io
import zipfile

import msgspec
import numpy as np
from numpy.typing import NDArray

from sim_worlds.sensors.suite import CAMERA
from sim_worlds.sensors.true_view import TrueView
from sim_worlds.world_interface import World
from swarm.core.protocol.scene import Mission, Scene
from swarm.core.protocol.sensors import SensorSuite
from swarm.core.protocol.world import Act, Observation, Pose, Report

STEP_S = 0.01
ORIGIN = Pose(0.0, 0.0, 0.0)


class Recorded(World):
    """One robot. frames: uint8 [n, height, width, 3], n at least 1."""

    renderer = "recorded"

    def __init__(self, robot: str, frames: NDArray[np.uint8]) -> None:
        self.names, self.dt_s = [robot], STEP_S
        self._frames, self._shown, self._steps, self._sequence = frames, 0, 0, 0
        self._suite = SensorSuite({"camera": msgspec.structs.replace(
            CAMERA, height_px=frames.shape[1], width_px=frames.shape[2])})

    @property
    def time_s(self) -> float:
        return self._steps * STEP_S

    def step(self) -> None:
        self._steps += 1

    def act(self, robot: str, act: Act) -> None:
        pass

    def observe(self, robot: str, *, frame: bool) -> Observation:
        picture = self._frames[self._shown] if frame else None
        self._shown = (self._shown + frame) % len(self._frames)
        self._sequence += 1
        return Observation(sequence=self._sequence, age_s=0.0, pose=ORIGIN, v_mps=0.0, w_radps=0.0,
                           scan=np.empty(0, np.float32), frame=picture)

    def view(self, robot: str) -> TrueView:
        raise ValueError("a recording has no truth")

    def sensors(self, robot: str) -> SensorSuite:
        return self._suite

    def judge(self, robot: str, report: Report) -> str:
        return "not judged"

    def remove(self, robot: str) -> None:
        pass

    def restore(self, robot: str) -> None:
        pass

    def mission(self) -> Mission:
        return Mission(headline="frames", measures=[])

    def scene(self) -> Scene:
        return Scene(scenario="recorded", seed=0, size_m=1.0, time_s=self.time_s, shapes=[])

    def close(self) -> None:
        pass


def frames_of(content: bytes) -> NDArray[np.uint8]:
    """The frames of a file NAME.npz. Raises: ValueError for a file that is no recording, or an empty one."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            frames = np.load(io.BytesIO(archive.read("frames.npy")), allow_pickle=False)
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(str(error)) from error
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or not frames.size:
        raise ValueError(f"frames are {frames.dtype} {list(frames.shape)}, not uint8 [n, height, width, 3]")
    return frames
