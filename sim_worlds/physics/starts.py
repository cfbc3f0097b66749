"""Where the robots of a fleet start."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from sim_worlds.environment import Environment
from sim_worlds.physics.bodies import Bodies
from sim_worlds.physics.closeness import pairs_within
from sim_worlds.physics.motion import places_of, start_of
from sim_worlds.robots.brought.body import kind_for
from swarm.core.protocol.world import Pose
from swarm.core.settings.process_files import RobotSpec

AnyEnvironment = TypeVar("AnyEnvironment", bound=Environment)


def with_requested_spawns(environment: AnyEnvironment, fleet: Sequence[RobotSpec]) -> AnyEnvironment:
    """The environment with the spawn poses that the fleet requests.

    Raises ValueError if a robot cannot stand there, or if there are fewer spawns than robots.
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
    first, second = pairs_within(starts[:, :2], 2 * max(radii_m))
    level = Bodies(kinds).level_with(starts[:, 3], first, second)
    for i, j in sorted(sorted(pair) for pair in zip(first[level].tolist(), second[level].tolist(), strict=True)):
        a, b = spawns[i], spawns[j]
        if math.hypot(a.x_m - b.x_m, a.y_m - b.y_m) < radii_m[i] + radii_m[j]:
            raise ValueError(f"{fleet[i].name} and {fleet[j].name} would start in the same place, "
                             f"({b.x_m:g}, {b.y_m:g})")
    return replace(environment, spawns=tuple(spawns))
