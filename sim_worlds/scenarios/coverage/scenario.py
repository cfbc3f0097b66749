"""Coverage: quadrotors spread over a field so that what counts is near one of them. Their cameras tell where it is.

A thing counts by its class: around each one the density of importance has a hump. Every few seconds some things go, and
one of the same class comes to a plot that was free. No robot reports anything: only their places count.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from sim_worlds.engine import Engine, mission_of
from sim_worlds.robots import KINDS
from sim_worlds.scenarios.coverage import locational
from sim_worlds.scenarios.coverage.field import Field, generate
from swarm.core.policy.draw import integer
from swarm.core.protocol.scene import SHARE, Mission, Scene, SceneShape
from swarm.core.protocol.sensors import Camera, Lidar, SensorSuite
from swarm.core.settings.process_files import RobotSpec

KIND = "quadrotor"
HEADLINE = "coverage"
MEASURES = {
    "coverage": (SHARE, "locational cost of the best places by that of the robots' places, mean over the run"),
    "cost": ("m2", "squared distance to the nearest robot, weighted by the density, mean while one is there"),
    "best_cost": ("m2", "the same for the best places that Lloyd's algorithm finds with the true density"),
    "at_end": (SHARE, "as coverage, at the end"),
    "moves": ("", "things that have gone, each with one that has come"),
    "collisions": ("", "contacts of robots, each counted once while it lasts"),
}
"""Unit and meaning of each measure of the mission, in the order in which they are shown."""
WEIGHTS = {"casualty": 6.0, "hazard": 2.0, "beacon": 1.0}    # integral of the density around a thing
SPREAD_M = 0.8                       # standard deviation of the density around a thing
GROUND = 0.01                        # density everywhere, per m2
SPACING_M, LARGE_SPACING_M = 0.5, 1.0            # of the points of integrals; for a large fleet
SAMPLE_S, LARGE_SAMPLE_S = 0.2, 1.0
MOVES_EVERY_S, MOVES_SHARE = 2.5, 1 / 12         # so often, and so many of all things
STARTS = 10                          # of Lloyd's algorithm, at the beginning; fleets of seven or more have fewer
STARTS_LARGE = 60                    # as many in all, by the number of robots; two at least, but for a large fleet
LARGE_DRAWS_EVERY = 4                # moves from one start to the next that is drawn anew, for a large fleet
COLOURS = {"casualty": "#e07b39", "hazard": "#e8c547", "beacon": "#8fb8de"}      # of the density, on maps
BEST_M, BEST_COLOUR = 0.15, "#6a4fb3"            # of a best place, on maps


def build(fleet: Sequence[RobotSpec], seed: int, *, render: bool = True) -> Coverage:
    """The world of a seed with this fleet, at rest in the middle of the field.

    Raises ValueError for a fleet that the engine refuses or that does not fit on the field.
    """
    return Coverage(generate(seed, len(fleet)), fleet, render=render)


_place = lru_cache(maxsize=1)(generate)      # every robot of a fleet may have a spawn of its own


def check_spawn(seed: int, robots: int, kind: str, x_m: float, y_m: float) -> None:
    """Raise ValueError with the reason if a robot of this kind cannot start at (x, y) on the field of a seed."""
    _place(seed, robots).check_spawn(x_m, y_m, KINDS[kind].radius_m)


class Coverage(Engine):
    """Robots over a field, the density of importance on it, and how well their places suit it."""

    mark, done = "thing", "gone"
    suite = SensorSuite({
        "camera": Camera(width_px=96, height_px=72, fov_y_deg=55.0, mount_x_m=0.1, mount_z_m=-0.04, pitch_deg=-15.0),
        "lidar": Lidar(beams=48, range_m=4.0)}, area_m=1.0)

    def __init__(self, field: Field, fleet: Sequence[RobotSpec], *, render: bool) -> None:
        super().__init__(field, fleet, scenario="coverage", seed=field.seed, render=render)
        self._plots = field.plots
        self._on = list(range(len(field.targets)))           # the plot of each target
        self._free = list(range(len(self._on), len(self._plots)))        # plots, ascending
        self._is_large = len(fleet) > locational.DENSE
        self._points, self._area_m2 = locational.grid(
            field.side_m, LARGE_SPACING_M if self._is_large else SPACING_M)
        self._moves = self._rounds = self._samples = self._covered = 0
        self._shares = self._costs = self._bests = self._share = 0.0
        self._every = max(1, round((LARGE_SAMPLE_S if self._is_large else SAMPLE_S) / self.dt_s))
        self._draw = np.random.default_rng([field.seed, 61])
        self._weigh()
        starts = 1 if self._is_large else max(2, min(STARTS, STARTS_LARGE // len(fleet)))
        self._find_best([self._drawn() for _ in range(starts)])

    def step(self) -> None:
        """Advance by `dt_s`; measure, and let things go and come, when it is time."""
        super().step()
        if self._steps % self._every == 0:
            self._measure()
        if self.time_s >= (self._rounds + 1) * MOVES_EVERY_S - self.dt_s / 2:
            self._change()

    def _measure(self) -> None:
        now = locational.cost(self.motion.at[~self._removed, :2], self._points, self._mass)
        weight = float(self._mass.sum())
        self._share = min(self._best_cost / now, 1.0)        # above 1 where Lloyd's algorithm has not found the best
        self._samples += 1
        self._shares += self._share
        self._bests += self._best_cost / weight
        if math.isfinite(now):                               # a robot is left
            self._covered += 1
            self._costs += now / weight

    def _change(self) -> None:
        """Some things go, and as many come to free plots. All is drawn from the seed, whatever the robots do."""
        self._rounds += 1
        for _ in range(math.ceil(MOVES_SHARE * len(self._on))):
            self._moves += 1
            target = integer(self._seed, "goes", self._moves) % len(self._on)
            plot = self._free.pop(integer(self._seed, "comes", self._moves) % len(self._free))
            bisect.insort(self._free, self._on[target])
            self._on[target] = plot
            self.move_target(target, *self._plots[plot], self.environment.targets[target].yaw_rad)
        self._weigh()
        draws = not self._is_large or self._rounds % LARGE_DRAWS_EVERY == 0
        self._find_best([self._best, self._drawn()] if draws else [self._best])

    def _drawn(self) -> NDArray[np.float64]:
        """A start of Lloyd's algorithm."""
        return locational.drawn(len(self.names), self._points, self._mass, self._draw)

    def _weigh(self) -> None:
        """The mass of each point, from where the things are now."""
        targets, at = self.environment.targets, self._points
        middles, weights = np.array([(t.x_m, t.y_m) for t in targets]), np.array([WEIGHTS[t.label] for t in targets])
        self._mass = self._area_m2 * (GROUND + (
            locational.grid_humps(at[:math.isqrt(len(at)), 0], middles, weights, SPREAD_M) if self._is_large
            else locational.humps(at, middles, weights, SPREAD_M)))

    def _find_best(self, starts: Sequence[NDArray[np.float64]]) -> None:
        self._best, self._best_cost = min(
            (locational.lloyd(start, self._points, self._mass) for start in starts), key=lambda found: found[1])

    def mission(self) -> Mission:
        """The progress of the mission."""
        samples = max(self._samples, 1)
        return mission_of(HEADLINE, MEASURES, {
            "coverage": self._shares / samples, "cost": self._costs / max(self._covered, 1),
            "best_cost": self._bests / samples, "at_end": self._share, "moves": self._moves,
            "collisions": self.motion.contacts.episodes})

    def scene(self) -> Scene:
        """The world as plain data, with the density around each thing and the best places."""
        scene = super().scene()
        discs = [_disc("density", t.x_m, t.y_m, SPREAD_M, COLOURS[t.label]) for t in self.environment.targets]
        best = [_disc("best place", x, y, BEST_M, BEST_COLOUR) for x, y in self._best.tolist()]
        return replace(scene, shapes=[*scene.shapes, *discs, *best])


def _disc(layer: str, x_m: float, y_m: float, radius_m: float, colour: str) -> SceneShape:
    return SceneShape(layer=layer, shape="circle", x_m=x_m, y_m=y_m, hx_m=radius_m, hy_m=radius_m, yaw_rad=0.0,
                      colour=colour)
