"""What a launch file may say beyond its types: names that exist, numbers that make sense, robots that can stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from models import store
from sim_worlds import scenarios
from sim_worlds.robots import KINDS
from swarm.core.settings import rules
from swarm.core.settings.boards import Board
from swarm.core.settings.errors import BadInput
from swarm.core.settings.launch_file import FleetSpec, LaunchFile
from swarm.core.settings.process_files import RobotSpec
from swarm.run.settings.fault_checks import check_faults
from swarm.telemetry.accept import check_accept

ROBOTS_MAX = 1000


def check_boards(boards: Mapping[str, Board], where: str) -> None:
    """Raises: BadInput. where: file and key, to which the name of the board is added."""
    for name, board in boards.items():
        rules.board(board, f"{where}{name}")


def check_launch(launch: LaunchFile, boards: Mapping[str, Board], where: str) -> None:
    """All rules in the order of the file; the first that is broken is told. Raises: BadInput."""
    order: tuple[Callable[[LaunchFile, Mapping[str, Board], str], None], ...] = (
        _whole_run, _fleets, _streams, _faults, _scenario, _rules, _models,
    )
    for rule in order:
        rule(launch, boards, where)


def _whole_run(launch: LaunchFile, boards: Mapping[str, Board], where: str) -> None:
    rules.policy(launch.policy, f"{where}: policy")
    if launch.clock == "virtual":
        raise BadInput(f"{where}: clock", "virtual time is not available yet", "clock: real")
    if launch.network != "loopback":
        raise BadInput(f"{where}: network", f"{launch.network} is not available yet", "network: loopback")


def _fleets(launch: LaunchFile, boards: Mapping[str, Board], where: str) -> None:
    if not launch.fleet:
        raise BadInput(f"{where}: fleet", "no fleet", "at least one, like {name: rover, count: 2, board: orin_nano}")
    rules.distinct((fleet.name for fleet in launch.fleet), f"{where}: fleet")
    for i, fleet in enumerate(launch.fleet):
        at = f"{where}: fleet[{i}]"
        rules.unreserved(fleet.name, f"{at}.name")
        rules.known(fleet.board, boards, f"{at}.board", "board")
        if fleet.spawn and len(fleet.spawn) != fleet.count:
            raise BadInput(f"{at}.spawn", f"{len(fleet.spawn)} places for {fleet.count} robots",
                           "one [x, y] for each, or none at all")
    robots = sum(fleet.count for fleet in launch.fleet)
    if robots > ROBOTS_MAX:
        raise BadInput(f"{where}: fleet", f"{robots} robots", f"at most {ROBOTS_MAX}")


def _streams(launch: LaunchFile, boards: Mapping[str, Board], where: str) -> None:
    fleets = [fleet.name for fleet in launch.fleet]
    rules.streams(launch.streams, f"{where}: streams")
    for i, stream in enumerate(launch.streams):
        for name in stream.on:
            rules.known(name, fleets, f"{where}: streams[{i}].on", "fleet")


def _faults(launch: LaunchFile, boards: Mapping[str, Board], where: str) -> None:
    check_faults(launch, where)


def _rules(launch: LaunchFile, boards: Mapping[str, Board], where: str) -> None:
    scenario = scenarios.load(launch.scenario)
    check_accept(launch.accept, [stream.name for stream in launch.streams], scenario.MEASURES, f"{where}: accept")


def _scenario(launch: LaunchFile, boards: Mapping[str, Board], where: str) -> None:
    """The scenario exists and takes this fleet; it is built once, without physics and pictures, to see."""
    rules.known(launch.scenario, scenarios.available(), f"{where}: scenario", "scenario")
    for i, fleet in enumerate(launch.fleet):
        rules.known(kind_of(fleet), KINDS, f"{where}: fleet[{i}].kind", "kind of robot")
    module = scenarios.load(launch.scenario)
    robots = [RobotSpec(name=robot, kind=kind_of(fleet), physics="kinematic")
              for fleet in launch.fleet for robot in fleet.robots()]
    try:
        module.build(robots, launch.seed, render=False).close()
    except ValueError as error:
        raise BadInput(f"{where}: fleet", str(error), "a smaller fleet, or another seed") from None
    check_spawn = getattr(module, "check_spawn", None)
    for i, fleet in enumerate(launch.fleet):
        at = f"{where}: fleet[{i}].spawn"
        if fleet.spawn and check_spawn is None:
            raise BadInput(at, f"scenario {launch.scenario} places its robots itself", "no spawn")
        for k, (x_m, y_m) in enumerate(fleet.spawn):
            try:
                check_spawn(launch.seed, len(robots), kind_of(fleet), x_m, y_m)     # pyright: ignore[reportOptionalCall]
            except ValueError as error:
                raise BadInput(f"{at}[{k}]", str(error), "a free place") from None


def kind_of(fleet: FleetSpec) -> str:
    """The kind of robot a fleet is made of."""
    return fleet.kind or (fleet.name if fleet.name in KINDS else "rover")


def _models(launch: LaunchFile, boards: Mapping[str, Board], where: str) -> None:
    """Every model is there, and every file of it is what its card says."""
    for i, stream in enumerate(launch.streams):
        at = f"{where}: streams[{i}].model"
        rules.known(stream.model, store.names(), at, "model")
        try:
            store.check(store.load_card(stream.model))
        except store.ModelError as error:
            raise BadInput(f"{at}: {error.where}", error.what, error.want) from None
