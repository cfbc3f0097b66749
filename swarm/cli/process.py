"""`swarm agent|planner|world|collector FILE`: what a board runs; the launcher runs the first three as its children."""

from __future__ import annotations

import argparse
from pathlib import Path

from swarm.cli import extras
from swarm.core.settings import rules
from swarm.core.settings.config import AgentFile, CollectorFile, PlannerFile, WorldFile, read


def agent(given: argparse.Namespace) -> int:
    """One robot. Imports neither ray nor pybullet nor torch nor onnx."""
    settings = read(Path(given.file), AgentFile)
    from agents import behaviours

    rules.agent_file(settings, given.file, behaviours.available())
    from agents.robot import main

    return main(settings)


def planner(given: argparse.Namespace) -> int:
    settings = read(Path(given.file), PlannerFile)
    rules.planner_file(settings, given.file)
    from swarm.planner.process import run

    return run(settings)


def collector(given: argparse.Namespace) -> int:
    """For boards without a launcher: writes a run folder when it is told to end."""
    settings = read(Path(given.file), CollectorFile)
    rules.collector_file(settings, given.file)
    extras.needed("swarm collector", "matplotlib", "pyarrow")
    from swarm.telemetry.process import run

    return run(settings, given.file)


def world(given: argparse.Namespace) -> int:
    settings = read(Path(given.file), WorldFile)
    from sim_worlds import scenarios
    from sim_worlds.robots import KINDS

    rules.world_file(settings, given.file, scenarios.available(), KINDS)
    extras.needed(f"{given.file}: scenario {settings.scenario}", "pybullet")
    from sim_worlds.world_server import main

    return main(settings, given.file)
