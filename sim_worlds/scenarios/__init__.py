"""Scenarios: one file each, and the directory listing is the registry."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, cast

from sim_worlds.robots import RobotSpec
from sim_worlds.world import World


class Scenario(Protocol):
    """What a scenario's module offers."""

    def build(self, fleet: Sequence[RobotSpec], seed: int, *, render: bool = True) -> World:
        """The world of a seed with this fleet in it."""
        ...


def available() -> list[str]:
    """The names of all scenarios, sorted."""
    return sorted(f.stem for f in Path(__file__).parent.glob("*.py") if not f.stem.startswith("_"))


def load(name: str) -> Scenario:
    """The scenario of a name. Raises ValueError for an unknown one."""
    if name not in available():
        raise ValueError(f"no scenario {name!r}; there are {', '.join(available())}")
    return cast(Scenario, importlib.import_module(f"{__name__}.{name}"))
