"""What agents report of themselves, over their starts."""

from __future__ import annotations

import msgspec
import pytest

from swarm.core.protocol.messages import AgentNews
from swarm.core.protocol.world import BatteryState
from swarm.telemetry.figures.agents import AgentBook
from swarm.telemetry.summary_types import ChargeFigures, EnergyFigures

NEWS = AgentNews(rss_bytes=1, runs=1, overruns=0, busy_s=0.0, available_s=0.0, refused_in=0, duplicates=0,
                 control_bytes=0)


def load(busy_s: float, available_s: float, late_ms: float = 0.0) -> AgentNews:
    return msgspec.structs.replace(NEWS, busy_s=busy_s, available_s=available_s, loop_late_ms_p99=late_ms)


def test_the_last_report_of_a_killed_agent_does_not_revive_it_but_a_new_start_does() -> None:
    book = AgentBook()
    book.handle("a", 1, NEWS)
    book.set_status("a", 1, "killed")
    book.handle("a", 1, NEWS)
    assert book.figures("a").status == "killed"
    book.handle("a", 2, NEWS)
    assert book.figures("a").status == "running"
    assert book.figures("a").starts == 2
    book.handle("a", 1, NEWS)                                # still on its way when the new start reported
    book.set_status("a", 2, "crashed")
    book.handle("a", 1, NEWS)
    assert (book.figures("a").status, book.figures("a").starts) == ("crashed", 2)


def test_the_battery_of_a_robot_is_averaged_until_it_is_empty() -> None:
    book = AgentBook()
    assert book.battery("a") is None
    assert book.energy() == (EnergyFigures(), ChargeFigures())
    for charge in (1.0, 0.5, 0.0, 0.0, 0.0):
        book.batteries({"a": BatteryState(charge=charge, compute_j=1.0, radio_j=0.25, motion_j=2.0, empty=not charge),
                        "b": BatteryState(charge=0.75, motion_j=4.0, charged_j=3.0)})
    battery = book.battery("a")
    assert battery is not None
    assert (battery.charge, battery.charge_least, battery.charge_mean, battery.empty) == (0.0, 0.0, 0.5, True)
    assert book.energy() == (EnergyFigures(compute=1.0, radio=0.25, motion=6.0, charged=3.0),
                             ChargeFigures(least=0.0, mean=0.625, robots_empty=1))


def test_a_start_counts_that_ended_before_its_first_report_but_not_one_that_was_never_ready() -> None:
    book = AgentBook()
    assert book.figures("a").starts == 0
    book.set_status("a", 7, "killed")
    assert (book.figures("a").starts, book.figures("a").status) == (1, "killed")
    book.set_status("a", 0, "crashed")
    assert (book.figures("a").starts, book.figures("a").status) == (1, "crashed")


def test_the_busy_share_is_busy_time_over_available_time_of_all_starts() -> None:
    book = AgentBook()
    assert book.figures("a").busy_share == 0.0
    book.handle("a", 1, load(0.0, 0.0))                      # before Start
    assert book.figures("a").busy_share == 0.0
    for second in (1, 2, 3):                                 # two executors, one of them always busy
        book.handle("a", 1, load(1.0 * second, 2.0 * second))
    assert book.figures("a").busy_share == pytest.approx(3 / 6)
    book.handle("a", 2, load(0.0, 0.5))                      # a report soon after the restart weighs little
    book.handle("a", 2, load(3.5, 4.0))
    assert book.figures("a").busy_share == pytest.approx(6.5 / 10)
    book.handle("b", 1, load(1.0, 1.0))                      # of another agent
    assert book.figures("a").busy_share == pytest.approx(6.5 / 10)


def test_the_lateness_of_loops_is_that_of_a_whole_start_and_the_largest_of_all() -> None:
    """The first reports of a start are percentiles of its first second."""
    book = AgentBook()
    for boot, late_ms in ((1, 59.0), (1, 3.0), (2, 2.0)):
        book.handle("a", boot, load(0.0, 1.0, late_ms))
    assert book.figures("a").loop_late_ms_p99 == 3.0
