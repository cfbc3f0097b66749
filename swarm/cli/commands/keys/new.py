"""`swarm keys new NAME ...`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from swarm.cli.commands import keys

if TYPE_CHECKING:
    from swarm.net.security.key_folder import KeyFolder

HELP = "make the keys of processes: NAME.key, to stay with its process, and NAME.pub, for the others"
EXAMPLE = "swarm keys new rover_0 rover_1 planner"


def arguments(p: argparse.ArgumentParser) -> None:
    keys.names(p)
    keys.role(p)


def run(given: argparse.Namespace) -> int:
    """Print each public key's fingerprint and file, which is to be carried to the others."""
    from swarm.net.security.key_files import PUBLIC

    def new(folder: KeyFolder, name: str) -> str:
        return f"{folder.new(name, role=given.role).fingerprint}  {folder.path / f'{name}{PUBLIC}'}"

    return keys.print_each(given, new)
