"""The host of a world: it builds the scenario's world and runs a `WorldServer` on the real loop and sockets.

This short file is separate because only it and the physics client touch the machine in `sim_worlds`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from sim_worlds import scenarios
from sim_worlds.engine import Engine
from sim_worlds.maps import floor_plan
from sim_worlds.recorded import Recorded, frames_of
from sim_worlds.world_interface import World
from sim_worlds.world_server import WorldServer
from swarm import settings_files
from swarm.core.settings.errors import BadInput
from swarm.core.settings.process_files import BodyFile, RobotSpec, WorldFile
from swarm.core.units import ns
from swarm.net.process import Process, log_to_stderr

SHOW_NS = ns(0.04)                   # from one picture of the window to the next, at least
REST_BY_SHOW = 4                     # a window that draws slowly takes a fifth of the world's time, at most


def main(settings: WorldFile, where: str) -> int:
    """Run a world to its end. where: path of the settings file. Raises: BadInput before the start."""
    log_to_stderr(settings.name)
    floor = floor_plan(settings_files.load_map(Path(settings.map))) if settings.map else None
    try:
        world = scenarios.build(settings.scenario, settings.robots, settings.seed, floor,
                                surroundings=settings.surroundings)
    except BadInput as error:                            # the scenario is at fault
        raise error.told_of(f"{where}: scenario") from None
    except ValueError as error:                          # the fleet is empty, or does not fit
        raise BadInput(f"{where}: robots", str(error), "other robots, places or another seed") from None
    with world:
        process = Process(settings, "world")
        server = WorldServer(process.host, settings, world)
        with _window(world, settings, process) if settings.gui else nullcontext():
            process.run(server.begin)
    return 0


@contextmanager
def _window(world: World, settings: WorldFile, process: Process) -> Iterator[None]:
    """A window on the world while its process runs, if there is anything to see."""
    if not isinstance(world, Engine):
        yield
        return
    from sim_worlds.viewer import Viewer

    viewer, host = Viewer(world, settings.robots), process.host

    def show() -> None:
        began_ns = host.clock.now_ns()
        viewer.show()
        host.timers.after(max(SHOW_NS, REST_BY_SHOW * (host.clock.now_ns() - began_ns)), show)

    show()
    try:
        yield
    finally:
        viewer.close()


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
