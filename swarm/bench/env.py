"""The speed of a scenario as a learning environment, beside that of its world alone: steps per second.

Rounds of two kinds take turns, with the same fleet, seed and random actions. One steps `sim_worlds.parallel_env`, the
other performs the actions on the world and steps it: without observations, rewards and spaces. Both count world steps.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np

from sim_worlds import parallel_env, scenarios
from sim_worlds.robots import ROVER
from swarm.core.clock import MonotonicClock
from swarm.core.protocol.world import Drive
from swarm.core.settings.errors import BadInput
from swarm.core.settings.rules import known
from swarm.core.units import seconds
from swarm.telemetry.text_table import text_table

NEEDS = ("pettingzoo", "gymnasium")
PERIOD_S = 0.1


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--scenario", metavar="NAME", help="one of `swarm worlds list`; default: each of them")
    p.add_argument("--robots", type=int, default=4, metavar="N")
    p.add_argument("--steps", type=int, default=100, metavar="N", help="of the environment in a round")
    p.add_argument("--rounds", type=int, default=5, metavar="N")
    p.add_argument("--seed", type=int, default=1)


def run(given: argparse.Namespace, progress: Callable[[str], None]) -> dict[str, Any]:
    """`rows`, one for each scenario. Raises: BadInput for sizes that cannot be measured, or no such scenario."""
    for name, value, most in (("robots", given.robots, 1000), ("steps", given.steps, 100_000),
                              ("rounds", given.rounds, 1000)):
        if not 0 < value <= most:
            raise BadInput(f"--{name}", str(value), f"above 0, at most {most:,}")
    if not 0 <= given.seed < 2**63:
        raise BadInput("--seed", str(given.seed), "0 or more, below 2^63")
    if given.scenario is not None:
        known(given.scenario, scenarios.available(), "--scenario", "scenario")
    names = scenarios.available() if given.scenario is None else [given.scenario]
    return {"robots": given.robots, "physics": "kinematic", "steps": given.steps, "rounds": given.rounds,
            "rows": [_measured(name, given, progress) for name in names]}


def _measured(name: str, given: argparse.Namespace, progress: Callable[[str], None]) -> dict[str, Any]:
    try:
        env = parallel_env(name, seed=given.seed, robots=given.robots, period_s=PERIOD_S, duration_s=86_400.0)
    except ValueError as error:
        raise BadInput(f"--robots {given.robots}", str(error), "another number of robots") from None
    ours, bare = list[float](), list[float]()
    with contextlib.closing(env), env.world_of(given.seed) as world:
        env.reset(seed=given.seed)
        per_step = round(PERIOD_S / world.dt_s)
        draw = np.random.default_rng(given.seed)
        top = ROVER.v_max_mps, ROVER.w_max_radps
        clock = MonotonicClock()
        for k in range(1, given.rounds + 1):
            progress(f"{name}: round {k} of {given.rounds}")
            actions = draw.uniform(-1.0, 1.0, (given.steps, given.robots, 2))
            began_ns = clock.now_ns()
            for row in actions:
                if not env.agents:
                    env.reset()
                env.step(dict(zip(env.agents, row, strict=True)))
            ours.append(given.steps / seconds(clock.now_ns() - began_ns))
            began_ns = clock.now_ns()
            for row in actions * top:
                for robot, (v, w) in zip(world.names, row.tolist(), strict=True):
                    world.act(robot, Drive(v_mps=v, w_radps=w))
                for _ in range(per_step):
                    world.step()
            bare.append(given.steps * per_step / seconds(clock.now_ns() - began_ns))
    ratios = [a * per_step / b for a, b in zip(ours, bare, strict=True)]
    return {"scenario": name, "world_steps_per_env_step": per_step,
            "env_steps_per_s": round(statistics.median(ours), 1),
            "world_steps_per_s": round(statistics.median(bare), 1),
            "ratio": round(statistics.median(ratios), 3),
            "ratio_least": round(min(ratios), 3), "ratio_most": round(max(ratios), 3)}


def as_text(figures: dict[str, Any]) -> str:
    """A table."""
    rows = [[row["scenario"], str(row["env_steps_per_s"]), str(row["world_steps_per_s"]),
             str(row["world_steps_per_env_step"]), f"{row['ratio']} ({row['ratio_least']} to {row['ratio_most']})"]
            for row in figures["rows"]]
    title = f"{figures['robots']} {figures['physics']} robots, {figures['rounds']} rounds of {figures['steps']} steps"
    return "\n".join([title, text_table(
        ["scenario", "env steps/s", "world steps/s", "world steps per env step", "env/world (range)"], rows).rstrip()])
