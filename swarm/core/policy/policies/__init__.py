"""Routing policies: one file each, named as in launch files; the directory listing is the registry.

A policy's file defines `POLICY`: a `Policy`, or a `PolicyFamily` if the name takes an argument (`split:3`). A policy is
a pure function of a `Situation`. Agents load theirs once, and call its `route` for every request.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

from swarm import plugins
from swarm.core.policy.route import Choice, Situation
from swarm.core.settings.errors import BadInput

__path__ = plugins.extended(__path__, "policies")


@dataclass(frozen=True, slots=True)
class Policy:
    """Decides where each request runs, and states what it needs for that."""

    route: Callable[[Situation], Choice | None]      # None: no agent can run the model
    uses_peers: bool = True          # otherwise peers are ignored and get no work
    uses_plan: bool = False          # a planner is started with the swarm
    uses_stages: bool = False        # models are split: agents load the stages of their models when they start

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
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def usages() -> list[str]:
    """The names for launch files, each with the letter of its argument if it takes one."""
    return [_usage(name) for name in available()]


def load(text: str) -> Policy:
    """The policy that a launch file names. Raises: ValueError with the valid values."""
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
    module = plugins.load(f"{__name__}.{name}", "POLICY")
    if not isinstance(module.POLICY, (Policy, PolicyFamily)):
        raise BadInput(str(module.__file__), "POLICY is neither a Policy nor a PolicyFamily", "POLICY = Policy(route)")
    return module.POLICY
