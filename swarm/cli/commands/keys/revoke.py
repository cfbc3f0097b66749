"""`swarm keys revoke NAME ...`."""

from __future__ import annotations

import argparse

from swarm.cli.commands import keys

HELP = "hear the owners of these names no more, on connections that stand, too"
EXAMPLE = "swarm keys revoke rover_1"


def arguments(p: argparse.ArgumentParser) -> None:
    keys.names(p)
    p.add_argument("--fleet", metavar="INVENTORY", default="",
                   help="on all boards of this inventory, whose folder has the keys")


def run(given: argparse.Namespace) -> int:
    """Print the fingerprint of each key that is now revoked. Exit code 1 if a board of the fleet was not reached."""
    if not given.fleet:
        return keys.print_each(given, lambda folder, name: f"{folder.revoke(name).fingerprint}  revoked")
    from swarm.cli.commands import deploy
    from swarm.deploy.rollout import revocation
    from swarm.deploy.rollout.fleet import Fleet

    fleet = Fleet(deploy.read(given.fleet))
    for name in given.names:
        print(f"{name}  {fleet.keys.revoke(name).fingerprint}  revoked")
    told = revocation.tell(fleet)
    for robot, why in told.items():
        print(f"{robot}  {why or 'follows'}")
    return int(any(told.values()))
