"""An operator's push in a process of its own, so that a bench can kill it: INVENTORY, and the name of a release.

`bad.py` knows the names.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from models import store
from swarm.bench.deploy import bad
from swarm.deploy import inventory
from swarm.deploy.rollout.fleet import Fleet
from swarm.deploy.rollout.push import Push
from swarm.launcher import find


def begun(path: Path, name: str) -> subprocess.Popen[bytes]:
    """A push that has begun; the caller ends it."""
    return subprocess.Popen([sys.executable, "-m", __name__, str(path), name], stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)


def main(path: str, name: str) -> int:
    fleet = Fleet(inventory.read(Path(path), find.boards_file(Path(path)), store.names()))
    Push(fleet, lambda text: None, made=bad.Edited(fleet, bad.named(name))).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
