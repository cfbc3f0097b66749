"""Routing policies: one file each, named as in launch files; the directory listing is the registry.

A policy's file defines `POLICY`: a `Policy`, or a `PolicyFamily` if the name takes an argument (`split:3`). A policy is
a pure function of a `Situation`. Agents load theirs once, and call its `route` for every request.

The names of placing policies, which the planner loads (`swarm/planner/policies`), are policies, too, and so is the path
of a file of one's own, `mine.py`: for them agents do as the plan says, unless there is a file here of the same name.
"""

from __future__ import annotations

import importlib.util
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

from swarm import plugins
from swarm.core.policy.route import Choice, Situation, as_placed
from swarm.core.settings.errors import BadInput

__path__ = plugins.extended(__path__, "policies")

PLACING = "swarm.planner.policies"   # only its files' names are of interest here
FILE = ".py"                         # what ends so is the path of a placing policy


@dataclass(frozen=True, slots=True)
class Policy:
    """Decides where each request runs, and states what it needs for that."""

    route: Callable[[Situation], Choice | None]      # None: no agent can run the model
    uses_peers: bool = True          # otherwise peers are ignored and get no work
    uses_plan: bool = False          # a planner is started with the swarm
    uses_stages: bool = False        # models are split: agents load the stages of their models when they start
    draws: bool = False              # each situation has two draws of its own
    places: str = ""                 # the placing policy of the planner; empty: its own
    foresees: bool = False           # its planner knows the links' future: virtual time only

    def __post_init__(self) -> None:
        if not callable(self.route):
            raise TypeError("route is no function")


@dataclass(frozen=True, slots=True)
class PolicyFamily:
    """Policies that differ by an argument, which follows the name after a colon."""

    argument: str                    # a letter for it, as in `split:N`
    meaning: str                     # of that letter, for messages
    make: Callable[[str], Policy]    # raises ValueError for an argument that is not valid


def available() -> list[str]:
    """Names of all policies and families, sorted."""
    return sorted({*routing(), *placing()})


def routing() -> list[str]:
    """Names of the policies by which agents route requests, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def placing() -> list[str]:
    """Names of the policies by which the planner places streams, sorted."""
    spec = importlib.util.find_spec(PLACING)
    folders = spec.submodule_search_locations if spec is not None else None
    return sorted(module.name for module in pkgutil.iter_modules(plugins.extended(folders or [], "placing")))


def usages() -> list[str]:
    """The names for launch files, each with the letter of its argument if it takes one."""
    return [_usage(name) for name in available()]


def load(text: str) -> Policy:
    """The policy that a launch file names. Raises: ValueError with the valid values."""
    if text.endswith(FILE):
        return Policy(as_placed, uses_plan=True, places=text)
    name, colon, argument = text.partition(":")
    if name not in available():
        raise ValueError(f"the policies are {', '.join(usages())}")
    policy = _defined(name)
    if isinstance(policy, Policy):
        if colon:
            raise ValueError(f"{name} takes no argument")
        return policy
    try:
        return policy.make(argument)
    except ValueError:
        raise ValueError(f"{_usage(name)}, with {policy.meaning}") from None


def _usage(name: str) -> str:
    policy = _defined(name)
    return name if isinstance(policy, Policy) else f"{name}:{policy.argument}"


def _defined(name: str) -> Policy | PolicyFamily:
    if name not in routing():
        return Policy(as_placed, uses_plan=True, places=name)
    module = plugins.load(f"{__name__}.{name}", "POLICY")
    if not isinstance(module.POLICY, (Policy, PolicyFamily)):
        raise BadInput(str(module.__file__), "POLICY is neither a Policy nor a PolicyFamily", "POLICY = Policy(route)")
    return module.POLICY
