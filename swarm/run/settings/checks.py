"""Checks of a launch file beyond its types: names that exist, sensible numbers, robots that the scenario can place."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from sim_worlds.maps import FloorPlan
from swarm.core.protocol.bounds import ROBOTS_MAX
from swarm.core.protocol.sensors import SensorSuite
from swarm.core.settings import rules
from swarm.core.settings.boards import Board
from swarm.core.settings.errors import BadInput
from swarm.core.settings.launch_file import FleetSpec, LaunchFile
from swarm.core.settings.process_files import RobotSpec
from swarm.run.settings.fault_checks import check_faults, check_sensor_faults
from swarm.run.settings.known import Known
from swarm.run.settings.link_checks import check_link_names
from swarm.telemetry.accept import check_accept


def check_boards(boards: Mapping[str, Board], where: str) -> None:
    """Raises: BadInput. where: file and key, to which the name of the board is added."""
    for name, board in boards.items():
        rules.board(board, f"{where}{name}")


def with_map(launch: LaunchFile, known: Known, where: str) -> tuple[LaunchFile, FloorPlan | None]:
    """The launch file with a path of its map that holds everywhere, and the map's floor. Raises: BadInput."""
    if not launch.map:
        return launch, None
    rules.known(launch.scenario, known.scenarios(), f"{where}: scenario", "scenario")
    if not known.takes_map(launch.scenario):
        able = ", ".join(filter(known.takes_map, known.scenarios()))
        raise BadInput(f"{where}: map", f"scenario {launch.scenario} takes no map", f"no map, or one of {able}")
    try:
        floor = known.floor(launch.map)
    except BadInput as error:
        raise error.told_of(f"{where}: map") from None
    return msgspec.structs.replace(launch, map=floor.path), floor


def check_launch(
    launch: LaunchFile, boards: Mapping[str, Board], known: Known, where: str, floor: FloorPlan | None = None
) -> None:
    """All rules, in the order of the file. Raises: BadInput for the first rule that is broken. floor: of its map."""
    _whole_run(launch, where)
    _fleets(launch, boards, where)
    _streams(launch, where)
    check_link_names(launch, where)
    check_faults(launch, where)
    robots, suites = _scenario(launch, known, where, floor)
    check_sensor_faults(launch, suites, where)
    if launch.behaviour:
        _behaviour(launch, robots, suites, known, where)
    measures = known.measures(launch.scenario)
    check_accept(launch.accept, [stream.name for stream in launch.streams], measures, f"{where}: accept")
    _models(launch, known, where)
    _frames(launch, suites, known, where)


def _whole_run(launch: LaunchFile, where: str) -> None:
    rules.policy(launch.policy, f"{where}: policy")
    if launch.clock == "real":
        rules.in_real_time(launch.policy, f"{where}: policy")
        _airtimes(launch, where)
        if launch.perception != "model":
            raise BadInput(f"{where}: perception", f"{launch.perception}, but in real time the models run",
                           "clock: virtual, or perception: model")
    if launch.clock == "virtual" and launch.record:
        raise BadInput(f"{where}: record", "virtual time draws no pictures, so there is nothing to record",
                       "record: false, or clock: real")
    if launch.network != "loopback":
        raise BadInput(f"{where}: network", f"{launch.network} is not available yet", "network: loopback")
    if launch.base is not None and launch.reach_m is None:
        raise BadInput(f"{where}: base", "without reach_m all hear each other, wherever they are",
                       "reach_m: 8, or no base")
    friction = launch.randomise.friction
    if friction is not None and friction[0] > friction[1]:
        raise BadInput(f"{where}: randomise.friction", f"from {friction[0]:g} to {friction[1]:g}",
                       "the lower end first, like [0.5, 1.0]")
    if launch.warmup_s >= launch.duration_s:
        raise BadInput(f"{where}: warmup_s", f"{launch.warmup_s:g} leaves nothing of the run",
                       f"below duration_s, {launch.duration_s:g}")


def _airtimes(launch: LaunchFile, where: str) -> None:
    for key, link in launch.links.items():
        if link.airtime is not None:
            raise BadInput(f"{where}: links.{key}.airtime", "agents do not take turns in real time yet",
                           "clock: virtual, or no airtime")


def _fleets(launch: LaunchFile, boards: Mapping[str, Board], where: str) -> None:
    if not launch.fleet:
        raise BadInput(f"{where}: fleet", "no fleet", "at least one, like {name: rover, count: 2, board: orin_nano}")
    rules.distinct((fleet.name for fleet in launch.fleet), f"{where}: fleet")
    for i, fleet in enumerate(launch.fleet):
        at = f"{where}: fleet[{i}]"
        rules.unreserved(fleet.name, f"{at}.name")
        rules.known(fleet.board, boards, f"{at}.board", "board")
        if launch.clock == "real":
            rules.in_time(boards[fleet.board], boards, fleet.board, f"{at}.board")
        _presence(fleet, launch.duration_s, at)
        if fleet.battery_wh is None and fleet.charge != 1.0:
            raise BadInput(f"{at}.charge", f"{fleet.charge:g}, but its robots have no battery",
                           "battery_wh: platform, or so many Wh, beside it")
        if fleet.spawn and len(fleet.spawn) != fleet.count:
            raise BadInput(f"{at}.spawn", f"{len(fleet.spawn)} places for {fleet.count} robots",
                           "one [x, y] for each, or none at all")
    if all(fleet.joins_at_s for fleet in launch.fleet):
        raise BadInput(f"{where}: fleet", "no robot is there at the start", "one fleet at least without joins_at_s")
    robots = sum(fleet.count for fleet in launch.fleet)
    if robots > ROBOTS_MAX:
        raise BadInput(f"{where}: fleet", f"{robots} robots", f"at most {ROBOTS_MAX}")
    owners = {robot: fleet.name for fleet in launch.fleet for robot in fleet.robots()}
    for i, fleet in enumerate(launch.fleet):
        if fleet.name in owners:                     # a fault of this name could mean either
            raise BadInput(f"{where}: fleet[{i}].name", f"a robot of fleet {owners[fleet.name]!r} is called "
                           f"{fleet.name!r}, too", "a name of its own")


def _presence(fleet: FleetSpec, duration_s: float, at: str) -> None:
    """A fleet joins and leaves within the run, in this order."""
    if fleet.joins_at_s >= duration_s:
        raise BadInput(f"{at}.joins_at_s", f"{fleet.joins_at_s:g} is not within the run",
                       f"from 0 to below duration_s, {duration_s:g}")
    if fleet.leaves_at_s is None:
        return
    if fleet.leaves_at_s >= duration_s:
        raise BadInput(f"{at}.leaves_at_s", f"{fleet.leaves_at_s:g} is not within the run",
                       f"below duration_s, {duration_s:g}, or nothing: the fleet stays to the end")
    if fleet.leaves_at_s <= fleet.joins_at_s:
        raise BadInput(f"{at}.leaves_at_s", f"at {fleet.leaves_at_s:g} s the fleet has not joined",
                       f"above joins_at_s, {fleet.joins_at_s:g}")


def _streams(launch: LaunchFile, where: str) -> None:
    fleets = [fleet.name for fleet in launch.fleet]
    rules.streams(launch.streams, f"{where}: streams")
    for i, stream in enumerate(launch.streams):
        at = f"{where}: streams[{i}].on"
        if not stream.on:
            raise BadInput(at, "no fleet", f"at least one of {', '.join(fleets)}")
        for k, name in enumerate(stream.on):
            rules.known(name, fleets, at, "fleet")
            if name in stream.on[:k]:
                raise BadInput(at, f"{name!r} is there already", "each fleet once")


def _scenario(launch: LaunchFile, known: Known, where: str, floor: FloorPlan | None
              ) -> tuple[list[RobotSpec], Mapping[str, SensorSuite]]:
    """The scenario exists and can hold this fleet, at the places that the file names. Returns the robots, and the
    sensors of each.
    """
    scenario, kinds = launch.scenario, known.kinds()
    rules.known(scenario, known.scenarios(), f"{where}: scenario", "scenario")
    for i, fleet in enumerate(launch.fleet):
        rules.known(kind_of(fleet, kinds), kinds, f"{where}: fleet[{i}].kind", "kind of robot")
    robots = [RobotSpec(name=robot, kind=kind_of(fleet, kinds), urdf=fleet.urdf, wheels=fleet.wheels, spawn=spawn,
                        physics="kinematic", sensors=fleet.sensors, battery_wh=fleet.battery_wh,
                        charge=fleet.charge)
              for fleet in launch.fleet for robot, spawn in fleet.places()]
    for i, fleet in enumerate(launch.fleet):
        at = f"{where}: fleet[{i}].spawn"
        if fleet.spawn and not known.takes_spawns(scenario):
            raise BadInput(at, f"scenario {scenario} places its robots itself", "no spawn")
        alone = fleet.spawn if floor is None and not fleet.urdf else ()     # on a map, and with bodies of the user's,
        for k, (x_m, y_m) in enumerate(alone):                              # all are checked at once
            try:
                known.check_spawn(scenario, launch.seed, len(robots), kind_of(fleet, kinds), x_m, y_m)
            except BadInput as error:
                raise error.told_of(f"{where}: scenario") from None
            except ValueError as error:
                raise BadInput(f"{at}[{k}]", str(error), "a free place") from None
    try:
        return robots, known.sensors(scenario, robots, launch.seed, floor)
    except BadInput as error:
        raise error.told_of(f"{where}: scenario") from None
    except ValueError as error:
        raise BadInput(f"{where}: fleet", str(error), "a smaller fleet, other places, or another seed") from None


def _behaviour(
    launch: LaunchFile, robots: Sequence[RobotSpec], suites: Mapping[str, SensorSuite], known: Known, where: str
) -> None:
    """The behaviour exists, and the robots have the sensors that it needs."""
    rules.known(launch.behaviour, known.behaviours(), f"{where}: behaviour", "behaviour")
    try:
        known.check_behaviour(launch.behaviour, robots, launch.seed, suites)
    except BadInput as error:
        raise error.told_of(f"{where}: behaviour") from None


def kind_of(fleet: FleetSpec, kinds: Collection[str]) -> str:
    """The kind of robot that a fleet is made of. kinds: those that exist. A body of the user's stands for a rover's."""
    if fleet.urdf:
        return "rover"
    return fleet.kind or (fleet.name if fleet.name in kinds else "rover")


def _models(launch: LaunchFile, known: Known, where: str) -> None:
    """Every model exists, and every file of it is what its card says."""
    used = sorted({stream.model for stream in launch.streams})
    for model in launch.variants:
        rules.known(model, used, f"{where}: variants", "model of a stream")
    for i, stream in enumerate(launch.streams):
        at = f"{where}: streams[{i}].model"
        rules.known(stream.model, known.models(), at, "model")
        try:
            known.check_model(stream.model)
        except BadInput as error:
            raise BadInput(f"{at}: {error.where}", error.what, error.want) from None


def _frames(launch: LaunchFile, suites: Mapping[str, SensorSuite], known: Known, where: str) -> None:
    """The cameras have as many pixels as each model takes whose card does not say how to scale them."""
    for i, stream in enumerate(launch.streams):
        wanted = known.frame_px(stream.model) if stream.source == "camera" else None
        for robot in (robot for fleet in launch.fleet if fleet.name in stream.on for robot in fleet.robots()):
            camera = suites[robot].camera
            if wanted is not None and camera is not None and (camera.width_px, camera.height_px) != wanted:
                width, height = wanted
                raise BadInput(f"{where}: streams[{i}].model", f"{stream.model} takes frames of {width} x {height} "
                               f"pixels, and the camera of {robot} has {camera.width_px} x {camera.height_px}",
                               "a model whose card has an `image`, or another camera")
