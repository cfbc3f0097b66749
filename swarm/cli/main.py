"""The `swarm` command. Each command imports its libraries when it runs: an agent does not load the planner's."""

from __future__ import annotations

import argparse
import errno
import re
import sys
from collections.abc import Sequence

from swarm import plugins
from swarm.cli import commands
from swarm.cli.parser import Parser
from swarm.cli.standard_streams import said_of, standard_streams
from swarm.core.settings.errors import BadInput

LONGEST_WORD = 300
NO_PATHS = (errno.ENAMETOOLONG, errno.ELOOP)         # no file can have such a path: it was typed


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    root = Parser(
        prog="swarm", description="Run, measure and explain a swarm of robots that share their computers.",
        epilog="example: swarm launch search_rescue --robots 3 --duration 20",
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
        plugins.check()
        given = parser().parse_args(arguments)
        return int(given.run(given))
    except KeyboardInterrupt:
        return 130
    except BadInput as error:
        return refuse(error)
    except OSError as error:
        if error.errno not in NO_PATHS:
            raise
        return refuse(BadInput(str(error.filename), str(error.strerror), "another path"))


def refuse(error: BadInput) -> int:
    """Say what is wrong. Returns the exit code for bad input."""
    print(f"swarm: {one_line(str(error))}", file=sys.stderr)
    return 2


def one_line(text: str) -> str:
    """The text in one line that every terminal can show: no control characters, and no word of thousands of letters."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in " ".join(text.split()))
    return re.sub(rf"(\S{{{LONGEST_WORD}}})\S+", r"\1...", shown)


if __name__ == "__main__":
    sys.exit(main())
