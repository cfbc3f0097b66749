"""A robot that joins and leaves in virtual time: noticed, planned with, and no fault."""

from __future__ import annotations

from pathlib import Path

import msgspec

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
