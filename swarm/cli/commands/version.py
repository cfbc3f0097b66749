"""`swarm version`."""

from __future__ import annotations

import argparse

HELP = "print the version"
EXAMPLE = "swarm version"


def run(given: argparse.Namespace) -> int:
    """Of the distribution that is installed."""
    from swarm.cli.commands.doctor import DISTRIBUTION, version_of

    print(version_of(DISTRIBUTION))
    return 0
