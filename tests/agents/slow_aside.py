"""The port `Aside` as tests want it: a call ends when the test says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Slow:
    """`given_up`: calls that were given up."""

    def __init__(self) -> None:
        self.calls: list[tuple[Callable[[], Any], Callable[[Any], None]]] = []
        self.given_up = 0

    def run(self, call: Callable[[], Any], done: Callable[[Any], None]) -> None:
        self.calls.append((call, done))

    def give_up(self) -> None:
        self.given_up += 1

    def end(self) -> None:
        """The oldest call ends."""
        call, done = self.calls.pop(0)
        done(call())
