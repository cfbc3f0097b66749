"""URDF text from primitives: PyBullet gets all geometry this way, one link with many shapes where nothing moves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sim_worlds.physics.solids import Solid

NO_INERTIA = '<inertial><mass value="0"/><inertia ixx="0" ixy="0" ixz="0" iyy="0" iyz="0" izz="0"/></inertial>'


def origin(x_m: float, y_m: float, z_m: float, roll: float = 0.0, yaw: float = 0.0) -> str:
    """An <origin> element."""
    return f'<origin xyz="{x_m:.5f} {y_m:.5f} {z_m:.5f}" rpy="{roll:.6f} 0 {yaw:.6f}"/>'


def geometry(solid: Solid) -> str:
    """The <geometry> of a solid."""
    if solid.shape == "box":
        inner = f'<box size="{2 * solid.hx_m:.5f} {2 * solid.hy_m:.5f} {2 * solid.hz_m:.5f}"/>'
    elif solid.shape == "cylinder":
        inner = f'<cylinder radius="{solid.hx_m:.5f}" length="{2 * solid.hz_m:.5f}"/>'
    else:
        inner = f'<sphere radius="{solid.hx_m:.5f}"/>'
    return f"<geometry>{inner}</geometry>"


def visual(solid: Solid, name: str, roll: float = 0.0) -> str:
    """A <visual> with a material of its own; `name` must be unique in the file."""
    r, g, b = solid.colour
    return (f"<visual>{origin(solid.x_m, solid.y_m, solid.z_m, roll, solid.yaw_rad)}{geometry(solid)}"
            f'<material name="{name}"><color rgba="{r:.4f} {g:.4f} {b:.4f} 1"/></material></visual>')


def collision(solid: Solid) -> str:
    """A <collision> element."""
    return f"<collision>{origin(solid.x_m, solid.y_m, solid.z_m, 0.0, solid.yaw_rad)}{geometry(solid)}</collision>"


def fixture(name: str, shown: Sequence[Solid], solid: Iterable[Solid]) -> str:
    """A body that never moves: the solids that are shown, and those that are collided with."""
    shapes = [visual(s, f"{name}_{i}") for i, s in enumerate(shown)] + [collision(s) for s in solid]
    body = "\n".join(shapes)                             # PyBullet cuts lines of about 10,000 characters
    return f'<?xml version="1.0"?><robot name="{name}"><link name="base">{NO_INERTIA}\n{body}\n</link></robot>'
