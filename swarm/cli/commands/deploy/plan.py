"""`swarm deploy plan INVENTORY`."""

from __future__ import annotations

import argparse
import json

from swarm.cli.commands import deploy

HELP = "ask every board what it is, and show what a push would change; nothing is changed"
EXAMPLE = "swarm deploy plan fleet.yaml"
arguments = deploy.inventory


def run(given: argparse.Namespace) -> int:
    """Exit code 1 if a board cannot be used, or would refuse the push."""
    import msgspec

    from swarm.cli.status_line import StatusLine
    from swarm.deploy.rollout import planned
    from swarm.deploy.rollout.fleet import Fleet
    from swarm.telemetry.text_table import text_table

    with StatusLine() as status:
        rows = planned.plan(Fleet(deploy.checked(given)), status)
    if given.json:
        print(json.dumps({"boards": msgspec.to_builtins(rows)}))
    else:
        print(text_table(planned.HEADINGS, [planned.cells(row) for row in rows]).rstrip())
    return int(any(row.trouble for row in rows))
