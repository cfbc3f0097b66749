"""`swarm planner FILE`."""

from __future__ import annotations

import argparse

from swarm.cli import process_file

HELP = "run the planner's process"
EXAMPLE = "swarm planner /etc/swarm/planner.yaml"
arguments = process_file.arguments


def run(given: argparse.Namespace) -> int:
    """Check the file, then plan until told to stop."""
    from swarm.core.settings import rules
    from swarm.core.settings.process_files import PlannerFile

    settings = process_file.checked(given, PlannerFile, rules.planner_file)
    if settings.places:
        rules.in_real_time(settings.places, f"{given.file}: places")
    from swarm.planner import process

    return process.main(settings)
