"""Robots that drive out of radio reach: a rover that leaves its carrier, and random launches with a reach."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from swarm.core.settings.launch_file import Base, FaultSpec
from swarm.telemetry import table
from swarm.virtual.explore.drawing import FULL, SMALL, drawn, resolved
from swarm.virtual.explore.explorer import explored
from tests.virtual.flights import events, flown

REACH_M = 1.5                        # rover and carrier start 0.9 m apart, and each explores the building


def flight(out: Path, *faults: FaultSpec, **changes: Any) -> dict[str, Any]:
    assert flown(out, *faults, duration_s=8.0, **changes).error == ""
    return json.loads((out / "summary.json").read_text())


def offloads_s(out: Path) -> list[float]:
    """When requests were submitted that a peer answered in time."""
    requests = table.read(out / "requests.parquet")
    return sorted(requests["at_s"][(requests["ending"] == "completed") & (requests["ran_on"] != requests["agent"])])


def test_a_rover_offloads_until_it_leaves_the_carriers_reach(tmp_path: Path) -> None:
    near, far = flight(tmp_path / "near"), flight(tmp_path / "far", reach_m=REACH_M)
    assert near["world"]["out_of_reach"] is None
    assert 0.1 < far["world"]["out_of_reach"] < 0.9
    lost_s = [event["at_s"] for event in events(tmp_path / "far") if event["what"] == "peer_lost"]
    assert lost_s
    assert max(offloads_s(tmp_path / "near")) > 7.0
    assert 0.5 < max(offloads_s(tmp_path / "far")) < lost_s[0] < 7.0
    assert near["requests"]["lost"] == far["requests"]["lost"] == 0
    assert far["planner"]["epoch"] > 0               # without a base the planner is heard everywhere


def test_a_planner_out_of_reach_has_nobody_to_plan_for(tmp_path: Path) -> None:
    far = flight(tmp_path / "far", reach_m=REACH_M, base=Base(x_m=500.0, y_m=0.0))
    assert (far["planner"]["epoch"], far["requests"]["lost"]) == (0, 0)


def test_a_partition_and_a_distance_add_up(tmp_path: Path) -> None:
    """Cut off by a fault while near, and by distance when the fault is over."""
    cut = FaultSpec(at_s=0.1, partition=[["rover_0"], ["carrier_0"]], for_s=7.0)
    both = flight(tmp_path / "both", cut, reach_m=REACH_M)
    assert both["requests"]["lost"] == 0
    assert max(offloads_s(tmp_path / "both"), default=0.0) < 0.6


@pytest.mark.parametrize("seed", range(4))
def test_in_random_short_launches_with_a_reach_everything_holds(seed: int) -> None:
    launch = drawn(seed, SMALL)
    base = Base(x_m=0.0, y_m=0.0) if seed % 2 else None
    outcome = explored(resolved(msgspec.structs.replace(launch, reach_m=2.5 + 0.4 * (seed % 4), base=base)))
    assert outcome.broken is None
    assert outcome.requests > 0


@pytest.mark.long
@pytest.mark.parametrize("seed", range(40))
def test_in_random_launches_with_a_reach_everything_holds(seed: int) -> None:
    launch = drawn(seed, FULL)
    base = Base(x_m=0.0, y_m=0.0) if seed % 2 else None
    assert explored(resolved(msgspec.structs.replace(launch, reach_m=2.5 + seed % 7, base=base))).broken is None
