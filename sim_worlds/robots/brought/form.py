"""Writes the body of a brought robot as URDF text in our form: joint 0 is the left wheel, 1 the right one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sim_worlds.robots.brought.urdf_file import Reals, Shape

SUPPORTS_SHARE = 0.01                # of the base's mass that the link of the supports has: PyBullet wants some


def written(
    masses: Sequence[float], centre: Reals, inertias: Sequence[Reals], solid: Sequence[Shape],
    supports: Sequence[Shape], looks: Sequence[Sequence[Shape]], radius_m: float, track_m: float,
) -> str:
    """masses, inertias (about their centres of mass) and looks of base, left and right wheel. centre: of mass, of the
    base. solid: what else of the base collides. Products of inertia are left out.
    """
    base = (_inertial(masses[0] * (1.0 - SUPPORTS_SHARE), centre, inertias[0])
            + _shapes("visual", looks[0], "base") + _shapes("collision", solid, "base"))
    parts = [f'<link name="base">{base}</link>']
    for k, (name, y_m) in enumerate((("left", track_m / 2), ("right", -track_m / 2)), 1):
        hub = np.array([0.0, y_m, radius_m])
        wheel = _inertial(masses[k], np.zeros(3), inertias[k]) + _shapes("visual", looks[k], name, hub)
        wheel += f'\n<collision><geometry><sphere radius="{radius_m:.6f}"/></geometry></collision>'
        parts += [f'<link name="{name}">{wheel}</link>', _joint(f"{name}_wheel", "continuous", name, hub)]
    slides = (_inertial(masses[0] * SUPPORTS_SHARE, centre, np.eye(3) * 1e-5)
              + _shapes("collision", supports, "supports"))
    parts += [f'<link name="supports">{slides}</link>', _joint("supports", "fixed", "supports", np.zeros(3))]
    return "\n".join(['<?xml version="1.0"?>', '<robot name="brought">', *parts, "</robot>", ""])


def _joint(name: str, kind: str, child: str, at: Reals) -> str:
    return (f'<joint name="{name}" type="{kind}"><parent link="base"/><child link="{child}"/>'
            f'<origin xyz="{_three(at)}"/><axis xyz="0 1 0"/></joint>')


def _inertial(mass_kg: float, centre: Reals, inertia: Reals) -> str:
    xx, yy, zz = np.diag(inertia).tolist()
    return (f'<inertial><origin xyz="{_three(centre)}"/><mass value="{mass_kg:.6f}"/>'
            f'<inertia ixx="{xx:.9f}" ixy="0" ixz="0" iyy="{yy:.9f}" iyz="0" izz="{zz:.9f}"/></inertial>')


def _shapes(tag: str, shapes: Sequence[Shape], link: str, origin: Reals | None = None) -> str:
    """A line for each shape: PyBullet truncates very long ones."""
    return "".join(f"\n{_shape(tag, shape, f'{link}_{k}', origin)}" for k, shape in enumerate(shapes))


def _shape(tag: str, shape: Shape, material: str, origin: Reals | None) -> str:
    at = shape.frame.at if origin is None else shape.frame.at - origin
    match shape.kind:
        case "box":
            geometry = f'<box size="{_three(np.array(shape.sizes))}"/>'
        case "cylinder":
            geometry = f'<cylinder radius="{shape.sizes[0]:.6f}" length="{shape.sizes[1]:.6f}"/>'
        case _:
            geometry = f'<sphere radius="{shape.sizes[0]:.6f}"/>'
    colour = f'<material name="{material}"><color rgba="{shape.colour}"/></material>' if tag == "visual" else ""
    return (f'<{tag}><origin xyz="{_three(at)}" rpy="{_three(_angles(shape.frame.turn))}"/>'
            f"<geometry>{geometry}</geometry>{colour}</{tag}>")


def _angles(turn: Reals) -> Reals:
    """Roll, pitch and yaw of a rotation."""
    pitch = math.asin(min(max(-float(turn[2, 0]), -1.0), 1.0))
    if abs(turn[2, 0]) > 1.0 - 1e-9:                 # looking up or down: roll and yaw are one angle
        return np.array([0.0, pitch, math.atan2(-float(turn[0, 1]), float(turn[1, 1]))])
    return np.array([math.atan2(float(turn[2, 1]), float(turn[2, 2])), pitch,
                     math.atan2(float(turn[1, 0]), float(turn[0, 0]))])


def _three(vector: Reals) -> str:
    return " ".join(f"{value:.6f}" for value in vector.tolist())
