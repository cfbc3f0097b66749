"""Faults are drawn alike each time, hit who is there, and together are as bad as one after the other."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.core.policy.faults import Fault, affected, expand, injected
from swarm.core.protocol.messages import InjectedFaults
from swarm.core.protocol.sensors import SensorFault
from swarm.core.settings.launch_file import FaultSpec

FLEETS = {"rover": ["rover_0", "rover_1", "rover_2"], "carrier": ["carrier_0"]}
ROBOTS = [robot for robots in FLEETS.values() for robot in robots]
NAMES = st.sampled_from([*ROBOTS, "planner", "rover", "carrier", "any"])
WHEN = st.one_of(
    st.floats(0.0, 59.0).map(lambda at_s: {"at_s": at_s}), st.floats(0.5, 60.0).map(lambda rate: {"per_minute": rate}))
WHAT = st.one_of(
    NAMES.map(lambda name: {"kill": name}), NAMES.map(lambda name: {"restart": name, "after_s": 0.5}),
    NAMES.map(lambda name: {"stop": name, "for_s": 1.0}),
    NAMES.map(lambda name: {"slow": name, "factor": 2.0, "for_s": 3.0}),
    NAMES.map(lambda name: {"lose": name, "share": 0.3, "for_s": 2.0}), st.just({"disk_full": True, "for_s": 1.0}),
    st.just({"partition": "random", "for_s": 1.0}),
    st.sampled_from([*ROBOTS, "rover", "any"]).map(lambda name: {"freeze": name, "sensor": "lidar", "for_s": 1.0}),
    st.just({"partition": [["rover"], ["any", "planner"]], "for_s": 2.0}),
)
SPECS = st.lists(st.builds(lambda when, what: FaultSpec(**when, **what), WHEN, WHAT), max_size=6)


def drawn(*specs: FaultSpec, seed: int = 7, duration_s: float = 60.0) -> list[Fault]:
    return expand(specs, seed, duration_s, FLEETS, ["planner"])


@given(SPECS, st.integers(0, 2**32))
def test_the_same_launch_has_the_same_faults_in_order_within_the_run_and_none_on_the_dead(
    specs: list[FaultSpec], seed: int
) -> None:
    faults = drawn(*specs, seed=seed)
    assert faults == drawn(*specs, seed=seed)
    assert [f.at_s for f in faults] == sorted(f.at_s for f in faults)
    assert all(0 <= f.at_s < 60 for f in faults)
    dead: set[str] = set()
    by_name = {str(getattr(s, kind)) for s in specs for kind in ("kill", "stop", "restart", "slow", "lose", "freeze")}
    for fault in faults:
        assert fault.target in {*ROBOTS, "planner", ""}
        if fault.target in dead:
            assert fault.kind == "restart" or fault.target in by_name    # asked for by name, once: it will not strike
        if fault.kind == "kill":
            dead.add(fault.target)
        elif fault.kind == "restart":
            dead.discard(fault.target)


@given(SPECS, st.integers(0, 9))
def test_groups_are_whole_and_apart(specs: list[FaultSpec], seed: int) -> None:
    for fault in drawn(*specs, seed=seed):
        if fault.kind == "partition":
            everybody = [name for group in fault.groups for name in group]
            assert len(fault.groups) == 2
            assert len(set(everybody)) == len(everybody)
            assert all(fault.groups)


def test_a_rate_is_met_on_average_and_its_seed_matters() -> None:
    spec = FaultSpec(per_minute=6, stop="any", for_s=1.0)
    counts = [len(drawn(spec, seed=seed, duration_s=600.0)) for seed in range(40)]
    assert 60 - 3 * math.sqrt(60 / 40) < sum(counts) / 40 < 60 + 3 * math.sqrt(60 / 40)
    assert drawn(spec, seed=1) != drawn(spec, seed=2)
    assert set(Counter(f.target for f in drawn(spec, duration_s=600.0))) == set(ROBOTS)


def test_killing_any_at_a_rate_leaves_nobody_twice_dead() -> None:
    faults = drawn(FaultSpec(per_minute=30, kill="any"))
    assert sorted(f.target for f in faults) == sorted(ROBOTS)


def test_one_entry_does_not_move_the_draws_of_another() -> None:
    first, other = FaultSpec(per_minute=4, stop="any", for_s=1), FaultSpec(at_s=3, slow="rover_0", factor=2, for_s=1)
    assert [f for f in drawn(first, other) if f.kind == "stop"] == drawn(first)


def test_a_fleet_in_a_group_is_all_its_robots_and_any_is_one_of_the_rest() -> None:
    (fault,) = drawn(FaultSpec(at_s=1, partition=[["carrier", "planner"], ["any"]], for_s=1))
    assert fault.groups[0] == ["carrier_0", "planner"]
    assert len(fault.groups[1]) == 1
    assert fault.groups[1][0] in FLEETS["rover"]


def test_what_ails_a_process_is_all_that_lasts() -> None:
    on = [
        Fault(at_s=0, kind="partition", groups=[["a", "b"], ["c"], ["p"]], for_s=1),
        Fault(at_s=0, kind="lose", target="a", share=0.5, for_s=1), Fault(at_s=0, kind="lose", target="a", share=0.5),
        Fault(at_s=0, kind="corrupt", target="a", share=0.25), Fault(at_s=0, kind="clock", target="a", by_s=-5.0),
        Fault(at_s=0, kind="slow", target="a", factor=2.0), Fault(at_s=0, kind="slow", target="a", factor=3.0),
    ]
    assert injected("a", on, 7) == InjectedFaults(
        deaf_to=["c", "p"], lose=0.75, corrupt=0.25, slow=6.0, clock_step_s=-5.0, seed=7)
    assert injected("c", on, 7) == InjectedFaults(deaf_to=["a", "b", "p"], seed=7)
    assert injected("free", on, 7) == InjectedFaults(seed=7)


def test_the_world_is_told_what_ails_each_sensor_and_nobody_else_is() -> None:
    on = [Fault(at_s=0, kind="dropout", target="b", sensor="lidar"),
          Fault(at_s=0, kind="bias", target="a", sensor="lidar", by_m=0.5),
          Fault(at_s=0, kind="bias", target="a", sensor="lidar", by_m=0.25),
          Fault(at_s=0, kind="freeze", target="a", sensor="camera"),
          Fault(at_s=0, kind="bias", target="b", sensor="wheels", scale=2.0),
          Fault(at_s=0, kind="bias", target="b", sensor="wheels", scale=3.0)]
    assert injected("a", on, 7) == InjectedFaults(seed=7)
    assert injected("world", on, 7).sensors == [
        SensorFault(robot="a", sensor="camera", freeze=True), SensorFault(robot="a", sensor="lidar", by_m=0.75),
        SensorFault(robot="b", sensor="lidar", dropout=True), SensorFault(robot="b", sensor="wheels", scale=6.0)]
    assert [affected(fault) for fault in on] == [["world"]] * 6


@pytest.mark.parametrize(("fault", "told"), [
    (Fault(at_s=0, kind="kill", target="a"), []), (Fault(at_s=0, kind="stop", target="a"), []),
    (Fault(at_s=0, kind="disk_full"), []), (Fault(at_s=0, kind="slow", target="a"), ["a"]),
    (Fault(at_s=0, kind="partition", groups=[["a"], ["b", "c"]]), ["a", "b", "c"]),
])
def test_who_is_told(fault: Fault, told: list[str]) -> None:
    assert affected(fault) == told
