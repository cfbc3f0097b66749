"""The host of a world: it builds the scenario's world and runs a `WorldServer` on the real loop and sockets.

This short file is separate because only it and the physics client touch the machine in `sim_worlds`.
"""

from __future__ import annotations

from sim_worlds import scenarios
from sim_worlds.world_server import WorldServer
from swarm.core.settings.errors import BadInput
from swarm.core.settings.process_files import WorldFile
from swarm.net.process import Process, log_to_stderr


def main(settings: WorldFile, where: str) -> int:
    """Run a world to its end. where: path of the settings file. Raises: BadInput before the start."""
    log_to_stderr(settings.name)
    try:
        world = scenarios.load(settings.scenario).build(settings.robots, settings.seed)
    except ValueError as error:                          # the fleet is empty, or does not fit
        raise BadInput(f"{where}: robots", str(error), "other robots, places or another seed") from None
    with world:
        process = Process(settings, "world")
        process.run(WorldServer(process.host, settings, world).begin)
    return 0
