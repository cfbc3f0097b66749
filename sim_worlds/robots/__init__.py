"""The kinds of robot: their sizes and limits. The body of each kind is the file `KIND.urdf` in this folder.

Every kind is a differential drive with a round bumper, so that a robot at a wall can always turn away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from swarm.core.settings.process_files import RobotSpec

PHYSICS = ("dynamic", "kinematic")
"""Dynamic: a rigid body with wheels. Kinematic: an integrated pose that obstacles stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotKind:
    """A differential-drive chassis. Sizes and speeds are our choice, typical of small indoor research robots.

    Radius, height, wheels, track and mass equal those in the kind's URDF file; a test compares them.
    """

    name: str
    radius_m: float                  # of the round bumper
    height_m: float                  # of the deck above the floor
    wheel_radius_m: float
    track_m: float                   # between the wheels
    mass_kg: float                   # of the chassis without wheels
    torque_nm: float                 # per wheel
    v_max_mps: float
    w_max_radps: float

    def wheel_speeds_radps(self, v_mps: float, w_radps: float) -> tuple[float, float]:
        """Speeds of the left and the right wheel for a body velocity."""
        half = w_radps * self.track_m / 2
        return (v_mps - half) / self.wheel_radius_m, (v_mps + half) / self.wheel_radius_m


ROVER = RobotKind(name="rover", radius_m=0.23, height_m=0.19, wheel_radius_m=0.07, track_m=0.24, mass_kg=6.0,
                  torque_nm=1.5, v_max_mps=0.8, w_max_radps=2.0)
CARRIER = RobotKind(name="carrier", radius_m=0.28, height_m=0.22, wheel_radius_m=0.08, track_m=0.32, mass_kg=14.0,
                    torque_nm=4.0, v_max_mps=0.6, w_max_radps=1.5)
KINDS: dict[str, RobotKind] = {k.name: k for k in (ROVER, CARRIER)}


def check_fleet(fleet: Sequence[RobotSpec]) -> None:
    """Raise ValueError for an empty fleet, a repeated name, an unknown kind or unknown physics."""
    names = [r.name for r in fleet]
    if not names:
        raise ValueError("a world needs at least 1 robot")
    if len(set(names)) < len(names):
        raise ValueError(f"two robots share a name in {', '.join(names)}")
    for robot in fleet:
        if robot.kind not in KINDS:
            raise ValueError(f"robot {robot.name}: no kind {robot.kind!r}; there are {', '.join(sorted(KINDS))}")
        if robot.physics not in PHYSICS:
            raise ValueError(f"robot {robot.name}: no physics {robot.physics!r}; there are {', '.join(PHYSICS)}")
