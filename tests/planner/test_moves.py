"""What moves a stream: what was observed of it, and links, but not each time they change."""

from __future__ import annotations

from itertools import pairwise

import pytest
from msgspec.structs import replace

from swarm.core.units import ns
from swarm.planner.solvers.place import choices
from tests.planner.builders import team
from tests.planner.drive import Drive, seen


def test_what_is_observed_corrects_the_next_forecast_within_two_seconds() -> None:
    drive = Drive(team(1, 0))                              # nowhere else to go
    drive.advertise()
    drive.pass_time(2.0)
    before = drive.published[-1]
    detect = next(p for p in before.placements if p.stream == "detect")
    seen(drive, "rover_0", "detect", 10, 0)
    drive.pass_time(2.0)
    after = drive.published[-1]
    now = next(p for p in after.placements if p.stream == "detect")
    assert after.epoch == before.epoch                     # no placement has changed, but what it promises has
    assert now.where == detect.where
    assert now.predicted_on_time < detect.predicted_on_time - 0.5
    for _ in range(8):
        seen(drive, "rover_0", "detect", 10, 9)
        drive.pass_time(1.0)
    settled = next(p for p in drive.published[-1].placements if p.stream == "detect")
    assert settled.predicted_on_time > 0.75


def test_a_stream_leaves_a_peer_that_serves_it_worse_than_forecast() -> None:
    drive = Drive(team(2, 2))
    drive.advertise()
    drive.pass_time(5.0)
    first = next(p for p in drive.published[-1].placements if (p.agent, p.stream) == ("rover_0", "segment"))
    assert first.where[0].startswith("carrier")
    seen(drive, "rover_0", "segment", 10, 0)
    drive.pass_time(2.0)
    moved = next(p for p in drive.published[-1].placements if (p.agent, p.stream) == ("rover_0", "segment"))
    assert moved.where != first.where


def test_forecasts_that_come_true_change_nothing() -> None:
    drive = Drive(team(3, 2))
    drive.advertise()
    drive.pass_time(5.0)
    epoch, ends = drive.state.plan.epoch, len(drive.ends)
    for _ in range(10):
        for placed in drive.published[-1].placements:
            seen(drive, placed.agent, placed.stream, 5, 5)
        drive.pass_time(1.0)
    assert drive.state.plan.epoch == epoch
    assert len(drive.ends) <= ends + 1                     # the same problem is solved again when nothing is held


@pytest.mark.parametrize("period_s", [0.2, 1.0, 3.0, 10.0])
def test_a_link_that_flaps_moves_a_stream_once_in_ten_seconds_at_most(period_s: float) -> None:
    drive = Drive(team(3, 2))
    drive.advertise()
    drive.pass_time(6.0)
    before, moved = choices(drive.state.plan.placements), dict[tuple[str, str], list[int]]()
    quick = drive.problem
    slow = replace(quick, links={pair: replace(q, rtt_s=1.5) if "carrier_0" in pair else q
                                 for pair, q in quick.links.items()})
    for step in range(round(40 / max(period_s / 2, 0.1))):
        drive.problem = slow if step % 2 else quick
        drive.pass_time(max(period_s / 2, 0.1))
        after = choices(drive.state.plan.placements)
        for key in before:
            if after.get(key) != before[key]:
                moved.setdefault(key, []).append(drive.now)
        before = after
    assert all(later - earlier >= ns(10.0) for times in moved.values() for earlier, later in pairwise(times))
