"""The explorer: seeds that draw valid launches, findings that shrink, and the story of each."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from agents.peers.table import PeerTable
from swarm.core.settings import yaml_text
from swarm.core.settings.launch_file import FaultSpec, FleetSpec, LaunchFile
from swarm.launcher.load import load_launch
from swarm.membership.view import Membership
from swarm.run.settings.resolve import Options, Resolved
from swarm.virtual.explore import explorer
from swarm.virtual.explore.drawing import FULL, SMALL, Sizes, drawn, resolved
from swarm.virtual.explore.explorer import explored
from swarm.virtual.explore.seeds import Seed, one
from swarm.virtual.explore.shrink import shrunk, smaller_ones
from swarm.virtual.explore.story import FIRST, LAST


def resolved_one(seed: int, sizes: Sizes) -> Resolved:
    return resolved(drawn(seed, sizes))


def test_the_same_seed_draws_the_same_launch_and_others_differ() -> None:
    assert drawn(1, FULL) == drawn(1, FULL)
    assert len({yaml_text.dump(drawn(seed, FULL)) for seed in range(20)}) == 20


def test_drawn_launches_have_the_sizes_that_are_promised() -> None:
    launches = [drawn(seed, FULL) for seed in range(300)]
    robots = sorted(sum(fleet.count for fleet in launch.fleet) for launch in launches)
    assert (robots[0], robots[-1]) == (2, 12)
    assert robots[150] == 6                                                  # the median
    assert {len(launch.streams) for launch in launches} == set(range(1, 7))
    assert {len(launch.faults) for launch in launches} == set(range(2, 9))
    assert all(10.0 <= launch.duration_s <= 30.0 for launch in launches)
    kinds = {kind for launch in launches for fault in launch.faults
             for kind in FULL.kinds if getattr(fault, kind) is not None}
    assert kinds == set(FULL.kinds)


@pytest.mark.parametrize("seed", range(6))
def test_a_drawn_launch_is_one_that_swarm_launch_takes(seed: int, tmp_path: Path) -> None:
    launch = drawn(seed, FULL)
    (tmp_path / "drawn.yaml").write_text(yaml_text.dump(launch))
    assert load_launch(Options(launch=str(tmp_path / "drawn.yaml"))).launch == launch


def test_an_exploration_is_the_same_each_time() -> None:
    first = explored(resolved_one(1, SMALL))
    assert first.broken is None
    assert first.requests > 5
    assert explored(resolved_one(1, SMALL)) == first


def _never_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The dead are alive to everybody."""
    monkeypatch.setattr(Membership, "_check_silence", lambda self, name, member, now: [])


@pytest.mark.long
def test_a_finding_is_shrunk_to_a_launch_that_reproduces_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _never_lost(monkeypatch)
    seed = next(seed for seed in range(100) if explored(resolved_one(seed, SMALL)).broken)
    flown, finding = one(Seed(seed, None, small=True))
    assert flown.broken is not None
    assert finding is not None
    assert finding["robots"] <= 3
    assert finding["faults"] == 1
    name, lost = finding["about"]
    assert f"fault=kill {lost}" in "".join(finding["story"])
    assert any(f"{name} sends Heartbeat to {lost}, which cannot be reached" in line for line in finding["story"])
    assert len(finding["story"]) <= FIRST + LAST + 1
    times = [float(line.split()[0]) for line in finding["story"] if not line.startswith("...")]
    assert times == sorted(times)
    (tmp_path / "found.yaml").write_text(finding["launch"])
    again = explored(load_launch(Options(launch=str(tmp_path / "found.yaml")))).broken
    assert again is not None
    assert again.invariant == finding["invariant"] == "all views agree"


def test_views_need_not_agree_where_a_fault_lasts_until_the_end() -> None:
    resolved = resolved_one(1, SMALL)
    first, *others = [robot for fleet in resolved.launch.fleet for robot in fleet.robots()]
    parted = FaultSpec(at_s=resolved.launch.duration_s - 0.8, partition=[[first], [*others, "planner"]], for_s=2.0)
    run = msgspec.structs.replace(resolved, launch=msgspec.structs.replace(resolved.launch, faults=[parted]))
    assert explored(run).broken is None


def test_an_error_in_the_code_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: object, *_: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(PeerTable, "update", broken)
    found = explored(resolved_one(1, SMALL)).broken
    assert found is not None
    assert found.invariant == "no code fails"
    assert found.found.startswith(f"ZeroDivisionError: planted at {__file__}:")
    assert found.where.startswith("event ")


def test_a_run_that_does_not_end_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explorer, "MOST_EVENTS", 100)
    found = explored(resolved_one(1, SMALL)).broken
    assert found is not None
    assert found.invariant == "the run ends in order"


def test_shrinking_first_leaves_out_what_comes_after_the_finding() -> None:
    launch = drawn(1, FULL)
    at_s = sorted(fault.at_s or 0.0 for fault in launch.faults)[1]
    tried: list[LaunchFile] = []
    shrunk(launch, lambda smaller: tried.append(smaller) or True, broken_s=at_s, most=0)
    assert len(tried[0].faults) == 2
    assert tried[0].duration_s == pytest.approx(at_s + 1.0, abs=0.051)
    assert shrunk(launch, lambda smaller: False, broken_s=at_s) == launch


def test_a_smaller_launch_that_needs_another_seed_is_found() -> None:
    launch = next(launch for launch in (drawn(seed, FULL) for seed in range(100)) if len(launch.faults) > 4)
    odd = (launch.seed + 3) % 5
    least = shrunk(launch, lambda smaller: smaller.seed % 5 == odd or len(smaller.faults) == len(launch.faults))
    assert len(least.faults) <= 3
    assert sum(fleet.count for fleet in least.fleet) <= 4
    assert least.seed % 5 == odd


def test_a_fault_of_a_robot_that_is_left_out_hits_another_one() -> None:
    launch = msgspec.structs.replace(
        drawn(1, FULL), fleet=[FleetSpec(name="rover", count=6, board="weak", physics="kinematic")],
        faults=[FaultSpec(at_s=1.0, kill="rover_5"),
                FaultSpec(at_s=2.0, partition=[[f"rover_{k}" for k in range(5)], ["rover_5", "planner"]], for_s=1.0)])
    least = shrunk(launch, lambda smaller: len(smaller.faults) == 2 and smaller.fleet[0].count > 1)
    assert least.fleet[0].count == 2
    assert least.faults[0].kill == "rover_1"
    assert sorted(map(sorted, least.faults[1].partition or [])) == [["planner", "rover_1"], ["rover_0"]]


def test_shrinking_removes_what_is_not_needed_and_keeps_names_that_exist() -> None:
    launch = next(launch for launch in (drawn(seed, FULL) for seed in range(100))
                  if sum(fault.kill is not None for fault in launch.faults) == 1)
    least = shrunk(launch, lambda smaller: any(fault.kill for fault in smaller.faults))
    assert len(least.faults) == 1
    assert len(least.streams) == 1
    assert list(smaller_ones(least))
    for smaller in smaller_ones(launch):
        robots = {robot for fleet in smaller.fleet for robot in fleet.robots()} | {"planner"}
        for fault in smaller.faults:
            named = {fault.kill, fault.stop, fault.restart, fault.slow, fault.corrupt, fault.lose, fault.clock} - {None}
            named |= {name for group in fault.partition or [] for name in group}
            assert named <= robots
        assert all(set(stream.on) <= {fleet.name for fleet in smaller.fleet} for stream in smaller.streams)
