"""What the user sees while a swarm runs: one live line on a terminal, a plain line every 5 s elsewhere."""

from __future__ import annotations

import sys
from typing import IO

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

from swarm.run.snapshot import Progress, Snapshot

PLAIN_EVERY_S = 5.0


class Plain:
    """A line at every change of phase and every 5 s."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._phase, self._at_s = "", 0.0

    def show(self, snapshot: Snapshot) -> None:
        if snapshot.phase != self._phase or snapshot.at_s >= self._at_s + PLAIN_EVERY_S:
            self._phase, self._at_s = snapshot.phase, snapshot.at_s
            print(snapshot.line(), file=self._stream, flush=True)

    def close(self) -> None:
        pass


class Live:
    """One line that is redrawn, with a bar."""

    def __init__(self, stream: IO[str]) -> None:
        self._bar = Bar(BarColumn(bar_width=24), TextColumn("{task.description}"), console=Console(file=stream),
                        transient=True, refresh_per_second=4)
        self._line = self._bar.add_task("", total=1.0)
        self._bar.start()

    def show(self, snapshot: Snapshot) -> None:
        done = 0.0 if snapshot.phase == "starting" else min(1.0, snapshot.at_s / snapshot.duration_s)
        self._bar.update(self._line, description=snapshot.line(), completed=done)

    def close(self) -> None:
        self._bar.stop()


def progress_on(stream: IO[str] = sys.stderr) -> Progress:
    """Live on a terminal, else plain."""
    return Live(stream) if stream.isatty() else Plain(stream)
