"""The speed of a scenario as a learning environment, beside that of its world alone: steps per second.

Rounds take turns, with the same fleet, seed and random actions. One kind steps `sim_worlds.parallel_env`. One performs
the actions on the world and steps it: without observations, rewards and spaces; both count world steps. The others step
`sim_worlds.vector_env` with one process and with several, and count the steps of all their environments.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim_worlds import parallel_env, scenarios, vector_env
from swarm.core.clock import MonotonicClock
from swarm.core.settings.errors import BadInput
from swarm.core.settings.rules import known
from swarm.core.units import seconds
from swarm.telemetry.text_table import text_table

if TYPE_CHECKING:
    from sim_worlds.learning.vector_env import WorldVectorEnv
    from sim_worlds.learning.world_env import WorldEnv
    from sim_worlds.world_interface import World

NEEDS = ("pettingzoo", "gymnasium")
PERIOD_S, DURATION_S = 0.1, 86_400.0

Actions = dict[str, NDArray[np.float32]]     # of all steps of a round, by robot: [steps, values]


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--scenario", metavar="NAME", help="one of `swarm worlds list`; default: each of them")
    p.add_argument("--robots", type=int, default=4, metavar="N")
    p.add_argument("--processes", type=int, default=2, metavar="N", help="of a vector of environments, beside one of 1")
    p.add_argument("--steps", type=int, default=100, metavar="N", help="of the environment in a round")
    p.add_argument("--rounds", type=int, default=5, metavar="N")
    p.add_argument("--seed", type=int, default=1)


def run(given: argparse.Namespace, progress: Callable[[str], None]) -> dict[str, Any]:
    """`rows`, one for each scenario. Raises: BadInput for sizes that cannot be measured, or no such scenario."""
    for name, value, least, most in (("robots", given.robots, 1, 1000), ("processes", given.processes, 2, 64),
                                     ("steps", given.steps, 1, 100_000), ("rounds", given.rounds, 1, 1000)):
        if not least <= value <= most:
            raise BadInput(f"--{name}", str(value), f"{least} to {most:,}")
    if not 0 <= given.seed < 2**62:
        raise BadInput("--seed", str(given.seed), "0 or more, below 2^62")
    if given.scenario is not None:
        known(given.scenario, scenarios.available(), "--scenario", "scenario")
    names = scenarios.available() if given.scenario is None else [given.scenario]
    return {"robots": given.robots, "physics": "kinematic", "processes": given.processes, "steps": given.steps,
            "rounds": given.rounds, "rows": [_measured(name, given, progress) for name in names]}


def _measured(name: str, given: argparse.Namespace, progress: Callable[[str], None]) -> dict[str, Any]:
    options = {"seed": given.seed, "robots": given.robots, "period_s": PERIOD_S, "duration_s": DURATION_S}
    ours, bare, one, many = list[float](), list[float](), list[float](), list[float]()
    draw = np.random.default_rng(given.seed)
    with contextlib.ExitStack() as opened:
        try:
            env = opened.enter_context(contextlib.closing(parallel_env(name, **options)))
        except BadInput:
            raise
        except ValueError as error:
            raise BadInput(f"--robots {given.robots}", str(error), "another number of robots") from None
        world = opened.enter_context(env.world_of(given.seed))
        alone = opened.enter_context(contextlib.closing(vector_env(name, 1, **options)))
        several = opened.enter_context(contextlib.closing(vector_env(name, given.processes, **options)))
        for each in (env, alone, several):
            each.reset(seed=given.seed)
        per_step = round(PERIOD_S / world.dt_s)
        for k in range(1, given.rounds + 1):
            progress(f"{name}: round {k} of {given.rounds}")
            actions: Actions = {
                robot: draw.uniform(-1.0, 1.0, (given.steps, *(env.action_space(robot).shape or ()))).astype(np.float32)
                for robot in env.possible_agents}
            ours.append(_env_rate(env, actions))
            bare.append(_world_rate(world, env, actions, per_step))
            one.append(_vector_rate(alone, actions))
            many.append(_vector_rate(several, actions))
    ratios = [a * per_step / b for a, b in zip(ours, bare, strict=True)]
    gains = [b / a for a, b in zip(one, many, strict=True)]
    return {"scenario": name, "world_steps_per_env_step": per_step,
            "env_steps_per_s": round(statistics.median(ours), 1),
            "world_steps_per_s": round(statistics.median(bare), 1),
            "ratio": round(statistics.median(ratios), 3),
            "ratio_least": round(min(ratios), 3), "ratio_most": round(max(ratios), 3),
            "env_steps_per_s_1_process": round(statistics.median(one), 1),
            "env_steps_per_s_processes": round(statistics.median(many), 1),
            "gain": round(statistics.median(gains), 2)}


def _env_rate(env: WorldEnv, actions: Actions) -> float:
    """Steps of an environment per second."""
    steps = len(next(iter(actions.values())))
    clock = MonotonicClock()
    began_ns = clock.now_ns()
    for k in range(steps):
        if not env.agents:
            env.reset()
        env.step({robot: row[k] for robot, row in actions.items()})
    return steps / seconds(clock.now_ns() - began_ns)


def _world_rate(world: World, env: WorldEnv, actions: Actions, per_step: int) -> float:
    """Steps of the bare world per second. The acts are made before."""
    steps = len(next(iter(actions.values())))
    acts = [[(robot, env.act_of(robot, row[k])) for robot, row in actions.items()] for k in range(steps)]
    clock = MonotonicClock()
    began_ns = clock.now_ns()
    for row in acts:
        for robot, act in row:
            world.act(robot, act)
        for _ in range(per_step):
            world.step()
    return steps * per_step / seconds(clock.now_ns() - began_ns)


def _vector_rate(envs: WorldVectorEnv, actions: Actions) -> float:
    """Steps of all environments of a vector per second: each gets the same actions."""
    steps = len(next(iter(actions.values())))
    rows = [{robot: np.repeat(row[k][None], envs.num_envs, axis=0) for robot, row in actions.items()}
            for k in range(steps)]
    clock = MonotonicClock()
    began_ns = clock.now_ns()
    for row in rows:
        envs.step(row)
    return steps * envs.num_envs / seconds(clock.now_ns() - began_ns)


def as_text(figures: dict[str, Any]) -> str:
    """A table."""
    rows = [[row["scenario"], str(row["env_steps_per_s"]), str(row["world_steps_per_s"]),
             str(row["world_steps_per_env_step"]), f"{row['ratio']} ({row['ratio_least']} to {row['ratio_most']})",
             str(row["env_steps_per_s_1_process"]), str(row["env_steps_per_s_processes"]), str(row["gain"])]
            for row in figures["rows"]]
    title = f"{figures['robots']} {figures['physics']} robots, {figures['rounds']} rounds of {figures['steps']} steps"
    return "\n".join([title, text_table(
        ["scenario", "env steps/s", "world steps/s", "world steps per env step", "env/world (range)",
         "vector, 1 process", f"vector, {figures['processes']} processes", "gain"], rows).rstrip()])
