"""A differential drive from a user's URDF file: its figures, and its body in a form of ours.

The form has three links: the base, which all is fixed to that does not turn as a wheel; two wheels, which collide as
spheres of their radius; and, on the base, the supports, which slide without friction. Its origin is on the floor, in
the middle between the wheels, x ahead. Joints that are not the wheels stay where zero is.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sim_worlds.environment import ROBOT_RADIUS_M
from sim_worlds.robots import KINDS, TURTLEBOT_4, DrivingKind, RobotKind
from sim_worlds.robots.brought.form import written
from sim_worlds.robots.brought.shapes import extent_m, footprint_m, is_inside, lowest_m, lowest_points
from sim_worlds.robots.brought.urdf_file import Frame, Joint, Link, Reals, Shape, read_urdf
from swarm.core.settings.errors import BadInput
from swarm.core.settings.process_files import RobotSpec

FLAT_M = 0.01                        # what is so low supports the robot
BELOW_M = 0.005                      # nothing may be lower than the wheels by more
CLEARANCE_M = 0.001                  # of supports, so that the wheels carry the weight
MASS_KG, HEIGHT_M, WHEEL_M, TRACK_M = (0.2, 60.0), (0.02, 1.5), (0.01, 0.25), (0.05, 0.6)
RADIUS_M, TOP_MPS = (0.05, ROBOT_RADIUS_M - 0.01), (0.05, 3.0)
"""What is not absurd for a robot between people, in doors and aisles that are made for ours. Our choice."""
ALONG = 0.999                        # cosine of an angle below 2.6 degrees
ALIKE = 0.02                         # by so much of its radius two wheels may differ

Part = Sequence[tuple[Link, Frame]]  # what moves as one: links, and where they are in our form


@dataclass(frozen=True, slots=True, kw_only=True)
class BroughtKind(DrivingKind):
    """urdf: its body, in our form."""

    urdf: str


def kind_for(robot: RobotSpec) -> RobotKind:
    """The kind of a robot: one of ours, or that of its own URDF text; a rigid body with its own mass. Raises: BadInput.
    """
    kind = brought(robot.urdf, tuple(robot.wheels)) if robot.urdf else KINDS[robot.kind]
    return kind if robot.physics == "kinematic" or robot.mass == 1.0 else kind.of_mass(robot.mass)


@functools.lru_cache(64)
def brought(text: str, wheels: Sequence[str] = ()) -> BroughtKind:
    """The kind of a URDF text. wheels: the joints of the left and the right wheel; empty: they are found.

    Raises: BadInput with link or joint, what is wrong with it, and what would be right.
    """
    links, joints = read_urdf(text)
    frames = {links[0].name: Frame(np.zeros(3), np.eye(3))}
    for joint in joints:
        frames[joint.child] = frames[joint.parent].of(joint.frame)
    left, right = _wheels(joints, frames, wheels)
    carried_by = {links[0].name: 0}                  # 0: the base, 1: the left wheel, 2: the right one
    for joint in joints:
        carried_by[joint.child] = {left.name: 1, right.name: 2}.get(joint.name, carried_by[joint.parent])
    parts = [[(link, frames[link.name]) for link in links if carried_by[link.name] == k] for k in range(3)]
    radius_m, other_m = _radius(parts[1], left), _radius(parts[2], right)
    if abs(radius_m - other_m) > ALIKE * radius_m:
        raise BadInput(f"joint {right.name}", f"its wheel has a radius of {other_m:g} m, the left one {radius_m:g} m",
                       "two wheels of one size")
    at = [frames[joint.child].at for joint in (left, right)]
    floor = Frame(np.array([0.0, 0.0, radius_m]) - (at[0] + at[1]) / 2, np.eye(3))
    moved = [[(link, floor.of(frame)) for link, frame in part] for part in parts]
    return _kind(moved, left, right, radius_m, float(at[0][1] - at[1][1]))


def _wheels(joints: Sequence[Joint], frames: dict[str, Frame], named: Sequence[str]) -> tuple[Joint, Joint]:
    """The joints of the left and the right wheel. Raises: BadInput."""
    turning = [joint for joint in joints if joint.kind == "continuous"]
    across = [joint for joint in turning if abs((frames[joint.child].turn @ joint.axis)[1]) > ALONG]
    if named:
        for name in named:
            if name not in [joint.name for joint in turning]:
                there = ", ".join(joint.name for joint in turning) or "none"
                raise BadInput("wheels", f"no continuous joint is called {name!r}", f"two of these: {there}")
        chosen = [next(joint for joint in turning if joint.name == name) for name in named]
    else:
        chosen = sorted(across, key=lambda joint: -float(frames[joint.child].at[1]))
        if len(chosen) != 2:
            found = ", ".join(joint.name for joint in chosen) or "none"
            raise BadInput("the file", f"{len(chosen)} continuous joints about the axis from right to left: {found}",
                           "two, which are the wheels; or name these: wheels: [left_joint, right_joint]")
    for joint in chosen:
        if joint not in across:
            raise BadInput(f"joint {joint.name}", "it does not turn about the axis from right to left",
                           'x ahead, and <axis xyz="0 1 0"/>')
    left, right = chosen
    apart = frames[left.child].at - frames[right.child].at
    if apart[1] <= 0.0 or max(abs(apart[0]), abs(apart[2])) > 0.01 * apart[1]:
        raise BadInput(f"joint {left.name}", f"it is not beside {right.name}, on its left",
                       "wheels on one axle; wheels: the left joint first")
    return left, right


def _radius(part: Part, joint: Joint) -> float:
    """Of a wheel: that of its round shape about the joint. Raises: BadInput."""
    round_m = [shape.sizes[0] for link, frame in part for shape in (link.collisions or link.visuals)
               if shape.kind == "sphere"
               or (shape.kind == "cylinder" and abs((frame.turn @ shape.frame.turn)[1, 2]) > ALONG)]
    if not round_m:
        raise BadInput(f"link {joint.child}", "it is a wheel without a round shape about its joint",
                       "a <collision> with a sphere, or a cylinder along the axle")
    return max(round_m)


def _kind(parts: Sequence[Part], left: Joint, right: Joint, radius_m: float, track_m: float) -> BroughtKind:
    """The kind of base, left and right wheel. Raises: BadInput for what is absurd, and what falls over."""
    masses = [sum(link.mass_kg for link, _ in part) for part in parts]
    if not masses[0]:
        raise BadInput("the file", "nothing but the wheels has a mass", "a base with <inertial>")
    base, wheels = _solid(parts[0]), [shape for part in parts[1:] for _, shape in _solid(part)]
    for name, shape in base:
        if lowest_m(shape) < -BELOW_M:
            raise BadInput(f"link {name}", f"it reaches {-1e3 * lowest_m(shape):.0f} mm below the wheels",
                           "nothing lower than the wheels")
    solid, supports = [shape for _, shape in base], [shape for _, shape in base if lowest_m(shape) <= FLAT_M]
    high_m = max(extent_m(shape, (0.0, 0.0, 1.0)) for shape in [*solid, *wheels])
    wide_m = footprint_m([*solid, *wheels])
    limits = _limits(sum(masses), _inertia(parts, _centre(parts))[2, 2], left, right, radius_m, track_m)
    for what, value, (low, high), unit in (
            ("its mass is", sum(masses), MASS_KG, "kg"), ("its height is", high_m, HEIGHT_M, "m"),
            ("the radius of its wheels is", radius_m, WHEEL_M, "m"), ("its track is", track_m, TRACK_M, "m"),
            ("its radius around the middle of the axle is", wide_m, RADIUS_M, "m"),
            ("its top speed is", limits["v_max_mps"], TOP_MPS, "m/s")):
        if not low <= value <= high:
            raise BadInput("the file", f"{what} {value:.3g} {unit}", f"{low:g} to {high:g} {unit}")
    _stands(_centre(parts), supports, track_m)
    urdf = written(
        masses, _centre(parts[:1]), [_inertia([part], _centre([part])) for part in parts],
        [shape for shape in solid if shape not in supports], [_lifted(shape) for shape in supports],
        [_looks(part) for part in parts], radius_m, track_m)
    return BroughtKind(name="brought", radius_m=wide_m, height_m=high_m, mass_kg=sum(masses), wheel_radius_m=radius_m,
                       track_m=track_m, urdf=urdf, **limits)


def _limits(mass_kg: float, inertia_kgm2: float, left: Joint, right: Joint, radius_m: float, track_m: float
            ) -> dict[str, Any]:
    """Speeds and accelerations: those of a TurtleBot 4, or what the joints' limits allow if that is less.

    A speed in the file may be higher. A motor can do twice what the accelerations take.
    """
    speeds = [joint.speed_radps * radius_m for joint in (left, right) if joint.speed_radps is not None]
    torques = [joint.torque_nm for joint in (left, right) if joint.torque_nm is not None]
    speed_mps, ramp = min(speeds, default=TURTLEBOT_4["v_max_mps"]), TURTLEBOT_4["v_ramp_mps2"]
    torque_nm = min(torques, default=mass_kg * ramp * radius_m)
    return {**TURTLEBOT_4, "platform": "URDF file", "battery_wh": None, "torque_nm": torque_nm, "v_max_mps": speed_mps,
            "w_max_radps": min(TURTLEBOT_4["w_max_radps"], 2 * speed_mps / track_m),
            "v_ramp_mps2": min(ramp, torque_nm / (mass_kg * radius_m)),
            "w_ramp_radps2": min(TURTLEBOT_4["w_ramp_radps2"], torque_nm * track_m / (2 * radius_m * inertia_kgm2))}


def _stands(centre: Reals, supports: Sequence[Shape], track_m: float) -> None:
    """Raises: BadInput if the robot falls over."""
    standing = [np.array([0.0, side * track_m / 2]) for side in (1.0, -1.0)]
    standing += [point for shape in supports for point in lowest_points(shape, FLAT_M)]
    if not is_inside(centre[:2], standing):
        raise BadInput("the file", f"the robot falls over: its centre of mass, ({centre[0]:.3f}, {centre[1]:.3f}) m "
                       "from the middle of the axle, is not between its wheels and what else is near the floor",
                       "a caster, or another weight")


def _solid(part: Part) -> list[tuple[str, Shape]]:
    """What collides, by the name of its link."""
    return [(link.name, replace(shape, frame=frame.of(shape.frame))) for link, frame in part
            for shape in link.collisions]


def _looks(part: Part) -> list[Shape]:
    return [replace(shape, frame=frame.of(shape.frame)) for link, frame in part
            for shape in (link.visuals or link.collisions)]


def _lifted(shape: Shape) -> Shape:
    """The shape, so high above the floor that the wheels carry the weight."""
    by_m = max(CLEARANCE_M - lowest_m(shape), 0.0)
    return replace(shape, frame=Frame(shape.frame.at + np.array([0.0, 0.0, by_m]), shape.frame.turn))


def _centre(parts: Sequence[Part]) -> Reals:
    """The centre of mass of all links, [3]."""
    links = [(link, frame) for part in parts for link, frame in part if link.mass_kg]
    weighed = [link.mass_kg * (frame.at + frame.turn @ link.centre) for link, frame in links]
    return np.sum(weighed, axis=0) / sum(link.mass_kg for link, _ in links)


def _inertia(parts: Sequence[Part], about: Reals) -> Reals:
    """The inertia of all links about a point, in the axes of our form, [3, 3]: Steiner's theorem."""
    total = np.zeros((3, 3))
    for part in parts:
        for link, frame in part:
            arm = frame.at + frame.turn @ link.centre - about
            total += frame.turn @ link.inertia @ frame.turn.T + link.mass_kg * (
                arm @ arm * np.eye(3) - np.outer(arm, arm))
    return total
