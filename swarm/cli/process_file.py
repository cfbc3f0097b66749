"""The settings file of one process: the only argument of each command that runs one.

`swarm agent`, `swarm planner`, `swarm world` and `swarm collector` share it; heavy imports stay within their `run`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

if TYPE_CHECKING:
    from swarm.core.settings.process_files import ProcessFile

File = TypeVar("File", bound="ProcessFile")
Names = ParamSpec("Names")


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("file", metavar="FILE", help="the settings of this process, YAML")


def checked(
    given: argparse.Namespace, kind: type[File], rule: Callable[Concatenate[File, str, Names], None],
    *names: Names.args, **more: Names.kwargs,
) -> File:
    """The file, read and checked by its rule, which also gets the names that there are. Raises: BadInput."""
    from swarm.settings_files import read

    settings = read(Path(given.file), kind)
    rule(settings, given.file, *names, **more)
    return settings
