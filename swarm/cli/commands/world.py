"""`swarm world FILE`."""

from __future__ import annotations

import argparse
import os

from swarm.cli import extras, process_file

HELP = "run the world's process"
EXAMPLE = "swarm world world.yaml"
arguments = process_file.arguments


def run(given: argparse.Namespace) -> int:
    """Check the file, then simulate until told to stop."""
    from sim_worlds import scenarios
    from sim_worlds.robots import KINDS, FlyingKind
    from swarm.core.settings import rules
    from swarm.core.settings.process_files import WorldFile
    from swarm.launcher.host_checks import check_display

    settings = process_file.checked(given, WorldFile, rules.world_file, scenarios.available(), KINDS)
    if settings.gui:
        check_display(f"{given.file}: gui", os.environ.get("DISPLAY", ""))
    flies = any(robot.physics == "dynamic" and isinstance(KINDS[robot.kind], FlyingKind) for robot in settings.robots)
    extras.needed(f"{given.file}: scenario {settings.scenario}", "pybullet", *(("numba",) if flies else ()))
    from sim_worlds.process import main

    return main(settings, given.file)
