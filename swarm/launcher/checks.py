"""What a launch file may say beyond its types: names that exist, numbers that make sense, robots that can stand."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping

from models import store
from sim_worlds import scenarios
from sim_worlds.robots import KINDS, RobotSpec
from swarm.core.cards import PRECISIONS
from swarm.core.config import RESERVED, Board, FleetSpec, LaunchFile
from swarm.core.errors import BadInput
from swarm.core.route import POLICIES
from swarm.telemetry.accept import check_accept

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,47}")
EMULATED_SPEED_MAX = 0.5             # so that the host keeps up with what it pretends to be
ROBOTS_MAX = 1000
DURATION_S_MAX = 86_400.0


def check_boards(boards: Mapping[str, Board], where: str) -> None:
    """Raises: BadInput."""
    for name, board in boards.items():
        at = f"{where}: {name}"
        for key, value in (("memory_mb", board.memory_mb), ("power_w", board.power_w), ("executors", board.executors)):
            _positive(value, f"{at}.{key}")
        for precision in PRECISIONS:
            speed = board.speed.get(precision, 0.0)
            _positive(speed, f"{at}.speed.{precision}")
            if board.emulated and speed > EMULATED_SPEED_MAX:
                raise BadInput(f"{at}.speed.{precision}", f"{speed:g} for an emulated board",
                               f"at most {EMULATED_SPEED_MAX:g}, or this host cannot keep up with it")


def check_launch(launch: LaunchFile, boards: Mapping[str, Board], where: str) -> None:
    """All rules in the order of the file; the first that is broken is told. Raises: BadInput."""
    rules: tuple[Callable[[LaunchFile, Mapping[str, Board], str], None], ...] = (
        _whole_run, _fleets, _streams, _faults, _rules, _scenario, _models,
    )
    for rule in rules:
        rule(launch, boards, where)


def known(name: str, names: Collection[str], where: str, what: str) -> None:
    """Raises: BadInput with the nearest of `names` unless `name` is one of them."""
    if name in names:
        return
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    listed = f"known: {', '.join(sorted(names)) or 'none'}"
    raise BadInput(where, f"no {what} is called {name!r}", f"did you mean {near[0]!r}? {listed}" if near else listed)


def _whole_run(launch: LaunchFile, boards: Mapping[str, Board], where: str) -> None:
    known(launch.policy, POLICIES, f"{where}: policy", "policy")
    if launch.seed < 0:
        raise BadInput(f"{where}: seed", f"{launch.seed} is negative", "a whole number from 0 on")
    _positive(launch.duration_s, f"{where}: duration_s")
    if launch.duration_s > DURATION_S_MAX:
        raise BadInput(f"{where}: duration_s", f"{launch.duration_s:g} s", f"at most {DURATION_S_MAX:g}, one day")
    if launch.clock == "virtual":
        raise BadInput(f"{where}: clock", "virtual time is not available yet", "clock: real")
    if launch.network != "loopback":
        raise BadInput(f"{where}: network", f"{launch.network} is not available yet", "network: loopback")


def _fleets(launch: LaunchFile, boards: Mapping[str, Board], where: str) -> None:
    if not launch.fleet:
        raise BadInput(f"{where}: fleet", "no fleet", "at least one, like {name: rover, count: 2, board: orin_nano}")
    _distinct((fleet.name for fleet in launch.fleet), f"{where}: fleet")
    for i, fleet in enumerate(launch.fleet):
        at = f"{where}: fleet[{i}]"
        _name(fleet.name, f"{at}.name")
        if fleet.count < 1:
            raise BadInput(f"{at}.count", f"{fleet.count} robots", "a whole number from 1 on")
        known(fleet.board, boards, f"{at}.board", "board")
        if fleet.spawn and len(fleet.spawn) != fleet.count:
            raise BadInput(f"{at}.spawn", f"{len(fleet.spawn)} places for {fleet.count} robots",
                           "one [x, y] for each, or none at all")
    robots = sum(fleet.count for fleet in launch.fleet)
    if robots > ROBOTS_MAX:
        raise BadInput(f"{where}: fleet", f"{robots} robots", f"at most {ROBOTS_MAX}")


def _streams(launch: LaunchFile, boards: Mapping[str, Board], where: str) -> None:
    fleets = [fleet.name for fleet in launch.fleet]
    _distinct((stream.name for stream in launch.streams), f"{where}: streams")
    for i, stream in enumerate(launch.streams):
        at = f"{where}: streams[{i}]"
        _name(stream.name, f"{at}.name")
        for name in stream.on:
            known(name, fleets, f"{at}.on", "fleet")
        _positive(stream.rate_hz, f"{at}.rate_hz")
        _positive(stream.deadline_s, f"{at}.deadline_s")


def _faults(launch: LaunchFile, boards: Mapping[str, Board], where: str) -> None:
    processes = [robot for fleet in launch.fleet for robot in fleet.robots()] + ["world"]
    if launch.policy == "planner":
        processes.append("planner")
    for i, fault in enumerate(launch.faults):
        known(fault.kill, processes, f"{where}: faults[{i}].kill", "process")
        if not 0 <= fault.at_s < launch.duration_s:
            raise BadInput(f"{where}: faults[{i}].at_s", f"{fault.at_s:g} is not within the run",
                           f"from 0 to below duration_s, {launch.duration_s:g}")


def _rules(launch: LaunchFile, boards: Mapping[str, Board], where: str) -> None:
    check_accept(launch.accept, [stream.name for stream in launch.streams], f"{where}: accept")


def _scenario(launch: LaunchFile, boards: Mapping[str, Board], where: str) -> None:
    """The scenario exists and takes this fleet; it is built once, without physics and pictures, to see."""
    known(launch.scenario, scenarios.available(), f"{where}: scenario", "scenario")
    for i, fleet in enumerate(launch.fleet):
        known(kind_of(fleet), KINDS, f"{where}: fleet[{i}].kind", "kind of robot")
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
        known(stream.model, store.names(), at, "model")
        try:
            card = store.load_card(stream.model)
            for variant in card.variants:
                store.artefact(card, variant)
        except store.ModelError as error:
            raise BadInput(f"{at}: {error.where}", error.what, error.want) from None


def _name(name: str, where: str) -> None:
    if not NAME.fullmatch(name):
        raise BadInput(where, f"{name!r} is no name", "a letter, then up to 47 letters, digits, _ or -")
    if name in RESERVED:
        raise BadInput(where, f"{name!r} is reserved", f"a name other than {', '.join(RESERVED)}")


def _distinct(names: Iterable[str], where: str) -> None:
    seen: set[str] = set()
    for i, name in enumerate(names):
        if name in seen:
            raise BadInput(f"{where}[{i}].name", f"{name!r} is there already", "a name of its own")
        seen.add(name)


def _positive(value: float, where: str) -> None:
    if not (math.isfinite(value) and value > 0):
        raise BadInput(where, f"{value:g} is not a positive number", "a number above 0")
