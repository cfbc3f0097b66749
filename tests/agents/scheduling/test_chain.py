"""The scheduler of the robot that owns the request of a chain."""

from __future__ import annotations

import pytest

from agents.peers.table import PeerTable
from agents.scheduling import events as ev
from agents.scheduling.peer_requests import CHAIN_BROKEN
from agents.scheduling.queue.margins import START_NS, TURN_NS
from agents.scheduling.scheduler import Scheduler
from swarm.core.policy.plan import Leg
from swarm.core.units import ns
from tests.agents.builders import peer_table, profile, request, scheduler, stream
from tests.agents.scheduler_events import arrived, came, done, endings, of, plan_for

STAGES = 4
SEND_S = 0.0016                      # of 20,000 bytes, to any peer of the fakes
WAY_S = 0.002 + SEND_S               # with the round trip


def others(*names: str) -> PeerTable:
    return peer_table(**{name: [profile(p50_s=0.01, stages=STAGES)] for name in names})


def owner(into: int, *names: str) -> Scheduler:
    return scheduler(f"split:{into}", others(*names), stages=STAGES, detector=0.04)


def away(agent: Scheduler, sequence: int = 1, deadline_s: float = 0.15) -> ev.SendStage:
    """A request whose leg at home is done, 20 ms after its frame."""
    (run,) = of(ev.RunStage, agent.handle(arrived(sequence, stream(deadline_s=deadline_s)), 0))
    assert not run.leg.whole
    (sent,) = of(ev.SendStage, agent.handle(done(run.work, ns(0.02)), ns(0.02)))
    return sent


def test_two_agents_share_the_stages_and_the_second_answers() -> None:
    agent = owner(2, "mule")
    (run,) = of(ev.RunStage, agent.handle(arrived(1, stream(deadline_s=0.15)), 0))
    assert run.leg == Leg("me", 0, 1)                        # 10 ms here, three times 2.5 ms there
    commands = agent.handle(ev.StageDone(work=run.work, started_ns=ns(0.001), finished_ns=ns(0.02)), ns(0.02))
    (sent,) = of(ev.SendStage, commands)
    assert (sent.peer, sent.route) == ("mule", [Leg("mule", 1, 4)])
    assert sent.deadline_ns == ns(0.15) - ns(WAY_S - SEND_S)     # the peer's budget runs while the tensors are sent
    (guard,) = [t for t in of(ev.SetTimer, commands) if isinstance(t.event, ev.LastSafeStart)]
    assert guard.at_ns == ns(0.15) - ns(0.048) - TURN_NS - START_NS      # the whole model at home is the fallback
    (deliver,) = of(ev.Deliver, agent.handle(came(1, "mule"), ns(0.05)))
    span = deliver.span
    assert (span.ending, span.ran_on, span.offloaded_to, span.guarded) == ("completed", "mule", "mule", True)
    assert [(leg.agent, leg.first, leg.last) for leg in span.legs] == [("me", 0, 1), ("mule", 1, 4)]
    assert [leg.run_s for leg in span.legs] == pytest.approx([0.019, 0.01])
    assert span.asked == ["mule"]


def test_three_agents_share_the_stages_and_only_the_last_one_answers() -> None:
    agent = owner(3, "ox", "mule")
    sent = away(agent)
    assert [leg.agent for leg in sent.route] == ["mule", "ox"]
    assert sent.deadline_ns == ns(0.15) - ns(2 * WAY_S - SEND_S)
    assert endings(agent.handle(came(1, "mule", before=0), ns(0.03))) == []
    assert agent.statistics().duplicates == 1
    (deliver,) = of(ev.Deliver, agent.handle(came(1, "ox", before=1), ns(0.06)))
    span = deliver.span
    assert (span.ran_on, span.run_s, span.peer_held_s) == ("ox", pytest.approx(0.02), pytest.approx(0.02))
    assert span.asked == ["mule", "ox"]
    assert span.sent_ns < span.started_ns < span.finished_ns < span.returned_ns


def test_a_peers_report_about_others_is_trusted_only_if_it_is_possible() -> None:
    agent = owner(3, "ox", "mule")
    away(agent)
    (deliver,) = of(ev.Deliver, agent.handle(came(1, "ox", before=5), ns(0.06)))
    assert [leg.run_s for leg in deliver.span.legs[1:]] == [0.0, 0.01]
    assert deliver.span.run_s == 0.01


def test_with_too_few_peers_it_stays_at_home() -> None:
    agent = owner(3, "mule")
    (run,) = of(ev.RunStage, agent.handle(arrived(1, stream()), 0))
    assert run.leg == Leg("me", 0, 4)


@pytest.mark.parametrize("lost", ["mule", "ox"])
def test_a_lost_agent_of_the_chain_sends_the_request_home_and_the_others_are_told(lost: str) -> None:
    agent = owner(3, "ox", "mule")
    away(agent)
    (run,) = of(ev.RunStage, agent.handle(ev.PeerLost(peer=lost), ns(0.03)))
    assert (run.request, run.leg) == (request(1), Leg("me", 0, 4))
    commands = agent.handle(done(run.work, ns(0.07)), ns(0.07))
    assert endings(commands) == [("completed", "")]
    (other,) = {"mule", "ox"} - {lost}
    assert of(ev.CancelStage, commands) == [ev.CancelStage(request=request(1), peer=other)]


def test_after_the_first_agent_is_lost_the_answer_of_the_last_still_counts() -> None:
    agent = owner(3, "ox", "mule")
    away(agent)
    (run,) = of(ev.RunStage, agent.handle(ev.PeerLost(peer="mule"), ns(0.03)))
    commands = agent.handle(came(1, "ox", before=1), ns(0.04))
    assert of(ev.AbortRun, commands) == [ev.AbortRun(work=run.work)]
    assert endings(commands) == [("completed", "")]
    assert of(ev.CancelStage, commands) == []                # nobody has it any more


@pytest.mark.parametrize("where", ["mule", "ox"])
def test_a_refusal_anywhere_in_the_chain_sends_the_request_home(where: str) -> None:
    agent = owner(3, "ox", "mule")
    away(agent)
    commands = agent.handle(ev.Refused(request=request(1), peer=where, reason="too_late"), ns(0.03))
    assert len(of(ev.RunStage, commands)) == 1
    assert of(ev.CancelStage, commands) == []


def test_a_broken_link_between_peers_sends_the_request_home_and_the_one_behind_it_rests() -> None:
    agent = owner(3, "ox", "mule", "bee")
    assert [leg.agent for leg in away(agent).route] == ["bee", "mule"]
    (run,) = of(ev.RunStage, agent.handle(ev.Refused(request=request(1), peer="bee", reason=CHAIN_BROKEN), ns(0.03)))
    agent.handle(done(run.work, ns(0.07)), ns(0.07))
    (run,) = of(ev.RunStage, agent.handle(arrived(2, stream("other", deadline_s=0.2), ns(0.08)), ns(0.08)))
    (sent,) = of(ev.SendStage, agent.handle(done(run.work, ns(0.1)), ns(0.1)))
    assert [leg.agent for leg in sent.route] == ["bee", "ox"]    # bee did nothing wrong; mule could not be reached


def test_a_refusal_of_a_peer_that_was_not_asked_changes_nothing() -> None:
    agent = owner(2, "mule", "ox")
    away(agent)
    assert of(ev.RunStage, agent.handle(ev.Refused(request=request(1), peer="ox", reason="full"), ns(0.03))) == []


def test_the_guard_starts_the_whole_model_and_cancels_whoever_may_hold_the_rest() -> None:
    agent = owner(3, "ox", "mule")
    away(agent)
    (run,) = of(ev.RunStage, agent.handle(ev.LastSafeStart(request=request(1)), ns(0.102)))
    assert run.leg == Leg("me", 0, 4)
    commands = agent.handle(done(run.work, ns(0.145)), ns(0.145))
    assert endings(commands) == [("completed", "")]
    assert [cancel.peer for cancel in of(ev.CancelStage, commands)] == ["mule", "ox"]
    assert endings(agent.handle(came(1, "ox", before=1), ns(0.15))) == []
    assert agent.statistics().duplicates == 1


def test_a_missing_answer_times_out_and_all_peers_are_told() -> None:
    known = others("mule")
    agent = scheduler("split:2", known, stages=STAGES, detector=0.4)     # home could not do it in time: no guard
    (run,) = of(ev.RunStage, agent.handle(arrived(1, stream(deadline_s=0.3)), 0))
    agent.handle(done(run.work, ns(0.2)), ns(0.2))
    agent.handle(ev.BudgetSpent(request=request(1)), ns(0.3))
    commands = agent.handle(ev.GivenUp(request=request(1)), ns(0.8))
    assert endings(commands) == [("failed", "no_answer")]
    assert of(ev.CancelStage, commands) == [ev.CancelStage(request=request(1), peer="mule")]


def test_a_request_that_could_not_be_sent_becomes_a_request_at_home() -> None:
    agent = owner(2, "mule")
    away(agent)
    (run,) = of(ev.RunStage, agent.handle(ev.Refused(request=request(1), peer="mule", reason="unreachable"), ns(0.021)))
    (deliver,) = of(ev.Deliver, agent.handle(done(run.work, ns(0.06)), ns(0.06)))
    span = deliver.span
    assert (span.offloaded_to, span.guarded, span.legs, span.asked) == ("", False, [], [])


def test_a_peer_that_is_gone_when_the_leg_at_home_is_done_is_not_asked() -> None:
    known = others("mule")
    agent = scheduler("split:2", known, stages=STAGES, detector=0.04)
    (run,) = of(ev.RunStage, agent.handle(arrived(1, stream(deadline_s=0.15)), 0))
    known.lost("mule")
    commands = agent.handle(done(run.work, ns(0.02)), ns(0.02))
    assert of(ev.SendStage, commands) == []
    assert [run.leg for run in of(ev.RunStage, commands)] == [Leg("me", 0, 4)]


@pytest.mark.parametrize("at_s", [0.147, 0.2])
def test_a_leg_at_home_that_ends_too_late_to_go_on_expires(at_s: float) -> None:
    agent = owner(2, "mule")
    (run,) = of(ev.RunStage, agent.handle(arrived(1, stream(deadline_s=0.15)), 0))
    if at_s > 0.15:
        assert endings(agent.handle(ev.BudgetSpent(request=request(1)), ns(0.15))) == []
    commands = agent.handle(done(run.work, ns(at_s)), ns(at_s))
    assert of(ev.SendStage, commands) == []
    assert endings(commands) == [("failed", "expired")]


def test_a_leg_at_home_that_fails_ends_the_request() -> None:
    agent = owner(2, "mule")
    (run,) = of(ev.RunStage, agent.handle(arrived(1, stream(deadline_s=0.15)), 0))
    assert endings(agent.handle(done(run.work, ns(0.01), ran=False), ns(0.01))) == [("failed", "run_failed")]


def test_a_plan_can_lay_a_chain_and_stages_are_loaded_when_one_needs_them() -> None:
    agent = scheduler("planner", others("mule"), stages=STAGES, loaded=False, detector=0.04)
    agent.handle(plan_for("detect", "me", "mule", "mule", "mule", lease_s=60), 0)
    commands = agent.handle(arrived(1, stream(deadline_s=1.0)), 1)
    assert of(ev.LoadStages, commands) == [ev.LoadStages(model="detector", variant="int8")]
    assert len(of(ev.SendStage, commands)) == 1              # meanwhile wherever it is soonest
    assert of(ev.LoadStages, agent.handle(arrived(2, stream(deadline_s=1.0)), 2)) == []
    agent.handle(ev.StagesLoaded(model="detector", variant="int8"), 3)
    (run,) = of(ev.RunStage, agent.handle(arrived(3, stream(deadline_s=1.0)), 4))
    assert run.leg == Leg("me", 0, 1)


def test_a_plan_can_lay_a_chain_that_begins_at_a_peer() -> None:
    agent = scheduler("planner", others("mule", "ox"), detector=0.04)
    agent.handle(plan_for("detect", "ox", "ox", "mule", "mule"), 0)
    (sent,) = of(ev.SendStage, agent.handle(arrived(1, stream()), 1))
    assert sent.route == [Leg("ox", 0, 2), Leg("mule", 2, 4)]
