"""The `swarm` command. Each command imports what it needs when it runs: no agent loads a planner's libraries."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from swarm.cli import options
from swarm.core.settings.errors import BadInput


class Parser(argparse.ArgumentParser):
    """Mistakes on the command line are bad input like any other: one line."""

    def error(self, message: str) -> NoReturn:
        raise BadInput(self.prog, message, f"see `{self.prog} --help`")


def parser() -> argparse.ArgumentParser:
    """All commands that exist."""
    root = Parser(
        prog="swarm", description="Run, measure and explain a swarm of robots that share their computers.",
        epilog="example: swarm launch search_rescue --robots 4 --duration 20", allow_abbrev=False,
    )
    commands = root.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in options.COMMANDS:
        sub = commands.add_parser(
            command.name, help=command.help, description=command.description or command.help, allow_abbrev=False,
            epilog=f"example: {command.example}", formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.arguments(sub)
        sub.set_defaults(run=command.run)
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns its exit code: 0 done, 1 failed, 2 bad input, 130 Ctrl-C."""
    try:
        given = parser().parse_args(arguments)
        return int(given.run(given))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())       # our reader has gone: so Python can flush
        return 1
    except BadInput as error:
        print(f"swarm: {' '.join(str(error).split())}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
