"""`swarm agent FILE`: what a board runs, and what the launcher runs as its child."""

from __future__ import annotations

import argparse

from swarm.cli import process_file

HELP = "run one robot's process"
EXAMPLE = "swarm agent /etc/swarm/agent.yaml"
arguments = process_file.arguments


def run(given: argparse.Namespace) -> int:
    """One robot. Imports neither ray nor pybullet nor torch nor onnx."""
    from agents import behaviours
    from swarm.core.settings import rules
    from swarm.core.settings.process_files import AgentFile

    settings = process_file.checked(given, AgentFile, rules.agent_file, behaviours.available())
    from agents.process import main

    return main(settings)
