"""The speed of a world with many robots: simulated over real time, steps per second, beside PyBulletFleet.

Robots drive about a hall with pillars and walls that grows with the fleet; each gets a new random command ten times a
simulated second, and runs into others. Rounds of three kinds take turns: steps alone; steps and a lidar of 36 beams on
each robot at 10 Hz; and the reference, if `--reference` names the interpreter of an environment with `pybullet-fleet`:
as many of its `simple_cube`s, in its kinematic mode with its batch controller and its check for contacts.
With `--quads` they are quadrotors: see `quads.py`.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from sim_worlds.engine import Engine, mission_of
from sim_worlds.hall import hall
from sim_worlds.robots import PHYSICS, ROVER
from swarm.bench.support.child import Child, ChildError
from swarm.bench.support.host import host_state
from swarm.core.clock import MonotonicClock
from swarm.core.protocol.scene import Mission
from swarm.core.protocol.sensors import Lidar, SensorSuite
from swarm.core.settings.errors import BadInput
from swarm.core.settings.process_files import RobotSpec
from swarm.core.units import seconds
from swarm.telemetry.text_table import text_table

STEP_HZ, COMMAND_HZ = 50, 10         # kinematic steps; commands, and scans
BEAMS, RANGE_M = 36, 6.0
ROUNDS = 5
MOST = 10_000
REFERENCE = Path(__file__).with_name("fleet_reference.py")
REFERENCE_STEPS = 25                 # of a round
FASTEST = ROVER.v_max_mps, 1.0    # of the random commands, in m/s and rad/s
TTL_S = 1.0
WANT = "the interpreter of an environment with pybullet-fleet"


class Crowd(Engine):
    """Robots that drive about."""

    suite = SensorSuite({"lidar": Lidar(beams=BEAMS, range_m=RANGE_M)})

    def mission(self) -> Mission:
        """The contacts of robots."""
        return mission_of("contacts", {"contacts": ("", "of robots, each counted once while it lasts")},
                          {"contacts": self.motion.contacts.episodes})


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--physics", choices=PHYSICS, default="kinematic")
    p.add_argument("--robots", type=int, default=1000, metavar="N")
    p.add_argument("--quads", type=int, metavar="N", help="so many quadrotors instead; of dynamic ones also our part")
    p.add_argument("--seconds", type=float, default=2.0, metavar="S", help="simulated time of a round")
    p.add_argument("--rounds", type=int, default=ROUNDS, metavar="N")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--reference", metavar="PYTHON", help="the interpreter of an environment with pybullet-fleet")


def run(given: argparse.Namespace, progress: Callable[[str], None]) -> dict[str, Any]:
    """The medians over the rounds. Raises: BadInput for sizes that cannot be measured, or no such reference."""
    for name, value, most in (
            ("robots", given.robots, MOST), ("quads", 1 if given.quads is None else given.quads, MOST),
            ("seconds", given.seconds, 3600.0), ("rounds", given.rounds, 1000)):
        if not 0 < value <= most:
            raise BadInput(f"--{name}", str(value), f"above 0, at most {most:,}")
    if not 0 <= given.seed < 2**63:
        raise BadInput("--seed", str(given.seed), "0 or more, below 2^63")
    periods = max(1, round(given.seconds * COMMAND_HZ))
    if given.quads is not None:
        if given.reference:
            raise BadInput("--reference", "it has no quadrotors", "--robots, or --quads alone")
        from swarm.bench.world import quads  # it needs PyBullet

        return quads.measure(given.quads, given.physics, periods * given.rounds, given.seed, progress)
    state = host_state()
    bare, sensing, reference, ratios = list[float](), list[float](), list[float](), list[float]()
    with _reference(given) as fleet, contextlib.closing(crowd(given.robots, given.physics, given.seed)) as world:
        draw = np.random.default_rng(given.seed)
        fly(world, draw, 1, scans=True)                      # the first scan makes the grid
        for k in range(1, given.rounds + 1):
            progress(f"round {k} of {given.rounds}: {given.robots} {given.physics} robots")
            bare.append(fly(world, draw, periods, scans=False))
            if fleet is not None:
                reference.append(fleet())
                ratios.append(bare[-1] / reference[-1])
            sensing.append(fly(world, draw, periods, scans=True))
        return {
            "physics": given.physics, "robots": given.robots, "size_m": world.environment.size_m,
            "step_hz": round(1 / world.dt_s), "beams": BEAMS, "scan_hz": COMMAND_HZ,
            "real_time_factor": round(statistics.median(sensing) * world.dt_s, 2),
            "steps_per_s": round(statistics.median(sensing), 1),
            "without_sensors": {"real_time_factor": round(statistics.median(bare) * world.dt_s, 2),
                                "steps_per_s": round(statistics.median(bare), 1)},
            "reference": "not run" if fleet is None else {
                "name": "pybullet-fleet", "steps_per_s": round(statistics.median(reference), 1),
                "times_its_steps": round(statistics.median(ratios), 1), "times_its_steps_least": round(min(ratios), 1)},
            "contacts": world.motion.contacts.episodes, "host": state,
        }


def crowd(robots: int, physics: str, seed: int) -> Crowd:
    """A hall with a fleet."""
    fleet = msgspec.convert(
        [{"name": f"rover_{k}", "kind": "rover", "physics": physics} for k in range(robots)], list[RobotSpec])
    return Crowd(hall(robots, seed), fleet, scenario="hall", seed=seed, render=False, update_s=1 / STEP_HZ)


def fly(world: Crowd, draw: np.random.Generator, periods: int, *, scans: bool) -> float:
    """Fly some periods between two commands. Returns steps per second of real time."""
    steps = round(1 / COMMAND_HZ / world.dt_s)
    clock = MonotonicClock()
    began_ns = clock.now_ns()
    for _ in range(periods):
        world.act_all(draw.uniform((0.0, -1.0), FASTEST, (len(world.names), 2)), TTL_S)
        for _ in range(steps):
            world.step()
        if scans:
            world.scan_all()
    return periods * steps / seconds(clock.now_ns() - began_ns)


@contextlib.contextmanager
def _reference(given: argparse.Namespace) -> Iterator[Callable[[], float] | None]:
    """Makes steps of the reference; gives steps per second. Raises: BadInput if it is no such reference."""
    if given.reference is None:
        yield None
        return
    try:
        child = Child(str(REFERENCE), str(given.robots), str(1 / STEP_HZ), python=given.reference)
    except (OSError, ValueError) as error:           # ValueError: no path at all
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise BadInput(f"--reference: {given.reference!r}", str(why), WANT) from None
    with child:
        clock = MonotonicClock()

        def answered(*orders: int) -> None:
            try:
                for order in orders:
                    child.send(order)
                child.receive(bool)
            except ChildError as error:
                raise BadInput(f"--reference: {given.reference}", str(error), WANT) from None

        def steps_per_s() -> float:
            began_ns = clock.now_ns()
            answered(REFERENCE_STEPS)
            return REFERENCE_STEPS / seconds(clock.now_ns() - began_ns)

        answered()
        yield steps_per_s


def as_text(figures: dict[str, Any]) -> str:
    """A table, and the reference."""
    if "quads" in figures:
        from swarm.bench.world import quads

        return quads.as_text(figures)
    bare, reference = figures["without_sensors"], figures["reference"]
    rows = [["without sensors", str(bare["steps_per_s"]), str(bare["real_time_factor"])],
            [f"lidar at {figures['scan_hz']} Hz", str(figures["steps_per_s"]), str(figures["real_time_factor"])]]
    title = f"{figures['robots']} {figures['physics']} robots, {figures['step_hz']} steps per simulated second"
    told = reference if isinstance(reference, str) else (
        f"{reference['steps_per_s']} steps/s: ours without sensors makes {reference['times_its_steps']} times as many")
    return "\n".join([title, text_table(["", "steps/s", "x real time"], rows).rstrip(), f"pybullet-fleet: {told}",
                      f"host: {figures['host']}"])
