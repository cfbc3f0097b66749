"""The static part of a world: walls, things and spawn poses."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sim_worlds.occupancy import Grid
from sim_worlds.physics.solids import Colour, Solid, Thing
from swarm.core.protocol.scene import SceneMark, SceneShape
from swarm.core.protocol.sensors import LARGEST_AREA_M
from swarm.core.protocol.world import Pose
from swarm.core.settings.errors import BadInput

ROBOT_RADIUS_M = 0.30                # larger than every robot, with a margin
SPAWN_MARGIN_M = 0.2                 # between a robot at its start and a wall
OPEN_TOP_M = 3.0                     # how high robots fly where there are no walls


@dataclass(frozen=True, slots=True)
class Charger:
    """A place that charges the batteries of robots that stand on it, each with `power_w` until it is full."""

    x_m: float
    y_m: float
    radius_m: float                  # from its middle to that of a robot
    power_w: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A square floor with sides of `size_m`, centred on the origin, and everything on it, in the world frame.

    spawns: start poses in the order of the fleet, at least one for each robot. A robot that flies starts at the height
    of its spawn, or at that of its kind where the spawn is on the floor.
    Raises: BadInput for a size that no place has.
    """

    size_m: float
    walls: tuple[Solid, ...]
    clutter: tuple[Thing, ...] = ()
    targets: tuple[Thing, ...] = ()
    target_classes: tuple[str, ...] = ()         # labels of targets; a true box has the index of its label
    spawns: tuple[Pose, ...] = ()
    floor_friction: float = 1.0                  # 0.05: ice
    floor_colour: Colour = (0.4, 0.4, 0.4)
    ceiling_colour: Colour = (0.9, 0.9, 0.9)
    light: tuple[float, float, float] = (1.0, 0.5, 2.0)      # direction to the lamp
    brightness: float = 1.0                      # of the lamp
    texture: float = 0.0                         # the most that patterns on floor, walls and clutter take of a colour
    texture_seed: int = 0                        # of the patterns
    chargers: tuple[Charger, ...] = ()
    ceiling_m: float | None = None               # no robot flies higher; None: the top of the highest wall

    def __post_init__(self) -> None:
        if not 0.0 < self.size_m <= LARGEST_AREA_M:          # true also for nan
            raise BadInput("the environment", f"its size_m is {self.size_m:g}",
                           f"metres, above 0 and up to {LARGEST_AREA_M:g}")

    @property
    def top_m(self) -> float:
        """The height above which no robot flies."""
        if self.ceiling_m is not None:
            return self.ceiling_m
        return max((wall.z_m + wall.hz_m for wall in self.walls), default=OPEN_TOP_M)

    def solids(self, targets: bool = True) -> Iterator[Solid]:
        """All solids that can block a robot: walls, clutter, then targets."""
        yield from self.walls
        for thing in self.clutter + (self.targets if targets else ()):
            yield from thing.parts

    def named_solids(self) -> Iterator[tuple[str, tuple[Solid, ...]]]:
        """The same solids by the things that they are of, each with words for it."""
        yield from (("a wall", (wall,)) for wall in self.walls)
        yield from ((f"clutter ({thing.label})", thing.parts) for thing in self.clutter)
        yield from ((f"a target ({thing.label})", thing.parts) for thing in self.targets)

    def shapes(self) -> list[SceneShape]:
        """Walls and clutter as seen from above."""
        layers = ("wall", self.walls), ("clutter", [part for thing in self.clutter for part in thing.parts])
        return [SceneShape(layer=layer, shape="box" if s.shape == "box" else "circle", x_m=s.x_m, y_m=s.y_m,
                           hx_m=s.hx_m, hy_m=s.hy_m, yaw_rad=s.yaw_rad,
                           colour="#" + "".join(f"{round(255 * c):02x}" for c in s.colour))
                for layer, solids in layers for s in solids]

    def marks(self) -> list[SceneMark]:
        """The targets, nothing done with them."""
        return [SceneMark(label=t.label, x_m=t.x_m, y_m=t.y_m, done_by=None, done_at_s=None) for t in self.targets]

    def slabs(self) -> NDArray[np.float64]:
        """The bounding rectangles of all clutter, [n, 4], in the order of `Rect`."""
        return np.array([clutter.rect() for clutter in self.clutter]).reshape(-1, 4)

    def moved(self, target: int, x_m: float, y_m: float, yaw_rad: float, slabs: NDArray[np.float64]) -> Environment:
        """The same with a target, by its index, elsewhere. slabs: see `slabs`.

        What stops robots and lidars stays as it is. So a target must stand on a piece of clutter that is larger, before
        and after. Raises ValueError if it does not.
        """
        before = self.targets[target]
        after = before.moved(x_m, y_m, yaw_rad)
        for thing in (before, after):
            rect = np.array(thing.rect())
            if not ((slabs[:, :2] <= rect[:2]) & (rect[2:] <= slabs[:, 2:])).all(axis=1).any():
                raise ValueError(f"the {thing.label} at ({thing.x_m:g}, {thing.y_m:g}) stands on nothing larger: "
                                 "it cannot move, since it stops robots and lidars")
        return replace(self, targets=(*self.targets[:target], after, *self.targets[target + 1:]))

    def occupancy(self, resolution_m: float = 0.1, inflate_m: float = 0.0) -> NDArray[np.bool_]:
        """bool [n, n], n = size / resolution, index [iy, ix]: cells within `inflate_m` of a solid."""
        return Grid(size_m=self.size_m, resolution_m=resolution_m).rasterise(self.solids(), inflate_m)

    def check_spawn(self, x_m: float, y_m: float, radius_m: float = ROBOT_RADIUS_M) -> None:
        """Raise ValueError with the reason if a robot of this radius cannot stand at (x, y)."""
        where = f"a robot cannot start at ({x_m:g}, {y_m:g})"
        if not (math.isfinite(x_m) and math.isfinite(y_m)) or max(abs(x_m), abs(y_m)) > self.size_m / 2 - radius_m:
            raise ValueError(f"{where}: this is outside the building, which spans +-{self.size_m / 2:g} m")
        for name, parts in self.named_solids():
            gap = min(float(p.distance_m(x_m, y_m)) for p in parts)
            if gap < radius_m:
                raise ValueError(f"{where}: {name} is {gap:.2f} m away and the robot's radius is {radius_m:.2f} m")


def spawns_around(walls: Sequence[Solid], size_m: float, x_m: float, y_m: float, robots: int,
                  drive_margin_m: float = SPAWN_MARGIN_M) -> list[Pose] | None:
    """Free poses, 0.9 m apart, with the shortest driving distances to (x, y); headings point away from their centre.

    drive_margin_m: the room that a robot needs beside it on its way there; to stand it needs SPAWN_MARGIN_M.
    None if there are fewer free poses than robots.
    """
    grid = Grid(size_m=size_m, resolution_m=0.1)
    free = ~grid.rasterise(walls, ROBOT_RADIUS_M + SPAWN_MARGIN_M)
    passable = free if drive_margin_m == SPAWN_MARGIN_M else ~grid.rasterise(walls, ROBOT_RADIUS_M + drive_margin_m)
    steps = np.where(free, grid.steps_from(passable, x_m, y_m), -1)
    pick = range(4, grid.cells, 9)
    places = sorted((int(steps[iy, ix]), iy, ix) for iy in pick for ix in pick if steps[iy, ix] >= 0)[:robots]
    if len(places) < robots:
        return None
    centres = grid.centres_m()
    xy = [(float(centres[ix]), float(centres[iy])) for _, iy, ix in places]
    mx, my = (float(np.mean([p[k] for p in xy])) if xy else 0.0 for k in (0, 1))
    return [Pose(x, y, math.atan2(y - my, x - mx)) for x, y in xy]
