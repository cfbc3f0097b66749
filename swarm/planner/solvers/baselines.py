"""Simple rules that place streams without a search. A plan is held against them."""

from __future__ import annotations

from swarm.planner.options.instance import Assignment, Instance


def local(instance: Instance) -> Assignment:
    """Every stream at home, on its fastest variant; where it would end first if home cannot run it."""
    return tuple(next((n for n, o in enumerate(options) if o.home), 0) for options in instance.options)


def best_single_peer(instance: Instance) -> Assignment:
    """Every stream whole on the agent, home included, where it would end first if nothing else ran."""
    return tuple(next((n for n, o in enumerate(options) if len(o.sources) == 1), 0) for options in instance.options)
