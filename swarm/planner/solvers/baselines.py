"""Simple rules that place streams without a search. A plan is held against them."""

from __future__ import annotations

from collections.abc import Callable

from swarm.core.policy import draw
from swarm.planner.options.instance import Assignment, Instance


def local(instance: Instance) -> Assignment:
    """Every stream at home, on its fastest variant; where it would end first if home cannot run it."""
    return tuple(next((n for n, o in enumerate(options) if o.home), 0) for options in instance.options)


def best_single_peer(instance: Instance) -> Assignment:
    """Every stream whole on the agent, home included, where it would end first if nothing else ran."""
    return tuple(next((n for n, o in enumerate(options) if len(o.sources) == 1), 0) for options in instance.options)


def round_robin(instance: Instance) -> Assignment:
    """Streams are assigned to the agents in turn."""
    count = len(instance.agents)
    return tuple(
        min(range(len(options)), key=lambda n: ((options[n].agents[-1] - stream) % count, n))
        for stream, options in enumerate(instance.options)
    )


def random_options(instance: Instance) -> Assignment:
    """A random option for each stream, the same one every time."""
    return tuple(int(draw.uniform(0, "random placement", *stream.key) * len(options))
                 for stream, options in zip(instance.streams, instance.options, strict=True))


BASELINES: dict[str, Callable[[Instance], Assignment]] = {
    "local": local, "best_single_peer": best_single_peer, "round_robin": round_robin, "random": random_options,
}
