"""`swarm deploy status INVENTORY`."""

from __future__ import annotations

import argparse
import json

from swarm.cli.commands import deploy

HELP = "what every board runs, and how it is"
EXAMPLE = "swarm deploy status fleet.yaml"
arguments = deploy.inventory


def run(given: argparse.Namespace) -> int:
    """Exit code 1 if a board cannot be reached, or does not run."""
    import msgspec

    from swarm.deploy.rollout import state
    from swarm.deploy.rollout.fleet import Fleet
    from swarm.telemetry.text_table import text_table

    rows = state.status(Fleet(deploy.checked(given)))
    if given.json:
        print(json.dumps({"boards": msgspec.to_builtins(rows)}))
    else:
        print(text_table(state.HEADINGS, [state.cells(row) for row in rows]).rstrip())
    return int(any(row.state != "runs" for row in rows))
