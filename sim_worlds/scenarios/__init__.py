"""Scenarios: one file each, or a folder with a `scenario.py`; the listing of `__path__` is the registry.

A scenario defines its environment and its mission; `sim_worlds/engine.py` does the rest.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from typing import Protocol, cast

from sim_worlds.world_interface import World
from swarm import plugins
from swarm.core.settings.process_files import RobotSpec

__path__ = plugins.extended(__path__, "scenarios")


class Scenario(Protocol):
    """The interface of a scenario's module."""

    HEADLINE: str                    # name of the most important measure
    MEASURES: dict[str, tuple[str, str]]         # name -> unit and meaning

    def build(self, fleet: Sequence[RobotSpec], seed: int, *, render: bool = True) -> World:
        """The world of a seed with this fleet. Raises ValueError for a fleet that does not fit."""
        ...


def available() -> list[str]:
    """The names of all scenarios, sorted."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__))


def load(name: str) -> Scenario:
    """The scenario of this name. Raises ValueError for an unknown name."""
    if name not in available():
        raise ValueError(f"no scenario {name!r}; there are {', '.join(available())}")
    path = f"{__name__}.{name}"
    path += ".scenario" if hasattr(plugins.load(path), "__path__") else ""
    return cast(Scenario, plugins.load(path, "HEADLINE", "MEASURES", "build"))
