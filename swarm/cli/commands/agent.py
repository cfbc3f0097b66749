"""`swarm agent FILE`: what a board runs, and what the launcher runs as its child."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "run one robot's process"
EXAMPLE = "swarm agent /etc/swarm/agent.yaml"


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("file", metavar="FILE", help="the settings of this process, YAML")


def run(given: argparse.Namespace) -> int:
    """One robot. Imports neither ray nor pybullet nor torch nor onnx."""
    from swarm.core.settings import rules
    from swarm.core.settings.process_files import AgentFile
    from swarm.core.settings.reading import read

    settings = read(Path(given.file), AgentFile)
    from agents import behaviours

    rules.agent_file(settings, given.file, behaviours.available())
    from agents.process import main

    return main(settings)
