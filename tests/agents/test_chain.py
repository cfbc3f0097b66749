"""Chains of stages in the scheduler: the owner's side, and that of an agent in the middle or at the end."""

from __future__ import annotations

import pytest

from agents import events as ev
from agents.presence import Presence
from agents.scheduler import Scheduler
from agents.serving import CHAIN_BROKEN, MEMORY
from swarm.core.clock import ns
from swarm.core.plan import Leg
from swarm.core.spans import LegTimes
from tests.agents.fakes import (
    arrived,
    asked,
    came,
    done,
    endings,
    of,
    plan_for,
    presence,
    profile,
    request,
    scheduler,
    stream,
)

STAGES = 4
WAY_S = 0.002 + 0.0016               # to any peer of the fakes: round trip and 20,000 bytes


def others(*names: str) -> Presence:
    return presence(**{name: [profile(p50_s=0.01, stages=STAGES)] for name in names})


def owner(into: int, *names: str) -> Scheduler:
    return scheduler(f"split:{into}", others(*names), stages=STAGES, detector=0.04)


def away(agent: Scheduler, sequence: int = 1, deadline_s: float = 0.15) -> ev.SendStage:
    """A request whose leg at home is done, 20 ms after its frame."""
    (run,) = of(ev.RunStage, agent.handle(arrived(sequence, stream(deadline_s=deadline_s)), 0))
    assert not run.leg.whole
    (sent,) = of(ev.SendStage, agent.handle(done(run.work, ns(0.02)), ns(0.02)))
    return sent


# --- the owner ---


def test_two_agents_share_the_stages_and_the_second_answers() -> None:
    agent = owner(2, "mule")
    (run,) = of(ev.RunStage, agent.handle(arrived(1, stream(deadline_s=0.15)), 0))
    assert run.leg == Leg("me", 0, 1)                        # 10 ms here, three times 2.5 ms there
    commands = agent.handle(ev.StageDone(work=run.work, started_ns=ns(0.001), finished_ns=ns(0.02)), ns(0.02))
    (sent,) = of(ev.SendStage, commands)
    assert (sent.peer, sent.route) == ("mule", [Leg("mule", 1, 4)])
    assert sent.deadline_ns == ns(0.15) - ns(WAY_S)
    (guard,) = [t for t in of(ev.SetTimer, commands) if isinstance(t.event, ev.LastSafeStart)]
    assert guard.at_ns == ns(0.15) - ns(0.048)               # the whole model at home is the fallback
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
    assert sent.deadline_ns == ns(0.15) - 2 * ns(WAY_S)
    assert endings(agent.handle(came(1, "mule", before=0), ns(0.03))) == []
    assert agent.statistics().duplicates == 1
    (deliver,) = of(ev.Deliver, agent.handle(came(1, "ox", before=1), ns(0.06)))
    span = deliver.span
    assert (span.ran_on, span.run_s, span.peer_held_s) == ("ox", pytest.approx(0.02), pytest.approx(0.02))
    assert span.asked == ["mule", "ox"]
    assert span.sent_ns < span.started_ns < span.finished_ns < span.returned_ns


def test_what_a_peer_says_of_others_is_believed_only_if_it_can_be() -> None:
    agent = owner(3, "ox", "mule")
    away(agent)
    (deliver,) = of(ev.Deliver, agent.handle(came(1, "ox", before=5), ns(0.06)))
    assert [leg.run_s for leg in deliver.span.legs[1:]] == [0.0, 0.01]
    assert deliver.span.run_s == 0.01


def test_with_too_few_peers_it_stays_at_home_whole() -> None:
    agent = owner(3, "mule")
    (run,) = of(ev.RunStage, agent.handle(arrived(1, stream()), 0))
    assert run.leg.whole


@pytest.mark.parametrize("lost", ["mule", "ox"])
def test_a_lost_agent_of_the_chain_sends_the_request_home_and_the_others_are_told(lost: str) -> None:
    agent = owner(3, "ox", "mule")
    away(agent)
    (run,) = of(ev.RunStage, agent.handle(ev.PeerLost(peer=lost), ns(0.03)))
    assert (run.request, run.leg.whole) == (request(1), True)
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


def test_a_refusal_of_who_was_not_asked_changes_nothing() -> None:
    agent = owner(2, "mule", "ox")
    away(agent)
    assert of(ev.RunStage, agent.handle(ev.Refused(request=request(1), peer="ox", reason="full"), ns(0.03))) == []


def test_the_guard_starts_the_whole_model_and_cancels_whoever_may_hold_the_rest() -> None:
    agent = owner(3, "ox", "mule")
    away(agent)
    (run,) = of(ev.RunStage, agent.handle(ev.LastSafeStart(request=request(1)), ns(0.102)))
    assert run.leg.whole
    commands = agent.handle(done(run.work, ns(0.145)), ns(0.145))
    assert endings(commands) == [("completed", "")]
    assert [cancel.peer for cancel in of(ev.CancelStage, commands)] == ["mule", "ox"]
    assert endings(agent.handle(came(1, "ox", before=1), ns(0.15))) == []
    assert agent.statistics().duplicates == 1


def test_an_answer_that_never_comes_is_given_up_and_everybody_is_told() -> None:
    known = others("mule")
    agent = scheduler("split:2", known, stages=STAGES, detector=0.4)     # home could not do it in time: no guard
    (run,) = of(ev.RunStage, agent.handle(arrived(1, stream(deadline_s=0.3)), 0))
    agent.handle(done(run.work, ns(0.2)), ns(0.2))
    agent.handle(ev.BudgetSpent(request=request(1)), ns(0.3))
    commands = agent.handle(ev.GivenUp(request=request(1)), ns(0.8))
    assert endings(commands) == [("failed", "no_answer")]
    assert of(ev.CancelStage, commands) == [ev.CancelStage(request=request(1), peer="mule")]


def test_what_could_not_leave_comes_home_as_if_it_had_never_been_sent() -> None:
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
    known.expire(ns(10))
    commands = agent.handle(done(run.work, ns(0.02)), ns(0.02))
    assert of(ev.SendStage, commands) == []
    assert [run.leg.whole for run in of(ev.RunStage, commands)] == [True]


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


# --- an agent of somebody else's chain ---


def middle(*names: str) -> Scheduler:
    """It runs stages [1, 2) of 20 ms in all, 5 ms, for `asker`."""
    return scheduler(known=others("asker", *names), stages=STAGES, detector=0.02)


NEXT = [Leg("ox", 2, 3), Leg("mule", 3, 4)]


def test_the_middle_passes_on_and_the_end_answers_the_owner() -> None:
    agent = middle("ox", "mule")
    (run,) = of(ev.RunStage, agent.handle(asked(1, first=1, last=2, route=NEXT), 0))
    assert (run.asker, run.leg) == ("asker", Leg("me", 1, 2))
    commands = agent.handle(ev.StageDone(work=run.work, started_ns=ns(0.001), finished_ns=ns(0.006)), ns(0.006))
    (passed,) = of(ev.PassOn, commands)
    assert (passed.peer, passed.asked.route) == ("ox", NEXT)
    assert passed.times == LegTimes(run_s=0.005, waited_s=0.001)
    assert of(ev.Answer, commands) == []
    (run,) = of(ev.RunStage, agent.handle(asked(2, first=3, last=4), ns(0.01)))
    (answer,) = of(ev.Answer, agent.handle(done(run.work, ns(0.02)), ns(0.02)))
    assert answer.peer == "asker"
    assert (agent.statistics().serving.passed_on, agent.statistics().serving.answered) == (1, 1)


def test_time_for_the_legs_behind_is_kept() -> None:
    need_s = 0.005 + 0.0025 + 0.0025                         # ours, then two legs of a faster board
    agent = middle("ox", "mule")
    for late, deadline_ns in ((False, ns(need_s) + 10), (True, ns(need_s) - 10)):
        commands = agent.handle(asked(int(late), first=1, last=2, route=NEXT, deadline_ns=deadline_ns), 0)
        assert [r.reason for r in of(ev.Refuse, commands)] == ["too_late"] * late
        for run in of(ev.RunStage, commands):
            agent.handle(done(run.work, 1), 1)


@pytest.mark.parametrize(("first", "last", "route"), [
    (1, 2, []),                                              # stages 2 and 3 are nobody's
    (1, 2, [Leg("ox", 3, 4)]),                               # a gap
    (1, 3, [Leg("ox", 2, 4)]),                               # twice
    (1, 2, [Leg("ox", 2, 5)]),                               # beyond the end
    (1, 1, [Leg("ox", 1, 4)]),                               # nothing for us
    (2, 1, [Leg("ox", 1, 4)]),
    (1, 2, [Leg("me", 2, 4)]),                               # back to us
    (1, 2, [Leg("asker", 2, 4)]),                            # back to the owner
    (1, 2, [Leg("ox", 2, 3), Leg("ox", 3, 4)]),
    (0, 0, [Leg("ox", 1, 4)]),                               # whole, and then some
    (1, 0, []),
])
def test_a_chain_that_makes_no_sense_is_refused(first: int, last: int, route: list[Leg]) -> None:
    (refusal,) = of(ev.Refuse, middle("ox").handle(asked(1, first=first, last=last, route=route), 0))
    assert (refusal.peer, refusal.reason) == ("asker", "malformed")


def test_a_chain_into_the_unknown_is_refused_before_any_work() -> None:
    (refusal,) = of(ev.Refuse, middle("ox").handle(asked(1, first=1, last=2, route=NEXT), 0))
    assert refusal.reason == CHAIN_BROKEN


def test_stages_that_are_not_loaded_are_refused_and_then_loaded_once() -> None:
    agent = scheduler(known=others("ox", "mule"), stages=STAGES, loaded=False, detector=0.02)
    commands = agent.handle(asked(1, first=1, last=2, route=NEXT), 0)
    assert [r.reason for r in of(ev.Refuse, commands)] == ["loading"]
    assert of(ev.LoadStages, commands) == [ev.LoadStages(model="detector", variant="int8")]
    assert of(ev.LoadStages, agent.handle(asked(2, first=1, last=2, route=NEXT), 1)) == []
    agent.handle(ev.StagesLoaded(model="detector", variant="int8"), 2)
    assert len(of(ev.RunStage, agent.handle(asked(3, first=1, last=2, route=NEXT), 3))) == 1


def passed_on(agent: Scheduler, sequence: int = 1) -> None:
    (run,) = of(ev.RunStage, agent.handle(asked(sequence, first=1, last=2, route=NEXT), 0))
    assert len(of(ev.PassOn, agent.handle(done(run.work, 1), 1))) == 1


@pytest.mark.parametrize("event", [
    ev.Refused(request=request(1, "asker"), peer="ox", reason="unreachable"),
    ev.Refused(request=request(1, "asker"), peer="ox", reason="duplicate"),
    ev.PeerLost(peer="ox"),
])
def test_where_the_chain_breaks_the_owner_is_told_once(event: ev.Event) -> None:
    agent = middle("ox", "mule")
    passed_on(agent)
    assert of(ev.Refuse, agent.handle(event, ns(0.01))) == [
        ev.Refuse(request=request(1, "asker"), peer="asker", reason=CHAIN_BROKEN)]
    assert of(ev.Refuse, agent.handle(event, ns(0.01))) == []


def test_others_cannot_break_a_chain() -> None:
    agent = middle("ox", "mule")
    passed_on(agent)
    assert agent.handle(ev.Refused(request=request(1, "asker"), peer="mule", reason="full"), 2) == []
    assert agent.handle(ev.Refused(request=request(9, "asker"), peer="ox", reason="full"), 2) == []
    assert agent.handle(ev.PeerLost(peer="ox"), ns(1)) == []     # long after its deadline


def test_a_cancel_reaches_what_waits_what_runs_what_has_gone_and_what_is_yet_to_come() -> None:
    agent = middle("ox", "mule")

    def cancel(sequence: int, peer: str = "asker") -> list[ev.Command]:
        return agent.handle(ev.StageCancelled(request=request(sequence, "asker"), peer=peer), 2)

    passed_on(agent, 1)
    (run,) = of(ev.RunStage, agent.handle(asked(2, first=1, last=2, route=NEXT), 1))
    agent.handle(asked(3, first=1, last=2, route=NEXT), 1)
    assert cancel(1, peer="ox") == []                        # only its owner may
    assert cancel(1) == [ev.StopSending(request=request(1, "asker"), peer="ox")]
    assert of(ev.AbortRun, cancel(2)) == [ev.AbortRun(work=run.work)]
    assert of(ev.Forget, cancel(3)) == [ev.Forget(request=request(3, "asker"), peer="asker")]
    assert agent.handle(done(run.work, 3, ran=False), 3) == []
    assert cancel(4) == []
    commands = agent.handle(asked(4, first=1, last=2, route=NEXT), 4)
    assert commands == [ev.Forget(request=request(4, "asker"), peer="asker")]


def test_what_is_remembered_is_bounded() -> None:
    agent = middle("ox", "mule")
    for sequence in range(MEMORY + 1):
        agent.handle(ev.StageCancelled(request=request(sequence, "asker"), peer="asker"), 1)
        passed_on(agent, sequence + 10_000)
    assert of(ev.Forget, agent.handle(asked(MEMORY), 2))
    assert not of(ev.Forget, agent.handle(asked(0), 2))
    assert not agent.handle(ev.Refused(request=request(10_000, "asker"), peer="ox", reason="full"), 2)
    assert agent.handle(ev.Refused(request=request(10_001, "asker"), peer="ox", reason="full"), 2)


def test_a_lost_owner_is_forgotten_and_a_failed_leg_told() -> None:
    agent = middle("ox", "mule")
    (run,) = of(ev.RunStage, agent.handle(asked(1, first=1, last=2, route=NEXT), 0))
    assert [r.reason for r in of(ev.Refuse, agent.handle(done(run.work, 1, ran=False), 1))] == ["failed"]
    (run,) = of(ev.RunStage, agent.handle(asked(2, first=1, last=2, route=NEXT), 2))
    agent.handle(ev.PeerLost(peer="asker"), 3)
    assert agent.handle(done(run.work, 4), 4) == []
