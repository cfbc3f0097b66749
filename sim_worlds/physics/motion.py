"""Motion of a fleet in an environment: rigid bodies, integrated poses, or both, behind one interface.

PyBullet is imported only when a robot is dynamic or frames are rendered.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from msgspec.structs import astuple, replace
from numpy.typing import NDArray

from sim_worlds.environment import Environment
from sim_worlds.physics import STEP_S, UPDATE_EVERY
from sim_worlds.physics.bodies import Bodies, Ramps
from sim_worlds.physics.contacts import FIXED, Contacts
from sim_worlds.physics.gliding import Gliding
from sim_worlds.robots import FlyingKind, RobotKind
from sim_worlds.robots.brought.body import kind_for
from sim_worlds.sensors.suite import CAMERA
from swarm.core.protocol.sensors import Camera
from swarm.core.protocol.world import Pose
from swarm.core.settings.process_files import RobotSpec

if TYPE_CHECKING:
    from sim_worlds.physics.bullet import Bullet
    from sim_worlds.physics.flying.airborne import Airborne

HELD = 1e-3                          # of its speed: a robot left with less is held, within 2 degrees of head-on


def places_of(poses: Sequence[Pose]) -> NDArray[np.float64]:
    """x, y, heading, z, roll, pitch of each pose, [n, 6]."""
    return np.array([astuple(p) for p in poses], float).reshape(-1, 6)


class Motion:
    """Places, speeds and contacts of a fleet, by index; they change only in `step`.

    places: x, y, heading, z, roll, pitch, [n, 6]. at: its first three columns. speeds: ahead in m/s and turn in rad/s,
    [n, 2], and left_up: to the left and up in m/s, [n, 2], as obstacles allow them. Robots that drive stay on the floor
    and level; kinematic ones that fly stay level.
    update_s: simulated time of a step without rigid bodies.
    """

    def __init__(self, environment: Environment, fleet: Sequence[RobotSpec], *, render: bool,
                 update_s: float = UPDATE_EVERY * STEP_S, camera: Camera = CAMERA) -> None:
        count, kinds = len(fleet), [kind_for(r) for r in fleet]
        starts = [start_of(*each, environment.top_m) for each in zip(environment.spawns, kinds, strict=False)]
        self.places = places_of(starts)
        self.at, self._z_m = self.places[:, :3], self.places[:, 3]
        self.speeds, self.left_up = np.zeros((count, 2)), np.zeros((count, 2))
        self.contacts = Contacts(count)
        self.bodies = Bodies(kinds)
        self.radii_m = self.bodies.radii_m
        self._ramps = Ramps(kinds)                           # of wheels; of the wanted velocities in the air
        self._kinematic = np.array([r.physics == "kinematic" for r in fleet])
        self._drives = ~self._kinematic & ~self.bodies.flies
        self._any_kinematic = bool(self._kinematic.any())
        self._dynamic = np.flatnonzero(~self._kinematic).tolist()
        self._driving = np.flatnonzero(self._drives).tolist()
        self._update_every = UPDATE_EVERY if self._dynamic else 1
        self._update_s = UPDATE_EVERY * STEP_S if self._dynamic else update_s
        self.dt_s = STEP_S if self._dynamic else update_s
        self._steps = 0
        self._gliding = Gliding(environment, self.bodies, self._kinematic)
        self._misplaced = np.zeros(count, bool)              # kinematic robots whose bodies stay behind
        self.bullet: Bullet | None = None
        self._airborne: Airborne | None = None               # rigid bodies that fly
        if render or self._dynamic:
            from sim_worlds.physics.bullet import Bullet
            self.bullet = Bullet(environment, fleet, starts, camera=camera)
            self._index_of = {body: i for i, body in enumerate(self.bullet.robot_ids)}
            for i in self._driving:                          # an idle joint turns freely: brake from the start
                self.bullet.drive(i, 0.0, 0.0)
            flying = [(i, kinds[i]) for i in self._dynamic]
            flying = [(i, kind) for i, kind in flying if isinstance(kind, FlyingKind)]
            if flying:
                from sim_worlds.physics.flying.airborne import Airborne
                self._airborne = Airborne(self.bullet, [i for i, _ in flying], [kind for _, kind in flying])

    @property
    def poses(self) -> list[Pose]:
        """The poses of all robots."""
        return [Pose(*place) for place in self.places.tolist()]

    def pose(self, robot: int) -> Pose:
        """The pose of one robot."""
        return Pose(*self.places[robot].tolist())

    def close(self) -> None:
        """Free PyBullet's client, if there is one."""
        if self.bullet is not None:
            self.bullet.close()

    def drive(self, robot: int, v_mps: float, w_radps: float) -> None:
        """Set the body velocity that the robot goes to, clipped to its limits."""
        self.drive_all(np.array([[v_mps, w_radps]]), np.array([robot]))

    def drive_all(self, commands: NDArray[np.float64], robots: NDArray[np.intp]) -> None:
        """The same for many robots; nan and inf are a stop, as 0 is, at which one that flies hovers.

        commands: ahead in m/s and turn in rad/s, [k, 2].
        """
        self._ramps.command(commands, robots)

    def fly_all(self, commands: NDArray[np.float64], robots: NDArray[np.intp]) -> None:
        """The same of robots that fly: ahead, to the left and up in m/s, and turn in rad/s, [k, 4]."""
        self._ramps.command(commands[:, [0, 3, 1, 2]], robots)

    def step(self) -> None:
        """Advance by `dt_s`."""
        self._steps += 1
        if self._dynamic and self.bullet is not None:
            if self._driving:
                self._turn_wheels(self.bullet)
            if self._airborne is not None:
                self._airborne.push()
            self.bullet.step()
            if self._airborne is not None:
                self._airborne.read()
        if self._steps % self._update_every:
            return
        for i in self._driving:
            self._read(i)
        if self._airborne is not None and self.bullet is not None:
            self._airborne.steer(self._ramps, self._update_s, self.places, self.speeds, self.left_up)
            self._touch(self.bullet.contacts(self._airborne.robots))
        if self._any_kinematic:
            self._glide(self._ramps.after(self._update_s), self._kinematic)

    def _glide(self, after: NDArray[np.float64], kinematic: NDArray[np.bool_]) -> None:
        """Move the kinematic robots. after: the speeds that they go to, see `Ramps`."""
        self._ramps.speeds[kinematic] = after[kinematic]
        self.speeds[kinematic] = after[kinematic, :2]
        if self.bodies.any_flies:
            self.left_up[kinematic] = after[kinematic, 2:]
        moved, robots, others = self._gliding.move(self.at, self._z_m, self.speeds, self.left_up, self._update_s)
        self._learn_of_stops()
        self._misplaced[moved] = True
        if robots.size:
            self.contacts.add(zip(robots.tolist(), others.tolist(), strict=True), self._steps * self.dt_s)
        if self._dynamic:                                    # which may run into the others
            self._place_bodies()

    def _learn_of_stops(self) -> None:
        """Kinematic robots that something stopped speed up anew."""
        ramps, drive = self._ramps.speeds, self._kinematic & ~self.bodies.flies
        held = drive & (np.abs(self.speeds[:, 0]) < HELD * np.abs(ramps[:, 0]))
        ramps[held, 0] = 0.0                                 # the wheels of a robot that slides turn on
        if self.bodies.any_flies:
            fly = self._kinematic & self.bodies.flies
            ramps[fly, 0], ramps[fly, 2:] = self.speeds[fly, 0], self.left_up[fly]

    def _turn_wheels(self, bullet: Bullet) -> None:
        """Set the wheels of the rigid bodies whose speed is on its way to a command."""
        turned, wheels = self._ramps.after(STEP_S), self._ramps.speeds
        for i in np.flatnonzero(self._drives & (turned != wheels).any(axis=1)).tolist():
            wheels[i] = turned[i]
            bullet.drive(i, *turned[i, :2].tolist())

    def camera(self, robot: int) -> NDArray[np.uint8]:
        """What a robot's camera sees now, uint8 [height, width, 3]. Needs `render`."""
        assert self.bullet is not None
        self._place_bodies()
        return self.bullet.camera(self.pose(robot))[0]

    def circles(self, around: int, reach_m: float, places: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """x, y and radius of the other robots that are at most `reach_m` from the middle of one, [n, 3].

        Where robots fly these are the ones at its height, see `Bodies.sight_m`.
        places: where the robots are or were, as `self.places`; None: now.
        """
        at = self.places if places is None else places
        within = np.hypot(at[:, 0] - at[around, 0], at[:, 1] - at[around, 1]) <= self.radii_m + reach_m
        within[around] = False
        if self.bodies.any_flies:
            within &= self.bodies.within_m(*self.bodies.sight_m(around, float(at[around, 3])), at[:, 3])
        return np.column_stack([at[within, :2], self.radii_m[within]])

    def _read(self, i: int) -> None:
        """Read the state and the contacts of a rigid body that drives."""
        assert self.bullet is not None
        pose = self.bullet.pose(i)
        self.at[i] = pose.x_m, pose.y_m, pose.heading_rad
        self.speeds[i] = self.bullet.velocity(i, pose.heading_rad)
        self._touch((i, body) for body in self.bullet.touching(i))

    def _touch(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Record contacts of robots, by index, with bodies."""
        numbers = [(robot, self._index_of.get(body, FIXED - 1 - body)) for robot, body in pairs]
        if numbers:
            self.contacts.add(numbers, self._steps * self.dt_s)

    def _place_bodies(self) -> None:
        """Put the bodies of the kinematic robots where the robots are."""
        if self.bullet is not None and self._misplaced.any():
            for i in np.flatnonzero(self._misplaced).tolist():
                self.bullet.teleport(i, self.pose(i))
            self._misplaced[:] = False


def start_of(spawn: Pose, kind: RobotKind, top_m: float) -> Pose:
    """Where a robot begins: one that flies in the air, below the ceiling at `top_m`; any other on the floor."""
    if not isinstance(kind, FlyingKind):
        return replace(spawn, z_m=0.0)
    z_m = max(min(spawn.z_m or kind.start_z_m, top_m - kind.high_m), -kind.low_m)
    return replace(spawn, z_m=z_m)
