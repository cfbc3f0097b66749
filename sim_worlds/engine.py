"""Robots in an environment: the part of a world that all scenarios share.

A scenario is an environment (walls, things, spawn poses) and a subclass of `Engine` that defines the mission: `judge`,
`mission`, and its additions to `step`, `observe` and `scene`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from sim_worlds.energy.batteries import Batteries, any_battery
from sim_worlds.environment import Environment
from sim_worlds.physics import STEP_S, UPDATE_EVERY
from sim_worlds.physics.motion import Motion
from sim_worlds.physics.starts import with_requested_spawns
from sim_worlds.physics.surroundings import varied
from sim_worlds.robots import check_fleet
from sim_worlds.robots.brought.body import kind_for
from sim_worlds.sensors.camera.fleet_cameras import FleetCameras
from sim_worlds.sensors.fleet_lidar import FleetScanner
from sim_worlds.sensors.instruments import Instruments, farthest_m, has_instruments, slowest_s
from sim_worlds.sensors.lidar import NO_SCAN, Scanners
from sim_worlds.sensors.past import Moment, Past
from sim_worlds.sensors.suite import CAMERA, LIDAR, SUITE, check_suite, suite_of
from sim_worlds.sensors.true_view import Things, TrueView
from sim_worlds.world_interface import CannotAct, World
from swarm.core.protocol.scene import Measure, Mission, Scene, SceneRobot
from swarm.core.protocol.sensors import Battery, Lidar, Reading, SensorSuite
from swarm.core.protocol.world import Act, BatteryState, Capture, Fly, Observation, Pose, Report
from swarm.core.settings.process_files import RobotSpec
from swarm.core.settings.randomise import Surroundings

SINK_MPS = 10.0                      # as fast as the robot can
POWER_S = 0.05                       # simulated time between two looks at what robots take from their batteries


class Engine(World):
    """A fleet that starts at rest at the spawns of an environment; commands with a time to live drive it.

    scenario, seed: for the scene. render: whether to draw frames; kinematic robots without frames need no PyBullet.
    update_s: simulated time of a step without rigid bodies.
    Raises ValueError for a fleet that `check_fleet` refuses, and if a robot cannot stand at its own `spawn`; BadInput
    for sensors that `check_suite` refuses, and if it cannot stand at a spawn of the environment.
    """

    mark, done = "mark", "done"      # what the scene calls a target, and one that was dealt with
    suite = SUITE                    # of every robot; `noisy` ones have noise beside

    def __init__(
        self, environment: Environment, fleet: Sequence[RobotSpec], *, scenario: str, seed: int, render: bool = True,
        update_s: float = UPDATE_EVERY * STEP_S,
    ) -> None:
        check_fleet(fleet)
        check_suite(self.suite)
        self.environment = with_requested_spawns(environment, fleet)
        self.names = [r.name for r in fleet]
        self._camera, self._lidar = self.suite.camera or CAMERA, self.suite.lidar or LIDAR
        self.motion = Motion(self.environment, fleet, render=render, update_s=update_s, camera=self._camera)
        self.dt_s = self.motion.dt_s
        self.renderer = "none" if self.motion.bullet is None or not render else self.motion.bullet.renderer
        self._fleet, self._scenario, self._seed, self._render = list(fleet), scenario, seed, render
        self._index = {name: i for i, name in enumerate(self.names)}
        self._steps = 0
        self._expires_s = np.full(len(fleet), np.inf)        # of each robot's command
        self._first_s = math.inf                             # no command expires before
        self._everyone = np.arange(len(fleet))
        self._removed = np.zeros(len(fleet), bool)
        self._sequence = [0] * len(fleet)
        solids = list(self.environment.solids())
        told = msgspec.structs.replace(self.suite, area_m=max(self.suite.area_m, self.environment.size_m))
        kinds = [kind_for(robot) for robot in fleet]
        self._batteries = Batteries(fleet, kinds, self.environment.chargers) if any_battery(fleet) else None
        self._power_every = max(1, round(POWER_S / self.dt_s))
        self._suites = [suite_of(robot, told) for robot in fleet]
        casters = Scanners(solids, Lidar(beams=1, range_m=farthest_m(self.suite)))
        self._instruments = [
            Instruments(suite, seed, robot.name, i, self.motion, casters) if has_instruments(suite) else None
            for i, (suite, robot) in enumerate(zip(self._suites, fleet, strict=True))]
        self._counting = [one for one in self._instruments if one is not None and one.counts]
        self._past = Past(self.motion, Things(self.environment, kinds, self._camera), slowest_s(self.suite))
        self._scanners = Scanners(solids, self._lidar)
        self._fleet_scanner: FleetScanner | None = None      # made when it is asked for
        self._slabs = self.environment.slabs()               # on which targets may stand
        self._cameras = FleetCameras(self.suite, self.environment, fleet, self.motion, seed, render=render)

    @property
    def time_s(self) -> float:
        """Simulated time since the start."""
        return self._steps * self.dt_s

    def step(self) -> None:
        """Advance by `dt_s`, after stopping the robots whose commands are older than their `ttl_s`."""
        if self.time_s >= self._first_s:
            self._expire()
        self.motion.step()
        self._steps += 1
        self._past.keep(self._steps)
        for one in self._counting:
            one.count()
        if self._batteries is not None and self._steps % self._power_every == 0:
            for i in self._batteries.pass_time(self.motion, ~self._removed, self._power_every * self.dt_s):
                self.remove(self.names[i])

    def act(self, robot: str, act: Act) -> None:
        """Set a velocity command; a removed robot ignores it.

        Raises: CannotAct for a command of another kind of robot.
        """
        robots, ttl_s = np.array([self.index(robot)]), act.ttl_s
        if isinstance(act, Fly):
            self.fly_all(np.array([[act.vx_mps, act.vy_mps, act.vz_mps, act.yaw_radps]]), ttl_s, robots)
        else:
            self.act_all(np.array([[act.v_mps, act.w_radps]]), ttl_s, robots)

    def act_all(self, commands: NDArray[np.float64], ttl_s: float, robots: NDArray[np.intp] | None = None) -> None:
        """Set the velocity commands of many robots that drive, by index; None: of all. Removed robots ignore theirs.

        commands: ahead in m/s and turn in rad/s, [k, 2]. Raises: CannotAct if one of the robots flies.
        """
        self._command(self.motion.drive_all, commands, ttl_s, self._able("drive", robots))

    def fly_all(self, commands: NDArray[np.float64], ttl_s: float, robots: NDArray[np.intp] | None = None) -> None:
        """The same of robots that fly: ahead, to the left and up in m/s, and turn in rad/s, [k, 4].

        Raises: CannotAct if one of the robots drives.
        """
        self._command(self.motion.fly_all, commands, ttl_s, self._able("fly", robots))

    def _able(self, to: str, robots: NDArray[np.intp] | None) -> NDArray[np.intp]:
        """Robots by index. Raises: CannotAct if one of them cannot do that."""
        robots = self._everyone if robots is None else robots
        unable = self.motion.bodies.unable[to]
        if unable and (others := unable.intersection(robots.tolist())):
            robot = self._fleet[min(others)]
            raise CannotAct(f"robot {robot.name} is a {robot.kind}, which cannot {to}")
        return robots

    def _command(self, give: Callable[[NDArray[np.float64], NDArray[np.intp]], None], commands: NDArray[np.float64],
                 ttl_s: float, robots: NDArray[np.intp]) -> None:
        """Give commands that hold for `ttl_s`."""
        if self._removed.any():
            here = ~self._removed[robots]
            robots, commands = robots[here], commands[here]
        alive = ttl_s > 0.0                                  # false also for nan
        give(commands if alive else np.zeros_like(commands), robots)
        self._expires_s[robots] = self.time_s + ttl_s if alive else np.inf
        self._first_s = float(self._expires_s.min())

    def _expire(self) -> None:
        """Stop the robots whose commands have expired."""
        self._stop(np.flatnonzero(self._expires_s <= self.time_s))

    def _stop(self, robots: NDArray[np.intp]) -> None:
        self.motion.drive_all(np.zeros((len(robots), 2)), robots)
        self._expires_s[robots] = np.inf
        self._first_s = float(self._expires_s.min())

    def observe(self, robot: str, *, frame: bool) -> Observation:
        """See `World.observe`; reading clears `bumped`, which is of now."""
        i, then = self.index(robot), self._past.ago(self._lidar.latency_s)
        pose, (v, w), (left, up) = then.pose(i), then.speeds[i].tolist(), then.left_up[i].tolist()
        scan, readings, image, capture = NO_SCAN, dict[str, Reading](), None, None
        if self.suite.lidar is not None:
            scan = self._scan(i, then)
        one = self._instruments[i]
        if one is not None:
            readings = one.read(self._past, self.time_s, self._steps)
            scan, pose = one.scan(scan, then.step), one.place(pose, then.step)
        if self._batteries is not None and self._batteries.there[i]:
            readings |= {name: self._batteries.reading(i) for name in self._suites[i].all(Battery)}
        if frame and self.suite.camera is not None:
            taken = self._past.ago(self._camera.latency_s)
            image = self._cameras.frame(i, taken) if self._render else None
            if taken.step != then.step:
                at = taken.pose(i)
                capture = Capture(at if one is None else one.place(at, taken.step), taken.age_s)
        bumped, self.motion.contacts.bumped[i] = bool(self.motion.contacts.bumped[i]), False
        self._sequence[i] += 1
        return Observation(sequence=self._sequence[i], age_s=then.age_s, pose=pose, v_mps=v, w_radps=w, scan=scan,
                           frame=image, capture=capture, bumped=bumped, readings=readings, left_mps=left, up_mps=up)

    def _scan(self, robot: int, then: Moment) -> NDArray[np.float32]:
        """The lidar scan of one robot at a moment, float32 [beams], without noise."""
        pose = then.pose(robot)
        scanner = self._scanners.between(*self.motion.bodies.sight_m(robot, pose.z_m))
        return scanner.scan(pose, self.motion.circles(robot, self._lidar.range_m, then.places))

    def scanned_from(self, robot: str) -> Pose:
        """Where a robot truly was when its lidar took the scan of an observation of now."""
        return self._past.ago(self._lidar.latency_s).pose(self.index(robot))

    def scan_all(self) -> NDArray[np.float32]:
        """The lidar scans of all robots, of its latency ago, float32 [n, beams], metres, without noise.

        In one go if all drive; if any flies, one robot after the other.
        """
        then = self._past.ago(self._lidar.latency_s)
        if self.motion.bodies.any_flies:
            return np.stack([self._scan(i, then) for i in self._everyone.tolist()])
        if self._fleet_scanner is None:
            self._fleet_scanner = FleetScanner(self.environment.solids(), self._lidar)
        return self._fleet_scanner.scan(then.places[:, :3], self.motion.radii_m)

    def view(self, robot: str) -> TrueView:
        """See `World.view`; another robot is a few simple solids."""
        places, things = self._past.places_ago(self._camera.latency_s)
        return TrueView(things, places, self.index(robot))

    def poses(self) -> dict[str, Pose]:
        """Where the robots are now, by name."""
        return dict(zip(self.names, self.motion.poses, strict=True))

    def places(self) -> NDArray[np.float64]:
        """Where all robots are now: x, y in metres, [robots, 2]."""
        return self.motion.at[:, :2].copy()

    def sensors(self, robot: str) -> SensorSuite:
        """The robot's sensors."""
        return self._suites[self.index(robot)]

    def judge(self, robot: str, report: Report) -> str:
        """Every report is wrong, unless the scenario defines reports."""
        self.index(robot)
        return "wrong"

    def move_target(self, target: int, x_m: float, y_m: float, yaw_rad: float) -> None:
        """Put a target, by its index, elsewhere at once: cameras see it there from now on. Raises as `moved`."""
        self.environment = self.environment.moved(target, x_m, y_m, yaw_rad, self._slabs)
        self._past.change(self.environment)
        if self.motion.bullet is not None:
            self.motion.bullet.move_target(target, x_m, y_m, yaw_rad)

    def surround(self, surroundings: Surroundings) -> None:
        """Vary floor and looks of the place, before the start."""
        self.environment = varied(self.environment, surroundings)
        if self.motion.bullet is not None:
            self.motion.bullet.surround(self.environment)
        self._cameras.surround(self.environment)

    def remove(self, robot: str) -> None:
        """Stop the robot; it ignores commands from now on. One that flies and has no energy sinks on its reserve."""
        i = self.index(robot)
        self._stop(np.array([i]))
        self._removed[i] = True
        if self._is_empty(i) and self.motion.bodies.flies[i]:
            self.motion.fly_all(np.array([[0.0, 0.0, -SINK_MPS, 0.0]]), np.array([i]))

    def restore(self, robot: str) -> None:
        """Let the robot act again, from where it stands, unless its battery is empty."""
        i = self.index(robot)
        self._removed[i] = self._is_empty(i)

    def _is_empty(self, i: int) -> bool:
        return self._batteries is not None and bool(self._batteries.empty[i])

    def used(self, robot: str, boot: int, compute_j: float, radio_j: float) -> None:
        """Take from its battery what the robot's computer has used."""
        if self._batteries is not None:
            self._batteries.used(self.index(robot), boot, compute_j, radio_j)

    def batteries(self) -> dict[str, BatteryState]:
        """The batteries of the robots that have one."""
        return self._batteries.states(self.names) if self._batteries is not None else {}

    def scene(self) -> Scene:
        """The world as plain data; its marks are the targets, all of them not found yet."""
        p = self.environment
        return Scene(
            scenario=self._scenario, seed=self._seed, size_m=p.size_m, time_s=self.time_s, shapes=p.shapes(),
            marks=p.marks(), mark=self.mark, done=self.done, spawns=self._robots(p.spawns),
            robots=self._robots(self.motion.poses))

    def close(self) -> None:
        """Free PyBullet's clients, if there are any."""
        self.motion.close()
        self._cameras.close()

    def index(self, robot: str) -> int:
        """The index of a robot in the fleet. Raises ValueError for an unknown name."""
        if robot not in self._index:
            raise ValueError(f"no robot {robot!r} in this world; there are {', '.join(self.names)}")
        return self._index[robot]

    def _robots(self, poses: Sequence[Pose]) -> list[SceneRobot]:
        return [SceneRobot(name=r.name, kind=r.kind, radius_m=kind_for(r).radius_m, x_m=p.x_m, y_m=p.y_m,
                           heading_rad=p.heading_rad, z_m=p.z_m) for r, p in zip(self._fleet, poses, strict=False)]


def mission_of(headline: str, measures: Mapping[str, tuple[str, str]], values: Mapping[str, float]) -> Mission:
    """A mission from a scenario's measures (name -> unit and meaning) and their present finite values."""
    odd = {name: float(value) for name, value in values.items() if not math.isfinite(value)}
    if odd:
        raise ValueError(f"a measure is no finite number: {odd}")
    return Mission(headline=headline, measures=[
        Measure(name=name, value=values[name], unit=unit, text=text) for name, (unit, text) in measures.items()])
