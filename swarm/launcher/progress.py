"""What the user sees while a swarm runs: one live line on a terminal, a plain line every 5 s elsewhere."""

from __future__ import annotations

import sys
from typing import IO, Protocol

import msgspec
from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

from swarm.telemetry.report.side_by_side import percent

PLAIN_EVERY_S = 5.0


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The run at one moment."""

    phase: str                       # starting | running | draining | stopping | writing
    at_s: float                      # since the streams began; before, since the processes were started
    duration_s: float
    ready: int = 0                   # processes, while starting
    robots_alive: int = 0
    robots: int = 0
    on_time: float | None = None     # of the requests that have ended
    offloaded: float | None = None   # of the requests that were completed
    mission: list[tuple[str, str]] = []      # measures by name, as they are shown
    epoch: int = 0                   # of the newest plan; 0: none yet

    def line(self) -> str:
        """The snapshot in one line."""
        if self.phase == "starting":
            return f"starting: {self.ready} of {self.robots + 1} processes ready"
        if self.phase == "writing":
            return "writing the run folder"
        parts = [f"{min(self.at_s, self.duration_s):.0f}/{self.duration_s:.0f} s",
                 f"{self.robots_alive}/{self.robots} robots"]
        if self.on_time is not None:
            parts.append(f"on time {percent(self.on_time)}")
        if self.offloaded is not None:
            parts.append(f"offloaded {percent(self.offloaded)}")
        parts += [*(f"{name} {value}" for name, value in self.mission), f"plan {self.epoch or '-'}"]
        return ("" if self.phase == "running" else f"{self.phase}  ") + "  ".join(parts)


class Progress(Protocol):
    """Shows snapshots as they come, several times a second."""

    def show(self, snapshot: Snapshot) -> None: ...

    def close(self) -> None: ...


class Quiet:
    """Shows nothing."""

    def show(self, snapshot: Snapshot) -> None:
        pass

    def close(self) -> None:
        pass


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
