"""Short runs in virtual time: a slow rover and a fast carrier, moved without forces."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from swarm.core.settings.boards import Board
from swarm.core.settings.launch_file import FaultSpec, FleetSpec, LaunchFile, StreamOn
from swarm.run.settings.resolve import Resolved
from swarm.telemetry.outcome import Outcome
from swarm.virtual.explore import drawing
from swarm.virtual.launch import VirtualLaunch

SLOW = Board(speed={"fp32": 0.004, "int8": 0.004}, memory_mb=4000, power_w=10.0, source="test")
FAST = Board(speed={"fp32": 0.4, "int8": 0.4}, memory_mb=4000, power_w=10.0, source="test")
LAUNCH = LaunchFile(
    version=1, scenario="search_rescue", seed=3, duration_s=4.0, policy="planner", clock="virtual",
    fleet=[FleetSpec(name="rover", count=1, board="slow", physics="kinematic", sensors="exact"),
           FleetSpec(name="carrier", count=1, board="fast", physics="kinematic", sensors="exact")],
    streams=[StreamOn(name="detect", on=["rover", "carrier"], model="detector", rate_hz=5.0, deadline_s=0.15)],
    boards={"slow": SLOW, "fast": FAST}, variants={"detector": ["fp32", "int8"]},
)


def resolved(*faults: FaultSpec, **changes: Any) -> Resolved:
    """The launch with these faults and changes."""
    launch = msgspec.structs.replace(LAUNCH, faults=list(faults), **changes)
    return drawing.resolved(launch)


def flown(out: Path, *faults: FaultSpec, **changes: Any) -> Outcome:
    """The outcome of a run without its report."""
    return flight(out, *faults, **changes).run()


def flight(out: Path, *faults: FaultSpec, **changes: Any) -> VirtualLaunch:
    """A run that has not begun, and that writes no report: charts take a second."""
    launch = VirtualLaunch(resolved(*faults, **changes), out, command=["test"])
    launch.folder.report = lambda: None          # type: ignore[method-assign]
    return launch


def events(out: Path) -> list[dict[str, Any]]:
    """The recorded events."""
    return [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]


def told(out: Path) -> list[tuple[str, str]]:
    """Who recorded what, in order."""
    return [(event["who"], event["what"]) for event in events(out)]
