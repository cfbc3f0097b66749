"""`swarm agent|planner|world FILE`: what a board runs, and what the launcher runs as its children."""

from __future__ import annotations

import argparse
from pathlib import Path

from swarm.cli import extras
from swarm.core.settings import rules
from swarm.core.settings.config import AgentFile, PlannerFile, WorldFile, read


def agent(given: argparse.Namespace) -> int:
    """One robot. Imports neither ray nor pybullet nor torch nor onnx."""
    settings = read(Path(given.file), AgentFile)
    from agents import behaviours

    rules.agent_file(settings, given.file, behaviours.available())
    from agents.process import main

    return main(settings)


def planner(given: argparse.Namespace) -> int:
    settings = read(Path(given.file), PlannerFile)
    rules.planner_file(settings, given.file)
    from swarm.planner.process import run

    return run(settings)


def world(given: argparse.Namespace) -> int:
    settings = read(Path(given.file), WorldFile)
    from sim_worlds import scenarios
    from sim_worlds.robots import KINDS

    rules.world_file(settings, given.file, scenarios.available(), KINDS)
    extras.needed(f"{given.file}: scenario {settings.scenario}", "pybullet")
    from sim_worlds.world_server import main

    return main(settings, given.file)
