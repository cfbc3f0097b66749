"""What a camera would see from a pose, without rendering: computed when it is asked for. For virtual time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy

import numpy as np
from numpy.typing import NDArray

from sim_worlds.classes import CLUTTER, FLOOR, ROBOT, TARGET, WALL
from sim_worlds.environment import Environment
from sim_worlds.physics.solids import Solid, box, cylinder
from sim_worlds.robots import FlyingKind, RobotKind
from sim_worlds.sensors import ground_truth
from sim_worlds.sensors.ground_truth import TrueBox
from sim_worlds.sensors.rays import Rays, corners_of
from sim_worlds.sensors.suite import CAMERA
from swarm.core.protocol.sensors import Camera
from swarm.core.protocol.world import Pose

FAR_M = 12.0                         # beyond this everything is wall
BACKGROUND, ON_FLOOR = 0, -1         # the numbers of walls and ceiling, and of the floor: no things
EVERY = range(1 << 30)
MARGIN_M = 0.5                       # a camera that looks down sees a little more to the sides than one that does not
COLOUR = (0.0, 0.0, 0.0)             # of a robot: nobody draws it
HULL_M = 0.1, 0.07                   # width and height of a quadrotor's hull, as in quadrotor.urdf
DISC_Z_M, DISC_M = 0.016, 0.008      # where the discs of its rotors begin, and how thick they are


class Things:
    """The solids of an environment with the numbers of their things. Clutter, targets and robots come from 1 on.

    robots: the kinds of all robots, see `_looks`.
    """

    def __init__(self, environment: Environment, robots: Sequence[RobotKind] = (), camera: Camera = CAMERA) -> None:
        self.environment, self.camera = environment, camera
        things = [(CLUTTER, thing.parts) for thing in environment.clutter]
        self.targets = range(len(things) + 1, len(things) + 1 + len(environment.targets))    # their numbers
        things += [(TARGET, thing.parts) for thing in environment.targets]
        self.classes = np.array([WALL, *(kind for kind, _ in things), *(ROBOT for _ in robots), FLOOR], np.uint8)
        self.solids = [*environment.walls, *(part for _, parts in things for part in parts)]
        self.numbers = [BACKGROUND] * len(environment.walls)
        self.numbers += [number for number, (_, parts) in enumerate(things, start=1) for _ in parts]
        self.corners = corners_of(self.solids)
        self._numbers = np.array(self.numbers)
        self._middles = np.array([(s.x_m, s.y_m) for s in self.solids]).reshape(-1, 2)
        self._reach_m = np.array([math.hypot(s.hx_m, s.hy_m) for s in self.solids]) + MARGIN_M
        self._robots_reach_m = np.array([kind.radius_m for kind in robots]) + MARGIN_M
        self.floor_m = Rays(Pose(0.0, 0.0, 0.0), camera).floor(FAR_M)    # of a robot that drives
        self._robots = robots

    def ground(self, pose: Pose) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
        """How far the floor is in each pixel, at most FAR_M, and the number of what it shows without any solid."""
        level = not (pose.z_m or pose.roll_rad or pose.pitch_rad)
        floor_m = self.floor_m.copy() if level else Rays(pose, self.camera).floor(FAR_M)
        return floor_m, np.where(floor_m < FAR_M, ON_FLOOR, BACKGROUND).astype(np.int32)

    def of(self, environment: Environment) -> Things:
        """The same for an environment in which some targets are elsewhere."""
        after = copy(self)
        after.environment, after.solids = environment, self.solids.copy()
        after.corners, after._middles = self.corners.copy(), self._middles.copy()
        for number, was, now in zip(self.targets, self.environment.targets, environment.targets, strict=True):
            if now is not was:
                rows = slice(*np.searchsorted(self._numbers, (number, number + 1)).tolist())
                after.solids[rows], after.corners[rows] = now.parts, corners_of(now.parts)
                after._middles[rows] = [(part.x_m, part.y_m) for part in now.parts]
        return after

    def around(self, rays: Rays, at: NDArray[np.float64], me: int
               ) -> tuple[list[Solid], NDArray[np.int64], NDArray[np.float64]]:
        """The solids that a robot may see, their numbers, and the corners of their bounding boxes, [n, 8, 3]."""
        near = np.flatnonzero(rays.may_show(self._middles, self._reach_m, FAR_M))
        shown = rays.may_show(at[:, :2], self._robots_reach_m, FAR_M)
        shown[me] = False
        solids, mobile = [self.solids[k] for k in near.tolist()], np.flatnonzero(shown)
        numbers, corners = self._numbers[near], self.corners[near]
        if mobile.size:
            robots = [(self.targets.stop + k, part) for k in mobile.tolist()
                      for part in _looks(self._robots[k], *at[k, :4].tolist())]
            solids += [part for _, part in robots]
            numbers = np.concatenate([numbers, [number for number, _ in robots]])
            corners = np.concatenate([corners, corners_of([part for _, part in robots])])
        return solids, numbers, corners


def _looks(kind: RobotKind, x_m: float, y_m: float, heading_rad: float, z_m: float) -> list[Solid]:
    """What is seen of a robot: a cylinder, or the hull and the discs of the rotors of one that flies."""
    if not isinstance(kind, FlyingKind):
        return [cylinder(x_m, y_m, z_m, kind.radius_m, kind.height_m, COLOUR)]
    arm = kind.arm_m
    discs = [cylinder(x, y, z_m + DISC_Z_M, kind.radius_m - arm, DISC_M, COLOUR)
             for x, y in ((arm, 0.0), (0.0, arm), (-arm, 0.0), (0.0, -arm))]
    parts = [box(0.0, 0.0, z_m - HULL_M[1] / 2, HULL_M[0], HULL_M[0], HULL_M[1], COLOUR), *discs]
    return [part.placed(x_m, y_m, heading_rad) for part in parts]


class TrueView:
    """The truth of one camera image.

    at: x, y, heading, z, roll, pitch of all robots, [n, 6]; it must not change. me: the index of the one whose camera
    it is. A robot in view is upright.
    """

    __slots__ = ("_at", "_me", "_things", "camera")

    def __init__(self, things: Things, at: NDArray[np.float64], me: int) -> None:
        self.camera = things.camera
        self._things, self._at, self._me = things, at, me

    @property
    def pose(self) -> Pose:
        """Of the robot whose camera it is."""
        return Pose(*self._at[self._me].tolist())

    def boxes(self) -> list[TrueBox]:
        """The ground-truth boxes of the targets in view."""
        targets = self._things.targets
        return ground_truth.boxes(
            self._shown(targets), targets, self._things.environment, self.pose, self.camera)

    def pixels(self) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """For each pixel [height, width] the number of its thing (0: none), and its segment class."""
        shown = self._shown()
        return np.maximum(shown, BACKGROUND), self._things.classes[shown]

    def _shown(self, of: range = EVERY) -> NDArray[np.int32]:
        """For each pixel [height, width] the number of what it shows. of: right where things of these numbers may be.

        From the nearest solid to the farthest: no rays are cast at one that is behind all that they have hit before,
        nor at one that cannot hide what is looked for.
        """
        rays, (depth, shown) = Rays(self.pose, self.camera), self._things.ground(self.pose)
        solids, numbers, corners = self._things.around(rays, self._at, self._me)
        sought = (numbers >= of.start) & (numbers < of.stop)
        if not sought.any():
            return shown
        around, nearest, farthest = rays.project(corners)
        limits = rays.limits(around)
        sought &= (nearest < FAR_M) & (limits[:, :2] < limits[:, 2:]).all(axis=1)
        windows = limits[sought]
        if not len(windows):
            return shown
        limits[:, :2] = np.maximum(limits[:, :2], windows[:, :2].min(axis=0))
        limits[:, 2:] = np.minimum(limits[:, 2:], windows[:, 2:].max(axis=0))
        overlaps = ((limits[:, None, :2] < windows[:, 2:]) & (limits[:, None, 2:] > windows[:, :2])).all(axis=-1)
        before = nearest[:, None] < np.minimum(farthest[sought], FAR_M)      # else it hides nothing of that one
        shows = np.flatnonzero((overlaps & before).any(axis=-1))
        left, far_m = len(windows), FAR_M
        for k in shows[np.argsort(nearest[shows], kind="stable")].tolist():
            if not left:                                     # all that is looked for is known: how far is it?
                left, far_m = -1, depth[(shown >= of.start) & (shown < of.stop)].max(initial=0.0)
            if nearest[k] >= far_m:
                break
            left -= sought[k]
            x0, y0, x1, y1 = limits[k].tolist()
            known = depth[y0:y1, x0:x1]
            if nearest[k] < known.max():
                reach = rays.reach(solids[k], slice(y0, y1), slice(x0, x1))
                np.copyto(shown[y0:y1, x0:x1], numbers[k], where=reach < known)
                np.minimum(known, reach, out=known)
        return shown
