"""`swarm body FILE`."""

from __future__ import annotations

import argparse

from swarm.cli import process_file

HELP = "run the body of a robot on a board: it replays a recording"
EXAMPLE = "swarm body /etc/swarm/body.yaml"
arguments = process_file.arguments


def run(given: argparse.Namespace) -> int:
    """Check the file, then send frames until told to stop."""
    from sim_worlds import process
    from swarm.core.settings import rules
    from swarm.core.settings.process_files import BodyFile

    return process.body(process_file.checked(given, BodyFile, rules.body_file), given.file)
