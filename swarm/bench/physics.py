"""How robots move, beside closed forms: stopping distances, also on ice, and turning radii of each kind of robot.

Stopping from top speed v takes v^2 / 2a with the braking a of the robot's platform, and v^2 / 2 mu g where wheels slip.
Driving at v and turning at w is a circle of radius v / w. Kinematic robots do not slip. Each is `within` 5 %, or not.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from sim_worlds.environment import Environment
from sim_worlds.physics.motion import Motion
from sim_worlds.robots import KINDS, PHYSICS, DrivingKind, RobotKind
from swarm.core.protocol.world import Pose
from swarm.core.settings.process_files import RobotSpec
from swarm.telemetry.text_table import text_table

NEEDS = ("pybullet",)
FLOOR = Environment(size_m=40.0, walls=(), spawns=(Pose(0.0, 0.0, 0.0),))
GRAVITY_MPS2 = 9.81
ICE = 0.05                           # friction: less than any robot brakes
TOLERANCE = 0.05
SETTLE_S, TURN_S = 3.0, 3.0
TURN_RADPS = 0.6


def run(given: argparse.Namespace, progress: Callable[[str], None]) -> dict[str, Any]:
    """`rows`, one for each measurement, and whether all are `within` the tolerance."""
    rows = []
    driving = {name: kind for name, kind in KINDS.items() if isinstance(kind, DrivingKind)}
    for (name, kind), physics in itertools.product(driving.items(), PHYSICS):
        progress(f"{name}, {physics}")
        v, brake = kind.v_max_mps, kind.v_ramp_mps2
        rows.append(_row(kind, physics, "stopping distance", stop_m(kind, physics), v * v / (2 * brake)))
        if physics == "dynamic":
            slides_m = v * v / (2 * ICE * GRAVITY_MPS2)
            rows.append(_row(kind, physics, "stopping distance on ice", stop_m(kind, physics, ICE), slides_m))
        rows.append(_row(kind, physics, "turning radius", radius_m(kind, physics), v / TURN_RADPS))
    return {"rows": rows, "tolerance": TOLERANCE, "within": all(row["within"] for row in rows)}


def stop_m(kind: RobotKind, physics: str, friction: float = 1.0) -> float:
    """How far a robot goes after a command to stop from its top speed."""
    motion = _alone(kind, physics, friction)
    try:
        motion.drive(0, kind.v_max_mps, 0.0)
        _run(motion, SETTLE_S)
        before = motion.at[0, 0]
        motion.drive(0, 0.0, 0.0)
        _run(motion, SETTLE_S)
        return float(motion.at[0, 0] - before)
    finally:
        motion.close()


def radius_m(kind: RobotKind, physics: str) -> float:
    """The radius of the circle on which a robot drives at its top speed and TURN_RADPS, by a fit to its places."""
    motion = _alone(kind, physics, 1.0)
    try:
        motion.drive(0, kind.v_max_mps, TURN_RADPS)
        _run(motion, SETTLE_S)
        places = []
        for _ in range(round(TURN_S * 10)):
            _run(motion, 0.1)
            places.append(motion.at[0, :2].copy())
    finally:
        motion.close()
    x, y = np.array(places).T                # x^2 + y^2 = 2 a x + 2 b y + c is a circle about (a, b)
    (a, b, c), *_ = np.linalg.lstsq(np.stack([2 * x, 2 * y, np.ones(len(x))], axis=1), x * x + y * y, rcond=None)
    return float(np.sqrt(c + a * a + b * b))


def _alone(kind: RobotKind, physics: str, friction: float) -> Motion:
    """One robot on an empty floor."""
    how: Literal["dynamic", "kinematic"] = "dynamic" if physics == "dynamic" else "kinematic"
    fleet = [RobotSpec(name=kind.name, kind=kind.name, physics=how)]
    return Motion(replace(FLOOR, floor_friction=friction), fleet, render=False)


def _run(motion: Motion, for_s: float) -> None:
    for _ in range(round(for_s / motion.dt_s)):
        motion.step()


def _row(kind: RobotKind, physics: str, what: str, measured: float, closed_form: float) -> dict[str, Any]:
    error = measured / closed_form - 1.0
    return {"robot": kind.name, "platform": kind.platform, "physics": physics, "what": what,
            "measured_m": round(measured, 4), "closed_form_m": round(closed_form, 4), "error": round(error, 4),
            "within": abs(error) <= TOLERANCE}


def as_text(figures: dict[str, Any]) -> str:
    """A table."""
    rows = [[row["robot"], row["physics"], row["what"], f"{row['measured_m']:.3f}", f"{row['closed_form_m']:.3f}",
             f"{row['error']:+.1%}"] for row in figures["rows"]]
    table = text_table(["robot", "physics", "", "measured m", "closed form m", "error"], rows).rstrip()
    return f"{table}\nall within {figures['tolerance']:.0%}: {'yes' if figures['within'] else 'no'}"
