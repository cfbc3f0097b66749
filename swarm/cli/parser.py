"""The argument parser of every command: one line for a mistake, and arguments that are added only when needed."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from swarm.core.settings.errors import BadInput

Arguments = Callable[["Parser"], None]


class Parser(argparse.ArgumentParser):
    """`arguments` adds the arguments, and is called when the parser is first used.

    So `swarm agent FILE` does not import what the actions of `swarm models` or the benches of `swarm bench` are.
    """

    def __init__(self, *, arguments: Arguments | None = None, **options: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **options)
        self._arguments = arguments

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:   # pyright: ignore
        """As argparse does. Raises: BadInput."""
        if self._arguments is not None:
            arguments, self._arguments = self._arguments, None
            arguments(self)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """A mistake on the command line is bad input like any other: one line."""
        raise BadInput(self.prog, message, f"see `{self.prog} --help`")
