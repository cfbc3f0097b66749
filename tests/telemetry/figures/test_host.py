"""When a run says that the machine did not keep up, and what is not the machine's."""

from __future__ import annotations

import pytest

from swarm.core.policy.faults import Fault
from swarm.core.protocol.messages import Slip
from swarm.core.protocol.spans import RequestId, Span
from swarm.telemetry.figures.host import overloaded_by
from swarm.telemetry.figures.recovery.fault_records import FaultDone
from swarm.telemetry.ledger import Row
from swarm.telemetry.summary_types import AgentFigures

RAN_S = 20.0


def rows(robot: str, *gaps: tuple[float, float]) -> list[Row]:
    """Five frames a second for 20 s; those due within a gap were missed."""
    made = []
    for number in range(100):
        due_s = 0.2 * number
        gone = any(a <= due_s < b for a, b in gaps)
        span = Span(request=RequestId(robot, 1, number), stream="detect", model="m", priority=0, captured_ns=0,
                    submitted_ns=0, deadline_ns=0, ending="missed" if gone else "completed")
        made.append(Row(span=span, at_s=due_s, due_s=due_s))
    return made


def fault(kind: str, target: str, at_s: float, ended_s: float | None = None) -> FaultDone:
    return FaultDone(fault=Fault(at_s=at_s, kind=kind, target=target), done_s=at_s, ended_s=ended_s)


def reasons(
    rows: list[Row], *, runs: int = 1000, overruns: int = 0, slips: tuple[Slip, ...] = (),
    faults: tuple[FaultDone, ...] = (),
) -> list[str]:
    return overloaded_by(rows, [AgentFigures(runs=runs, overruns=overruns)], slips, faults, RAN_S)


def test_a_host_that_kept_up_gives_no_reason() -> None:
    assert reasons(rows("a") + rows("b", (3.0, 3.4)), overruns=10, slips=(Slip(1.0, 1.3, 0.2),)) == []


def test_overruns_and_slips_beyond_one_percent_are_told() -> None:
    assert reasons(rows("a"), overruns=11) == ["1.1 % of the emulated runs took longer than on their board"]
    assert reasons(rows("a"), slips=(Slip(4.0, 6.0, 1.9), Slip(9.0, 9.5, 0.4))) == [
        "simulated time lost 2.3 s on real time"]


def test_frames_that_were_not_submitted_are_told_for_all_and_for_one_robot() -> None:
    everybody = [r for k in range(8) for r in rows(f"r{k}")]
    stalled = everybody[100:] + rows("r0", (5.0, 9.0))       # 20 of 800 frames
    assert reasons(stalled) == ["r0 submitted 80.0 % of its due frames"]
    assert reasons(rows("a", (5.0, 5.7)) + rows("b", (5.0, 5.7))) == ["96.0 % of the due frames were submitted"]


@pytest.mark.parametrize(("done", "gap"), [
    (fault("kill", "a", 8.0), (8.0, 20.0)),
    (fault("crash", "a", 8.0), (8.0, 20.0)),
    (fault("restart", "a", 8.0, 11.0), (8.0, 11.9)),
    (fault("stop", "a", 8.0, 12.0), (8.0, 12.4)),
    (fault("stop", "world", 8.0, 12.0), (8.0, 12.4)),
])
def test_what_an_injected_fault_or_a_crash_explains_is_not_the_hosts(done: FaultDone, gap: tuple[float, float]) -> None:
    assert reasons(rows("a", gap), faults=(done,)) == []
    assert reasons(rows("a", gap)) != []
    late = (gap[0], 20.0)
    if done.ended_s is not None:
        assert reasons(rows("a", late), faults=(done,)) != []        # it was back, and still missed frames
    if done.fault.target == "a":
        assert reasons(rows("b", gap), faults=(done,)) != []         # another robot has no excuse


@pytest.mark.parametrize(("done", "lost_s"), [
    (fault("stop", "world", 8.0, 12.0), 0.0),                # 3.9 s, all of it between 7 and 13 s
    (fault("stop", "world", 8.0, 8.5), 2.4),                 # the world went on at 8.5 s: excused until 9.5 s
    (fault("stop", "a", 8.0, 12.0), 3.9),
    (fault("slow", "a", 8.0, 12.0), 3.9),
])
def test_time_that_an_injected_fault_of_the_world_lost_is_not_the_hosts(done: FaultDone, lost_s: float) -> None:
    told = [f"simulated time lost {lost_s:.1f} s on real time"] if lost_s else []
    assert reasons(rows("a"), slips=(Slip(8.0, 12.0, 3.9),), faults=(done,)) == told


def test_a_fault_of_another_kind_explains_nothing() -> None:
    assert reasons(rows("a", (8.0, 12.0)), faults=(fault("slow", "a", 8.0, 12.0),)) != []
