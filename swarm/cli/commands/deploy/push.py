"""`swarm deploy push INVENTORY`."""

from __future__ import annotations

import argparse
import json
import sys

from swarm.cli.commands import deploy

HELP = "bring every board its release, wave after wave; a board whose trial fails goes back, and the push stops"
EXAMPLE = "swarm deploy push fleet.yaml"
SAID = {"put back": "was put back", "pending": "did not answer", "refused": "refused"}


def arguments(p: argparse.ArgumentParser) -> None:
    deploy.inventory(p)
    p.add_argument("--allow-older", action="store_true",
                   help="also if a board has accepted a release with a higher number")


def run(given: argparse.Namespace) -> int:
    """Exit code 1 if the roll-out stopped; 2 if it did not, and a board could not be used."""
    import msgspec

    from swarm.cli.status_line import StatusLine
    from swarm.deploy.rollout import push
    from swarm.deploy.rollout.fleet import Fleet

    read = deploy.checked(given)
    with StatusLine() as status:
        pushed = push.Push(Fleet(read), status, older=given.allow_older).run()
    print(json.dumps(msgspec.to_builtins(pushed)) if given.json else push.as_text(pushed))
    if pushed.stopped:
        for one in pushed.boards:
            if one.outcome in SAID:
                gate = f"{one.gate}: " if one.gate else ""
                print(f"swarm: {one.board} {SAID[one.outcome]}: {gate}{one.why}", file=sys.stderr)
                for line in one.log:
                    print(f"  {line}", file=sys.stderr)
        return 1
    mistake = push.refused(pushed, given.inventory)
    if mistake is not None:
        raise mistake
    return 0
