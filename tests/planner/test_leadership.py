"""Of two planners one leads, as robots tell both; a new start of a planner leads at once, with a higher epoch."""

from __future__ import annotations

from swarm.core.policy.plan import Plan
from swarm.core.protocol.messages import Feedback
from swarm.core.protocol.messages.presence import PlanFollowed
from swarm.core.units import ns
from swarm.planner.events import Heard
from swarm.planner.leadership import Leadership
from tests.planner.builders import team
from tests.planner.drive import Drive


def follows(planner: str, boot: int, epoch: int, left_s: float = 3.0) -> PlanFollowed:
    return PlanFollowed(planner=planner, boot=boot, epoch=epoch, left_s=left_s)


def test_a_planner_that_nobody_follows_stands_by_until_the_lease_of_the_other_ends() -> None:
    mine = Leadership(("standby", 5))
    assert not mine.stands_by(0)
    mine.heard(follows("planner", 3, 9, left_s=2.0), epoch=0, now=ns(1.0))
    assert mine.stands_by(ns(2.9))
    assert (mine.rival, mine.epoch) == ("planner", 9)
    assert not mine.stands_by(ns(3.0))


def test_of_two_that_are_followed_the_newer_epoch_leads_and_of_equal_ones_the_first_name() -> None:
    for mine, my_epoch, other, its_epoch, stands_by in (
            ("planner", 4, "standby", 5, True), ("planner", 5, "standby", 4, False),
            ("planner", 4, "standby", 4, False), ("standby", 4, "planner", 4, True)):
        leadership = Leadership((mine, 1))
        leadership.heard(follows(mine, 1, my_epoch), my_epoch, 0)
        leadership.heard(follows(other, 2, its_epoch), my_epoch, 0)
        assert leadership.stands_by(ns(1.0)) is stands_by, (mine, my_epoch, its_epoch)


def test_an_earlier_start_of_the_same_planner_is_no_rival_but_its_epoch_counts() -> None:
    mine = Leadership(("planner", 8))
    mine.heard(follows("planner", 3, 12), epoch=0, now=0)
    assert not mine.stands_by(0)
    assert mine.epoch == 12


def told(drive: Drive, followed: PlanFollowed) -> None:
    drive.do(Heard("rover_0", 1, Feedback(plan=followed)))


def test_a_new_start_goes_on_above_the_epoch_that_robots_follow() -> None:
    drive = Drive(team(2, 1))
    drive.advertise()
    drive.pass_time(2.0)
    assert drive.state.plan.epoch < 40
    told(drive, follows("planner", 77, 40))
    newest: Plan = drive.published[-1]
    assert newest.epoch == 41
    drive.pass_time(3.0)
    assert drive.published[-1].epoch == 41           # and it renews it


def test_while_another_planner_leads_nothing_is_solved_or_published_and_then_everything_is() -> None:
    drive = Drive(team(2, 1))
    told(drive, follows("other", 5, 6))
    drive.advertise()
    for _ in range(3):
        drive.pass_time(1.0)
        told(drive, follows("other", 5, 6))
    assert drive.published == []
    assert drive.reports.count("stands_by") == 1
    drive.pass_time(4.0)
    assert "leads" in drive.reports
    assert drive.published[-1].epoch > 6
    assert drive.published[-1].placements
