"""The `swarm` command. Each command imports its libraries when it runs: an agent does not load the planner's."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from swarm.cli import commands
from swarm.cli.parser import Parser
from swarm.cli.standard_streams import said_of, standard_streams
from swarm.core.settings.errors import BadInput


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    root = Parser(
        prog="swarm", description="Run, measure and explain a swarm of robots that share their computers.",
        epilog="example: swarm launch search_rescue --robots 4 --duration 20",
    )
    commands.add_to(root, commands, dest="command", metavar="COMMAND")
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns its exit code: 0 done, 1 failed, 2 bad input, 130 Ctrl-C."""
    with standard_streams() as (out, err):
        code = _run(arguments)
        out.flush()
        if said := said_of(out):
            print(f"swarm: {said}", file=err)
        return code or int(out.lost > 0)


def _run(arguments: Sequence[str] | None) -> int:
    try:
        given = parser().parse_args(arguments)
        return int(given.run(given))
    except KeyboardInterrupt:
        return 130
    except BadInput as error:
        print(f"swarm: {' '.join(str(error).split())}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
