"""Several worlds of a scenario at once, each in a process of its own: Gymnasium's AsyncVectorEnv.

Gymnasium vectorises environments of one agent. All robots of a world are one here, whose observation and action are
dicts by robot; so arrays get a first axis of worlds and nothing else changes. Gymnasium shares the observations'
memory, starts and ends the processes, and begins the next episode of a world whose episode has ended.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import Any, cast

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AsyncVectorEnv
from gymnasium.vector.async_vector_env import AsyncState
from numpy.typing import NDArray

from sim_worlds.learning.agent_view import ObservationOf
from sim_worlds.learning.options import checked_seed
from sim_worlds.learning.world_env import WorldEnv
from swarm.core.protocol.bounds import Robots
from swarm.core.settings.validation import check

Observations = dict[str, ObservationOf]
Actions = dict[str, NDArray[np.float32]]


class JointEnv(gymnasium.Env[Observations, Actions]):
    """A `WorldEnv` whose robots are one agent.

    The reward is the mean of theirs; `info` has theirs by name in `rewards`, and the measures in `mission`.
    """

    def __init__(self, env: WorldEnv) -> None:
        self._env = env
        self.metadata, self.render_mode = env.metadata, env.render_mode
        self.observation_space = cast(Any, spaces.Dict({name: env.observation_space(name)
                                                        for name in env.possible_agents}))
        self.action_space = cast(Any, spaces.Dict({name: env.action_space(name) for name in env.possible_agents}))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None
              ) -> tuple[Observations, dict[str, Any]]:
        """See `WorldEnv.reset`. info: the `seed` of the world."""
        with _told():
            observed, infos = self._env.reset(seed, options)
        return observed, dict(next(iter(infos.values())))

    def step(self, action: Actions) -> tuple[Observations, float, bool, bool, dict[str, Any]]:
        """See `WorldEnv.step`."""
        with _told():
            observed, rewards, _, truncated, infos = self._env.step(action)
        info = {"rewards": rewards, "mission": next(iter(infos.values()))}
        return observed, float(np.mean([*rewards.values()])), False, any(truncated.values()), info

    def render(self) -> Any:
        """See `WorldEnv.render`."""
        return self._env.render()

    def close(self) -> None:
        """Free the world's resources."""
        self._env.close()


class WorldVectorEnv(AsyncVectorEnv):
    """`num_envs` worlds; the one of index k has the seed `seed` + k. options: those of `WorldEnv`.

    context: how multiprocessing starts processes, see there. The processes end with `close`, when one of them fails or
    is killed, and when this process ends, however it does.
    Raises: BadInput for options that make no world. RuntimeError from later calls if a process was killed.
    """

    def __init__(self, name: str, num_envs: int, *, seed: int = 0, context: str | None = None, **options: Any) -> None:
        count, first = check(num_envs, Robots, "num_envs"), checked_seed(seed)
        makers = [partial(_made, name, seed=first + k, **options) for k in range(count)]
        super().__init__(makers, context=context)

    def reset_wait(self, timeout: float | None = None) -> Any:
        """See gymnasium."""
        with self._whole():
            return super().reset_wait(timeout)

    def step_async(self, actions: Any) -> None:
        """See gymnasium."""
        with self._whole():
            super().step_async(actions)

    def step_wait(self, timeout: float | None = None) -> Any:
        """See gymnasium."""
        with self._whole():
            return super().step_wait(timeout)

    @contextlib.contextmanager
    def _whole(self) -> Iterator[None]:
        """If one process fails or has been killed, end all of them: Gymnasium cannot go on with the others."""
        try:
            yield
        except (EOFError, ConnectionError) as error:
            dead = [str(k) for k, pipe in enumerate(self.parent_pipes) if _at_its_end(pipe)]
            self._end()
            raise RuntimeError(f"the process of world {', '.join(dead) or 'unknown'} has ended by itself: this "
                               "environment is closed") from error
        except ValueError:
            if None in self.parent_pipes:                    # one has told an error
                self._end()
            raise

    def _end(self) -> None:
        """End all processes at once, whatever they do."""
        self._state = AsyncState.DEFAULT                     # else it waits for answers first
        self.close(terminate=True)


def _at_its_end(pipe: Any) -> bool:
    """Whether the process at the other end of a pipe has ended. What it has sent is lost."""
    try:
        while pipe.poll():
            pipe.recv()
    except (EOFError, OSError):
        return True
    return False


def _made(name: str, **options: Any) -> JointEnv:
    return JointEnv(WorldEnv(name, **options))


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Gymnasium makes errors again, from their texts alone, in the process that reads them."""
    try:
        yield
    except ValueError as error:
        raise ValueError(str(error)) from None
