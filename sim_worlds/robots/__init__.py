"""The kinds of robot: their sizes and limits. The body of each kind is the file `KIND.urdf` in this folder.

Every kind is round: differential drives, and quadrotors inside the circle of their rotors, so that a robot at a wall
can always turn away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from swarm.core.settings.process_files import RobotSpec

PHYSICS = ("dynamic", "kinematic")
"""Dynamic: a rigid body with wheels or rotors. Kinematic: an integrated pose that obstacles stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotKind:
    """What all kinds have: a round body, and the speeds and accelerations of a platform. See the two kinds of kinds.

    Sizes and masses equal those in the kind's URDF file.
    """

    name: str
    radius_m: float                  # of the body as seen from above, with wheels or rotors
    height_m: float                  # of the body
    mass_kg: float
    platform: str                    # whose limits these are
    v_max_mps: float                 # along the floor
    w_max_radps: float
    v_ramp_mps2: float               # acceleration and braking along the floor
    w_ramp_radps2: float
    battery_wh: float | None         # of the platform, full; None: not known
    idle_w: float                    # of sensors and electronics of the body; the computer is not in it
    efficiency: float                # of the drive, from the battery to what moves

    @property
    def low_m(self) -> float:
        """The underside of the body, from its base up."""
        return 0.0

    @property
    def high_m(self) -> float:
        """The upper side of the body, from its base up."""
        return self.height_m + self.low_m

    def of_mass(self, factor: float) -> RobotKind:
        """The same robot with so many times its mass."""
        return replace(self, mass_kg=factor * self.mass_kg)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrivingKind(RobotKind):
    """A differential-drive chassis with a round bumper. Sizes and masses are our choice; its base is on the floor."""

    wheel_radius_m: float
    track_m: float                   # between the wheels
    torque_nm: float                 # per wheel, at most
    friction: float                  # of a wheel on a floor with friction 1
    rolling: float                   # rolling resistance, as a share of the weight

    def wheel_speeds_radps(self, v_mps: float, w_radps: float) -> tuple[float, float]:
        """Speeds of the left and the right wheel for a body velocity."""
        half = w_radps * self.track_m / 2
        return (v_mps - half) / self.wheel_radius_m, (v_mps + half) / self.wheel_radius_m


@dataclass(frozen=True, slots=True, kw_only=True)
class FlyingKind(RobotKind):
    """A quadrotor whose rotors are ahead, to the left, behind and to the right. Its base is its centre of mass."""

    start_z_m: float                 # where a spawn on the floor puts it: it begins in the air
    up_max_mps: float                # climbing and sinking
    up_ramp_mps2: float
    arm_m: float                     # from the centre to a rotor's axis
    inertia_kgm2: tuple[float, float, float]     # about the axes ahead, to the left and up
    thrust_n: float                  # of one rotor, at most
    torque_m: float                  # a rotor's torque about its axis over its thrust
    motor_lag_s: float               # time constant of its thrust
    drag_ns_per_m: float             # force against the velocity, over it
    rotor_radius_m: float

    @property
    def low_m(self) -> float:
        return -self.height_m / 2

    def of_mass(self, factor: float) -> RobotKind:
        """With its moments of inertia."""
        roll, pitch, yaw = self.inertia_kgm2
        return replace(self, mass_kg=factor * self.mass_kg,
                       inertia_kgm2=(factor * roll, factor * pitch, factor * yaw))


TURTLEBOT_4: dict[str, Any] = {
    "platform": "TurtleBot 4", "v_max_mps": 0.46, "w_max_radps": 1.9, "v_ramp_mps2": 0.9, "w_ramp_radps2": 7.725,
    "friction": 1.0, "battery_wh": 26.0, "idle_w": 6.6, "rolling": 0.02, "efficiency": 0.5,
}
"""The limits of its base, a Create 3. Source: github.com/iRobotEducation/create3_sim, `linear.x` and `angular.z` of
irobot_create_control/config/control.yaml; friction: `mu1` of irobot_create_description/urdf/wheel.urdf.xacro.
Battery, and idle power: a TurtleBot 4 Lite's camera, lidar and fan, 3.5 + 2.3 + 0.8 W. Source:
github.com/turtlebot/turtlebot4-user-manual, overview/features.md and electrical/power_budget.md. (It runs for 2.5 to 4
hours, so it takes 10.4 to 6.5 W in all.) Rolling resistance, as of rubber on a hard floor, and the efficiency of motors
and gears are our choice."""

# A motor can do twice what the acceleration takes: mass with wheels x acceleration x wheel radius, for each of two.
ROVER = DrivingKind(name="rover", radius_m=0.23, height_m=0.19, wheel_radius_m=0.07, track_m=0.24, mass_kg=6.0,
                    torque_nm=0.43, **TURTLEBOT_4)
CARRIER = DrivingKind(name="carrier", radius_m=0.28, height_m=0.22, wheel_radius_m=0.08, track_m=0.32, mass_kg=14.0,
                      torque_nm=1.07, **TURTLEBOT_4)

QUADROTOR = FlyingKind(
    name="quadrotor", radius_m=0.27, height_m=0.12, mass_kg=0.716, platform="AscTec Hummingbird",
    v_max_mps=1.5, w_max_radps=1.5, v_ramp_mps2=3.0, w_ramp_radps2=3.0, up_max_mps=1.0, up_ramp_mps2=3.0,
    start_z_m=1.0, arm_m=0.17, inertia_kgm2=(0.00752, 0.00752, 0.01304), thrust_n=6.003, torque_m=0.016,
    motor_lag_s=0.025, drag_ns_per_m=0.146, rotor_radius_m=0.1, battery_wh=23.31, idle_w=0.0, efficiency=0.48)
"""A platform that carries a small computer. Source: github.com/ethz-asl/rotors_simulator,
rotors_description/urdf/hummingbird.xacro: mass of body and rotors; arm; radius of arm and rotor; height of the body;
inertia of the body, to which the rotors add 2 (or, about the axis up, 4) x 9 g x arm^2; thrust 8.54858e-6 x (838
rad/s)^2; torque constant; the longer of its two motor lags, for both directions; drag 4 x 8.06428e-5 x the 453 rad/s at
which it hovers, in all directions. Speeds and accelerations are our choice for flight between people and walls.
Battery: 2.1 Ah at 11.1 V, as AscTec states it, with about 20 minutes of flight: 70 W in all, of which 33.6 W are what
ideal rotors take (`sim_worlds/energy/motion_power.py`), hence the efficiency."""

KINDS: dict[str, RobotKind] = {k.name: k for k in (ROVER, CARRIER, QUADROTOR)}


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
