"""What a fault hit and how long the swarm took, on rows made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from swarm.core.policy.faults import Fault
from swarm.core.protocol.spans import RequestId, Span
from swarm.telemetry.figures.due import of_rows
from swarm.telemetry.figures.recovery.fault_records import DETECTED_S, FaultDone, Loss, crash, hit, records
from swarm.telemetry.ledger import Row
from swarm.telemetry.report import sections
from swarm.telemetry.report.map import dead
from swarm.telemetry.report.runfiles import Run
from swarm.telemetry.summary_types import FaultHit, FaultRecord

DEADLINE_S = 0.2


def row(at_s: float, ending: str = "completed", agent: str = "a", asked: str = "", ended_s: float | None = None) -> Row:
    span = Span(
        request=RequestId(agent, 1, round(at_s * 1000)), stream="detect", model="m", priority=0, captured_ns=0,
        submitted_ns=0, deadline_ns=round(DEADLINE_S * 1e9), offloaded_to=asked)
    span.ending = ending                                     # pyright: ignore[reportAttributeAccessIssue]
    return Row(span=span, at_s=at_s, due_s=at_s, ended_at_s=at_s + 0.1 if ended_s is None else ended_s)


def made(*faults: FaultDone) -> list[FaultRecord]:
    """The records over these rows, in which no loss can be seen."""
    return records(faults, ROWS, LOSSES, of_rows(ROWS, {}), [])


ROWS = [
    row(9.0, "completed", "b", "a", 9.1),                    # over before
    row(9.9, "failed", "a", "", 10.1), row(9.8, "completed", "a", "", 10.2),
    row(9.95, "completed", "b", "a", 10.05), row(10.4, "late", "c", "a", 10.9), row(10.5, "completed", "c", "b", 10.6),
    row(13.0, "late", "b", "a", 13.5),                       # long after
]
LOSSES = [Loss(9.0, "b", "a"), Loss(10.7, "b", "a"), Loss(10.8, "c", "a"), Loss(10.9, "c", "a"), Loss(10.9, "c", "b"),
          Loss(20.0, "d", "a")]


def test_a_death_hits_requests_of_the_target_and_at_the_target_until_it_is_detected() -> None:
    done = FaultDone(fault=Fault(at_s=10.0, kind="kill", target="a"), done_s=10.0)
    assert hit(done, ROWS, LOSSES) == FaultHit(own=2, own_missed=1, peers=2, peers_missed=1, lost_by=2)
    assert 10.0 + DETECTED_S < 13.0


def test_a_fault_that_lasts_hits_while_it_lasts() -> None:
    done = FaultDone(fault=Fault(at_s=12.0, kind="stop", target="a", for_s=1.0), done_s=12.0, ended_s=13.0)
    assert hit(done, ROWS, LOSSES) == FaultHit(own=0, own_missed=0, peers=1, peers_missed=1, lost_by=0)


def test_a_partition_hits_what_crosses_it() -> None:
    fault = Fault(at_s=10.0, kind="partition", groups=[["a"], ["c", "d"]], for_s=1.0)
    done = FaultDone(fault=fault, done_s=10.0, ended_s=11.0)
    assert hit(done, ROWS, LOSSES) == FaultHit(own=0, own_missed=0, peers=1, peers_missed=1, lost_by=1)
    assert made(done)[0].groups == [["a"], ["c", "d"]]


def test_a_full_disk_and_a_fault_that_did_not_begin_hit_no_request() -> None:
    disk = Fault(at_s=10.0, kind="disk_full", for_s=1.0)
    begun, never = made(FaultDone(fault=disk, done_s=10.0, ended_s=11.0), FaultDone(fault=disk))
    assert (begun.hit, begun.verdict) == (None, "too_few")
    assert (never.done_s, never.hit, never.verdict, never.recover_s, never.together) == (None, None, None, None, 0)


def test_records_are_in_order_of_time_and_each_has_its_own_times() -> None:
    stop = FaultDone(fault=Fault(at_s=12.0, kind="stop", target="a", for_s=1.0), done_s=12.0004, ended_s=13.0)
    death = FaultDone(fault=Fault(at_s=4.0, kind="kill", target="b"), done_s=4.0)
    first, second = made(stop, death)
    assert (first.kind, first.done_s, first.ended_s, first.for_s) == ("kill", 4.0, None, None)
    assert (second.kind, second.done_s, second.ended_s, second.for_s) == ("stop", 12.0, 13.0, 1.0)
    assert second.before is not None
    assert (second.before.to_s, second.before.n, second.n) == (12.0, 6, 1)


def test_a_crash_is_recorded_like_a_kill() -> None:
    (one,) = made(crash("a", 10.0004))
    assert one.hit is not None
    assert (one.kind, one.at_s, one.hit.own) == ("crash", 10.0, 2)


def run_with(*faults: FaultDone) -> Run:
    """A run folder with these faults."""
    run = Run(folder=Path())
    run.summary.faults = made(*faults)
    return run


def test_the_report_has_a_row_for_each_fault() -> None:
    run = run_with(
        FaultDone(fault=Fault(at_s=10.0, kind="kill", target="a"), done_s=10.0),
        FaultDone(fault=Fault(at_s=12.0, kind="stop", target="a", for_s=1.0), done_s=12.0, ended_s=13.0),
        FaultDone(fault=Fault(at_s=14.0, kind="restart", target="b"), done_s=14.0),
        FaultDone(fault=Fault(at_s=15.0, kind="partition", groups=[["a", "b"], ["c"]], for_s=1.0)),
    )
    first, second = run.summary.faults[:2]
    first.verdict, first.recover_s, first.left_out = "recovered", 1.5, ["a"]
    second.verdict = "lasting"
    rows = sections.faults(run).rows
    assert len(rows) == 4
    assert {"kill a", "1 of 2", "1.50 s (3 faults judged together)"} <= set(rows[0])
    assert {"stop a", "1.00 s", "1 of 1"} <= set(rows[1])
    assert "lasting loss" in str(rows[1][-1])
    assert "not back" in rows[2]
    assert "too few requests to tell" in str(rows[2][-1])
    assert {"partition a, b | c", "did not begin"} <= set(rows[3])
    assert sections.left_out(run) == "a"


def test_on_the_map_a_robot_that_came_back_is_not_dead() -> None:
    def begun(kind: Any, target: str, ended_s: float | None = None) -> FaultDone:
        return FaultDone(fault=Fault(at_s=1.0, kind=kind, target=target), done_s=1.0, ended_s=ended_s)

    assert dead(run_with(
        begun("kill", "a"), begun("restart", "b", 2.0), begun("restart", "c"), begun("stop", "d", 2.0),
        begun("kill", "e"), begun("restart", "e", 3.0), crash("f", 4.0),
        FaultDone(fault=Fault(at_s=5.0, kind="kill", target="g")),
    )) == {"a", "c", "f"}
