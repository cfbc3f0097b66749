"""A robot that joins and leaves in virtual time: noticed, planned with, and no fault."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from swarm.core.policy import draw
from swarm.core.settings.launch_file import LaunchFile
from swarm.virtual.explore.drawing import FULL, SMALL, Sizes, drawn, resolved
from swarm.virtual.explore.explorer import explored
from tests.virtual.flights import LAUNCH, events, flown, told

VISIT = [LAUNCH.fleet[0], msgspec.structs.replace(LAUNCH.fleet[1], joins_at_s=1.0, leaves_at_s=6.0)]


def test_it_comes_and_goes(tmp_path: Path) -> None:
    outcome = flown(tmp_path / "run", fleet=VISIT, duration_s=8.0)
    assert outcome.error == ""
    summary = outcome.summary
    assert summary is not None
    record = events(tmp_path / "run")
    at_s = {event["what"]: event["at_s"] for event in record if event["what"] in ("joined", "left")}
    assert 1.0 < at_s["joined"] < 4.0                # its process starts at 1 s
    assert 6.0 <= at_s["left"] < 6.5
    there_s = 6.0 - at_s["joined"]
    assert summary["agents"]["carrier_0"]["due"] == round(5.0 * there_s)
    assert summary["agents"]["rover_0"]["due"] == 40
    assert summary["requests"]["missed"]["agent"] <= 2
    assert summary["requests"]["lost"] == 0
    assert summary["requests"]["failed_by"].get("agent_lost", 0) == 0
    assert summary["faults"] == []
    assert summary["agents"]["carrier_0"]["status"] == "left"
    assert ("planner", "agent_joined") in told(tmp_path / "run")
    assert ("rover_0", "peer_lost") in told(tmp_path / "run")
    assert summary["offload"]["share"] > 0.0         # the slow rover is helped while the carrier is there
    still = [event for event in record if event["who"] == "carrier_0" and not 1.0 < event["at_s"] < 6.5]
    assert still == []


def test_a_fleet_that_stays_is_as_before(tmp_path: Path) -> None:
    first = flown(tmp_path / "a")
    second = flown(tmp_path / "b", fleet=[msgspec.structs.replace(fleet, joins_at_s=0.0) for fleet in LAUNCH.fleet])
    assert first.summary is not None
    assert second.summary is not None
    assert first.summary["state_hash"] == second.summary["state_hash"]


def with_visits(launch: LaunchFile, seed: int) -> LaunchFile:
    """All fleets but the first one join in the first half, and about half of all fleets leave later."""
    rng, fleets = draw.stream(seed, "visits"), []
    for k, fleet in enumerate(launch.fleet):
        joins_s = rng.uniform(0.2, 0.5 * launch.duration_s) if k else 0.0
        leaves_s = rng.uniform(joins_s + 0.1, launch.duration_s - 0.1) if rng.random() < 0.5 else None
        fleets.append(msgspec.structs.replace(fleet, joins_at_s=joins_s, leaves_at_s=leaves_s))
    return msgspec.structs.replace(launch, fleet=fleets)


@pytest.mark.parametrize(("seed", "sizes"), [
    *((seed, SMALL) for seed in range(3)),
    *(pytest.param(seed, FULL, marks=pytest.mark.long) for seed in range(20))])
def test_in_random_launches_with_visits_everything_holds(seed: int, sizes: Sizes) -> None:
    outcome = explored(resolved(with_visits(drawn(seed, sizes), seed)))
    assert outcome.broken is None
    assert outcome.requests > 0
