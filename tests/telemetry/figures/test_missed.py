"""What was due and never submitted is counted, by what missed it: by hand."""

from __future__ import annotations

from collections import Counter

import msgspec

from swarm.core.policy.faults import Fault
from swarm.core.protocol.messages import Slip
from swarm.core.protocol.spans import Frame, RequestId, Span
from swarm.core.settings.launch_file import FleetSpec, LaunchFile, StreamOn
from swarm.telemetry.figures.missed import missed_rows, whole_slips
from swarm.telemetry.figures.recovery.fault_records import FaultDone
from swarm.telemetry.ledger import Row

LAUNCH = LaunchFile(
    version=1, scenario="s",
    fleet=[FleetSpec(name="rover", count=2, board="b"), FleetSpec(name="mule", count=1, board="b")],
    streams=[StreamOn(name="detect", on=["rover"], model="m", rate_hz=5.0, deadline_s=0.2, priority=2)])
PHASE_S = 0.05


def row(robot: str, number: int, incarnation: int = 1) -> Row:
    span = Span(request=RequestId(robot, incarnation, number), stream="detect", model="m", priority=2, captured_ns=1,
                submitted_ns=1, deadline_ns=1)
    due_s = PHASE_S + 0.2 * number
    return Row(span=span, at_s=due_s, due_s=due_s, frame=Frame(incarnation, "detect", number))


def of(robot: str, *numbers: int) -> list[Row]:
    return [row(robot, number) for number in numbers]


def missed(rows: list[Row], *slips: Slip, ran_s: float = 10.0) -> list[tuple[str, int, str]]:
    made = missed_rows(LAUNCH, rows, slips, ran_s)
    assert all(r.span.ending == "missed" for r in made)
    return [(r.span.request.agent, r.frame.number, r.span.reason) for r in made if r.frame]


def test_every_frame_was_submitted() -> None:
    assert missed(of("rover_0", *range(50)) + of("rover_1", *range(50))) == []


def test_a_frame_that_falls_due_after_the_end_is_not_missed() -> None:
    """1.75 periods: two frames of one that begins early in its period, one of one that begins late in it."""
    late = [Row(span=r.span, at_s=0.18, due_s=0.18, frame=r.frame) for r in of("rover_1", 0)]
    assert missed([*of("rover_0", 0, 1), *late], ran_s=0.35) == []
    assert missed(of("rover_0", 0, 1), ran_s=0.35) == [("rover_1", 0, "agent")]


def test_a_hole_is_missed_by_the_agent_with_its_time() -> None:
    rows = of("rover_0", *range(20), *range(22, 50)) + of("rover_1", *range(50))
    assert missed(rows) == [("rover_0", 20, "agent"), ("rover_0", 21, "agent")]
    assert [round(r.due_s, 6) for r in missed_rows(LAUNCH, rows, [], 10.0)] == [4.05, 4.25]


def test_no_frame_falls_due_before_the_streams_begin() -> None:
    """The second frame came 5 ms early, so the first one would have come just before the begin."""
    early = [Row(span=r.span, at_s=r.at_s - 0.055, due_s=r.due_s - 0.055, frame=r.frame)
             for r in of("rover_0", *range(1, 50))]
    (lost,) = missed_rows(LAUNCH, early + of("rover_1", *range(50)), [], 10.0)
    assert (lost.due_s, lost.at_s) == (0.0, 0.0)


def test_a_robot_that_never_submitted_missed_all() -> None:
    assert missed(of("rover_0", *range(50))) == [("rover_1", number, "agent") for number in range(50)]


def test_what_a_silent_sensor_did_not_give_is_missed_by_the_body() -> None:
    rows = of("rover_0", *range(20), *range(30, 40), *range(42, 50)) + of("rover_1", *range(20), *range(30, 50))
    fault = Fault(at_s=4.0, kind="dropout", target="rover_0", sensor="camera", for_s=2.0)
    frozen = msgspec.structs.replace(fault, kind="freeze", target="rover_1")
    done = [FaultDone(fault=one, done_s=4.0, ended_s=6.0) for one in (fault, frozen)]
    made = [(r.span.request.agent, r.frame.number, r.span.reason)
            for r in missed_rows(LAUNCH, rows, [], 10.0, faults=done) if r.frame]
    assert made == [*(("rover_0", number, "body") for number in range(20, 30)), ("rover_0", 40, "agent"),
                    ("rover_0", 41, "agent"), *(("rover_1", number, "agent") for number in range(20, 30))]


def test_what_a_dead_robot_did_not_submit_is_missed_by_the_agent_whatever_ails_its_sensors() -> None:
    rows = of("rover_0", *range(20)) + of("rover_1", *range(20), *range(40, 50))
    faults = [FaultDone(fault=Fault(at_s=4.0, kind="dropout", target=robot, sensor="place", for_s=6.0), done_s=4.0,
                        ended_s=10.0)
              for robot in ("rover_0", "rover_1")]
    faults += [FaultDone(fault=Fault(at_s=6.0, kind="battery", target="rover_0"), done_s=6.0),
               FaultDone(fault=Fault(at_s=4.0, kind="restart", target="rover_1"), done_s=4.0, ended_s=6.0)]
    found = Counter((r.span.request.agent, r.span.reason) for r in missed_rows(LAUNCH, rows, [], 10.0, faults=faults))
    assert found == {("rover_0", "body"): 10, ("rover_0", "agent"): 20, ("rover_1", "agent"): 11,
                     ("rover_1", "body"): 9}


def test_what_falls_due_while_the_world_slips_is_missed_by_the_world() -> None:
    """The world stood still from 4 to 6 s: of both robots, 10 frames each; one more frame was the agent's."""
    there = [n for n in range(50) if not 20 <= n < 30]
    rows = of("rover_0", *there) + of("rover_1", *(n for n in there if n != 45))
    by = Counter((robot, cause) for robot, _, cause in missed(rows, Slip(4.0, 6.0, 1.9)))
    assert by == {("rover_0", "world"): 10, ("rover_1", "world"): 10, ("rover_1", "agent"): 1}


def test_a_world_that_was_held_up_to_the_end_missed_the_rest() -> None:
    assert whole_slips([], elapsed_s=9.6, ran_s=10.0) == []
    held = whole_slips([Slip(1.0, 1.5, 0.4)], elapsed_s=6.0, ran_s=10.0)
    assert held == [Slip(1.0, 1.5, 0.4), Slip(6.0, 10.0, 4.0)]
    rows = of("rover_0", *range(30)) + of("rover_1", *range(30))
    assert Counter(cause for _, _, cause in missed(rows, *held)) == {"world": 40}


def test_more_frames_than_rate_times_time_are_no_debt_and_a_stream_may_end_early() -> None:
    assert missed(of("rover_0", *range(51)) + of("rover_1", *range(50))) == []
    assert missed(of("rover_0", *range(20)) + of("rover_1", *range(20)), ran_s=4.09) == []


def test_two_starts_that_number_anew_are_told_apart_by_time() -> None:
    """On boards no launcher tells a new start where the run is: it numbers from 0; what is missed is the gap."""
    later = [Row(span=r.span, at_s=r.at_s + 6.0, due_s=r.due_s + 6.0, frame=r.frame) for r in of("rover_0", *range(20))]
    again = missed_rows(LAUNCH, of("rover_0", *range(20)) + later + of("rover_1", *range(50)), [], 10.0)
    assert [round(r.due_s, 6) for r in again] == [round(PHASE_S + 0.2 * n, 6) for n in range(20, 30)]


def test_uneven_frames_do_not_hide_a_missed_one() -> None:
    """Gaps of 0.29 s: no due moment lies in any, yet of 50 due frames only 34 came."""
    rows = [Row(span=row("rover_0", k).span, at_s=0.29 * k, due_s=0.29 * k, frame=Frame(1, "detect", k))
            for k in range(34)]
    made = missed_rows(LAUNCH, [*rows, *of("rover_1", *range(50))], [], 10.0)
    assert len(made) == 16


def test_each_missed_frame_has_an_id_of_its_own() -> None:
    made = missed_rows(LAUNCH, [], [], 10.0)
    assert len({r.span.request for r in made}) == len(made) == 100


def test_two_starts_of_a_robot_count_as_one_stream() -> None:
    rows = of("rover_0", *range(20)) + [row("rover_0", n, 2) for n in range(30, 50)] + of("rover_1", *range(50))
    assert [number for _, number, _ in missed(rows)] == list(range(20, 30))
