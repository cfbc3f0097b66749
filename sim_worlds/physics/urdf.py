"""URDF text of static bodies: each building has its own shapes, so there is no file to ship.

`createMultiBody` would need no text, but its contacts differ: it makes an exact cylinder, and for a cylinder in URDF
PyBullet makes a convex hull. It also takes at most 16 shapes a body. The robots' bodies are files: `robots/*.urdf`.
"""

from __future__ import annotations

from collections.abc import Iterable

from sim_worlds.physics.solids import Solid, sphere

NO_INERTIA = '<inertial><mass value="0"/><inertia ixx="0" ixy="0" ixz="0" iyy="0" iyz="0" izz="0"/></inertial>'


SPECK = sphere(0.0, 0.0, -1000.0, 0.001, (0.0, 0.0, 0.0))


def fixture(name: str, solids: Iterable[Solid], seen: bool = True) -> str:
    """A static body of one link: each solid has a visual and a collision shape.

    seen: false for a body that cameras do not see. PyBullet draws the collision shapes of a body without visual ones,
    so that one has a speck out of sight.
    """
    shapes = list(solids)
    lines = [_visual(s, f"{name}_{i}") for i, s in enumerate(shapes if seen else [SPECK])]
    lines += [f"<collision>{_placed(s)}</collision>" for s in shapes]
    body = "\n".join(lines)                              # PyBullet truncates lines of about 10,000 characters
    return f'<?xml version="1.0"?><robot name="{name}"><link name="base">{NO_INERTIA}\n{body}\n</link></robot>'


def _visual(solid: Solid, material: str) -> str:
    """A <visual> with its own material, whose name must be unique in the file."""
    r, g, b = solid.colour
    return (f'<visual>{_placed(solid)}<material name="{material}">'
            f'<color rgba="{r:.4f} {g:.4f} {b:.4f} 1"/></material></visual>')


def _placed(solid: Solid) -> str:
    """The <origin> and <geometry> of a solid."""
    if solid.shape == "box":
        shape = f'<box size="{2 * solid.hx_m:.5f} {2 * solid.hy_m:.5f} {2 * solid.hz_m:.5f}"/>'
    elif solid.shape == "cylinder":
        shape = f'<cylinder radius="{solid.hx_m:.5f}" length="{2 * solid.hz_m:.5f}"/>'
    else:
        shape = f'<sphere radius="{solid.hx_m:.5f}"/>'
    return (f'<origin xyz="{solid.x_m:.5f} {solid.y_m:.5f} {solid.z_m:.5f}" rpy="0 0 {solid.yaw_rad:.6f}"/>'
            f"<geometry>{shape}</geometry>")
