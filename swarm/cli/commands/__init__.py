"""The commands of `swarm`: one module each. This folder is the registry.

A command's module defines `HELP` (a line), `EXAMPLE` (a command line), `arguments(parser)` (if it has arguments) and
`run(given) -> int`, which returns the exit code. It may define `DESCRIPTION` for `--help`. It imports heavy libraries
within `run`, because `swarm --help` imports every command. A command with actions (`swarm keys new`) is a folder with
a module for each action. Its `__init__.py` defines `HELP`, `EXAMPLE` and `arguments` for arguments that all actions
share. A module whose name Python reserves ends in `_`: `import_.py` is `import`. Modules that begin with `_` are not
commands.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from functools import partial
from types import ModuleType

from swarm import plugins
from swarm.cli.parser import Parser

__path__ = plugins.extended(__path__, "commands")


def available(package: ModuleType) -> dict[str, str]:
    """The modules of all commands in this package, by name of the command, sorted."""
    modules = sorted(m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_"))
    return {name.removesuffix("_"): f"{package.__name__}.{name}" for name in modules}


def add_to(
    parser: Parser, package: ModuleType, *, dest: str, metavar: str, common: Callable[[Parser], None] | None = None
) -> None:
    """Add the commands of this package to a parser. `common` adds arguments to each command."""
    choices = parser.add_subparsers(dest=dest, metavar=metavar, required=True)
    for name, path in available(package).items():
        command = plugins.load(path, "HELP", "EXAMPLE")
        sub = choices.add_parser(
            name, help=command.HELP, description=getattr(command, "DESCRIPTION", command.HELP),
            epilog=f"example: {command.EXAMPLE}", arguments=partial(_arguments, command, common),
        )
        if not hasattr(command, "__path__"):
            with plugins.blamed(path):
                sub.set_defaults(run=command.run)


def _arguments(command: ModuleType, common: Callable[[Parser], None] | None, parser: Parser) -> None:
    """Add the arguments of one command, or its actions."""
    own = getattr(command, "arguments", None)
    if hasattr(command, "__path__"):
        add_to(parser, command, dest="action", metavar="ACTION", common=own)
        return
    for add in (common, own):
        if add is not None:
            add(parser)
