"""The physics client: rigid bodies, contacts and the rendered camera. No other file imports PyBullet.

Over 300 lines: no other file may import PyBullet.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim_worlds import robots as robot_kinds
from sim_worlds.classes import CLUTTER, FLOOR, ROBOT, TARGET, WALL
from sim_worlds.environment import Environment
from sim_worlds.physics import GRAVITY_MPS2, STEP_S, urdf
from sim_worlds.physics.solids import Colour, Solid, box, shift
from sim_worlds.robots import DrivingKind, RobotKind
from sim_worlds.robots.brought.body import BroughtKind, kind_for
from sim_worlds.sensors.camera import textures
from sim_worlds.sensors.camera.culling import Culling
from sim_worlds.sensors.camera.pixels import array_of, ceiling_rgb
from sim_worlds.sensors.rays import transform_of, turn_of
from sim_worlds.sensors.suite import CAMERA
from swarm.core.protocol.sensors import Camera
from swarm.core.protocol.world import Pose
from swarm.core.settings.process_files import RobotSpec

ROBOT_FILES = Path(robot_kinds.__file__).parent          # KIND.urdf
NEAR_M, FAR_M = 0.03, 40.0
RESIDUAL_MPS = 1e-4                  # the solver stops below it: less than half a micrometre in a step
WALLS_PER_BODY = 24                  # PyBullet refuses a link of about 60 or more shapes

Vector = tuple[float, float, float]
Place = tuple[Vector, tuple[float, float, float, float]]
Velocity = tuple[Vector, Vector]

BASE: Vector = (0.0, 0.0, 0.0)       # where a force acts on a robot
_do = deque[object](maxlen=0).extend         # makes the calls of a `map`: quicker than a loop


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Discard PyBullet's output from C to file descriptors 1 and 2."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    void = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(void, 1)
        os.dup2(void, 2)
        yield
    finally:
        for number, copy in zip((1, 2), saved, strict=True):
            os.dup2(copy, number)
            os.close(copy)
        os.close(void)


with _quiet():
    import pybullet  # pyright: ignore[reportMissingImports]

_p: Any = pybullet                   # PyBullet has no types


WINDOW = "--width=1280 --height=800"

WindowClosed: type[Exception] = _p.error
"""What a call raises after somebody has closed the window."""


class Bullet:
    """An environment and robots as rigid bodies, in one DIRECT client; a context manager.

    window: show them in a window, which needs a display, in place of DIRECT. A frame of `camera` hides things there.

    Robots are addressed by their index in `robots`. A kinematic robot is a fixed body that `teleport` moves; one that
    flies is a free body that `push` moves. Where one flies, the ceiling stops bodies, and nobody sees it.
    Body ids: `class_of[id + 1]` is the segment class of a pixel with that id (-1: nothing), `target_ids[k]` is the
    body of `environment.targets[k]`, and `robot_ids[i]` is the body of robot i.
    """

    renderer = "TinyRenderer, shadows off"

    def __init__(self, environment: Environment, robots: Sequence[RobotSpec] = (), poses: Sequence[Pose] | None = None,
                 camera: Camera = CAMERA, *, window: bool = False) -> None:
        self.environment = environment
        self._kinds = [kind_for(r) for r in robots]
        self._camera = camera
        starts = environment.spawns if poses is None else poses
        if len(starts) < len(robots):
            raise ValueError(f"{len(robots)} robots, but only {len(starts)} start poses")
        with _quiet():
            self._client = _p.connect(_p.GUI, options=WINDOW) if window else _p.connect(_p.DIRECT)
            if window:
                self._look_down()
            self._build(robots, starts)
            if window:
                _p.configureDebugVisualizer(_p.COV_ENABLE_RENDERING, 1, physicsClientId=self._client)
        self._projection = _p.computeProjectionMatrixFOV(
            camera.fov_y_deg, camera.width_px / camera.height_px, NEAR_M, FAR_M)
        self._ceiling = ceiling_rgb(environment)
        self._culling = Culling([*environment.clutter, *environment.targets], camera)
        self._cover()
        self._hidden = np.zeros(len(environment.clutter) + len(environment.targets), bool)

    def _build(self, robots: Sequence[RobotSpec], poses: Sequence[Pose]) -> None:
        c, b = self._client, self.environment
        _p.setPhysicsEngineParameter(fixedTimeStep=STEP_S, numSubSteps=0, deterministicOverlappingPairs=1,
                                     numSolverIterations=20, solverResidualThreshold=RESIDUAL_MPS, physicsClientId=c)
        _p.setGravity(0, 0, -GRAVITY_MPS2, physicsClientId=c)
        half = b.size_m + 1.0
        ground = [box(0, 0, -1.0, half, half, 1.0, b.floor_colour)]
        chunks = [b.walls[k:k + WALLS_PER_BODY] for k in range(0, len(b.walls), WALLS_PER_BODY)]
        with tempfile.TemporaryDirectory() as folder:
            load = _FixtureLoader(c, Path(folder))
            self.floor_id = load("floor", ground)
            self.wall_ids = [load("walls", w) for w in chunks]
            self.clutter_ids = [load(t.label, t.parts) for t in b.clutter]
            self.target_ids = [load(t.label, t.parts) for t in b.targets]
            self.ceiling_id = self._ceiling_of(load)
            self.robot_ids = [self._robot(load, *each) for each in zip(robots, self._kinds, poses, strict=False)]
        for body, robot in zip(self.robot_ids, robots, strict=True):
            if robot.mass != 1.0 and robot.physics == "dynamic":
                _weigh(c, body, robot.mass)
        self._centres = [_p.getDynamicsInfo(body, -1, physicsClientId=c)[3] for body in self.robot_ids]
        static = [*self.wall_ids, *self.clutter_ids, *self.target_ids, *self.ceiling_id]
        self.class_of = np.full(max([self.floor_id, *static, *self.robot_ids]) + 2, WALL, np.uint8)
        for ids, kind in (([self.floor_id], FLOOR), (self.clutter_ids, CLUTTER), (self.target_ids, TARGET),
                          (self.robot_ids, ROBOT)):
            self.class_of[np.asarray(ids, int) + 1] = kind
        for body in static:
            _p.changeDynamics(body, -1, lateralFriction=0.2, restitution=0.0, physicsClientId=c)
        _p.changeDynamics(self.floor_id, -1, lateralFriction=b.floor_friction, restitution=0.0, physicsClientId=c)
        for body, kind in zip(self.robot_ids, self._kinds, strict=True):
            wheels = [kind.friction] * 2 if isinstance(kind, DrivingKind) else []
            casters = [0.0] * (_p.getNumJoints(body, physicsClientId=c) - len(wheels))
            for link, friction in enumerate([0.1, *wheels, *casters], -1):
                _p.changeDynamics(body, link, lateralFriction=friction, restitution=0.0, linearDamping=0.0,
                                  angularDamping=0.0, jointDamping=0.0, physicsClientId=c)

    def _robot(self, load: _FixtureLoader, robot: RobotSpec, kind: RobotKind, pose: Pose) -> int:
        fixed = robot.physics == "kinematic"
        if isinstance(kind, BroughtKind):
            return load.text(kind.urdf, pose, fixed=fixed)
        return _load(self._client, ROBOT_FILES / f"{robot.kind}.urdf", pose, fixed=fixed)

    def _ceiling_of(self, load: _FixtureLoader) -> list[int]:
        """The body of the ceiling, which has no looks; none where all robots drive."""
        b = self.environment
        if all(isinstance(kind, DrivingKind) for kind in self._kinds):
            return []
        return [load("ceiling", [box(0, 0, b.top_m, b.size_m, b.size_m, 1.0, b.ceiling_colour)], seen=False)]

    def _look_down(self) -> None:
        """Look at the whole place from the south, without panels; draw it when all is loaded."""
        c = self._client
        for flag in (_p.COV_ENABLE_GUI, _p.COV_ENABLE_SHADOWS, _p.COV_ENABLE_RENDERING):
            _p.configureDebugVisualizer(flag, 0, physicsClientId=c)
        _p.resetDebugVisualizerCamera(0.85 * self.environment.size_m, 0.0, -60.0, (0.0, 0.0, 0.0), physicsClientId=c)

    def __enter__(self) -> Bullet:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the client; a second call does nothing."""
        if self._client >= 0:
            with contextlib.suppress(WindowClosed):
                _p.disconnect(physicsClientId=self._client)
            self._client = -1

    def step(self) -> None:
        """Advance physics by STEP_S."""
        _p.stepSimulation(physicsClientId=self._client)

    def drive(self, robot: int, v_mps: float, w_radps: float) -> None:
        """Set the wheel motors to a body velocity until the next call."""
        kind = self._kinds[robot]
        assert isinstance(kind, DrivingKind)
        _p.setJointMotorControlArray(
            self.robot_ids[robot], (0, 1), _p.VELOCITY_CONTROL,
            targetVelocities=kind.wheel_speeds_radps(v_mps, w_radps), forces=(kind.torque_nm, kind.torque_nm),
            physicsClientId=self._client)

    def teleport(self, robot: int, pose: Pose) -> None:
        """Move a robot to a pose; the camera sees it there at once."""
        position, quaternion = transform_of(pose)
        centre = turn_of(pose) @ self._centres[robot]        # PyBullet places the centre of mass of the base
        position = tuple(a + b for a, b in zip(position, centre.tolist(), strict=True))
        _p.resetBasePositionAndOrientation(self.robot_ids[robot], position, quaternion, physicsClientId=self._client)

    def move_target(self, target: int, x_m: float, y_m: float, yaw_rad: float) -> None:
        """Move a target to a place; the camera sees it there at once."""
        thing = self.environment.targets[target]
        moved = shift(thing, x_m, y_m, yaw_rad)              # from where its body was loaded
        self._culling.move(len(self.clutter_ids) + target, thing.moved(x_m, y_m, yaw_rad))
        _p.resetBasePositionAndOrientation(self.target_ids[target], *transform_of(Pose(*moved)),
                                           physicsClientId=self._client)

    def surround(self, environment: Environment) -> None:
        """The same place with another floor friction, other colours, patterns and another lamp."""
        self.environment = environment
        c, b = self._client, environment
        self._ceiling = ceiling_rgb(b)
        _p.changeDynamics(self.floor_id, -1, lateralFriction=b.floor_friction, physicsClientId=c)
        for body, colours in self._looks():
            self._paint(body, colours)
        self._hidden[:len(b.clutter)] = False
        self._cover()

    def _looks(self) -> Iterator[tuple[int, list[Colour]]]:
        """The bodies of floor, walls and clutter, and the colours of their shapes."""
        b = self.environment
        yield self.floor_id, [b.floor_colour]
        chunks = [b.walls[k:k + WALLS_PER_BODY] for k in range(0, len(b.walls), WALLS_PER_BODY)]
        for body, solids in zip([*self.wall_ids, *self.clutter_ids], [*chunks, *(thing.parts for thing in b.clutter)],
                                strict=True):
            yield body, [solid.colour for solid in solids]

    def _cover(self) -> None:
        """Put the patterns of the environment on floor, walls and clutter."""
        b = self.environment
        if not b.texture:
            return
        with tempfile.TemporaryDirectory() as folder:
            made = []
            for k, picture in enumerate(textures.pictures(b.texture, b.texture_seed)):
                file = Path(folder) / f"{k}.tga"
                file.write_bytes(textures.targa(picture))
                made.append(_p.loadTexture(str(file), physicsClientId=self._client))
        which = textures.choices(b.texture_seed)
        for body, colours in self._looks():
            for shape in range(len(colours)):
                _p.changeVisualShape(body, -1, shapeIndex=shape, textureUniqueId=made[next(which)],
                                     physicsClientId=self._client)

    def _paint(self, body: int, colours: Sequence[Colour]) -> None:
        """The colour of each shape of a body, as its URDF rounds it."""
        for shape, colour in enumerate(colours):
            rgba = (*(round(channel, 4) for channel in colour), 1.0)
            _p.changeVisualShape(body, -1, shapeIndex=shape, rgbaColor=rgba, physicsClientId=self._client)

    def _cull(self, pose: Pose) -> None:
        """Let the renderer skip what is out of view: it draws no body that is quite transparent."""
        hidden, things = self._culling.hidden(pose), [*self.environment.clutter, *self.environment.targets]
        bodies = [*self.clutter_ids, *self.target_ids]
        for k in np.flatnonzero(hidden != self._hidden).tolist():
            if hidden[k]:
                _p.changeVisualShape(bodies[k], -1, rgbaColor=(0.0, 0.0, 0.0, 0.0), physicsClientId=self._client)
            else:
                self._paint(bodies[k], [part.colour for part in things[k].parts])
        self._hidden = hidden

    def pose(self, robot: int) -> Pose:
        """The pose of the base of a robot that drives: on the floor and level."""
        (x, y, _), q = _p.getBasePositionAndOrientation(self.robot_ids[robot], physicsClientId=self._client)
        heading = math.atan2(2 * (q[3] * q[2] + q[0] * q[1]), 1 - 2 * (q[1] ** 2 + q[2] ** 2))
        ahead, left, _ = self._centres[robot]                # of the centre of mass, which PyBullet tells of
        return Pose(x - ahead * math.cos(heading) + left * math.sin(heading),
                    y - ahead * math.sin(heading) - left * math.cos(heading), heading)

    def upright(self, robot: int) -> float:
        """Cosine of the angle between a robot's axis and the vertical."""
        _, q = _p.getBasePositionAndOrientation(self.robot_ids[robot], physicsClientId=self._client)
        return 1 - 2 * (q[0] ** 2 + q[1] ** 2)

    def velocity(self, robot: int, heading_rad: float) -> tuple[float, float]:
        """Forward speed in m/s along `heading_rad`, and turn rate in rad/s."""
        (vx, vy, _), (_, _, wz) = _p.getBaseVelocity(self.robot_ids[robot], physicsClientId=self._client)
        return vx * math.cos(heading_rad) + vy * math.sin(heading_rad) + wz * self._centres[robot][1], wz

    def states(self, robots: Sequence[int]) -> tuple[list[Place], list[Velocity]]:
        """Position and quaternion, and velocity and turn rate, of the bases of some robots, in the world."""
        ids, client = list(map(self.robot_ids.__getitem__, robots)), repeat(self._client)
        return (list(map(_p.getBasePositionAndOrientation, ids, client)), list(map(_p.getBaseVelocity, ids, client)))

    def push(self, robots: Sequence[int], forces: Iterable[Vector], torques: Iterable[Vector]) -> None:
        """Forces and torques on the bases of some robots, in the frames of the bases, for one step."""
        ids, client = list(map(self.robot_ids.__getitem__, robots)), repeat(self._client)
        frame, link = repeat(_p.LINK_FRAME), repeat(-1)
        _do(map(_p.applyExternalForce, ids, link, forces, repeat(BASE), frame, client))
        _do(map(_p.applyExternalTorque, ids, link, torques, frame, client))

    def touching(self, robot: int) -> set[int]:
        """Ids of the bodies in contact with a robot, without the floor."""
        me = self.robot_ids[robot]
        points = _p.getContactPoints(bodyA=me, physicsClientId=self._client)
        return {p[2] for p in points if p[8] <= 0.0} - {self.floor_id, me}

    def contacts(self, robots: Sequence[int]) -> set[tuple[int, int]]:
        """Pairs of one of these robots and a body that touches it, without the floor. One call for all."""
        points = _p.getContactPoints(physicsClientId=self._client)
        if not points:
            return set()
        of = {self.robot_ids[robot]: robot for robot in robots}
        both = [pair for p in points if p[8] <= 0.0 for pair in ((p[1], p[2]), (p[2], p[1]))]
        return {(of[me], other) for me, other in both if me in of and other != self.floor_id}

    def camera(self, pose: Pose) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
        """The camera image at a pose: RGB uint8 [height, width, 3] and body ids int32 [height, width], -1 for nothing.

        Pixels without a body get the colour of the ceiling.
        """
        self._cull(pose)
        cam, turn = self._camera, turn_of(pose)
        pitch = math.radians(cam.pitch_deg)
        eye = np.array([pose.x_m, pose.y_m, pose.z_m]) + turn @ (cam.mount_x_m, 0.0, cam.mount_z_m)
        ahead = eye + turn @ (math.cos(pitch), 0.0, math.sin(pitch))
        view = _p.computeViewMatrix(eye.tolist(), ahead.tolist(), turn[:, 2].tolist())
        _, _, rgba, _, ids = _p.getCameraImage(
            cam.width_px, cam.height_px, view, self._projection, lightDirection=self.environment.light, shadow=0,
            lightAmbientCoeff=0.55 * self.environment.brightness, lightDiffuseCoeff=0.45 * self.environment.brightness,
            lightSpecularCoeff=0.03,
            renderer=_p.ER_TINY_RENDERER, physicsClientId=self._client)
        shape = cam.height_px, cam.width_px
        ids = array_of(ids, np.int32).reshape(shape)
        rgb = np.ascontiguousarray(array_of(rgba, np.uint8).reshape(*shape, 4)[..., :3])
        rgb[ids < 0] = self._ceiling
        return rgb, ids


class _FixtureLoader:
    """Loads bodies from texts. PyBullet reads URDF only from files."""

    def __init__(self, client: int, folder: Path) -> None:
        self._client, self._folder, self._count = client, folder, 0

    def __call__(self, label: str, solids: Sequence[Solid], seen: bool = True) -> int:
        return self.text(urdf.fixture(label, solids, seen), Pose(0.0, 0.0, 0.0), fixed=True)

    def text(self, text: str, pose: Pose, *, fixed: bool) -> int:
        """The body of a URDF text, at a pose."""
        self._count += 1
        file = self._folder / f"body_{self._count}.urdf"     # PyBullet caches files by name
        file.write_text(text)
        return _load(self._client, file, pose, fixed=fixed)


def _load(client: int, file: Path, pose: Pose, *, fixed: bool) -> int:
    """The body of a URDF file, at a pose."""
    position, quaternion = transform_of(pose)
    return _p.loadURDF(str(file), position, quaternion, useFixedBase=fixed, physicsClientId=client,
                       flags=_p.URDF_USE_INERTIA_FROM_FILE)


def _weigh(client: int, body: int, factor: float) -> None:
    """Multiply masses and moments of inertia of all links of a body."""
    for link in range(-1, _p.getNumJoints(body, physicsClientId=client)):
        mass, _, inertia = _p.getDynamicsInfo(body, link, physicsClientId=client)[:3]
        _p.changeDynamics(body, link, mass=factor * mass, localInertiaDiagonal=[factor * one for one in inertia],
                          physicsClientId=client)
