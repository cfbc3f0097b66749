"""A robot slower than its board's profile: it notices, uses the factor in predictions, and advertises it."""

from __future__ import annotations

import pytest

from agents.peers.advert import OwnAdvert
from agents.peers.own_speed import HALF_LIFE_NS, RUNS, OwnSpeed, scaled
from agents.peers.table import PeerTable
from agents.scheduling import events as ev
from swarm.core.policy.plan import Leg
from swarm.core.ports import Health
from swarm.core.protocol.messages import Advert
from swarm.core.units import ns
from swarm.membership.view import HEARTBEAT_NS
from tests.agents.builders import peer_table, profile, scheduler, stream
from tests.agents.scheduler_events import arrived, of


def speed_after(*ratios: float, completed: bool = True) -> OwnSpeed:
    speed = OwnSpeed()
    for ratio in ratios:
        speed.observe_run(0.01, 0.01 * ratio, completed, 0)
    return speed


def test_three_slow_runs_in_five_are_slow_and_one_hiccup_is_none() -> None:
    assert speed_after(1, 1, 5, 1, 1, 9, 1).factor == 1.0
    assert speed_after(1, 1, 5, 5, 5).factor == 5.0
    assert speed_after(5, 5).factor == 1.0                         # too few to say
    assert speed_after(1.3, 1.9, 1.4, 1.9, 1.9).factor == 1.0      # what profiles are good for
    assert speed_after(*[5] * RUNS, *[1] * RUNS).factor == 1.0     # and well again


def test_a_run_that_was_aborted_counts_only_where_it_was_too_long_already() -> None:
    assert speed_after(*[0.2] * 9, completed=False).factor == 1.0
    assert speed_after(*[4] * RUNS, completed=False).factor == 4.0
    speed = speed_after(*[4] * RUNS)
    for _ in range(9):
        speed.observe_run(0.01, 0.03, False, 0)                       # stopped before the time that it would have taken
    assert speed.factor == 4.0


def test_without_a_run_slowness_is_forgotten_by_halves() -> None:
    speed = speed_after(*[5] * RUNS)
    assert not speed.recover(HALF_LIFE_NS - 1)
    assert speed.recover(HALF_LIFE_NS)
    assert speed.factor == 2.5
    assert not speed.recover(HALF_LIFE_NS + 1)
    assert speed.recover(2 * HALF_LIFE_NS)
    assert speed.factor == 1.0
    assert not speed.recover(10 * HALF_LIFE_NS)


def test_all_of_a_profile_is_scaled() -> None:
    (slow,) = scaled([profile(p50_s=0.02, stages=2)], 3.0)
    assert (slow.p50_s, slow.stages[1].p95_s) == (pytest.approx(0.06), pytest.approx(0.03 * 1.2))
    assert scaled([slow], 1.0) == [slow]


def ran(work: int, from_s: float, to_s: float) -> ev.StageDone:
    return ev.StageDone(work=work, started_ns=ns(from_s), finished_ns=ns(to_s), ran=True)


def test_a_slow_robot_predicts_longer_runs_and_offloads_more() -> None:
    agent = scheduler(known=peer_table(mule=[profile(p50_s=0.02)]), detector=0.01)
    for i in range(RUNS):
        (run,) = of(ev.RunStage, agent.handle(arrived(i, stream(deadline_s=0.5), ns(i)), ns(i)))
        agent.handle(ran(run.work, i, i + 0.05), ns(i + 0.05))
    assert agent.slowness(ns(RUNS)) == pytest.approx(5.0)
    (sent,) = of(ev.SendStage, agent.handle(arrived(9, stream(deadline_s=0.5), ns(9)), ns(9)))
    assert sent.route == [Leg("mule")]
    assert agent.slowness(ns(9) + 2 * HALF_LIFE_NS) < 5.0


def test_a_new_advert_is_made_when_speed_or_battery_has_changed() -> None:
    own = OwnAdvert(Advert(board="b", executors=1, profiles=[profile(p50_s=0.01)], streams=[], battery=0.8))
    less = Health(battery=0.74)
    assert not own.changed(1.0, Health(battery=0.78))
    assert own.changed(1.0, less)
    assert (own.advert.number, own.advert.battery) == (2, 0.74)
    assert own.changed(4.0, less)
    assert (own.advert.number, own.advert.profiles[0].p50_s) == (3, pytest.approx(0.04))
    assert not own.changed(4.0, less)
    assert own.changed(1.0, less)
    assert (own.advert.number, own.advert.profiles[0].p50_s) == (4, pytest.approx(0.01))
    assert own.changed(1.0, Health())


@pytest.mark.parametrize(("before", "same", "other"), [
    (Health(battery_wh=40.0), Health(battery_wh=38.5), Health(battery_wh=37.9)),
    (Health(battery_wh=0.0), Health(battery_wh=0.0), Health(battery_wh=0.1)),
    (Health(temperature_c=60.0), Health(temperature_c=64.9), Health(temperature_c=65.0)),
    (Health(throttled=False), Health(throttled=False), Health(throttled=True)),
    (Health(throttled=False), Health(throttled=False), Health()),
])
def test_a_new_advert_tells_of_a_board_that_has_changed_notably(before: Health, same: Health, other: Health) -> None:
    own = OwnAdvert(Advert(board="b", executors=1, profiles=[], streams=[]))
    assert own.changed(1.0, before)
    assert not own.changed(1.0, same)
    assert own.changed(1.0, other)
    told = own.advert
    assert other == Health(battery=told.battery, battery_wh=told.battery_wh, temperature_c=told.temperature_c,
                           throttled=told.throttled)


def believed_s(known: PeerTable) -> float:
    return known.views(0)["mule"].profiles["detector"][0].p50_s


def test_a_peer_whose_answer_times_out_counts_as_slower() -> None:
    known = peer_table(mule=[profile(p50_s=0.005)])
    agent = scheduler(known=known, detector=0.05)
    commands = agent.handle(arrived(1, stream(deadline_s=0.2)), 0)
    assert of(ev.SendStage, commands)[0].route == [Leg("mule")]
    (guard,) = [timer for timer in of(ev.SetTimer, commands) if isinstance(timer.event, ev.LastSafeStart)]
    (run,) = of(ev.RunStage, agent.handle(guard.event, guard.at_ns))
    at_s = guard.at_ns / 1e9
    agent.handle(ran(run.work, at_s, at_s + 0.05), ns(at_s + 0.05))          # our own was first
    assert believed_s(known) > 2 * 0.005
    known.advertised("mule", 1, Advert(number=2, board="b", executors=1, profiles=[profile(p50_s=0.03)], streams=[]))
    assert believed_s(known) == pytest.approx(0.03)          # it has said so itself: that counts from now on


def test_a_peer_gets_the_newest_advert_with_each_heartbeat_until_it_knows_it() -> None:
    own = OwnAdvert(Advert(board="b", executors=1, profiles=[], streams=[], number=1))
    assert own.due("a", 0, 0) is own.advert
    assert own.due("a", 0, HEARTBEAT_NS - 1) is None             # it is on its way
    assert own.due("a", 0, HEARTBEAT_NS) is own.advert
    assert own.due("a", 1, 2 * HEARTBEAT_NS) is None
    own.joined("a")
    assert own.due("a", 0, HEARTBEAT_NS + 1) is own.advert       # it has started again
    assert own.changed(2.0, Health())
    assert own.due("a", 1, HEARTBEAT_NS + 2) is own.advert
