"""What a fault hit and how long the swarm took, on rows made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from swarm.core.policy.faults import Fault
from swarm.core.protocol.spans import RequestId, Span
from swarm.telemetry import table
from swarm.telemetry.figures.faults import DETECTED_S, FaultDone, Loss, crash, figures
from swarm.telemetry.figures.recovery import OnTimeHistory
from swarm.telemetry.ledger import Row
from swarm.telemetry.report import sections
from swarm.telemetry.report.map import dead
from swarm.telemetry.runfiles import Run
from swarm.telemetry.summary_types import FaultHit

DEADLINE_S = 0.2
RAN_S = 30.0


def row(at_s: float, ending: str = "completed", agent: str = "a", asked: str = "", ended_s: float | None = None) -> Row:
    span = Span(
        request=RequestId(agent, 1, round(at_s * 1000)), stream="detect", model="m", priority=0, captured_ns=0,
        submitted_ns=0, deadline_ns=round(DEADLINE_S * 1e9), offloaded_to=asked)
    span.ending = ending                                     # pyright: ignore[reportAttributeAccessIssue]
    return Row(span=span, at_s=at_s, due_s=at_s, ended_at_s=at_s + 0.1 if ended_s is None else ended_s)


def service(*late: tuple[float, float], every_s: float = 0.02, rows: list[Row] | None = None) -> OnTimeHistory:
    """Fifty requests a second, late where they fall due within these spans."""
    steady = [row(k * every_s, "late" if any(a <= k * every_s + DEADLINE_S < b for a, b in late) else "completed")
              for k in range(round(RAN_S / every_s))]
    return OnTimeHistory(rows if rows is not None else steady, {"detect": DEADLINE_S}, RAN_S)


def test_a_swarm_that_was_never_hit_took_no_time() -> None:
    assert service().recover_s(10.0, 12.0) == 0.0


def test_it_has_recovered_once_a_second_without_misses_has_passed() -> None:
    assert service((10.0, 10.5)).recover_s(10.0, 10.0) == pytest.approx(1.45, abs=0.05)     # but for 5 % of the window


def test_a_dip_within_the_second_starts_it_anew() -> None:
    assert service((10.0, 10.2), (11.6, 11.8)).recover_s(10.0, 10.0) == pytest.approx(2.75, abs=0.05)
    assert service((10.0, 10.2), (14.0, 14.2)).recover_s(10.0, 10.0) == pytest.approx(1.15, abs=0.05)


def test_a_fall_long_after_a_fault_is_not_its_doing() -> None:
    assert service((15.0, 16.0)).recover_s(10.0, 11.0) == 0.0
    assert service((15.0, 16.0)).recover_s(10.0, 14.5) == pytest.approx(6.95, abs=0.05)     # it lasted until then


def test_what_was_bad_before_is_no_reproach() -> None:
    steady = service(*((t / 10, t / 10 + 0.05) for t in range(40, 150)))
    assert steady.recover_s(10.0, 11.0) == 0.0


def test_a_swarm_that_does_not_recover_has_no_time() -> None:
    assert service((10.0, 99.0)).recover_s(10.0, 10.0) is None
    assert service((29.0, 29.3)).recover_s(29.0, 29.0) is None       # the run ended first
    assert service(rows=[]).recover_s(10.0, 10.0) is None            # nothing to compare with
    assert service(rows=[row(1.0)]).recover_s(10.0, 10.0) is None


def test_the_dead_need_not_be_served() -> None:
    rows = [row(k / 50) for k in range(1500)]
    for orphan in rows[500:520]:
        orphan.span = msgspec.structs.replace(orphan.span, ending="failed", reason="agent_lost")
    assert service(rows=rows).recover_s(10.0, 10.0) == 0.0


def test_where_nothing_falls_due_nothing_is_missed() -> None:
    assert service(rows=[row(8 + k / 50) for k in range(100)]).recover_s(10.0, 12.0) == 0.0


def test_a_request_of_which_only_the_submission_was_heard_falls_due_by_its_stream() -> None:
    lost = row(10.0, "failed")
    lost.span = msgspec.structs.replace(lost.span, deadline_ns=0)
    assert OnTimeHistory([row(9.0), lost], {"detect": 2.0}, RAN_S).share(11.9, 12.1) == 0.0


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
    made = figures(done, ROWS, LOSSES, service())
    assert made.hit == FaultHit(own=2, own_missed=1, peers=2, peers_missed=1, lost_by=2)
    assert (made.kind, made.target, made.done_s, made.ended_s, made.recover_s) == (
        "kill", "a", 10.0, None, 0.0)
    assert 10.0 + DETECTED_S < 13.0


def test_a_fault_that_lasts_hits_while_it_lasts() -> None:
    done = FaultDone(fault=Fault(at_s=12.0, kind="stop", target="a", for_s=1.0), done_s=12.0, ended_s=13.0)
    made = figures(done, ROWS, LOSSES, service())
    assert made.hit == FaultHit(own=0, own_missed=0, peers=1, peers_missed=1, lost_by=0)
    assert made.for_s == 1.0


def test_a_partition_hits_what_crosses_it() -> None:
    fault = Fault(at_s=10.0, kind="partition", groups=[["a"], ["c", "d"]], for_s=1.0)
    made = figures(FaultDone(fault=fault, done_s=10.0, ended_s=11.0), ROWS, LOSSES, service())
    assert made.hit == FaultHit(own=0, own_missed=0, peers=1, peers_missed=1, lost_by=1)
    assert made.groups == [["a"], ["c", "d"]]


def test_a_full_disk_and_a_fault_that_did_not_begin_hit_no_request() -> None:
    disk = Fault(at_s=10.0, kind="disk_full", for_s=1.0)
    assert figures(FaultDone(fault=disk, done_s=10.0, ended_s=11.0), ROWS, LOSSES, service()).hit is None
    never = figures(FaultDone(fault=disk), ROWS, LOSSES, service())
    assert (never.done_s, never.hit, never.recover_s) == (None, None, None)


def test_a_crash_is_recorded_like_a_kill() -> None:
    made = figures(crash("a", 10.0004), ROWS, LOSSES, service())
    assert made.hit is not None
    assert (made.kind, made.at_s, made.hit.own) == ("crash", 10.0, 2)


def run_with(*faults: FaultDone) -> Run:
    """A run folder with these faults."""
    figured = msgspec.to_builtins([figures(done, ROWS, LOSSES, service((12.0, 12.5))) for done in faults])
    return Run(folder=Path(), manifest={}, summary={"faults": figured}, requests=table.empty(), scene={}, plans=[],
               events=[], paths=[])


def test_the_report_has_a_row_for_each_fault() -> None:
    page = sections.faults(run_with(
        FaultDone(fault=Fault(at_s=10.0, kind="kill", target="a"), done_s=10.0),
        FaultDone(fault=Fault(at_s=12.0, kind="stop", target="a", for_s=1.0), done_s=12.0, ended_s=13.0),
        FaultDone(fault=Fault(at_s=14.0, kind="restart", target="b"), done_s=14.0),
        FaultDone(fault=Fault(at_s=15.0, kind="partition", groups=[["a", "b"], ["c"]], for_s=1.0)),
    ))
    lines = [line for line in page.split("<tr>") if "<td" in line]
    assert len(lines) == 4
    assert all(part in lines[0] for part in ("kill a", "1 of 2", "no drop"))
    assert all(part in lines[1] for part in ("stop a", "1.00 s", "1 of 1", "1.4"))
    assert "not back" in lines[2]
    assert all(part in lines[3] for part in ("partition a, b | c", "did not begin"))


def test_on_the_map_a_robot_that_came_back_is_not_dead() -> None:
    def begun(kind: Any, target: str, ended_s: float | None = None) -> FaultDone:
        return FaultDone(fault=Fault(at_s=1.0, kind=kind, target=target), done_s=1.0, ended_s=ended_s)

    assert dead(run_with(
        begun("kill", "a"), begun("restart", "b", 2.0), begun("restart", "c"), begun("stop", "d", 2.0),
        begun("kill", "e"), begun("restart", "e", 3.0), crash("f", 4.0),
        FaultDone(fault=Fault(at_s=5.0, kind="kill", target="g")),
    )) == {"a", "c", "f"}
