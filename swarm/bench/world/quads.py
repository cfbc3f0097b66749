"""The speed of a world of quadrotors, and our own part of its time.

They fly about a hall with random commands, ten a simulated second. Those that are rigid bodies are flown twice, in
turns of a tenth of a simulated second: as they are, and by the same calls of PyBullet without anything of ours: the
forces and torques were kept from a flight before. Both flights are the same, step by step; `overhead` is the median of
what ours took longer, in processor time, so that other processes count less.
"""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from sim_worlds.engine import Engine, mission_of
from sim_worlds.hall import hall
from sim_worlds.physics import STEP_S, UPDATE_EVERY
from sim_worlds.physics.bullet import Bullet, Vector
from sim_worlds.physics.flying import CONTROL_EVERY
from sim_worlds.robots import QUADROTOR
from swarm.bench.support.host import host_state
from swarm.core.clock import MonotonicClock, ThreadClock
from swarm.core.protocol.scene import Mission
from swarm.core.settings.process_files import RobotSpec
from swarm.core.units import seconds
from swarm.telemetry.text_table import text_table

COMMAND_HZ = 10
TTL_S = 1.0
TOP = np.array([QUADROTOR.v_max_mps, QUADROTOR.v_max_mps, QUADROTOR.up_max_mps, QUADROTOR.w_max_radps])

Pushes = list[tuple[list[Vector], list[Vector]]]
"""Forces and torques of each step."""


class Swarm(Engine):
    """Quadrotors that fly about."""

    def mission(self) -> Mission:
        """The contacts of robots."""
        return mission_of("contacts", {"contacts": ("", "of robots, each counted once while it lasts")},
                          {"contacts": self.motion.contacts.episodes})


def measure(quads: int, physics: str, periods: int, seed: int, progress: Callable[[str], None]) -> dict[str, Any]:
    """The figures of so many quadrotors over so many periods between two commands, at least 2."""
    state = host_state()
    commands = np.random.default_rng(seed).uniform(-TOP, TOP, (periods, quads, 4))
    figures: dict[str, Any] = {"physics": physics, "quads": quads, "overhead": "not measured"}
    if physics == "dynamic":
        progress(f"keep the forces of {quads} quadrotors")
        with contextlib.closing(swarm(quads, physics, seed)) as world:
            pushes = kept_pushes(world, commands)
        with contextlib.closing(swarm(quads, physics, seed)) as world, \
                contextlib.closing(swarm(quads, physics, seed)) as other:
            progress("fly them, and the bare calls in turn")
            ours, bare = in_turn(world, bullet_of(other), commands, pushes)
            same = bullet_of(world).states(range(quads)) == bullet_of(other).states(range(quads))
            ratios = [mine[1] / theirs[1] for mine, theirs in zip(ours, bare, strict=True)]
            figures |= {"overhead": round(statistics.median(ratios) - 1.0, 3), "same_flight": same,
                        "bare_real_time_factor": round(1 / COMMAND_HZ / _median(bare, 0), 2)}
            steps, contacts = round(1 / COMMAND_HZ / world.dt_s), world.motion.contacts.episodes
    else:
        progress(f"fly {quads} quadrotors")
        with contextlib.closing(swarm(quads, physics, seed)) as world:
            ours = [timed(lambda row=row: fly(world, row)) for row in commands]
            steps, contacts = round(1 / COMMAND_HZ / world.dt_s), world.motion.contacts.episodes
    took_s = _median(ours, 0)
    return figures | {
        "real_time_factor": round(1 / COMMAND_HZ / took_s, 2),
        "real_time_factor_of_a_core": round(1 / COMMAND_HZ / _median(ours, 1), 2), "step_hz": steps * COMMAND_HZ,
        "steps_per_s": round(steps / took_s, 1), "contacts": contacts, "host": state}


def swarm(quads: int, physics: str, seed: int) -> Swarm:
    """A hall with quadrotors, at heights of their own."""
    fleet = msgspec.convert(
        [{"name": f"quad_{k}", "kind": "quadrotor", "physics": physics} for k in range(quads)], list[RobotSpec])
    place, draw = hall(quads, seed), np.random.default_rng([seed, quads])
    spawns = tuple(msgspec.structs.replace(spawn, z_m=float(draw.uniform(0.5, place.top_m - 0.5)))
                   for spawn in place.spawns)
    return Swarm(replace(place, spawns=spawns), fleet, scenario="hall", seed=seed, render=False)


def fly(world: Swarm, row: NDArray[np.float64]) -> None:
    """One period. row: commands as `Engine.fly_all` takes them, [quads, 4]."""
    world.fly_all(row, TTL_S)
    for _ in range(round(1 / COMMAND_HZ / world.dt_s)):
        world.step()


def kept_pushes(world: Swarm, commands: NDArray[np.float64]) -> Pushes:
    """What a flight asks PyBullet for in each step."""
    bullet, kept = bullet_of(world), Pushes()
    push = bullet.push

    def keep(robots: Any, forces: Any, torques: Any) -> None:
        kept.append((forces, torques))
        push(robots, forces, torques)

    bullet.push = keep
    for row in commands:
        fly(world, row)
    return kept


def in_turn(world: Swarm, bullet: Bullet, commands: NDArray[np.float64], pushes: Pushes
            ) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Seconds of each period, see `timed`: ours, and the bare calls on other bodies that begin in the same places."""
    robots, ours, bare = range(len(world.names)), list[tuple[float, float]](), list[tuple[float, float]]()
    steps = round(1 / COMMAND_HZ / STEP_S)

    def calls(first: int) -> None:
        for k in range(first, first + steps):
            bullet.push(robots, *pushes[k])
            bullet.step()
            if (k + 1) % CONTROL_EVERY == 0:
                bullet.states(robots)
            if (k + 1) % UPDATE_EVERY == 0:
                bullet.contacts(robots)

    for period, row in enumerate(commands):
        ours.append(timed(lambda row=row: fly(world, row)))
        bare.append(timed(lambda first=period * steps: calls(first)))
    return ours, bare


def timed(call: Callable[[], None]) -> tuple[float, float]:
    """Seconds that a call takes, and those of them that it had a core."""
    clocks = MonotonicClock(), ThreadClock()
    began_ns = [clock.now_ns() for clock in clocks]
    call()
    took, worked = (seconds(clock.now_ns() - ns) for clock, ns in zip(clocks, began_ns, strict=True))
    return took, worked


def _median(times: Sequence[tuple[float, float]], which: int) -> float:
    return statistics.median(time[which] for time in times)


def bullet_of(world: Swarm) -> Bullet:
    """The client of a world of rigid bodies."""
    assert world.motion.bullet is not None
    return world.motion.bullet


def as_text(figures: dict[str, Any]) -> str:
    """A table, and our own part."""
    rows = [["ours", str(figures["real_time_factor"]), str(figures["steps_per_s"])]]
    told = "overhead: not measured"
    if figures["physics"] == "dynamic":
        rows.append(["bare calls of PyBullet", str(figures["bare_real_time_factor"]), ""])
        same = "the same flight" if figures["same_flight"] else "NOT the same flight"
        told = f"overhead: {figures['overhead']:.1%}, {same}"
    told += f"\nwith a core of its own: {figures['real_time_factor_of_a_core']} x real time"
    title = f"{figures['quads']} {figures['physics']} quadrotors, {figures['step_hz']} steps per simulated second"
    table = text_table(["", "x real time", "steps/s"], rows).rstrip()
    return "\n".join([title, table, told, f"host: {figures['host']}"])
