"""`swarm keys revoke NAME ...`."""

from __future__ import annotations

import argparse

from swarm.cli.commands import keys

HELP = "hear the owners of these names no more, on connections that stand, too"
EXAMPLE = "swarm keys revoke rover_1"


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("names", metavar="NAME", nargs="+")


def run(given: argparse.Namespace) -> int:
    """Print the fingerprint of each key that is now revoked."""
    folder = keys.folder(given)
    for name in given.names:
        print(f"{name}  {folder.revoke(name).fingerprint}  revoked")
    return 0
