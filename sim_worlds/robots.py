"""The kinds of robot: their sizes and limits, and their bodies as URDF text made of primitives.

Every kind is a differential drive with a round bumper, so that one that leans on a wall can always turn away.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sim_worlds.physics import urdf
from sim_worlds.physics.solids import Colour, Solid
from sim_worlds.scenarios.search_rescue.things import box, cylinder
from swarm.core.protocol.world import CAMERA

PHYSICS = ("dynamic", "kinematic")


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotKind:
    """A differential-drive chassis; sizes and speeds are our choice, in the class of small indoor research robots."""

    name: str
    radius_m: float                  # of the round bumper
    height_m: float                  # of the deck above the floor
    wheel_radius_m: float
    track_m: float                   # between the wheels
    mass_kg: float
    torque_nm: float                 # per wheel
    v_max_mps: float
    w_max_radps: float
    deck: Colour
    trim: Colour

    def clip(self, v_mps: float, w_radps: float) -> tuple[float, float]:
        """The nearest command within the limits; what is not a number is a stop."""
        if not (math.isfinite(v_mps) and math.isfinite(w_radps)):
            return 0.0, 0.0
        return (min(max(v_mps, -self.v_max_mps), self.v_max_mps),
                min(max(w_radps, -self.w_max_radps), self.w_max_radps))

    def wheel_speeds_radps(self, v_mps: float, w_radps: float) -> tuple[float, float]:
        """Left and right wheel speed for a body velocity."""
        half = w_radps * self.track_m / 2
        return (v_mps - half) / self.wheel_radius_m, (v_mps + half) / self.wheel_radius_m


ROVER = RobotKind(name="rover", radius_m=0.23, height_m=0.19, wheel_radius_m=0.07, track_m=0.24, mass_kg=6.0,
                  torque_nm=1.5, v_max_mps=0.8, w_max_radps=2.0, deck=(0.20, 0.30, 0.38), trim=(0.15, 0.75, 0.80))
CARRIER = RobotKind(name="carrier", radius_m=0.28, height_m=0.22, wheel_radius_m=0.08, track_m=0.32, mass_kg=14.0,
                    torque_nm=4.0, v_max_mps=0.6, w_max_radps=1.5, deck=(0.36, 0.36, 0.40), trim=(0.55, 0.25, 0.70))
KINDS: dict[str, RobotKind] = {k.name: k for k in (ROVER, CARRIER)}


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotSpec:
    """One robot of a fleet. Raises ValueError on an unknown kind or physics."""

    name: str
    kind: str = "rover"              # a key of KINDS
    physics: str = "dynamic"         # dynamic: a rigid body; kinematic: a pose that is integrated
    spawn: tuple[float, float] | None = None    # x, y in metres; None: the scenario chooses

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"robot {self.name}: no kind {self.kind!r}; there are {', '.join(sorted(KINDS))}")
        if self.physics not in PHYSICS:
            raise ValueError(f"robot {self.name}: no physics {self.physics!r}; there are {', '.join(PHYSICS)}")

    @property
    def body(self) -> RobotKind:
        """The kind itself."""
        return KINDS[self.kind]


def looks(kind: RobotKind) -> list[Solid]:
    """What is seen of the chassis, in its own frame; nothing reaches into the camera's view."""
    r, top, low = kind.radius_m, kind.height_m, 0.05
    dark: Colour = (0.10, 0.10, 0.11)
    return [
        box(0.0, 0.0, low, 1.44 * r, 1.1 * r, top - low - 0.04, kind.deck),
        cylinder(0.0, 0.0, low + 0.03, r, 0.04, dark),
        box(-0.3 * r, 0.0, top - 0.04, 0.8 * r, 0.9 * r, 0.04, kind.trim),
        box(0.0, 0.0, top, 0.09, 0.09, 0.05, dark),
        box(CAMERA.mount_x_m - 0.05, 0.0, top - 0.04, 0.03, 0.03, CAMERA.mount_z_m - top + 0.06, dark),
        box(-0.7 * r, 0.0, top - 0.04, 0.02, 0.02, 0.24, kind.trim),
    ]


def urdf_text(kind: RobotKind) -> str:
    """A base with a round bumper, two driven wheels (joints 0 left, 1 right) and two casters (links 2 and 3)."""
    r, wr = kind.radius_m, kind.wheel_radius_m
    caster_r, caster_x = 0.025, 0.72 * r
    bumper = cylinder(0.0, 0.0, 0.03, r, kind.height_m - 0.03, (0, 0, 0))        # low: it must not ride up on feet
    shapes = "".join(urdf.visual(s, f"{kind.name}_{i}") for i, s in enumerate(looks(kind))) + urdf.collision(bumper)
    links = [f'<link name="base">{_inertial(kind.mass_kg, r, 0.09)}{shapes}</link>']
    tyre = Solid(shape="cylinder", x_m=0, y_m=0, z_m=0, hx_m=wr, hy_m=wr, hz_m=0.02, colour=(0.06, 0.06, 0.06))
    ball = Solid(shape="sphere", x_m=0, y_m=0, z_m=0, hx_m=wr, hy_m=wr, hz_m=wr)
    for side, y in (("left", kind.track_m / 2), ("right", -kind.track_m / 2)):
        # a sphere touches the floor in one point: cheap, and the track is exact
        links.append(f'<link name="{side}">{_inertial(0.4, wr, 0.0)}'
                     f'{urdf.visual(tyre, side, math.pi / 2)}{urdf.collision(ball)}</link>'
                     f'<joint name="{side}_wheel" type="continuous"><parent link="base"/><child link="{side}"/>'
                     f'{urdf.origin(0.0, y, wr)}<axis xyz="0 1 0"/></joint>')
    small = Solid(shape="sphere", x_m=0, y_m=0, z_m=0, hx_m=caster_r, hy_m=caster_r, hz_m=caster_r)
    cube = box(0.0, 0.0, -0.02, 0.03, 0.03, 0.04, (0.1, 0.1, 0.1))        # a shown sphere costs 0.1 ms a frame
    for end, x in (("front", caster_x), ("rear", -caster_x)):
        links.append(f'<link name="{end}">{_inertial(0.05, caster_r, 0.0)}'
                     f'{urdf.visual(cube, end)}{urdf.collision(small)}</link>'
                     f'<joint name="{end}_caster" type="fixed"><parent link="base"/><child link="{end}"/>'
                     f'{urdf.origin(x, 0.0, caster_r + 0.001)}</joint>')    # 1 mm up: the wheels carry the weight
    return f'<?xml version="1.0"?><robot name="{kind.name}">{"".join(links)}</robot>'


def _inertial(mass_kg: float, radius_m: float, z_m: float) -> str:
    """A solid sphere's inertia, or near enough to a chassis's."""
    i = 0.4 * mass_kg * radius_m ** 2
    return (f'<inertial>{urdf.origin(0.0, 0.0, z_m)}<mass value="{mass_kg}"/>'
            f'<inertia ixx="{i:.6f}" ixy="0" ixz="0" iyy="{i:.6f}" iyz="0" izz="{i:.6f}"/></inertial>')
