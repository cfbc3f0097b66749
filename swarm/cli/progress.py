"""How far a long command is, on stderr: one line that changes on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType

from swarm.core.clock import MonotonicClock, seconds

EVERY_S = 5.0


class Progress:
    """Call it with what is being done; as a context manager it clears its line at the end."""

    def __init__(self) -> None:
        self._clock, self._live = MonotonicClock(), sys.stderr.isatty()
        self._told_ns = self._clock.now_ns()

    def __call__(self, text: str) -> None:
        if self._live:
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
        elif seconds(self._clock.now_ns() - self._told_ns) >= EVERY_S:
            self._told_ns = self._clock.now_ns()
            print(text, file=sys.stderr, flush=True)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._live:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
