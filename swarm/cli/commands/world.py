"""`swarm world FILE`."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "run the world's process"
EXAMPLE = "swarm world world.yaml"


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("file", metavar="FILE", help="the settings of this process, YAML")


def run(given: argparse.Namespace) -> int:
    """Check the file, then simulate until told to stop."""
    from sim_worlds import scenarios
    from sim_worlds.robots import KINDS
    from swarm.cli import extras
    from swarm.core.settings import rules
    from swarm.core.settings.process_files import WorldFile
    from swarm.core.settings.reading import read

    settings = read(Path(given.file), WorldFile)
    rules.world_file(settings, given.file, scenarios.available(), KINDS)
    extras.needed(f"{given.file}: scenario {settings.scenario}", "pybullet")
    from sim_worlds.process import main

    return main(settings, given.file)
