"""The progress of a long command on stderr: one changing line on a terminal, else a new line every EVERY_S."""

from __future__ import annotations

import sys
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from swarm.core.clock import MonotonicClock
from swarm.core.units import seconds

EVERY_S = 5.0
"""Seconds between two lines if stderr is not a terminal."""


class StatusLine:
    """Call it with the current step. In a `with` block, it clears its line at the end.

    The caller's thread draws the line, so that no second thread disturbs a measurement.
    """

    def __init__(self) -> None:
        self._clock = MonotonicClock()
        self._printed_ns = self._clock.now_ns()
        self._live = Live(console=Console(stderr=True), auto_refresh=False, transient=True) \
            if sys.stderr.isatty() else None

    def __call__(self, text: str) -> None:
        if self._live is not None:
            self._live.update(Text(text, no_wrap=True, overflow="ellipsis"), refresh=True)
        elif seconds(self._clock.now_ns() - self._printed_ns) >= EVERY_S:
            self._printed_ns = self._clock.now_ns()
            print(text, file=sys.stderr, flush=True)

    def __enter__(self) -> StatusLine:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()
