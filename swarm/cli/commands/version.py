"""`swarm version`."""

from __future__ import annotations

import argparse

HELP = "print the version"
EXAMPLE = "swarm version"


def run(given: argparse.Namespace) -> int:
    """Print the version of the installed distribution."""
    from swarm.cli.commands.doctor import DISTRIBUTION, version_of

    print(version_of(DISTRIBUTION))
    return 0
