"""The field of a fleet: one course, or for a large fleet several, as lanes side by side without walls between them.

A robot of the fleet, by its index, starts in the lane of that number, or, beyond the last lane, in the first one again:
so each lane has its share of each kind of robot.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sim_worlds.physics.solids import Thing
from sim_worlds.scenarios.formation import course
from sim_worlds.scenarios.formation.course import MOST_ROBOTS, SIZE_M, WALL_M, WIDTH_M, Course
from swarm.core.protocol.bounds import ROBOTS_MAX
from swarm.core.protocol.world import Pose
from swarm.core.settings.process_files import RobotSpec

FLOCK = 6                            # robots of a lane, as in the launch file, where there are several lanes
MOST_LANES = 61                      # as many as LARGEST_AREA_M has room for: beyond 366 robots a lane has more


def lanes_of(robots: int) -> int:
    """How many lanes the field of a fleet has."""
    return 1 if robots <= MOST_ROBOTS else min(math.ceil(robots / FLOCK), MOST_LANES)


def middle_m(lane: int, lanes: int) -> float:
    """The y of the middle of a lane."""
    return WIDTH_M * (lane - (lanes - 1) / 2)


def check_lane(robot: RobotSpec, number: int, robots: int) -> None:
    """Raises ValueError for a robot of this number in its fleet whose own `spawn` is in the lane of others."""
    lanes = lanes_of(robots)
    middle = middle_m(number % lanes, lanes)
    if robot.spawn is not None and abs(robot.spawn[1] - middle) > WIDTH_M / 2:
        raise ValueError(f"{robot.name} cannot start at ({robot.spawn[0]:g}, {robot.spawn[1]:g}): its lane is "
                         f"y = {middle - WIDTH_M / 2:g} to {middle + WIDTH_M / 2:g} m")


def groups_of(robots: int) -> list[NDArray[np.intp]]:
    """The robots of each lane, by index."""
    return [np.arange(lane, robots, lanes_of(robots)) for lane in range(lanes_of(robots))]


def generate(seed: int, robots: int) -> Course:
    """The field of a seed, with a spawn pose for each robot; the same arguments give an identical field.

    Each lane keeps the promises of `generate_lane`. Raises ValueError if `robots` is below 1 or above ROBOTS_MAX.
    """
    if not 1 <= robots <= ROBOTS_MAX:
        raise ValueError(f"the start of the course has room for 1 to {ROBOTS_MAX} robots, not {robots}")
    groups = groups_of(robots)
    first = course.generate_lane(seed, len(groups[0]))
    if len(groups) == 1:
        return first
    walls_x_m = [x for x, _ in first.gaps]
    drawn = [first, *(course.generate_lane(seed, len(group), lane, walls_x_m)
                      for lane, group in enumerate(groups[1:], start=1))]
    colour, width_m = first.walls[0].colour, WIDTH_M * len(groups)
    placed = [(one, middle_m(lane, len(groups))) for lane, one in enumerate(drawn)]
    rim = course.rim(colour, width_m)
    across = [replace(wall, y_m=wall.y_m + y, colour=colour) for one, y in placed for wall in one.walls[len(rim):]]
    return replace(
        first, size_m=max(SIZE_M, width_m + 2 * WALL_M), walls=(*rim, *across),
        gaps=tuple((gap_x, gap_y + y) for one, y in placed for gap_x, gap_y in one.gaps),
        clutter=tuple(_aside(thing, y) for one, y in placed for thing in one.clutter),
        targets=tuple(_aside(thing, y) for one, y in placed for thing in one.targets),
        spawns=tuple(_spawn(*placed[robot % len(groups)], robot // len(groups)) for robot in range(robots)))


def _aside(thing: Thing, by_m: float) -> Thing:
    return thing.moved(thing.x_m, thing.y_m + by_m, thing.yaw_rad)


def _spawn(one: Course, by_m: float, robot: int) -> Pose:
    pose = one.spawns[robot]
    return Pose(pose.x_m, pose.y_m + by_m, pose.heading_rad)
