"""The faults of a launch file as the processes of a run meet them, to the nanosecond."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from swarm.core.protocol.messages import InjectedFaults
from swarm.core.settings.launch_file import FaultSpec
from swarm.telemetry import table
from swarm.transport.endpoint import Endpoint
from swarm.virtual.run_folder import HashedFolder
from tests.virtual.flights import events, flight, flown

CUT: dict[str, Any] = {"deaf_to": ["rover_0"], "seed": 3}
PARTED = FaultSpec(at_s=0.2, partition=[["rover_0"], ["carrier_0"]], for_s=1.8)
SLOW = FaultSpec(at_s=0.6, slow="carrier_0", factor=4.0, for_s=0.6)
CORRUPT = FaultSpec(at_s=0.9, corrupt="carrier_0", share=0.5, for_s=0.7)
HOUR_BACK = FaultSpec(at_s=0.6, clock="rover_0", by_s=-3600.0)


@pytest.fixture
def injected(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, InjectedFaults]]:
    """Who was told of which faults, in order."""
    told: list[tuple[str, InjectedFaults]] = []
    inject = Endpoint.inject

    def kept(self: Endpoint, faults: InjectedFaults) -> None:
        told.append((self.member.name, faults))
        inject(self, faults)

    monkeypatch.setattr(Endpoint, "inject", kept)
    return told


def summary(out: Path) -> dict[str, Any]:
    return json.loads((out / "summary.json").read_text())


def boots(out: Path, robot: str) -> list[int]:
    """In the order in which their requests came."""
    requests = table.read(out / "requests.parquet")
    mine = (requests["agent"] == robot) & (requests["ending"] != "missed")
    return list(dict.fromkeys(int(boot) for boot in requests["boot"][mine]))


def test_every_affected_process_is_told_of_a_fault_and_of_its_end(
    tmp_path: Path, injected: list[tuple[str, InjectedFaults]]
) -> None:
    assert flown(tmp_path / "out", PARTED, SLOW, CORRUPT).error == ""
    assert [faults for name, faults in injected if name == "carrier_0"] == [
        InjectedFaults(**CUT), InjectedFaults(**CUT, slow=4.0), InjectedFaults(**CUT, slow=4.0, corrupt=0.5),
        InjectedFaults(**CUT, corrupt=0.5), InjectedFaults(**CUT), InjectedFaults(seed=3)]
    assert [faults for name, faults in injected if name == "rover_0"] == [
        InjectedFaults(deaf_to=["carrier_0"], seed=3), InjectedFaults(seed=3)]
    assert {name for name, _ in injected} == {"rover_0", "carrier_0"}
    for fault in summary(tmp_path / "out")["faults"]:
        assert fault["done_s"] == pytest.approx(fault["at_s"], abs=1e-6)
        assert fault["ended_s"] - fault["done_s"] == pytest.approx(fault["for_s"], abs=1e-6)


def test_a_restarted_robot_keeps_its_faults_and_its_clock_that_was_set_back(
    tmp_path: Path, injected: list[tuple[str, InjectedFaults]]
) -> None:
    lose = FaultSpec(at_s=0.8, lose="rover_0", share=0.5, for_s=6000.0)
    restart = FaultSpec(at_s=1.0, restart="rover_0", after_s=0.1)
    assert flown(tmp_path / "out", HOUR_BACK, lose, restart, duration_s=6.0).error == ""
    of, ran_s = {fault["kind"]: fault for fault in summary(tmp_path / "out")["faults"]}, 6.0
    assert of["clock"]["ended_s"] is None
    assert of["lose"]["ended_s"] == pytest.approx(ran_s)                     # the streams' end is its end
    assert 1.1 < of["restart"]["ended_s"] < ran_s
    before, after = boots(tmp_path / "out", "rover_0")
    assert 0 < before - after < 3600e6
    stepped, both = InjectedFaults(clock_step_s=-3600.0, seed=3), InjectedFaults(lose=0.5, clock_step_s=-3600.0, seed=3)
    told = [faults for _, faults in injected]
    assert told[:3] == [stepped, both, both]                 # its successor is told at once
    assert told[3:] == [InjectedFaults(lose=0.5, seed=3), InjectedFaults(seed=3)]
    requests = table.read(tmp_path / "out" / "requests.parquet")
    lost = requests["boot"][requests["reason"] == "agent_lost"]
    assert set(lost) <= {before}                             # of the old boot, that were open; none of the new one
    agent = summary(tmp_path / "out")["agents"]["rover_0"]
    assert (agent["status"], agent["starts"]) == ("ended", 2)


def test_a_dead_or_restarting_process_gets_no_fault_but_a_restart(tmp_path: Path) -> None:
    outcome = flown(
        tmp_path / "out", FaultSpec(at_s=0.6, kill="rover_0"), FaultSpec(at_s=1.0, stop="rover_0", for_s=1.0),
        FaultSpec(at_s=1.2, restart="rover_0"), FaultSpec(at_s=1.21, kill="rover_0"), duration_s=6.0)
    assert outcome.error == ""
    done_s = {fault["at_s"]: fault["done_s"] for fault in summary(tmp_path / "out")["faults"]}
    assert done_s == {0.6: pytest.approx(0.6), 1.0: None, 1.2: pytest.approx(1.2), 1.21: None}
    assert len(boots(tmp_path / "out", "rover_0")) == 2


def test_a_process_that_is_stopped_goes_on_with_the_end_of_the_streams_at_the_latest(tmp_path: Path) -> None:
    short, long = FaultSpec(at_s=0.8, stop="rover_0", for_s=0.5), FaultSpec(at_s=0.9, stop="carrier_0", for_s=6000.0)
    outcome = flown(tmp_path / "out", short, long, FaultSpec(at_s=0.9, stop="planner", for_s=0.3))
    assert outcome.error == ""
    ended_s = {fault["target"]: fault["ended_s"] for fault in summary(tmp_path / "out")["faults"]}
    assert ended_s == {"rover_0": pytest.approx(1.3), "planner": pytest.approx(1.2), "carrier_0": pytest.approx(4.0)}
    requests = table.read(tmp_path / "out" / "requests.parquet")
    heard_s = sorted(requests["at_s"][(requests["agent"] == "rover_0") & (requests["ending"] != "missed")])
    assert max(b - a for a, b in itertools.pairwise(heard_s)) > 0.3
    assert heard_s[0] < 0.8 < 1.3 < heard_s[-1]
    assert {agent["status"] for agent in summary(tmp_path / "out")["agents"].values()} == {"ended"}


def test_the_requests_of_a_killed_robot_have_failed_and_are_not_lost(tmp_path: Path) -> None:
    """It is killed while it runs one slowly; the planner is killed, too."""
    slow = FaultSpec(at_s=0.5, slow="carrier_0", factor=60.0)
    planner, robot = FaultSpec(at_s=1.0, kill="planner"), FaultSpec(at_s=0.8, kill="carrier_0")
    assert flown(tmp_path / "out", slow, planner, robot).error == ""
    of = summary(tmp_path / "out")
    assert of["requests"]["lost"] == 0
    assert of["requests"]["failed_by"]["agent_lost"] > 0
    assert {name: a["status"] for name, a in of["agents"].items()} == {"rover_0": "ended", "carrier_0": "killed"}
    assert [fault["done_s"] for fault in of["faults"]] == [pytest.approx(at_s) for at_s in (0.5, 0.8, 1.0)]


def test_a_full_disk_costs_lines_that_are_counted_and_nothing_else(tmp_path: Path) -> None:
    full = FaultSpec(at_s=0.2, disk_full=True, for_s=1.0)
    launch = flight(tmp_path / "out", full, FaultSpec(at_s=0.3, kill="rover_0"))
    launch.folder.report = lambda: HashedFolder.report(launch.folder)        # type: ignore[method-assign]
    outcome = launch.run()
    assert outcome.error == ""
    assert outcome.summary is not None
    assert outcome.summary["unwritten"]["events.jsonl"] >= 2                 # that it was killed, and how
    assert [e["what"] for e in events(tmp_path / "out") if e["who"] == "launcher"] == ["started", "fault", "fault_over"]
    assert outcome.summary["agents"]["rover_0"]["status"] == "killed"
    assert outcome.summary["requests"]["lost"] == 0
    processes = json.loads((tmp_path / "out" / "processes.json").read_text())
    assert {p["name"]: p["returncode"] for p in processes}["rover_0"] == -9
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Not everything could be written" in page
    assert "disk_full" in page
