"""`swarm keys list`."""

from __future__ import annotations

import argparse
import json
import sys

from swarm.cli.commands import keys

HELP = "name, fingerprint and state of every key"
EXAMPLE = "swarm keys list --json"


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--json", action="store_true")


def run(given: argparse.Namespace) -> int:
    """Exit code 1 if a file cannot be used: the owner of that key is not heard."""
    import msgspec

    from swarm.telemetry.text_table import text_table

    folder = keys.folder(given)
    entries = folder.entries()
    if given.json:
        print(json.dumps({"folder": str(folder.path), "keys": msgspec.to_builtins(entries)}))
    else:
        print(text_table((), [(entry.name, entry.fingerprint or "-", entry.state, entry.role,
                               "secret key here" if entry.secret else "") for entry in entries]), end="")
        for entry in entries:
            if entry.trouble:
                print(f"swarm: {entry.trouble}", file=sys.stderr)
    return int(any(entry.trouble for entry in entries))
