"""`swarm bench [NAME]`: the benches are the modules of `swarm/bench/`; each has options of its own."""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial

from swarm.cli.parser import Parser

HELP = "measure what the runtime costs"
EXAMPLE = "swarm bench transport --json"
DESCRIPTION = "measure what the runtime costs; without NAME: list the benches"


def arguments(p: Parser) -> None:
    from swarm import bench

    p.add_argument("--json", action="store_true")
    benches = p.add_subparsers(dest="name", metavar="NAME")
    for name in bench.available():
        about = bench.about(name)
        benches.add_parser(name, help=about, description=about, epilog=f"example: swarm bench {name} --json",
                           arguments=partial(_options, name))


def _options(name: str, p: Parser) -> None:
    """Add the options of one bench; this imports the bench."""
    from swarm import bench

    p.add_argument("--json", action="store_true", default=argparse.SUPPRESS)       # keep a --json before NAME
    add = getattr(bench.load(name), "arguments", None)
    if add is not None:
        add(p)


def run(given: argparse.Namespace) -> int:
    """Run one bench and print its figures, or list all."""
    import msgspec

    from swarm import bench
    from swarm.cli import extras
    from swarm.cli.status_line import StatusLine
    from swarm.telemetry.text_table import text_table

    if given.name is None:
        benches = {name: bench.about(name) for name in bench.available()}
        print(json.dumps(benches) if given.json else text_table((), benches.items()).rstrip())
        return 0
    chosen = bench.load(given.name)
    extras.needed(f"swarm bench {given.name}", *getattr(chosen, "NEEDS", ()))
    try:
        with StatusLine() as status:
            figures = chosen.run(given, status)
    except bench.CannotRun as error:
        print(f"swarm: bench {given.name} was not run: {error}", file=sys.stderr)
        return 1
    print(json.dumps(msgspec.to_builtins(figures)) if given.json else chosen.as_text(figures).rstrip())
    return 0
