"""`swarm keys new NAME ...`."""

from __future__ import annotations

import argparse

from swarm.cli.commands import keys

HELP = "make the keys of processes: NAME.key, to stay with its process, and NAME.pub, for the others"
EXAMPLE = "swarm keys new rover_0 rover_1 planner"


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("names", metavar="NAME", nargs="+")


def run(given: argparse.Namespace) -> int:
    """Print each public key's fingerprint and file, which is to be carried to the others."""
    from swarm.net.security.key_files import PUBLIC

    folder = keys.folder(given)
    for name in given.names:
        pair = folder.new(name)
        print(f"{name}  {pair.fingerprint}  {folder.path / f'{name}{PUBLIC}'}")
    return 0
