"""Which runs count: the host's faults against those of the launch file, and against the run's own results."""

from __future__ import annotations

from typing import Any

import pytest

from swarm.experiments.design.validity import invalid
from swarm.telemetry.summary_types import Missed


def summary(missed: dict[str, Missed], *faults: dict[str, Any], due: int = 100, **changed: Any) -> dict[str, Any]:
    """Of four robots with 100 due frames each, and 20 s; missed: by robot."""
    agents = {name: {"status": "ended", "due": due, "missed": {"body": of.body, "world": of.world, "agent": of.agent}}
              for name in "abcd" for of in [missed.get(name, Missed())]}
    return {
        "duration_s": 20.0, "ran_s": 20.0, "interrupted": False, "overloaded_by": [], "overlapped": [],
        "requests": {"due": 4 * due}, "agents": agents, "faults": list(faults), **changed}


def fault(kind: str, target: str = "", done_s: float | None = 8.0) -> dict[str, Any]:
    return {"kind": kind, "target": target, "done_s": done_s}


def test_a_run_that_was_offered_all_frames_counts_whatever_became_of_them() -> None:
    bad: dict[str, Any] = {"on_time_ratio": 0.0, "accepted": False, "requests": {
        "due": 400, "submitted": 400, "completed": 0, "late": 200, "failed": 190, "lost": 10}}
    assert invalid(summary({}, **bad)) == []


def test_an_overloaded_an_overlapped_and_a_shortened_run_do_not_count() -> None:
    assert invalid(summary({}, overloaded_by=["1.1 % of the emulated runs were late", "rover_0 was"])) == [
        "The host was overloaded: 1.1 % of the emulated runs were late; rover_0 was."]
    assert invalid(summary({}, overlapped=["patrol (process 7) was on when this run began"])) == [
        "Other runs used the host meanwhile: patrol (process 7) was on when this run began."]
    assert invalid(summary({}, overlapped=None)) == []               # nobody looked
    assert invalid(summary({}, interrupted=True, ran_s=4.04)) == [
        "It was cut short: the streams ran 4.0 of 20 s."]
    assert invalid(summary({}, ran_s=19.9)) == ["It was cut short: the streams ran 19.9 of 20 s."]
    assert invalid(summary({}, ran_s=19.9995)) == []


def test_all_reasons_are_told() -> None:
    assert len(invalid(summary({"a": Missed(agent=100)}, overloaded_by=["x"], overlapped=["y"], interrupted=True))) == 4


@pytest.mark.parametrize(("missed", "words"), [
    (30, ""),                                                # 970 of 1,000
    (31, "Too few of the due frames were offered: 96.9 %; 31 of 1000 were missed, which no fault explains."),
])
@pytest.mark.parametrize("by", ["body", "world", "agent"])
def test_97_of_100_frames_must_be_offered(missed: int, words: str, by: str) -> None:
    share = {"a": Missed(**{by: missed - 10}), "b": Missed(**{by: 10})}
    assert invalid(summary(share, due=250)) == ([words] if words else [])


@pytest.mark.parametrize("kind", ["stop", "kill", "restart", "crash"])
def test_what_a_robot_missed_by_its_own_fault_is_the_experiment(kind: str) -> None:
    stopped = {"b": Missed(agent=20)}                        # 4 of 20 s
    assert invalid(summary(stopped, fault(kind, "b"))) == []
    for explains_nothing in ([], [fault(kind, "a")], [fault(kind, "b", done_s=None)], [fault(kind, "planner")]):
        assert invalid(summary(stopped, *explains_nothing)) == [
            "Too few of the due frames were offered: 95.0 %; 20 of 400 were missed, which no fault explains."]
    neighbours = stopped | {"a": Missed(agent=13)}           # 387 of 400
    assert invalid(summary(neighbours, fault(kind, "b"))) == [
        "Too few of the due frames were offered: 96.8 %; 13 of 400 were missed, which no fault explains."]
    by_world = {"b": Missed(agent=20, world=13)}             # nor is the world's share of it excused
    assert len(invalid(summary(by_world, fault(kind, "b")))) == 1


@pytest.mark.parametrize("kind", ["slow", "corrupt", "lose", "clock", "partition", "disk_full"])
def test_other_faults_keep_no_robot_from_its_frames(kind: str) -> None:
    assert invalid(summary({}, fault(kind, "b"))) == []
    assert len(invalid(summary({"b": Missed(agent=20)}, fault(kind, "b")))) == 1


def test_a_world_that_stood_still_counts_only_where_the_launch_file_asked_for_it() -> None:
    still = {name: Missed(world=10) for name in "abcd"}      # 2 of 20 s
    assert invalid(summary(still)) == [
        "Too few of the due frames were offered: 90.0 %; 40 of 400 were missed, which no fault explains."]
    assert invalid(summary(still, fault("stop", "world"))) == []
    assert len(invalid(summary(still, fault("stop", "b")))) == 1


def test_nothing_due_is_nothing_missed() -> None:
    assert invalid(summary({}, due=0)) == []
