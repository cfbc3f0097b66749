"""Small environments made by hand, for tests that need known geometry."""

from __future__ import annotations

from collections.abc import Sequence

from sim_worlds.classes import TARGET_CLASSES
from sim_worlds.environment import Environment
from sim_worlds.physics.solids import Solid, Thing, box
from swarm.core.protocol.world import Pose


def room(spawns: Sequence[Pose], *, half_m: float = 4.0, targets: Sequence[Thing] = (),
         clutter: Sequence[Thing] = ()) -> Environment:
    """A square room whose walls' inner faces are at +-half_m."""
    h = half_m
    walls: list[Solid] = [box(x, y, 0.0, sx, sy, 2.4, (0.7, 0.7, 0.7)) for x, y, sx, sy in (
        (0.0, h + 0.1, 2 * h + 0.4, 0.2), (0.0, -h - 0.1, 2 * h + 0.4, 0.2),
        (h + 0.1, 0.0, 0.2, 2 * h), (-h - 0.1, 0.0, 0.2, 2 * h))]
    return Environment(size_m=2 * h + 0.4, walls=tuple(walls), clutter=tuple(clutter), targets=tuple(targets),
                       target_classes=TARGET_CLASSES,
                 spawns=tuple(spawns))
