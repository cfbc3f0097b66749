"""What one agent of a learning environment sees and does: its spaces, its observation, and its action as an act."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from gymnasium import spaces
from msgspec.structs import astuple
from numpy.typing import NDArray

from sim_worlds.robots import FlyingKind, RobotKind
from sim_worlds.world_interface import World
from swarm.core.protocol.world import Act, Drive, Fly, Pose
from swarm.core.settings.errors import BadInput

BOX_VALUES = 5                       # of a true box: label + 1 (0: no box in this row), x0, y0, x1, y1
ObservationOf = dict[str, NDArray[Any]]


class AgentView:
    """See `WorldEnv`. world: one with the robot; the sensors of later ones are the same.

    Raises: BadInput if frames or boxes are asked for and the robot has no camera.
    """

    def __init__(self, name: str, kind: RobotKind, world: World, *, frames: bool, boxes: int) -> None:
        self._name, self._frames, self._boxes = name, frames, boxes
        self._top = _top(kind)
        self._flies = isinstance(kind, FlyingKind)
        self.actions = spaces.Box(-1.0, 1.0, (len(self._top),), np.float32)
        suite, unbounded = world.sensors(name), {"low": -np.inf, "high": np.inf, "dtype": np.float32}
        parts: dict[str, spaces.Space[Any]] = {
            "pose": spaces.Box(shape=(6 if self._flies else 3,), **unbounded),
            "speeds": spaces.Box(shape=(4 if self._flies else 2,), **unbounded),
            "bumped": spaces.Box(0.0, 1.0, (1,), np.float32), "goal": spaces.Box(shape=(3,), **unbounded)}
        self._lidar = suite.lidar
        if suite.lidar is not None:
            parts["scan"] = spaces.Box(0.0, suite.lidar.range_m, (suite.lidar.beams,), np.float32)
        if (frames or boxes) and suite.camera is None:
            raise BadInput("frames and boxes", f"{name} has no camera", "leave them out")
        if frames and suite.camera is not None:
            parts["frame"] = spaces.Box(0, 255, (suite.camera.height_px, suite.camera.width_px, 3), np.uint8)
        if boxes:
            parts["boxes"] = spaces.Box(shape=(boxes, BOX_VALUES), **unbounded)
        self.observations = spaces.Dict(parts)

    def observed(self, world: World) -> ObservationOf:
        """The observation of this moment."""
        seen = world.observe(self._name, frame=self._frames)
        parts: ObservationOf = {
            "pose": np.array(astuple(seen.pose)[:6 if self._flies else 3], np.float32),
            "speeds": np.array([seen.v_mps, seen.w_radps, seen.left_mps, seen.up_mps][:4 if self._flies else 2],
                               np.float32),
            "bumped": np.array([seen.bumped], np.float32), "goal": _goal(world.goal(self._name), seen.pose)}
        if self._lidar is not None:
            parts["scan"] = np.clip(seen.scan, 0.0, self._lidar.range_m).astype(np.float32)      # noise exceeds it
        if self._frames:
            assert seen.frame is not None
            parts["frame"] = seen.frame
        if self._boxes:
            rows = np.zeros((self._boxes, BOX_VALUES), np.float32)
            tallest = sorted(world.view(self._name).boxes(), key=lambda box: box.y0_px - box.y1_px)[:self._boxes]
            for row, box in zip(rows, tallest, strict=False):
                row[:] = box.label + 1, box.x0_px, box.y0_px, box.x1_px, box.y1_px
            parts["boxes"] = rows
        return parts

    def act(self, action: Any, ttl_s: float) -> Act:
        """An action as a command. Raises: BadInput if it is not as many finite numbers as it must be."""
        try:
            given = np.asarray(action, np.float64)
        except (TypeError, ValueError):
            given = np.empty(0)
        if given.shape != (len(self._top),) or not np.isfinite(given).all():
            raise BadInput("step", f"the action of {self._name} is {action!r}",
                           f"{'four' if self._flies else 'two'} finite numbers, in -1..1")
        speeds = (np.clip(given, -1.0, 1.0) * self._top).tolist()
        if self._flies:
            vx, vy, vz, yaw = speeds
            return Fly(vx_mps=vx, vy_mps=vy, vz_mps=vz, yaw_radps=yaw, ttl_s=ttl_s)
        v, w = speeds
        return Drive(v_mps=v, w_radps=w, ttl_s=ttl_s)

    def stop(self, ttl_s: float) -> Act:
        """The command of an agent without an action."""
        return self.act(np.zeros(len(self._top)), ttl_s)


def _goal(at: tuple[float, float] | None, pose: Pose) -> NDArray[np.float32]:
    """1, and metres ahead and to the left of a pose; zeros without a goal."""
    if at is None:
        return np.zeros(3, np.float32)
    dx, dy, c, s = at[0] - pose.x_m, at[1] - pose.y_m, math.cos(pose.heading_rad), math.sin(pose.heading_rad)
    return np.array([1.0, c * dx + s * dy, c * dy - s * dx], np.float32)


def _top(kind: RobotKind) -> tuple[float, ...]:
    """The top speeds of a kind of robot, in the order of its actions."""
    if isinstance(kind, FlyingKind):
        return kind.v_max_mps, kind.v_max_mps, kind.up_max_mps, kind.w_max_radps
    return kind.v_max_mps, kind.w_max_radps
