"""`swarm deploy ACTION`: releases of the runtime on real boards."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from swarm.deploy.inventory import Read

HELP = "bring releases to real boards, in waves, and see how they are"
EXAMPLE = "swarm deploy push fleet.yaml"
DESCRIPTION = """\
bring releases of the runtime to real boards over ssh, in waves; each board tries its release and goes back by itself

An INVENTORY is a YAML file: fleet and streams as in a launch file, and for each robot its address. What belongs to the
fleet (signing key, host keys, public keys) is kept beside it in NAME.fleet/. See docs/deploy.md."""


def inventory(p: argparse.ArgumentParser) -> None:
    """The arguments of an action on a fleet."""
    p.add_argument("inventory", metavar="INVENTORY", help="the boards of the fleet, YAML")
    p.add_argument("--json", action="store_true")


def checked(given: argparse.Namespace) -> Read:
    """The inventory, read and checked. Raises: BadInput."""
    return read(given.inventory)


def read(name: str) -> Read:
    """An inventory by its path, checked. Raises: BadInput."""
    from models import store
    from swarm.deploy import inventory as inventories
    from swarm.launcher import find

    path = Path(name)
    return inventories.read(path, find.boards_file(path), store.names())
