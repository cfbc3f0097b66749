"""`swarm planner FILE`."""

from __future__ import annotations

import argparse

from swarm.cli import extras, process_file

HELP = "run the planner's process"
EXAMPLE = "swarm planner /etc/swarm/planner.yaml"
arguments = process_file.arguments
LONGEST_START_S = 1800.0             # of a slow board that compiles


def run(given: argparse.Namespace) -> int:
    """Check the file, then plan until told to stop."""
    from swarm.core.settings import rules
    from swarm.core.settings.process_files import PlannerFile

    settings = process_file.checked(given, PlannerFile, rules.planner_file)
    if settings.places:
        rules.in_real_time(settings.places, f"{given.file}: places")
    extras.needed("swarm planner", "numba")
    from swarm.net.service_manager import starting

    with starting("compiling the planner's loops, once for this machine", LONGEST_START_S):
        from swarm.planner import process
    return process.main(settings)
