"""Search and rescue: find 12 targets of 3 classes in a building of rooms, and claim each one once."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from sim_worlds.grid import Grid
from sim_worlds.physics.motion import STEP_S, Motion
from sim_worlds.physics.solids import Solid
from sim_worlds.robots import KINDS, RobotSpec
from sim_worlds.scenarios.search_rescue import sight
from sim_worlds.scenarios.search_rescue.building import Building, generate
from sim_worlds.sensors.ground_truth import TrueBox
from sim_worlds.sensors.lidar import Coverage, Scanner
from sim_worlds.world import World
from swarm.core.protocol.scene import SHARE, Measure, Mission, Scene, SceneMark, SceneRobot, SceneShape
from swarm.core.protocol.world import Act, Claim, Observation, Pose

CLAIM_M = 0.75                       # a claim this close to a target of its label is right
HEADLINE = "found_auc"
MEASURES = {
    "found_auc": (SHARE, "mean share of the targets that had been found, over the run"),
    "found": ("", "targets that a robot has claimed rightly"),
    "coverage": (SHARE, "share of the free floor that any robot has seen"),
    "targets": ("", "targets in the building"),
    "collisions": ("", "contacts of robots, each counted once while it lasts"),
    "wrong_claims": ("", "claims where there is no such target"),
    "duplicate_claims": ("", "claims of a target that was found before"),
}
"""Unit and meaning of each measure of the mission, in the order in which they are shown."""
COVERAGE_EVERY_S = 0.2               # per robot
COVERAGE_CELL_M = 0.25
COVERAGE_M = 4.0                     # how far a robot is taken to see the floor


def build(fleet: Sequence[RobotSpec], seed: int, *, render: bool = True) -> World:
    """The world of a seed with this fleet in it, at rest at its spawn poses.

    render: whether frames are drawn; without, and with kinematic robots only, PyBullet is not needed.
    Raises ValueError on an empty fleet, on two robots of one name, or when the building cannot hold the fleet.
    """
    names = [r.name for r in fleet]
    if not names:
        raise ValueError("a world needs at least 1 robot")
    if len(set(names)) < len(names):
        raise ValueError(f"two robots share a name in {', '.join(names)}")
    return SearchRescue(_spawned(generate(seed, len(fleet)), fleet), fleet, render=render)


def check_spawn(seed: int, robots: int, kind: str, x_m: float, y_m: float) -> None:
    """Raises ValueError with the reason when a robot of this kind cannot start at (x, y) in the building of a seed."""
    generate(seed, robots).check_spawn(x_m, y_m, KINDS[kind].radius_m)


def _spawned(building: Building, fleet: Sequence[RobotSpec]) -> Building:
    """The building with the spawn poses that the fleet asks for. Raises ValueError where a robot cannot stand."""
    spawns = list(building.spawns)
    for i, robot in enumerate(fleet):
        if robot.spawn is not None:
            building.check_spawn(*robot.spawn, robot.body.radius_m)
            spawns[i] = Pose(*robot.spawn, spawns[i].heading_rad)
    for i, j in itertools.combinations(range(len(fleet)), 2):
        gap_m = math.dist(_xy(spawns[i]), _xy(spawns[j])) - fleet[i].body.radius_m - fleet[j].body.radius_m
        if gap_m < 0:
            raise ValueError(f"{fleet[i].name} and {fleet[j].name} would start in the same place, "
                             f"({spawns[j].x_m:g}, {spawns[j].y_m:g})")
    return replace(building, spawns=tuple(spawns))


class SearchRescue(World):
    """See `build` and `World`."""

    def __init__(self, building: Building, fleet: Sequence[RobotSpec], *, render: bool) -> None:
        self.building = building
        self.names = [r.name for r in fleet]
        self._fleet = list(fleet)
        self._index = {name: i for i, name in enumerate(self.names)}
        self._motion = Motion(building, fleet, render=render)
        self._render = render
        self.renderer = "none" if self._motion.bullet is None or not render else self._motion.bullet.renderer
        self._steps = 0
        self._expires_s = [0.0] * len(fleet)
        self._moving = [False] * len(fleet)
        self._removed = [False] * len(fleet)
        self._sequence = [0] * len(fleet)
        self._scanner = Scanner(building.solids())
        grid = Grid(size_m=building.size_m, resolution_m=COVERAGE_CELL_M)
        self._coverage = Coverage(building.occupancy(COVERAGE_CELL_M), grid, COVERAGE_M)
        self._covered_s = [-math.inf] * len(fleet)
        self._sight = sight.Sight(building)
        self._found: dict[int, tuple[str, float]] = {}       # target -> robot, time
        self._wrong = self._duplicate = 0

    @property
    def time_s(self) -> float:
        """Simulated time since the start."""
        return self._steps * STEP_S

    def step(self) -> None:
        """Advance by `dt_s`; commands that have outlived their `ttl_s` end first."""
        for i, moving in enumerate(self._moving):
            if moving and self.time_s >= self._expires_s[i]:
                self._motion.drive(i, 0.0, 0.0)
                self._moving[i] = False
        self._motion.step()
        self._steps += 1

    def act(self, robot: str, act: Act) -> None:
        """Set a velocity command; a removed robot ignores it."""
        i = self._of(robot)
        if self._removed[i]:
            return
        alive = act.ttl_s > 0.0                              # false for nan too
        self._motion.drive(i, act.v_mps if alive else 0.0, act.w_radps if alive else 0.0)
        self._moving[i] = alive
        self._expires_s[i] = self.time_s + act.ttl_s

    def observe(self, robot: str, *, frame: bool) -> Observation:
        """What the robot senses now; reading clears `bumped`."""
        i = self._of(robot)
        m = self._motion
        pose, (v, w) = m.poses[i], m.velocities[i]
        scan = self._scanner.scan(pose, m.circles(leave_out=i))
        if self.time_s - self._covered_s[i] >= COVERAGE_EVERY_S:
            self._coverage.add(pose, scan)
            self._covered_s[i] = self.time_s
        image = m.bullet.camera(pose)[0] if frame and self._render and m.bullet is not None else None
        bumped, m.bumped[i] = m.bumped[i], False
        self._sequence[i] += 1
        return Observation(sequence=self._sequence[i], age_s=0.0, pose=pose, v_mps=v, w_radps=w, scan=scan,
                           frame=image, bumped=bumped)

    def seen(self, robot: str) -> list[TrueBox]:
        """The true boxes in the robot's camera now, without rendering."""
        return self._sight.boxes(self._motion.poses[self._of(robot)])

    def claim(self, robot: str, claim: Claim) -> str:
        """Judge a claim: the nearest target of its label within 0.75 m decides, those not yet found first."""
        self._of(robot)
        near = sorted((k in self._found, math.hypot(t.x_m - claim.x_m, t.y_m - claim.y_m), k)
                      for k, t in enumerate(self.building.targets) if t.label == claim.label)
        near = [n for n in near if n[1] <= CLAIM_M]
        if not near:
            self._wrong += 1
            return "wrong"
        known, _, k = near[0]
        if known:
            self._duplicate += 1
            return "duplicate"
        self._found[k] = robot, self.time_s
        return "found"

    def remove(self, robot: str) -> None:
        """The robot stands still."""
        i = self._of(robot)
        self._motion.drive(i, 0.0, 0.0)
        self._moving[i], self._removed[i] = False, True

    def restore(self, robot: str) -> None:
        """The robot acts again, from where it stands."""
        self._removed[self._of(robot)] = False

    def mission(self) -> Mission:
        """How far the mission has come."""
        values = {
            "found_auc": self._found_auc(), "found": len(self._found), "coverage": self._coverage.share,
            "targets": len(self.building.targets), "collisions": self._motion.episodes, "wrong_claims": self._wrong,
            "duplicate_claims": self._duplicate,
        }
        return Mission(headline=HEADLINE, measures=[
            Measure(name=name, value=values[name], unit=unit, text=text) for name, (unit, text) in MEASURES.items()])

    def _found_auc(self) -> float:
        """Mean share of targets that had been found, over the time so far: the area under that curve."""
        if not self._steps:
            return 0.0
        return sum(self.time_s - at_s for _, at_s in self._found.values()) / (len(self.building.targets) * self.time_s)

    def scene(self) -> Scene:
        """The world as plain data."""
        b = self.building
        nobody = (None, None)
        return Scene(
            scenario="search_rescue", seed=b.seed, size_m=b.size_m, time_s=self.time_s,
            shapes=[*_shapes(b.walls, "wall"), *_shapes((p for c in b.clutter for p in c.parts), "clutter")],
            mark="target", done="found",
            marks=[SceneMark(label=t.label, x_m=t.x_m, y_m=t.y_m, done_by=self._found.get(k, nobody)[0],
                             done_at_s=self._found.get(k, nobody)[1]) for k, t in enumerate(b.targets)],
            spawns=self._robots(b.spawns), robots=self._robots(self._motion.poses))

    def close(self) -> None:
        """Free PyBullet's client, if there is one."""
        self._motion.close()

    def _robots(self, poses: Sequence[Pose]) -> list[SceneRobot]:
        return [SceneRobot(name=r.name, kind=r.kind, radius_m=r.body.radius_m, x_m=p.x_m, y_m=p.y_m,
                           heading_rad=p.heading_rad) for r, p in zip(self._fleet, poses, strict=False)]

    def _of(self, robot: str) -> int:
        if robot not in self._index:
            raise ValueError(f"no robot {robot!r} in this world; there are {', '.join(self.names)}")
        return self._index[robot]


def _xy(pose: Pose) -> tuple[float, float]:
    return pose.x_m, pose.y_m


def _shapes(solids: Iterable[Solid], layer: str) -> list[SceneShape]:
    return [SceneShape(layer=layer, shape="box" if s.shape == "box" else "circle", x_m=s.x_m, y_m=s.y_m,
                       hx_m=s.hx_m, hy_m=s.hy_m, yaw_rad=s.yaw_rad,
                       colour="#" + "".join(f"{round(255 * c):02x}" for c in s.colour))
            for s in solids]
