"""Finds and reads a launch file with its boards, knows what is installed here, and resolves the launch."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from models import store
from sim_worlds import scenarios
from sim_worlds.robots import KINDS
from swarm import settings_files
from swarm.core.settings.boards import Board
from swarm.core.settings.process_files import RobotSpec
from swarm.launcher import find
from swarm.run.settings.resolve import Options, Resolved, Source, boards_of, resolve


class Installed:
    """The scenarios, kinds of robot and models of this installation."""

    def scenarios(self) -> Collection[str]:
        return scenarios.available()

    def kinds(self) -> Collection[str]:
        return KINDS

    def models(self) -> Collection[str]:
        return store.names()

    def behaviour(self, scenario: str) -> str:
        """What the scenario says, or the behaviour of the scenario's own name."""
        return getattr(scenarios.load(scenario), "BEHAVIOUR", scenario)

    def measures(self, scenario: str) -> Collection[str]:
        return scenarios.load(scenario).MEASURES

    def check_fleet(self, scenario: str, robots: Sequence[RobotSpec], seed: int) -> None:
        """Builds the scenario's world once, without physics and pictures. Raises: ValueError."""
        scenarios.load(scenario).build(robots, seed, render=False).close()

    def takes_spawns(self, scenario: str) -> bool:
        return hasattr(scenarios.load(scenario), "check_spawn")

    def check_spawn(self, scenario: str, seed: int, robots: int, kind: str, x_m: float, y_m: float) -> None:
        """Raises: ValueError."""
        check_spawn = getattr(scenarios.load(scenario), "check_spawn")  # noqa: B009 - not every scenario has it
        check_spawn(seed, robots, kind, x_m, y_m)

    def check_model(self, name: str) -> None:
        """Raises: BadInput."""
        store.check(store.load_card(name))


def load_launch(options: Options) -> Resolved:
    """A launch file, found by name or path, with the changes of the command line. Raises: BadInput."""
    path = find.launch_file(options.launch)
    launch = settings_files.load(path)
    boards = find.boards_file(path)
    source = Source(path=str(path), launch=launch, boards_path=str(boards), boards=settings_files.load(boards))
    return resolve(options, source, Installed())


def load_boards(path: Path) -> dict[str, Board]:
    """All boards of a file. Raises: BadInput."""
    return boards_of(settings_files.load(path), str(path))
