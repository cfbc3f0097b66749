"""How robots move, beside closed forms: stopping distances, also on ice, and turning radii of each kind of robot.

Stopping from top speed v takes v^2 / 2a with the braking a of the robot's platform, and v^2 / 2 mu g where wheels slip.
Driving at v and turning at w is a circle of radius v / w. Kinematic robots do not slip. A robot that flies is told to
fly at 1 m/s: a kinematic one goes there with its acceleration; a rigid body as the linear equations of its control,
motor lag and drag say (`sim_worlds/physics/flying/response.py`). Each is `within` 5 %, or not.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sim_worlds.environment import Environment
from sim_worlds.physics.flying.response import response
from sim_worlds.physics.motion import Motion
from sim_worlds.robots import KINDS, PHYSICS, FlyingKind, RobotKind
from swarm.core.protocol.world import Pose
from swarm.core.settings.process_files import RobotSpec
from swarm.telemetry.text_table import text_table

NEEDS = ("numba", "pybullet")
FLOOR = Environment(size_m=40.0, walls=(), spawns=(Pose(0.0, 0.0, 0.0),))
GRAVITY_MPS2 = 9.81
ICE = 0.05                           # friction: less than any robot brakes
TOLERANCE = 0.05
SETTLE_S, TURN_S = 3.0, 3.0
TURN_RADPS = 0.6
STEP_MPS, READ_S = 1.0, 1 / 60       # of the step response

Reals = NDArray[np.float64]


def run(given: argparse.Namespace, progress: Callable[[str], None]) -> dict[str, Any]:
    """`rows`, one for each measurement, and whether all are `within` the tolerance."""
    rows = []
    for (name, kind), physics in itertools.product(KINDS.items(), PHYSICS):
        progress(f"{name}, {physics}")
        rows += _flying(kind, physics) if isinstance(kind, FlyingKind) else _driving(kind, physics)
    return {"rows": rows, "tolerance": TOLERANCE, "within": all(row["within"] for row in rows)}


def _driving(kind: RobotKind, physics: str) -> list[dict[str, Any]]:
    v, brake = kind.v_max_mps, kind.v_ramp_mps2
    rows = [_row(kind, physics, "stopping distance", "m", stop_m(kind, physics), v * v / (2 * brake))]
    if physics == "dynamic":
        slides_m = v * v / (2 * ICE * GRAVITY_MPS2)
        rows.append(_row(kind, physics, "stopping distance on ice", "m", stop_m(kind, physics, ICE), slides_m))
    rows.append(_row(kind, physics, "turning radius", "m", radius_m(kind, physics), v / TURN_RADPS))
    return rows


def _flying(kind: FlyingKind, physics: str) -> list[dict[str, Any]]:
    times_s, speeds = step_response(kind, physics)
    ramp_s = STEP_MPS / kind.v_ramp_mps2
    expected = response(kind, times_s, ramp_s, STEP_MPS) if physics == "dynamic" else np.minimum(
        times_s * kind.v_ramp_mps2, STEP_MPS)
    return [_row(kind, physics, "rise time of a step", "s", rise_s(times_s, speeds), rise_s(times_s, expected)),
            _row(kind, physics, "highest speed after it", "m/s", float(speeds.max()), float(expected.max()))]


def step_response(kind: FlyingKind, physics: str) -> tuple[Reals, Reals]:
    """Times and speeds ahead of a robot that hovers, and is told at time 0 to fly at STEP_MPS."""
    motion, times, speeds = _alone(kind, physics, 1.0), [0.0], [0.0]
    try:
        _run(motion, SETTLE_S)
        motion.fly_all(np.array([[STEP_MPS, 0.0, 0.0, 0.0]]), np.array([0]))
        for _ in range(round(SETTLE_S / READ_S)):
            _run(motion, READ_S)
            times.append(times[-1] + READ_S)
            speeds.append(float(motion.speeds[0, 0]))
    finally:
        motion.close()
    return np.array(times), np.array(speeds)


def rise_s(times_s: Reals, speeds: Reals) -> float:
    """The time from a tenth to nine tenths of STEP_MPS."""
    rising = slice(int(np.argmax(speeds >= 0.9 * STEP_MPS)) + 1)
    low_s, high_s = np.interp((0.1 * STEP_MPS, 0.9 * STEP_MPS), speeds[rising], times_s[rising])
    return float(high_s - low_s)


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


def _row(kind: RobotKind, physics: str, what: str, unit: str, measured: float, closed_form: float) -> dict[str, Any]:
    error = measured / closed_form - 1.0
    return {"robot": kind.name, "platform": kind.platform, "physics": physics, "what": what, "unit": unit,
            "measured": round(measured, 4), "closed_form": round(closed_form, 4), "error": round(error, 4),
            "within": abs(error) <= TOLERANCE}


def as_text(figures: dict[str, Any]) -> str:
    """A table."""
    rows = [[row["robot"], row["physics"], f"{row['what']}, {row['unit']}", f"{row['measured']:.3f}",
             f"{row['closed_form']:.3f}", f"{row['error']:+.1%}"] for row in figures["rows"]]
    table = text_table(["robot", "physics", "", "measured", "closed form", "error"], rows).rstrip()
    return f"{table}\nall within {figures['tolerance']:.0%}: {'yes' if figures['within'] else 'no'}"
