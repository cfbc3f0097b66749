"""`swarm deploy logs INVENTORY [ROBOT ...]`."""

from __future__ import annotations

import argparse
import json

from swarm.cli.commands import deploy

HELP = "the last lines that the processes of each board logged"
EXAMPLE = "swarm deploy logs fleet.yaml rover_0 --lines 20"


def arguments(p: argparse.ArgumentParser) -> None:
    deploy.inventory(p)
    p.add_argument("robots", metavar="ROBOT", nargs="*", help="default: all")
    p.add_argument("--lines", type=int, default=20, metavar="N")


def run(given: argparse.Namespace) -> int:
    """Exit code 1 if a board cannot be reached."""
    from swarm.deploy.rollout import state
    from swarm.deploy.rollout.fleet import Fleet

    found = state.logs(Fleet(deploy.checked(given)), given.robots, given.lines, given.inventory)
    if given.json:
        print(json.dumps({"boards": found}))
    else:
        for robot, lines in found.items():
            for line in lines if lines is not None else ["(not reached)"]:
                print(f"{robot}: {line}")
    return int(any(lines is None for lines in found.values()))
