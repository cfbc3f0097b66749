"""Where the robots of a fleet start."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sim_worlds.environment import Environment
from sim_worlds.physics.bodies import Bodies
from sim_worlds.physics.closeness import pairs_within
from sim_worlds.physics.motion import places_of, start_of
from sim_worlds.physics.obstacles import SLACK_M
from sim_worlds.robots.brought.body import kind_for
from swarm.core.protocol.world import Pose
from swarm.core.settings.errors import BadInput
from swarm.core.settings.process_files import RobotSpec

AnyEnvironment = TypeVar("AnyEnvironment", bound=Environment)


def with_requested_spawns(environment: AnyEnvironment, fleet: Sequence[RobotSpec]) -> AnyEnvironment:
    """The environment with the spawn poses that the fleet requests.

    Raises ValueError if a robot cannot stand there, or if there are fewer spawns than robots; BadInput if it cannot
    stand at a spawn of the environment's own.
    """
    if len(environment.spawns) < len(fleet):
        raise ValueError(f"{len(fleet)} robots, but only {len(environment.spawns)} spawn poses")
    spawns = list(environment.spawns)
    kinds = [kind_for(robot) for robot in fleet]
    radii_m = [kind.radius_m for kind in kinds]
    for i, robot in enumerate(fleet):
        if robot.spawn is not None:
            environment.check_spawn(*robot.spawn, radii_m[i])
            spawns[i] = Pose(*robot.spawn, spawns[i].heading_rad, spawns[i].z_m)
    starts = places_of([start_of(*each, environment.top_m) for each in zip(spawns, kinds, strict=False)])
    bodies = Bodies(kinds)
    _check_own(environment, fleet, bodies, starts)
    first, second = pairs_within(starts[:, :2], 2 * max(radii_m))
    level = bodies.level_with(starts[:, 3], first, second)
    for i, j in sorted(sorted(pair) for pair in zip(first[level].tolist(), second[level].tolist(), strict=True)):
        a, b = spawns[i], spawns[j]
        if math.hypot(a.x_m - b.x_m, a.y_m - b.y_m) < radii_m[i] + radii_m[j]:
            raise ValueError(f"{fleet[i].name} and {fleet[j].name} would start in the same place, "
                             f"({b.x_m:g}, {b.y_m:g})")
    return replace(environment, spawns=tuple(spawns))


def _check_own(environment: Environment, fleet: Sequence[RobotSpec], bodies: Bodies, starts: NDArray[np.float64]
               ) -> None:
    """Raise BadInput if a start is not finite, or one that no robot asked for is outside or in a wall or a thing.

    starts: of all robots, [n, 6]. Bodies may overlap walls by as much as they do when they drive along them.
    """
    def refuse(wrong: NDArray[np.bool_], why: str) -> None:
        if wrong.any():
            i = int(wrong.argmax())
            x_m, y_m, heading_rad, z_m = starts[i, :4]
            raise BadInput(f"spawns[{i}] of the environment",
                           f"{fleet[i].name} would start at ({x_m:g}, {y_m:g}), {z_m:g} m up, heading {heading_rad:g}: "
                           f"{why}", "a free place on the floor for each robot")

    refuse((~np.isfinite(starts)).max(axis=1), "this is no pose of finite numbers")
    own = np.array([robot.spawn is None for robot in fleet])
    x_m, y_m, z_m, reach_m = starts[:, 0], starts[:, 1], starts[:, 3], bodies.radii_m - SLACK_M
    half_m = environment.size_m / 2
    refuse(own & (np.maximum(np.abs(x_m), np.abs(y_m)) > half_m - reach_m),
           f"this is outside the floor, which spans +-{half_m:g} m")
    for name, parts in environment.named_solids():
        for part in parts:
            near = own & (part.distance_m(x_m, y_m) < reach_m)
            if near.any():
                refuse(near & bodies.within_m(part.z_m - part.hz_m, part.z_m + part.hz_m, z_m), f"{name} is there")
