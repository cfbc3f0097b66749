"""The kinds of robot: their sizes and limits. The body of each kind is the file `KIND.urdf` in this folder.

Every kind is a differential drive with a round bumper, so that a robot at a wall can always turn away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from swarm.core.settings.process_files import RobotSpec

PHYSICS = ("dynamic", "kinematic")
"""Dynamic: a rigid body with wheels. Kinematic: an integrated pose that obstacles stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotKind:
    """A differential-drive chassis. Sizes and masses are our choice; they equal those in the kind's URDF file.

    It drives as `platform` does: speeds and accelerations are that one's, and so is the friction of the wheels.
    """

    name: str
    radius_m: float                  # of the round bumper
    height_m: float                  # of the deck above the floor
    wheel_radius_m: float
    track_m: float                   # between the wheels
    mass_kg: float                   # of the chassis without wheels
    torque_nm: float                 # per wheel, at most
    platform: str                    # whose limits these are
    v_max_mps: float
    w_max_radps: float
    v_ramp_mps2: float               # acceleration and braking
    w_ramp_radps2: float
    friction: float                  # of a wheel on a floor with friction 1

    def wheel_speeds_radps(self, v_mps: float, w_radps: float) -> tuple[float, float]:
        """Speeds of the left and the right wheel for a body velocity."""
        half = w_radps * self.track_m / 2
        return (v_mps - half) / self.wheel_radius_m, (v_mps + half) / self.wheel_radius_m


TURTLEBOT_4: dict[str, Any] = {
    "platform": "TurtleBot 4", "v_max_mps": 0.46, "w_max_radps": 1.9, "v_ramp_mps2": 0.9, "w_ramp_radps2": 7.725,
    "friction": 1.0,
}
"""The limits of its base, a Create 3. Source: github.com/iRobotEducation/create3_sim, `linear.x` and `angular.z` of
irobot_create_control/config/control.yaml; friction: `mu1` of irobot_create_description/urdf/wheel.urdf.xacro."""

# A motor can do twice what the acceleration takes: mass with wheels x acceleration x wheel radius, for each of two.
ROVER = RobotKind(name="rover", radius_m=0.23, height_m=0.19, wheel_radius_m=0.07, track_m=0.24, mass_kg=6.0,
                  torque_nm=0.43, **TURTLEBOT_4)
CARRIER = RobotKind(name="carrier", radius_m=0.28, height_m=0.22, wheel_radius_m=0.08, track_m=0.32, mass_kg=14.0,
                    torque_nm=1.07, **TURTLEBOT_4)
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
