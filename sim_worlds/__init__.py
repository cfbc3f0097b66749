"""Simulated worlds. `parallel_env` makes a learning environment of a scenario; nothing else is imported here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim_worlds.multi_agent import WorldEnv


def parallel_env(name: str, **options: Any) -> WorldEnv:
    """A scenario as a PettingZoo ParallelEnv. The options are the arguments of `sim_worlds.multi_agent.WorldEnv`.

    Raises: BadInput if PettingZoo or Gymnasium is not installed; ValueError for options that make no world.
    """
    from swarm.core.settings.errors import BadInput

    try:
        from sim_worlds.multi_agent import WorldEnv
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in ("pettingzoo", "gymnasium"):
            raise
        raise BadInput("sim_worlds.parallel_env", f"{missing} is not installed",
                       "pip install 'swarm-edge-runtime[gym]'") from None
    return WorldEnv(name, **options)
