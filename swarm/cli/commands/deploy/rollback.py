"""`swarm deploy rollback INVENTORY [ROBOT ...]`."""

from __future__ import annotations

import argparse
import json

from swarm.cli.commands import deploy

HELP = "let boards run their previous release again, on trial as any other"
EXAMPLE = "swarm deploy rollback fleet.yaml rover_0"


def arguments(p: argparse.ArgumentParser) -> None:
    deploy.inventory(p)
    p.add_argument("robots", metavar="ROBOT", nargs="*", help="default: all")


def run(given: argparse.Namespace) -> int:
    """Exit code 1 if a board did not go back."""
    from swarm.deploy.rollout import state
    from swarm.deploy.rollout.fleet import Fleet

    found = state.rollback(Fleet(deploy.checked(given)), given.robots, given.inventory)
    if given.json:
        print(json.dumps({"boards": found}))
    else:
        for robot, (number, why) in found.items():
            print(f"{robot}: {why or f'release {number} is on trial'}")
    return int(any(why for _, why in found.values()))
