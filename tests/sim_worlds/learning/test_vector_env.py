"""Worlds in processes of their own: the same as one alone with its seed, and no process outlives what ended it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("pettingzoo", reason="pip install 'swarm-edge-runtime[gym]'")

from sim_worlds import parallel_env, vector_env
from sim_worlds.learning.vector_env import WorldVectorEnv
from swarm.core.settings.errors import BadInput
from tests.patience import HANG_S


@pytest.fixture
def two() -> Iterator[WorldVectorEnv]:
    """Two worlds, which end with the test."""
    env = vector_env("patrol", 2, seed=5, duration_s=0.4)
    yield env
    if not env.closed:
        env.close(terminate=True)


def test_each_world_is_that_of_its_seed_also_in_its_next_episode(two: WorldVectorEnv) -> None:
    draw = np.random.default_rng(1)
    actions = [{f"rover_{i}": draw.uniform(-1, 1, (2, 2)).astype(np.float32) for i in range(2)} for _ in range(10)]
    ours, infos = two.reset()
    assert infos["seed"].tolist() == [5, 6]
    episode = [(ours, np.zeros(2), np.zeros(2, bool))]
    episode += [(seen, rewards, ended) for seen, rewards, _, ended, _ in map(two.step, actions)]
    for k in range(2):
        alone = parallel_env("patrol", seed=5 + k, duration_s=0.4)
        seen, _ = alone.reset()
        rewards, ended = {"rover_0": 0.0}, False
        for given, (ours, mean, truncated) in zip([None, *actions], episode, strict=True):
            if given is not None and not alone.agents:       # the step after an end begins anew
                (seen, _), rewards, ended = alone.reset(), {"rover_0": 0.0}, False
            elif given is not None:
                seen, rewards, _, over, _ = alone.step({name: action[k] for name, action in given.items()})
                ended = over["rover_0"]
            for name, parts in seen.items():
                for part, value in parts.items():
                    assert np.array_equal(ours[name][part][k], value), (name, part)
            assert mean[k] == pytest.approx(np.mean([*rewards.values()]))
            assert truncated[k] == ended
        alone.close()
    assert sum(bool(truncated.all()) for *_, truncated in episode) == 2


def test_infos_have_the_rewards_of_robots_and_the_measures(two: WorldVectorEnv) -> None:
    observed, _ = two.reset(seed=9)
    assert two.observation_space.contains(observed)
    *_, infos = two.step(two.action_space.sample())
    assert infos["rewards"]["rover_1"].shape == infos["mission"]["visits"].shape == (2,)


def test_a_world_whose_process_is_killed_ends_them_all_with_one_line(two: WorldVectorEnv) -> None:
    two.reset()
    processes = list(two.processes)
    os.kill(processes[1].pid or 0, signal.SIGKILL)
    with pytest.raises(RuntimeError, match="the process of world 1 has ended by itself: this environment is closed"):
        two.step(two.action_space.sample())
    assert [process.is_alive() for process in processes] == [False, False]
    assert two.closed


def test_an_error_in_a_world_is_told_here_and_ends_them_all(two: WorldVectorEnv) -> None:
    two.reset()
    processes, action = list(two.processes), two.action_space.sample()
    action["rover_0"][1] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")                      # Gymnasium's, with the trace of the other process
        with pytest.raises(ValueError, match=r"step: the action of rover_0 is .*two finite numbers"):
            two.step(action)
    assert [process.is_alive() for process in processes] == [False, False]


@pytest.mark.parametrize(("count", "wrong", "told"), [
    (0, {}, "num_envs: 0 is too small"), ("two", {}, "num_envs: 'two' is text"),
    (1, {"seed": None}, "seed: it is empty"),
    (1, {"robots": 0}, "robots: 0 is too small"), (1, {"name": "nowhere"}, "name: no scenario")], ids=str)
def test_what_makes_no_worlds_is_refused(count: int, wrong: dict[str, object], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        vector_env(**{"name": "patrol", "num_envs": count, **wrong})


@pytest.mark.long
def test_no_process_outlives_one_that_is_killed() -> None:
    code = ("import os, signal\nfrom sim_worlds import vector_env\nenv = vector_env('patrol', 3)\nenv.reset()\n"
            "print(*(process.pid for process in env.processes), flush=True)\nos.kill(os.getpid(), signal.SIGKILL)\n")
    # all of them hold the pipe: reading it ends when the last one has ended
    ended = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           check=False, timeout=HANG_S)
    assert ended.returncode == -signal.SIGKILL
    assert len(ended.stdout.splitlines()[0].split()) == 3
