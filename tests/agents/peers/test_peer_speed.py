"""Observed run times of peers, and the share of the executors that a robot reserves for itself."""

from __future__ import annotations

import pytest

from agents.peers.peer_speed import HALF_LIFE_S, PeerSpeed
from agents.scheduling import events as ev
from agents.scheduling.admission_budget import BURST_S, AdmissionBudget
from swarm.core.policy.plan import Leg, StreamSpec
from swarm.core.units import ns
from tests.agents.builders import peer_table, profile, scheduler, stream
from tests.agents.scheduler_events import arrived, came, of

WHOLE = Leg("mule")


def test_a_peer_that_is_slower_than_advertised_is_expected_to_be() -> None:
    advertised, seen = profile(p50_s=0.01, stages=2), PeerSpeed()
    for _ in range(30):
        seen.observe_run(advertised, WHOLE, 0.05)
    (expected,) = seen.corrected([advertised])
    assert expected.p50_s == pytest.approx(0.05, rel=0.01)
    assert expected.p95_s == pytest.approx(0.06, rel=0.01)
    assert expected.stages == advertised.stages                    # nothing was seen of these


def test_each_stage_is_seen_by_itself() -> None:
    advertised, seen = profile(p50_s=0.04, stages=4), PeerSpeed()
    for _ in range(30):
        seen.observe_run(advertised, Leg("mule", 1, 3), 0.06)
    (expected,) = seen.corrected([advertised])
    assert [stage.p50_s for stage in expected.stages] == pytest.approx([0.01, 0.03, 0.03, 0.01], rel=0.01)
    assert expected.p50_s == advertised.p50_s
    assert [stage.input_bytes for stage in expected.stages] == [20_000] * 4


def test_only_notable_changes_make_a_new_profile() -> None:
    advertised, seen = profile(p50_s=0.01), PeerSpeed()
    assert not seen.observe_run(advertised, WHOLE, 0.0105)
    assert seen.observe_run(advertised, WHOLE, 0.03)
    seen.corrected([advertised])
    assert not seen.observe_run(advertised, WHOLE, 0.0155)


def test_a_correction_is_as_large_as_what_was_observed_and_fades() -> None:
    advertised, seen = profile(p50_s=0.01), PeerSpeed()
    for _ in range(60):
        seen.observe_run(advertised, WHOLE, 1.0)
    assert seen.corrected([advertised])[0].p50_s == pytest.approx(1.0)
    assert seen.fade(ns(HALF_LIFE_S))
    assert seen.corrected([advertised])[0].p50_s == pytest.approx(0.01 * (1 + 99 / 2))
    assert not seen.fade(ns(HALF_LIFE_S))
    assert seen.corrected([profile("segmenter")]) == [profile("segmenter")]


def test_a_slow_peer_loses_its_work_to_another_and_has_it_back_in_time() -> None:
    known = peer_table(mule=[profile(p50_s=0.010)], ox=[profile(p50_s=0.020)])
    agent = scheduler(known=known, detector=0.3)

    def peer_of(sequence: int, at_s: float) -> str:
        for name in ("mule", "ox"):
            known.update(name, 1, 0.0, ns(at_s))
        (sent,) = of(ev.SendStage, agent.handle(arrived(sequence, stream(deadline_s=1), ns(at_s)), ns(at_s)))
        agent.handle(came(sequence, sent.peer, run_s=0.05 if sent.peer == "mule" else 0.02), ns(at_s) + 1)
        return sent.peer

    assert [peer_of(k, 0.1 * k) for k in range(4)] == ["mule", "mule", "ox", "ox"]
    assert peer_of(90, 60.0) == "mule"                       # by then it may have recovered


def needs(rate_hz: float) -> StreamSpec:
    return StreamSpec(name=f"at {rate_hz}", model="detector", rate_hz=rate_hz, deadline_s=1.0)


def test_peers_get_the_run_time_that_the_robot_does_not_need_and_no_more() -> None:
    share = AdmissionBudget(own_share=0.5, executors=1)
    share.add_stream(needs(10), 0.04)                             # 0.4 of the executor
    given = sum(share.take(0.05, ns(0.05 * k)) for k in range(2000))      # they ask for all of it for 100 s
    assert given * 0.05 == pytest.approx(60.0 + BURST_S, abs=1.0)


def test_it_reserves_no_more_than_its_share() -> None:
    share = AdmissionBudget(own_share=0.25, executors=2)
    share.add_stream(needs(100), 0.04)                            # twice what it has
    given = sum(share.take(0.05, ns(0.025 * k)) for k in range(4000))
    assert given * 0.05 == pytest.approx(150.0 + 2 * BURST_S, abs=2.0)


def test_a_robot_that_needs_nothing_reserves_nothing() -> None:
    share = AdmissionBudget(own_share=0.9, executors=1)
    assert all(share.take(10.0, 0) for _ in range(100))


def test_where_the_own_streams_need_everything_peers_get_nothing() -> None:
    share = AdmissionBudget(own_share=1.0, executors=1)
    share.add_stream(needs(100), 0.04)
    assert not any(share.take(0.001, ns(k)) for k in range(10))
    share.give_back(1.0)
    assert not share.take(0.001, ns(11))


def test_a_correction_starts_again_when_the_number_of_stages_changes() -> None:
    seen = PeerSpeed()
    seen.observe_run(profile(p50_s=0.04), WHOLE, 0.4)
    cut = profile(p50_s=0.04, stages=4)
    assert seen.observe_run(cut, Leg("mule", 2, 4), 0.06)
    assert [stage.p50_s for stage in seen.corrected([cut])[0].stages[:2]] == [0.01, 0.01]


def test_run_time_that_is_given_back_can_be_taken_again() -> None:
    share = AdmissionBudget(own_share=0.5, executors=1)
    share.add_stream(needs(100), 0.04)
    assert share.take(0.4, 0)
    assert not share.take(0.4, 0)
    share.give_back(0.4)
    assert share.take(0.4, 0)


def test_a_full_bucket_admits_even_a_long_run() -> None:
    share = AdmissionBudget(own_share=0.75, executors=1)
    share.add_stream(needs(100), 0.04)                            # a quarter of a second a second is to spare
    assert share.take(0.6, ns(10))
    assert not share.take(0.01, ns(11))                     # it is paid back first
    assert share.take(0.01, ns(12))


def test_own_runs_may_go_before_peers_as_far_as_the_own_share_goes() -> None:
    share = AdmissionBudget(own_share=0.5, executors=1)
    assert not share.take_own(0.1, 0)                        # no stream needs it
    share.add_stream(needs(5), 0.04)                         # 0.2 of an executor
    assert [share.take_own(0.1, ns(1.0)) for _ in range(3)] == [True, True, False]
    assert not share.take_own(0.1, ns(1.4))
    assert share.take_own(0.1, ns(1.51))
    none = AdmissionBudget(own_share=0.0, executors=1)
    none.add_stream(needs(5), 0.04)
    assert not none.take_own(0.001, ns(1.0))
