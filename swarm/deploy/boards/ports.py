"""The port to one board: run a command there, with bytes in and out. `ssh.py` is the real one; tests have another."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Protocol, TypeVar

import msgspec

T = TypeVar("T")


class Unreachable(Exception):
    """The board cannot be reached now; a later push catches it up."""


class NotUsable(Exception):
    """The board can be reached, and cannot be used as it is: one line that says why."""


class Ran(msgspec.Struct, frozen=True):
    """The end of a command."""

    code: int
    out: bytes
    err: str


class BoardPort(Protocol):
    """One board."""

    sent_bytes: int                  # into its commands so far
    received_bytes: int

    def run(
        self, *command: str, stdin: bytes | Iterable[bytes] = b"", root: bool = False, limit_s: float = 60.0
    ) -> Ran:
        """Run a command there. Raises: Unreachable, NotUsable (a changed host key, no login)."""
        ...

    def close(self) -> None: ...


KEEPER = "/opt/swarm/keeper.pyz"
PYTHON = ("python3", "-I")


def keeper(board: BoardPort, command: str, kind: type[T], given: Any = None, *, files: Iterable[bytes] | None = None,
           limit_s: float = 60.0, at: str = KEEPER) -> T:
    """Ask the board's keeper. kind: of the answer, see answers.py. files: a stream to send instead of JSON.

    Raises: Unreachable, NotUsable: it refuses, fails, or gives another answer than one of this kind.
    """
    stdin = files if files is not None else json.dumps(given or {}).encode()
    done = board.run(*PYTHON, at, command, stdin=stdin, root=True, limit_s=limit_s)
    try:
        answer = json.loads(done.out)
    except (ValueError, RecursionError):
        said = done.err.strip().splitlines()
        raise NotUsable(f"its keeper failed with {done.code}: {said[-1] if said else 'no word'}") from None
    if isinstance(answer, dict) and "refused" in answer:
        raise NotUsable(str(answer["refused"]))
    try:
        return msgspec.convert(answer, kind)
    except msgspec.ValidationError as error:
        raise NotUsable(f"its keeper's answer to `{command}` makes no sense: {error}") from None
