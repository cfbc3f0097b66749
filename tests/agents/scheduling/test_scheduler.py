"""The scheduler as a table of situations."""

from __future__ import annotations

import msgspec
import pytest

from agents.scheduling import events as ev
from agents.scheduling.peer_requests import PEER_BOUND, QUEUE_BOUND
from agents.scheduling.variants import PEER_PRIORITY_NS
from swarm.core.units import ns
from tests.agents.builders import peer_table, profile, request, robot, scheduler, stream
from tests.agents.scheduler_events import arrived, asked, came, done, endings, of, plan_for


def test_a_request_without_peers_runs_at_home() -> None:
    agent = scheduler(detector=0.03)
    commands = agent.handle(arrived(1, stream()), 0)
    (run,) = of(ev.RunStage, commands)
    assert (run.request, run.model, run.variant) == (request(1), "detector", "int8")
    assert endings(agent.handle(done(run.work, ns(0.03)), ns(0.03))) == [("completed", "")]


def test_a_result_after_the_deadline_is_late() -> None:
    agent = scheduler(detector=0.03)
    (run,) = of(ev.RunStage, agent.handle(arrived(1, stream()), 0))
    assert endings(agent.handle(ev.BudgetSpent(request=request(1)), ns(0.1))) == []
    assert endings(agent.handle(done(run.work, ns(0.12)), ns(0.12))) == [("late", "")]


def test_the_newest_frame_supersedes_a_waiting_one() -> None:
    agent = scheduler(detector=0.03)
    agent.handle(arrived(1, stream(deadline_s=1)), 0)
    agent.handle(arrived(2, stream(deadline_s=1)), 1)
    assert endings(agent.handle(arrived(3, stream(deadline_s=1)), 2)) == [("failed", "superseded")]


def test_a_waiting_run_that_cannot_be_in_time_is_dropped() -> None:
    agent = scheduler(detector=0.03, segmenter=0.2)
    (run,) = of(ev.RunStage, agent.handle(arrived(1, stream("segment", "segmenter", 1.0)), 0))
    agent.handle(arrived(2, stream(deadline_s=0.1)), 0)
    commands = agent.handle(done(run.work, ns(0.08)), ns(0.08))
    assert ("failed", "expired") in endings(commands)
    assert of(ev.RunStage, commands) == []


def test_priority_then_the_earliest_deadline() -> None:
    agent = scheduler(detector=0.01, segmenter=0.01)
    (run,) = of(ev.RunStage, agent.handle(arrived(1, stream("first", deadline_s=1)), 0))
    agent.handle(arrived(2, stream("slack", deadline_s=0.9)), 0)
    agent.handle(arrived(3, stream("soon", deadline_s=0.5)), 0)
    agent.handle(arrived(4, stream("high", deadline_s=0.99, priority=1)), 0)
    order = []
    for at in range(1, 4):
        (run,) = of(ev.RunStage, agent.handle(done(run.work, at), at))
        order.append(run.request.sequence)
    assert order == [4, 3, 2]


def test_a_faster_peer_is_asked_and_its_answer_counts() -> None:
    agent = scheduler(known=peer_table(mule=[profile(p50_s=0.005)]), detector=0.05)
    (sent,) = of(ev.SendStage, agent.handle(arrived(1, stream()), 0))
    assert sent.peer == "mule"
    (deliver,) = of(ev.Deliver, agent.handle(came(1, "mule"), ns(0.02)))
    assert (deliver.span.ending, deliver.span.ran_on) == ("completed", "mule")


def test_a_lost_peer_sends_the_request_home() -> None:
    agent = scheduler(known=peer_table(mule=[profile(p50_s=0.005)]), detector=0.03)
    agent.handle(arrived(1, stream()), 0)
    (run,) = of(ev.RunStage, agent.handle(ev.PeerLost(peer="mule"), ns(0.02)))
    assert run.request == request(1)


def test_a_refusal_sends_the_request_home_and_the_peer_rests() -> None:
    agent = scheduler(known=peer_table(mule=[profile(p50_s=0.005)]), detector=0.03)
    agent.handle(arrived(1, stream()), 0)
    commands = agent.handle(ev.Refused(request=request(1), peer="mule", reason="full"), ns(0.01))
    assert len(of(ev.RunStage, commands)) == 1
    assert of(ev.SendStage, agent.handle(arrived(2, stream("other")), ns(0.02))) == []


def test_a_refused_request_waits_its_turn_until_its_last_safe_moment() -> None:
    agent = scheduler(known=peer_table(mule=[profile("segmenter", 0.05)]), detector=0.03, segmenter=0.3)
    (run,) = of(ev.RunStage, agent.handle(arrived(1, stream("detect", deadline_s=0.2, priority=2)), 0))
    (sent,) = of(ev.SendStage, agent.handle(arrived(2, stream("segment", "segmenter", 0.8)), 0))
    agent.handle(arrived(3, stream("other", deadline_s=0.2, priority=2)), 1)
    agent.handle(ev.Refused(request=sent.request, peer="mule", reason="full"), 2)
    (run,) = of(ev.RunStage, agent.handle(done(run.work, ns(0.03)), ns(0.03)))
    assert run.request == request(3)                         # the urgent one first
    (run,) = of(ev.RunStage, agent.handle(done(run.work, ns(0.06)), ns(0.06)))
    assert run.request == request(2)


def test_an_answer_of_a_peer_that_was_not_asked_does_not_count() -> None:
    agent = scheduler(detector=0.03)
    agent.handle(arrived(1, stream()), 0)
    assert endings(agent.handle(came(1, "mallory"), 1)) == []
    assert agent.statistics().duplicates == 1


def test_a_request_that_was_never_sent_was_not_offloaded() -> None:
    agent = scheduler(known=peer_table(mule=[profile(p50_s=0.005)]), detector=0.03)
    agent.handle(arrived(1, stream()), 0)
    (run,) = of(ev.RunStage, agent.handle(ev.Refused(request=request(1), peer="mule", reason="unreachable"), 1))
    (deliver,) = of(ev.Deliver, agent.handle(done(run.work, ns(0.03)), ns(0.03)))
    assert (deliver.span.offloaded_to, deliver.span.guarded, deliver.span.ran_on) == ("", False, "me")


def test_an_offload_that_proves_unreachable_after_its_guard_fired_was_one() -> None:
    agent = scheduler(known=peer_table(mule=[profile(p50_s=0.005)]), detector=0.04)
    agent.handle(arrived(1, stream(deadline_s=0.1)), 0)
    (run,) = of(ev.RunStage, agent.handle(ev.LastSafeStart(request=request(1)), ns(0.052)))
    agent.handle(ev.Refused(request=request(1), peer="mule", reason="unreachable"), ns(0.06))
    (deliver,) = of(ev.Deliver, agent.handle(done(run.work, ns(0.095)), ns(0.095)))
    span = deliver.span
    assert (span.offloaded_to, span.guarded, span.guard_fired, span.ran_on) == ("mule", True, True, "me")


@pytest.mark.parametrize(("size", "way_s"), [
    (20_000, 0.002),                 # its budget runs from the announcement: what the tensors take passes there
    (8_000, 0.002 + 0.00064),        # small tensors are in the announcement
])
def test_a_peer_is_given_the_budget_less_the_way(size: int, way_s: float) -> None:
    offer = msgspec.structs.replace(profile(p50_s=0.005), input_bytes=size)      # at 12.5 MB/s, 2 ms round trip
    agent = scheduler(known=peer_table(mule=[offer]), detector=0.05)
    (sent,) = of(ev.SendStage, agent.handle(arrived(1, stream(deadline_s=0.1)), 0))
    assert sent.deadline_ns == ns(0.1) - ns(way_s)


@pytest.mark.parametrize(("ask", "reason"), [
    (asked(1, model="unheard_of"), "unknown_model"),
    (asked(1, deadline_ns=ns(0.01)), "too_late"),
])
def test_a_peer_is_refused_at_once(ask: ev.StageAsked, reason: str) -> None:
    (refusal,) = of(ev.Refuse, scheduler(detector=0.03).handle(ask, 0))
    assert refusal.reason == reason


def test_a_full_queue_refuses() -> None:
    agent = scheduler(detector=0.001)
    asks = [asked(i, deadline_ns=ns(10), peer=f"asker_{i % 8}") for i in range(40)]
    reasons = [r.reason for ask in asks for r in of(ev.Refuse, agent.handle(ask, 0))]
    assert reasons == ["full"] * (40 - 1 - QUEUE_BOUND)      # one runs, the others wait


def test_one_peer_cannot_keep_the_others_out() -> None:
    agent = scheduler(detector=0.001)
    asks = [asked(i, deadline_ns=ns(10), peer="greedy") for i in range(40)]
    refused = [r for ask in asks for r in of(ev.Refuse, agent.handle(ask, 0))]
    assert [r.reason for r in refused] == ["full"] * (40 - 1 - PEER_BOUND)
    assert of(ev.Refuse, agent.handle(asked(41, deadline_ns=ns(10), peer="modest"), 0)) == []
    assert agent.handle(arrived(1, stream()), 0)[0] == ev.SetTimer(
        at_ns=ns(0.1), event=ev.BudgetSpent(request=request(1)))


def test_after_an_urgent_request_of_a_peer_more_are_expected_for_a_while() -> None:
    """Long runs load their stages while more urgent work is expected; one request of a peer is not enough for ever."""
    agent = robot([profile("segmenter", 0.3, stages=8), profile("detector", 0.001)], loaded=[],
                  streams=[stream(priority=9)])              # which has not begun
    (run,) = of(ev.RunStage, agent.handle(asked(1, deadline_ns=ns(1), priority=9), 0))
    agent.handle(done(run.work, 1), 1)
    background = stream("segment", "segmenter", 1.0)
    assert of(ev.LoadStages, agent.handle(arrived(1, background, PEER_PRIORITY_NS + 1), PEER_PRIORITY_NS + 1)) == []
    agent.handle(asked(2, deadline_ns=PEER_PRIORITY_NS + ns(1), priority=9), PEER_PRIORITY_NS + 2)
    loads = of(ev.LoadStages, agent.handle(arrived(2, background, PEER_PRIORITY_NS + 3), PEER_PRIORITY_NS + 3))
    assert loads == [ev.LoadStages(model="segmenter", variant="int8")]


def test_own_urgent_streams_are_always_expected() -> None:
    agent = robot([profile("segmenter", 0.3, stages=8), profile("detector", 0.001)], loaded=[])
    (run,) = of(ev.RunStage, agent.handle(arrived(1, stream(priority=2), 0), 0))
    agent.handle(done(run.work, 1), 1)
    late = 100 * PEER_PRIORITY_NS
    assert of(ev.LoadStages, agent.handle(arrived(2, stream("segment", "segmenter", 1.0), late), late))


def test_an_offload_whose_guard_is_armed_again_counts_once() -> None:
    known = peer_table(mule=[profile("segmenter", 0.01)])
    agent = scheduler("greedy", known, stages=10, detector=0.01, segmenter=0.3)
    agent.handle(arrived(1, stream("segment", "segmenter", 2.0)), 0)
    (run,) = of(ev.RunStage, agent.handle(ev.Refused(request=request(1), peer="mule", reason="full"), 1))
    known.update("mule", 1, 9.0, 1)                           # too busy for any more
    agent.handle(arrived(2, stream(priority=2), 2), 2)
    agent.handle(ev.Preempted(work=run.work, started_ns=1, finished_ns=3, next_stage=1, mid_stage=False), 3)
    assert agent.statistics().guards.armed == 1


def test_work_for_a_peer_is_answered_and_a_lost_asker_is_forgotten() -> None:
    agent = scheduler(detector=0.03)
    (run,) = of(ev.RunStage, agent.handle(asked(1), 0))
    agent.handle(asked(2), 0)
    commands = agent.handle(ev.PeerLost(peer="asker"), 1)
    assert len(of(ev.Forget, commands)) == 2
    assert of(ev.AbortRun, commands) == [ev.AbortRun(work=run.work)]
    assert of(ev.Answer, agent.handle(done(run.work, 2), 2)) == []


def test_a_plan_is_followed_until_its_lease_ends() -> None:
    known = peer_table(mule=[profile(p50_s=0.005)])
    agent = scheduler("planner", known, detector=0.03)
    agent.handle(plan_for("detect", "me", lease_s=1.0), 0)
    assert len(of(ev.RunStage, agent.handle(arrived(1, stream()), 1))) == 1
    known.update("mule", 1, 0.0, ns(2))
    assert len(of(ev.SendStage, agent.handle(arrived(2, stream("detect"), ns(2)), ns(2)))) == 1


def test_an_older_epoch_is_ignored_while_the_newer_holds() -> None:
    agent = scheduler("planner", peer_table(mule=[profile(p50_s=0.005)]), detector=0.03)
    agent.handle(plan_for("detect", "me", epoch=5), 0)
    agent.handle(plan_for("detect", "mule", epoch=4), 1)
    assert len(of(ev.RunStage, agent.handle(arrived(1, stream()), 2))) == 1


def test_a_planned_peer_that_is_gone_is_not_used() -> None:
    agent = scheduler("planner", peer_table(), detector=0.03)
    agent.handle(plan_for("detect", "mule"), 0)
    assert len(of(ev.RunStage, agent.handle(arrived(1, stream()), 1))) == 1
