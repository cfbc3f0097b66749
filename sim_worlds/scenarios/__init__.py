"""Scenarios: one file each, or a folder with a `scenario.py`; the listing of `__path__` is the registry.

A scenario defines its environment and its mission; `sim_worlds/engine.py` does the rest.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Literal, Protocol, cast

from sim_worlds.maps import FloorPlan
from sim_worlds.robots import KINDS
from sim_worlds.world_interface import World
from swarm import plugins
from swarm.core.settings.errors import BadInput
from swarm.core.settings.process_files import RobotSpec
from swarm.core.settings.randomise import AS_BUILT, Surroundings

__path__ = plugins.extended(__path__, "scenarios")


class Scenario(Protocol):
    """The interface of a scenario's module.

    One that is made for another kind of robot than rovers has `KIND`, its name. One that takes a map has
    `on_map(floor, fleet, seed, *, render=True)`, too: as `build`, on the floor of a map.
    """

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
    return cast(Scenario, plugins.load(_module_of(name), "HEADLINE", "MEASURES", "build"))


def blamed(name: str) -> AbstractContextManager[None]:
    """Raises: BadInput with file and line in place of an error in the block, if the scenario is a plug-in.

    ValueErrors stay: a scenario raises them for a fleet that does not fit.
    """
    return plugins.blamed(_module_of(name), ValueError)


def _module_of(name: str) -> str:
    path = f"{__name__}.{name}"
    return path + (".scenario" if hasattr(plugins.load(path), "__path__") else "")


def kind(name: str) -> str:
    """The kind of robot that a scenario is made for: its KIND, if it has one, else a rover. Raises: BadInput."""
    made_for = getattr(load(name), "KIND", "rover")
    if made_for not in [*KINDS]:
        raise BadInput(f"scenario {name}: KIND", f"no kind of robot is called {made_for!r}",
                       f"one of {', '.join(sorted(KINDS))}")
    return made_for


def fleet_for(name: str, robots: int, physics: Literal["dynamic", "kinematic"] = "kinematic") -> list[RobotSpec]:
    """So many robots of the kind for which a scenario is made, named KIND_0, KIND_1, ...; their sensors have noise."""
    made_for = kind(name)
    return [RobotSpec(name=f"{made_for}_{i}", kind=made_for, physics=physics, sensors="noisy") for i in range(robots)]


def takes_map(name: str) -> bool:
    """Whether robots of this scenario can be on the floor of a map."""
    return hasattr(load(name), "on_map")


def build(name: str, fleet: Sequence[RobotSpec], seed: int, floor: FloorPlan | None = None, *,
          render: bool = True, surroundings: Surroundings = AS_BUILT) -> World:
    """The world of a scenario with this fleet: on the floor of a map, or where the scenario places it.

    surroundings: what was drawn for the place.
    Raises ValueError for a fleet that does not fit, and for a map that the scenario does not take; BadInput for a fault
    of the scenario.
    """
    scenario = load(name)
    with blamed(name):
        world = _built(scenario, name, fleet, seed, floor, render)
        if not isinstance(world, World):
            raise TypeError(f"build returned {world!r:.60}, which is no World")
        if surroundings != AS_BUILT:
            world.surround(surroundings)
    return world


def _built(scenario: Scenario, name: str, fleet: Sequence[RobotSpec], seed: int, floor: FloorPlan | None,
           render: bool) -> object:
    if floor is None:
        return scenario.build(fleet, seed, render=render)
    if not takes_map(name):
        raise ValueError(f"scenario {name} takes no map; these do: {', '.join(filter(takes_map, available()))}")
    on_map = getattr(scenario, "on_map")  # noqa: B009 - not every scenario has it
    return on_map(floor, fleet, seed, render=render)
