"""The host of a world: it builds the scenario's world and runs a `WorldServer` on the real loop and sockets.

This short file is separate because only it and the physics client touch the machine in `sim_worlds`.
"""

from __future__ import annotations

from pathlib import Path

from sim_worlds import scenarios
from sim_worlds.maps import floor_plan
from sim_worlds.recorded import Recorded, frames_of
from sim_worlds.world_server import WorldServer
from swarm import settings_files
from swarm.core.settings.errors import BadInput
from swarm.core.settings.process_files import BodyFile, RobotSpec, WorldFile
from swarm.net.process import Process, log_to_stderr


def main(settings: WorldFile, where: str) -> int:
    """Run a world to its end. where: path of the settings file. Raises: BadInput before the start."""
    log_to_stderr(settings.name)
    floor = floor_plan(settings_files.load_map(Path(settings.map))) if settings.map else None
    try:
        world = scenarios.build(settings.scenario, settings.robots, settings.seed, floor,
                                surroundings=settings.surroundings)
    except ValueError as error:                          # the fleet is empty, or does not fit
        raise BadInput(f"{where}: robots", str(error), "other robots, places or another seed") from None
    with world:
        process = Process(settings, "world")
        process.run(WorldServer(process.host, settings, world).begin)
    return 0


def body(settings: BodyFile, where: str) -> int:
    """Run a recorded body to its end. where: path of the settings file. Raises: BadInput before the start."""
    log_to_stderr(settings.name)
    try:
        frames = frames_of(Path(settings.recording).read_bytes())
    except (OSError, ValueError) as error:
        raise BadInput(f"{where}: recording: {settings.recording}", str(error),
                       "NAME.npz, as a run with `record: true` writes it") from None
    as_world = WorldFile(
        version=1, swarm=settings.swarm, name=settings.name, seed=settings.seed, bind=settings.bind,
        keys=settings.keys, security=settings.security, launcher=settings.launcher, roster=settings.roster,
        scenario="recorded", robots=[RobotSpec(name=settings.robot, kind="rover")],
        frame_hz=settings.frame_hz, sense_hz=settings.frame_hz)
    process = Process(settings, "world")
    process.run(WorldServer(process.host, as_world, Recorded(settings.robot, frames)).begin)
    return 0
