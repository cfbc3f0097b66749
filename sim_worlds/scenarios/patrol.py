"""Patrol: each robot drives round a square on an open floor. Light: for swarms of up to a thousand robots."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim_worlds.engine import Engine, mission_of
from sim_worlds.environment import ROBOT_RADIUS_M, Environment
from sim_worlds.maps import FloorPlan
from sim_worlds.occupancy import Grid
from sim_worlds.physics.solids import box
from sim_worlds.sensors.suite import CAMERA
from sim_worlds.world_interface import World
from swarm.core.protocol.scene import Mission
from swarm.core.protocol.sensors import SensorSuite
from swarm.core.protocol.world import Pose, Report
from swarm.core.settings.process_files import RobotSpec

HEADLINE = "visits"
MEASURES = {
    "visits": ("", "corners that robots have reached, a robot on average"),
    "collisions": ("", "contacts of robots, each counted once while it lasts"),
}
"""Unit and meaning of each measure of the mission, in the order in which they are shown."""
APART_M = 3.0                        # between the middles of two squares
SIDE_M = 1.0                         # of a square
SQUARE_M = (SIDE_M, 0.0), (SIDE_M, SIDE_M), (0.0, SIDE_M), (0.0, 0.0)    # its corners, from the robot's start
REACH_M = 0.35                       # a robot this close to a corner has reached it
WALL_M = 0.2


def build(fleet: Sequence[RobotSpec], seed: int, *, render: bool = True) -> World:
    """The floor for a fleet, in rows. Raises ValueError for a fleet that the engine refuses."""
    return Patrol(_floor(len(fleet)), fleet, seed=seed, render=render)


def on_map(floor: FloorPlan, fleet: Sequence[RobotSpec], seed: int, *, render: bool = True) -> World:
    """The same on the floor of a map, at places where the square is free. Raises ValueError if there are too few."""
    place = Environment(size_m=floor.size_m, walls=floor.walls, spawns=_free_squares(floor, len(fleet)))
    return Patrol(place, fleet, seed=seed, render=render)


class Patrol(Engine):
    """Robots on a floor, and the corners that they have reached. Their bodies have no lidar: the floor is empty."""

    suite = SensorSuite({"camera": CAMERA})
    _visits = 0

    def __init__(self, floor: Environment, fleet: Sequence[RobotSpec], *, seed: int, render: bool) -> None:
        super().__init__(floor, fleet, scenario="patrol", seed=seed, render=render)
        self._turns = dict.fromkeys(self.names, 0)           # corners for which a report was due

    def goal(self, robot: str) -> tuple[float, float]:
        """The next corner of the square that begins at the robot's start."""
        start = self.environment.spawns[self.index(robot)]
        dx, dy = SQUARE_M[self._turns[robot] % len(SQUARE_M)]
        return start.x_m + dx, start.y_m + dy

    def due_reports(self, robot: str) -> list[Report]:
        """The next corner, once the robot is there."""
        corner = self.goal(robot)
        if math.dist(corner, self.motion.at[self.index(robot), :2].tolist()) > REACH_M:
            return []
        self._turns[robot] += 1
        return [Report(kind="corner", values={"x_m": corner[0], "y_m": corner[1]})]

    def judge(self, robot: str, report: Report) -> str:
        """`reached` for a corner at which the robot stands; else `wrong`."""
        pose = self.motion.pose(self.index(robot))
        match report.values:
            case {"x_m": float() | int() as x_m, "y_m": float() | int() as y_m}:
                reached = math.hypot(pose.x_m - x_m, pose.y_m - y_m) <= 2 * REACH_M      # it has moved since
            case _:
                reached = False
        self._visits += reached
        return "reached" if reached else "wrong"

    def mission(self) -> Mission:
        """The progress of the mission."""
        return mission_of(HEADLINE, MEASURES, {
            "visits": self._visits / len(self.names), "collisions": self.motion.contacts.episodes})


def _free_squares(floor: FloorPlan, robots: int) -> tuple[Pose, ...]:
    """The corners from which robots drive round their squares, APART_M apart, the first ones in rows from the south."""
    grid = Grid(size_m=floor.size_m, resolution_m=0.1)
    free = ~grid.rasterise(floor.walls, ROBOT_RADIUS_M + 0.1)
    wide = round(SIDE_M / grid.resolution_m) + 1
    left: NDArray[np.bool_] = np.all(np.lib.stride_tricks.sliding_window_view(free, (wide, wide)), axis=(2, 3))
    cells, centres, spawns = round(APART_M / grid.resolution_m), grid.centres_m(), list[Pose]()
    for iy, ix in np.argwhere(left):
        if left[iy, ix] and len(spawns) < robots:
            spawns.append(Pose(float(centres[ix]), float(centres[iy]), 0.0))
            left[max(iy - cells + 1, 0):iy + cells, max(ix - cells + 1, 0):ix + cells] = False
    if len(spawns) < robots:
        raise ValueError(f"the map {floor.path} has room for {len(spawns)} robots on patrol, not for {robots}")
    return tuple(spawns)


def _floor(robots: int) -> Environment:
    """A square with a wall around it and a place for each robot."""
    side = max(1, math.ceil(math.sqrt(robots)))
    size = APART_M * side + 2.0
    edge, first = size / 2 - WALL_M / 2, -APART_M * (side - 1) / 2
    walls = [box(x, y, 0.0, sx, sy, 1.0, (0.7, 0.7, 0.7)) for x, y, sx, sy in (
        (0.0, edge, size, WALL_M), (0.0, -edge, size, WALL_M), (edge, 0.0, WALL_M, size), (-edge, 0.0, WALL_M, size))]
    spawns = tuple(Pose(first + APART_M * (i % side), first + APART_M * (i // side), 0.0) for i in range(robots))
    return Environment(size_m=size, walls=tuple(walls), spawns=spawns)
