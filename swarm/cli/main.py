"""The `swarm` command. Each command imports its libraries when it runs: an agent does not load the planner's."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from swarm.cli import commands
from swarm.cli.parser import Parser
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
    try:
        given = parser().parse_args(arguments)
        return int(given.run(given))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())       # the pipe is closed: let Python flush
        return 1
    except BadInput as error:
        print(f"swarm: {' '.join(str(error).split())}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
