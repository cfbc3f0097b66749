"""Finds and reads a launch file with its boards, knows what is installed here, and resolves the launch."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from agents import behaviours
from models import profiles, store
from models.camera_input import ImageInput
from sim_worlds import scenarios
from sim_worlds.maps import FloorPlan, floor_plan
from sim_worlds.robots import KINDS
from swarm import plugins, settings_files
from swarm.core.policy.trace import Trace
from swarm.core.protocol.sensors import SensorSuite
from swarm.core.settings.boards import Board
from swarm.core.settings.process_files import AgentFile, RobotSpec
from swarm.launcher import find, host_checks
from swarm.run.settings.process_checks import check_processes
from swarm.run.settings.resolve import Options, Resolved, Source, boards_of, resolve
from swarm.run.settings.warnings import warnings_of


class Installed:
    """The scenarios, kinds of robot and models of this installation, and the traces beside a launch file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

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

    def urdf(self, name: str) -> tuple[str, str]:
        path = (self._folder / name).absolute()
        return str(path), settings_files.load_urdf(path)

    def takes_map(self, scenario: str) -> bool:
        return scenarios.takes_map(scenario)

    def floor(self, name: str) -> FloorPlan:
        return floor_plan(settings_files.load_map((self._folder / name).absolute()))

    def check_behaviour(
        self, behaviour: str, robots: Sequence[RobotSpec], seed: int, suites: Mapping[str, SensorSuite]
    ) -> None:
        """Makes the behaviour of a robot of each kind. Raises: BadInput, also for an error in a plug-in."""
        make, team = behaviours.load(behaviour), [robot.name for robot in robots]
        with plugins.blamed(f"{behaviours.__name__}.{behaviour}"):
            for robot in {robot.kind: robot.name for robot in robots}.values():
                make(robot, team, seed, suites[robot])

    def sensors(
        self, scenario: str, robots: Sequence[RobotSpec], seed: int, floor: FloorPlan | None = None
    ) -> Mapping[str, SensorSuite]:
        """Builds the scenario's world once, without physics and pictures.

        Raises: ValueError for a fleet that does not fit; BadInput for a fault of the scenario.
        """
        with scenarios.blamed(scenario), scenarios.build(scenario, robots, seed, floor, render=False) as world:
            return {robot.name: world.sensors(robot.name) for robot in robots}

    def takes_spawns(self, scenario: str) -> bool:
        return hasattr(scenarios.load(scenario), "check_spawn")

    def check_spawn(self, scenario: str, seed: int, robots: int, kind: str, x_m: float, y_m: float) -> None:
        """Raises: ValueError."""
        check_spawn = getattr(scenarios.load(scenario), "check_spawn")  # noqa: B009 - not every scenario has it
        with scenarios.blamed(scenario):
            check_spawn(seed, robots, kind, x_m, y_m)

    def policy_file(self, name: str) -> str:
        path = (self._folder / name).absolute()
        plugins.check_file(path, "place")
        return str(path)

    def trace(self, name: str) -> tuple[str, Trace]:
        path = (self._folder / name).absolute()
        return str(path), settings_files.load_trace(path)

    def behaviours(self) -> Collection[str]:
        return behaviours.available()

    def check_models(self, agent: AgentFile) -> Collection[str]:
        """Raises: ModelError; BadInput."""
        from agents.runtime.sessions import offer_of

        offer = offer_of(agent)
        return [model for model in offer.cards if not offer.room_lacks(model)]

    def frame_px(self, model: str) -> tuple[int, int] | None:
        card = store.load_card(model)
        if card.sensor != "camera" or card.image is not None:
            return None
        taken = ImageInput.of(card)
        return taken.width_px, taken.height_px

    def check_model(self, name: str) -> None:
        """Raises: BadInput."""
        from models import tasks

        card = store.load_card(name)
        tasks.task(card)
        store.check(card)


def load_launch(options: Options) -> Resolved:
    """A launch file, found by name or path, with the changes of the command line. Raises: BadInput."""
    source = find_source(options.launch, options.boards)
    return load_from(source, options, Installed(Path(source.path).parent))


def find_source(launch: str, more_boards: Sequence[str] = ()) -> Source:
    """A launch file, found by name or path, and the boards that hold for it, as they were written. Raises: BadInput.

    more_boards: files of boards; the last one that has a name counts, also before one of the launch file's own.
    """
    path = find.launch_file(launch)
    boards = find.boards_file(path)
    found, own = settings_files.load(boards), settings_files.load(path)
    if more_boards:
        boards_of(found, str(boards))
        for more in more_boards:
            read = settings_files.load(Path(more))
            boards_of(read, more)
            found |= read
            if isinstance(own.get("boards"), dict):
                own = own | {"boards": {name: board for name, board in own["boards"].items() if name not in read}}
    return Source(path=str(path), launch=own, boards_path=str(boards), boards=found)


def load_from(source: Source, options: Options, installed: Installed) -> Resolved:
    """As `load_launch`, of a file that was read before. Raises: BadInput."""
    resolved = resolve(options, source, installed)
    check_processes(resolved, installed, source.path)
    return resolved


def warnings(resolved: Resolved) -> list[str]:
    """What the user should know before the start, a sentence each."""
    variants = resolved.launch.variants
    run_s = {stream.model: _run_s(stream.model, variants.get(stream.model)) for stream in resolved.launch.streams}
    return warnings_of(resolved, run_s, host_checks.cores())


def _run_s(model: str, wanted: Sequence[str] | None = None) -> float:
    """Median time of one run of what runs where time allows, on the host of its card. wanted: that may run; all."""
    card = store.load_card(model)
    times = {key: variant.run_time for key, variant in card.variants.items() if wanted is None or key in wanted}
    return times[profiles.chosen(card, times)].p50_ms / 1e3


def load_boards(path: Path) -> dict[str, Board]:
    """All boards of a file. Raises: BadInput."""
    return boards_of(settings_files.load(path), str(path))
