"""`swarm keys ACTION`: the members of a swarm, by their keys."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from swarm.net.security.key_folder import KeyFolder

HELP = "make, enrol, revoke and list the keys of a swarm"
EXAMPLE = "swarm keys new rover_0 && swarm keys enrol rover_0"
DESCRIPTION = """\
make, enrol, revoke and list the keys by which the processes of a swarm know each other

  DIR/NAME.key            secret and public key of a process; only its owner may read it (0600)
  DIR/NAME.pub            its public key, to be carried to the others
  DIR/enrolled/NAME.pub   who is heard; copy this folder to every board
  DIR/revoked/            who no longer is

A process's file says `keys: DIR`. Without it a process speaks in plaintext, on loopback alone unless its file says
`security: plaintext`. `swarm launch` makes keys of its own for each run."""
VARIABLE = "SWARM_KEYS"


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--keys", metavar="DIR", help="default: $SWARM_KEYS, else ~/.config/swarm/keys")


def folder(given: argparse.Namespace) -> KeyFolder:
    """--keys, else $SWARM_KEYS, else the user's own."""
    from swarm.net.security.key_folder import KeyFolder

    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return KeyFolder(Path(given.keys or os.environ.get(VARIABLE) or home / "swarm" / "keys"))


def names(p: argparse.ArgumentParser) -> None:
    """The arguments of an action on names."""
    p.add_argument("names", metavar="NAME", nargs="+")


def role(p: argparse.ArgumentParser) -> None:
    """The option for the role of a process's key."""
    from swarm.core.settings.rules import ROLES

    p.add_argument("--role", choices=ROLES, default="",
                   help="what the process may say in the swarm; without it: that of its name (planner, world, "
                        "launcher, collector), else agent")


def print_each(given: argparse.Namespace, act: Callable[[KeyFolder, str], str]) -> int:
    """Act on each name given, and print it with what the action says."""
    where = folder(given)
    for name in given.names:
        print(f"{name}  {act(where, name)}")
    return 0
