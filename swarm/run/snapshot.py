"""What the user sees of a run at one moment, and the port that shows it."""

from __future__ import annotations

from typing import Protocol

import msgspec

from swarm.core.settings.launch_file import LaunchFile
from swarm.core.units import seconds
from swarm.run.director import Director
from swarm.telemetry.collector import Collector
from swarm.telemetry.report.side_by_side import MEASURES_SHOWN, named_measure, percent


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
    speed: float | None = None       # of a run in virtual time: simulated seconds per second

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
        if self.speed is not None:
            parts.append(f"{self.speed:.1f}x real time")
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


def snapshot(
    launch: LaunchFile, director: Director, collector: Collector, now: int, *, phase: str = "",
    speed: float | None = None,
) -> Snapshot:
    """The run now. now: the clock of the director's process, ns. phase: in place of the director's."""
    robots = [robot for fleet in launch.fleet for robot in fleet.robots()]
    total, world = collector.ledger().total, collector.world
    told = world.mission.measures if world else []
    return Snapshot(
        phase=phase or director.phase, at_s=seconds(now - (director.start_ns or director.since_ns)),
        duration_s=launch.duration_s, ready=director.ready,
        robots_alive=sum(robot in director.running for robot in robots), robots=len(robots),
        on_time=collector.on_time_so_far(now), offloaded=total.offload_share if total.completed else None,
        mission=[named_measure(m.name, m.value, m.unit) for m in told[:MEASURES_SHOWN]], epoch=collector.epoch,
        speed=speed,
    )
