"""An operator's push in a process of its own, so that a bench can kill it: INVENTORY, and the name of a bad release."""

from __future__ import annotations

import sys
from pathlib import Path

from models import store
from swarm.bench.deploy import bad
from swarm.deploy import inventory
from swarm.deploy.rollout.fleet import Fleet
from swarm.deploy.rollout.push import Push
from swarm.launcher import find


def main(path: str, name: str) -> int:
    fleet = Fleet(inventory.read(Path(path), find.boards_file(Path(path)), store.names()))
    Push(fleet, lambda text: None, made=bad.Edited(fleet, bad.runs(name))).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
