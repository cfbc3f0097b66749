"""Placing policies: one file each, named as in launch files; the directory listing is the registry.

A policy's file defines `place(problem, previous, budget) -> list[Placement]`: of each stream that it places the
variant, and the agent of each stage. What it leaves out runs at home; `solvers/solve.py` forecasts the rest. A user's
own is such a file, named by its path.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Sequence

from swarm import plugins
from swarm.core.policy.plan import Placement
from swarm.core.policy.policies import FILE
from swarm.planner.problem import Problem
from swarm.planner.solvers.budget import Budget

__path__ = plugins.extended(__path__, "placing")

Places = Callable[[Problem, Sequence[Placement], Budget], list[Placement]]


def available() -> list[str]:
    """Names of all placing policies, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def load(name: str) -> Places:
    """The policy of this name or path. Raises: ValueError with the names that there are; whatever a file raises."""
    if name.endswith(FILE):
        return plugins.load_file(name, "place").place
    if name not in available():
        raise ValueError(f"the placing policies are {', '.join(available())}")
    return plugins.load(f"{__name__}.{name}", "place").place
