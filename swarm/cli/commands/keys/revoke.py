"""`swarm keys revoke NAME ...`."""

from __future__ import annotations

import argparse

from swarm.cli.commands import keys

HELP = "hear the owners of these names no more, on connections that stand, too"
EXAMPLE = "swarm keys revoke rover_1"
arguments = keys.names


def run(given: argparse.Namespace) -> int:
    """Print the fingerprint of each key that is now revoked."""
    return keys.print_each(given, lambda folder, name: f"{folder.revoke(name).fingerprint}  revoked")
