"""The argument parser of every command: errors in one line, and arguments that are added only when needed."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from swarm.core.settings.errors import BadInput

Arguments = Callable[["Parser"], None]


class Parser(argparse.ArgumentParser):
    """`arguments` adds the arguments. It is called when the parser is first used.

    So `swarm agent FILE` imports neither the actions of `swarm models` nor the benches of `swarm bench`.
    """

    def __init__(self, *, arguments: Arguments | None = None, **options: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **options)
        self._arguments = arguments

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:   # pyright: ignore
        """See argparse. Raises: BadInput."""
        if self._arguments is not None:
            arguments, self._arguments = self._arguments, None
            arguments(self)
        return super().parse_known_args(args, namespace)

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        """See argparse. No argument of ours is empty: it comes from a variable of a script that was not set."""
        if arg_string != action.default and (not arg_string or "\0" in arg_string):
            raise argparse.ArgumentError(action, f"{arg_string!r} is no value")
        return super()._get_value(action, arg_string)  # pyright: ignore[reportAttributeAccessIssue]

    def error(self, message: str) -> NoReturn:
        """Raise a mistake on the command line as BadInput."""
        raise BadInput(self.prog, message, f"see `{self.prog} --help`")
