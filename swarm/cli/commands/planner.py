"""`swarm planner FILE`."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "run the planner's process"
EXAMPLE = "swarm planner /etc/swarm/planner.yaml"


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("file", metavar="FILE", help="the settings of this process, YAML")


def run(given: argparse.Namespace) -> int:
    """Check the file, then plan until told to stop."""
    from swarm.core.settings import rules
    from swarm.core.settings.process_files import PlannerFile
    from swarm.core.settings.reading import read

    settings = read(Path(given.file), PlannerFile)
    rules.planner_file(settings, given.file)
    from swarm.planner import process

    return process.run(settings)
