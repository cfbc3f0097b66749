"""Simulated worlds. `parallel_env` and `vector_env` make learning environments of scenarios; nothing else is imported.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim_worlds.learning.vector_env import WorldVectorEnv
    from sim_worlds.learning.world_env import WorldEnv


def parallel_env(name: str, **options: Any) -> WorldEnv:
    """A scenario as a PettingZoo ParallelEnv. options: the arguments of `sim_worlds.learning.world_env.WorldEnv`.

    Raises: BadInput if PettingZoo or Gymnasium is not installed, and for options that make no world.
    """
    with _needed("sim_worlds.parallel_env"):
        from sim_worlds.learning.world_env import WorldEnv
    return WorldEnv(name, **options)


def vector_env(name: str, num_envs: int, **options: Any) -> WorldVectorEnv:
    """Several worlds of a scenario at once, each in a process of its own, as a Gymnasium AsyncVectorEnv.

    options: the arguments of `sim_worlds.learning.vector_env.WorldVectorEnv` and those of `parallel_env`.
    Raises: BadInput if PettingZoo or Gymnasium is not installed, and for options that make no world.
    """
    with _needed("sim_worlds.vector_env"):
        from sim_worlds.learning.vector_env import WorldVectorEnv
    return WorldVectorEnv(name, num_envs, **options)


@contextlib.contextmanager
def _needed(what: str) -> Iterator[None]:
    """Say what to install for an import that fails."""
    from swarm.core.settings.errors import BadInput

    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in ("pettingzoo", "gymnasium"):
            raise
        raise BadInput(what, f"{missing} is not installed", "pip install 'swarm-edge-runtime[gym]'") from None
