"""Whole runs in virtual time: the same classes as in real processes, repeated bit for bit, with every kind of fault."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agents.behaviours.search_rescue import SearchRescue
from swarm.core.settings.launch_file import FaultSpec, FleetSpec, StreamOn
from tests.patience import HANG_S
from tests.virtual.flights import events, flight, flown, told


def summary_of(out: Path, *faults: FaultSpec, **changes: Any) -> dict[str, Any]:
    outcome = flown(out, *faults, **changes)
    assert outcome.error == ""
    assert outcome.exit_code == 0
    assert outcome.summary is not None
    return outcome.summary


def test_a_run_is_whole_and_loses_nothing(tmp_path: Path) -> None:
    summary = summary_of(tmp_path / "out")
    requests = summary["requests"]
    assert requests["due"] == requests["submitted"] == 2 * 5 * 4             # two robots, 5 Hz, 4 s
    assert requests["lost"] == 0
    assert (summary["clock"], len(summary["state_hash"])) == ("virtual", 32)
    assert summary["world"]["real_time_factor"] == pytest.approx(1.0, abs=0.005)          # within a step
    assert summary["offload"]["share"] > 0.2                                 # the slow rover gets help
    assert summary["planner"]["adopted"] >= 1
    assert not summary["host_overloaded"]
    assert {agent["status"] for agent in summary["agents"].values()} == {"ended"}
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"manifest.json", "summary.json", "requests.parquet", "plans.jsonl", "events.jsonl", "scene.json"} <= names
    processes = json.loads((tmp_path / "out" / "processes.json").read_text())
    assert [(p["name"], p["returncode"]) for p in processes] == [
        ("launcher", None), ("world", 0), ("rover_0", 0), ("carrier_0", 0), ("planner", 0)]
    assert "planned" in (tmp_path / "out" / "logs" / "planner.log").read_text()


def test_the_behaviour_and_the_perception_of_the_launch_file_fly_and_are_recorded(tmp_path: Path) -> None:
    """Robots on patrol report corners, of which the search knows nothing."""
    summary = summary_of(tmp_path / "out", behaviour="patrol", perception="perfect", duration_s=6.0)
    assert (summary["behaviour"], summary["perception"]) == ("patrol", "perfect")
    launch = json.loads((tmp_path / "out" / "manifest.json").read_text())["launch"]
    assert (launch["behaviour"], launch["perception"]) == ("patrol", "perfect")
    judged = [event["detail"] for event in events(tmp_path / "out") if event["what"] == "judged"]
    assert {(of["kind"], of["verdict"]) for of in judged} == {("corner", "wrong")}
    assert summary["mission"]["found"] == 0


def test_quadrotors_that_are_rigid_bodies_fly_and_repeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their loops are compiled before the first event, in which nothing may be read."""
    for name in [name for name in sys.modules if name.startswith("sim_worlds.physics.flying.")]:
        monkeypatch.delitem(sys.modules, name)
    fleet = [FleetSpec(name="quad", kind="quadrotor", count=2, board="fast", physics="dynamic")]
    stream = StreamOn(name="detect", on=["quad"], model="detector", rate_hz=2.0, deadline_s=0.5)
    first, again = (summary_of(tmp_path / name, scenario="patrol", policy="local", fleet=fleet, streams=[stream],
                               duration_s=1.0) for name in ("first", "again"))
    assert again["state_hash"] == first["state_hash"]


REPEATED = (FaultSpec(at_s=1.0, restart="carrier_0", after_s=0.5),
            FaultSpec(at_s=2.0, lose="rover_0", share=0.2, for_s=1.0))
PROGRAM = """
import sys
from pathlib import Path
from tests.virtual.flights import flown
from tests.virtual.test_launch import REPEATED
print(flown(Path(sys.argv[1]), *REPEATED, seed=3).summary["state_hash"])
"""


def test_the_hash_is_the_same_in_every_process_and_another_with_another_seed(tmp_path: Path) -> None:
    here, other = (summary_of(tmp_path / f"here{seed}", *REPEATED, seed=seed)["state_hash"] for seed in (3, 4))
    another = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    environment = {**os.environ, "PYTHONHASHSEED": another, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path / "there")], text=True, capture_output=True,
                          env=environment, check=True, timeout=HANG_S)
    assert len(here) == 32
    assert done.stdout.strip() == here
    assert other != here


FAULTS: list[tuple[FaultSpec, set[tuple[str, str]]]] = [
    (FaultSpec(at_s=2.0, kill="carrier_0"), {("launcher", "killed"), ("rover_0", "peer_lost")}),
    (FaultSpec(at_s=1.0, restart="carrier_0", after_s=0.2), {("rover_0", "peer_lost")}),
    (FaultSpec(at_s=1.0, stop="carrier_0", for_s=1.5),
     {("rover_0", "peer_lost"), ("rover_0", "peer_back"), ("carrier_0", "held_up")}),
    (FaultSpec(at_s=1.0, partition=[["rover_0"], ["carrier_0"]], for_s=1.0),
     {("rover_0", "peer_lost"), ("carrier_0", "peer_lost"), ("rover_0", "peer_back")}),
    (FaultSpec(at_s=1.0, slow="carrier_0", factor=40.0, for_s=2.0), set()),
    (FaultSpec(at_s=1.0, corrupt="rover_0", share=0.3, for_s=2.0), set()),
    (FaultSpec(at_s=1.0, lose="carrier_0", share=0.3, for_s=2.0), set()),
    (FaultSpec(at_s=1.0, clock="rover_0", by_s=-3600.0), set()),
    (FaultSpec(at_s=1.0, disk_full=True, for_s=1.0), set()),
    (FaultSpec(at_s=1.0, restart="planner", after_s=0.2), {("launcher", "killed")}),
]


@pytest.mark.parametrize(("fault", "expected"), FAULTS)
def test_every_kind_of_fault_is_injected_and_survived(
    tmp_path: Path, fault: FaultSpec, expected: set[tuple[str, str]]
) -> None:
    summary = summary_of(tmp_path / "out", fault, duration_s=5.0)
    assert summary["requests"]["lost"] == 0
    assert ("launcher", "fault") in told(tmp_path / "out")
    assert expected <= set(told(tmp_path / "out"))
    record, = summary["faults"]
    assert record["done_s"] == pytest.approx(fault.at_s, abs=0.01)


@pytest.mark.parametrize("fault", [
    pytest.param(fault, marks=[] if fault.corrupt or fault.partition else [pytest.mark.long]) for fault, _ in FAULTS])
def test_a_run_with_any_fault_repeats(tmp_path: Path, fault: FaultSpec) -> None:
    first, again = (summary_of(tmp_path / name, fault, duration_s=3.0) for name in ("first", "again"))
    assert again["state_hash"] == first["state_hash"]


def test_faults_show_in_the_figures(tmp_path: Path) -> None:
    calm = summary_of(tmp_path / "calm", duration_s=5.0)
    slow = summary_of(tmp_path / "slow", FaultSpec(at_s=0.5, slow="carrier_0", factor=60.0), duration_s=5.0)
    corrupt = summary_of(tmp_path / "corrupt", FaultSpec(at_s=0.5, corrupt="rover_0", share=0.5), duration_s=5.0)
    alone = summary_of(tmp_path / "alone", FaultSpec(at_s=0.5, kill="carrier_0"), duration_s=5.0)
    assert calm["on_time_ratio"] > 0.9
    assert slow["on_time_ratio"] < calm["on_time_ratio"] - 0.2               # the carrier's own results are late
    assert corrupt["agents"]["rover_0"]["refused_in"] > 20
    assert calm["agents"]["rover_0"]["refused_in"] <= 2
    assert alone["requests"]["missed"]["agent"] == pytest.approx(22, abs=2)  # 4.5 s of the dead carrier
    assert alone["agents"]["carrier_0"]["status"] == "killed"


def test_a_robot_that_starts_again_has_a_new_boot_and_an_older_one_after_its_clock_was_set_back(tmp_path: Path) -> None:
    faults = FaultSpec(at_s=0.5, clock="carrier_0", by_s=-3600.0), FaultSpec(at_s=1.0, restart="carrier_0", after_s=0.2)
    summary = summary_of(tmp_path / "out", *faults, duration_s=6.0)
    assert summary["agents"]["carrier_0"]["starts"] == 2
    assert summary["requests"]["lost"] == 0
    assert told(tmp_path / "out").count(("planner", "agent_joined")) == 3


def test_an_error_in_the_code_of_a_process_ends_the_run_and_names_the_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = SearchRescue.on, []

    def broken(self: SearchRescue, event: Any, now: int) -> Any:
        calls.append(event)
        if len(calls) == 40:
            raise ZeroDivisionError("by the test")
        return real(self, event, now)

    monkeypatch.setattr(SearchRescue, "on", broken)
    outcome = flown(tmp_path / "out")
    assert outcome.exit_code == 1
    assert outcome.error.startswith("seed 3, event ")
    assert "ZeroDivisionError: by the test" in outcome.error
    assert " s after the start" in outcome.error
    who = outcome.error.split(", of ")[1].split(",")[0]
    assert who in ("rover_0", "carrier_0")
    assert "in broken" in (tmp_path / "out" / "logs" / f"{who}.log").read_text()
    assert (tmp_path / "out" / "summary.json").exists()
    assert outcome.summary is not None
    assert outcome.summary["requests"]["lost"] >= 0


def test_a_run_that_is_interrupted_ends_in_order_and_is_written(tmp_path: Path) -> None:
    launch = flight(tmp_path / "out", duration_s=60.0)
    launch.interruptions = lambda: int(launch.virtual.timeline.now_ns > 4e9)
    outcome = launch.run()
    assert outcome.exit_code == 130
    assert outcome.summary is not None
    assert outcome.summary["interrupted"]
    assert outcome.summary["ran_s"] < 10.0
    assert outcome.summary["requests"]["lost"] == 0
    assert {agent["status"] for agent in outcome.summary["agents"].values()} == {"ended"}


def test_two_interruptions_end_it_at_once(tmp_path: Path) -> None:
    launch = flight(tmp_path / "out", duration_s=60.0)
    launch.interruptions = lambda: 2 * int(launch.virtual.timeline.now_ns > 4e9)
    outcome = launch.run()
    assert outcome.exit_code == 130
    assert outcome.summary is not None
    assert outcome.summary["interrupted"]


def test_the_end_of_the_world_cuts_the_run_short(tmp_path: Path) -> None:
    outcome = flown(tmp_path / "out", FaultSpec(at_s=1.0, kill="world"))
    assert outcome.exit_code == 1
    assert outcome.error == "cut short: 1.0 s after the start, the world ended by SIGKILL"
    assert outcome.summary is not None
    assert outcome.summary["requests"]["lost"] == 0
    assert events(tmp_path / "out")
