"""The scheduler of a robot in the middle or at the end of a peer's chain of stages."""

from __future__ import annotations

import pytest

from agents.peers.table import PeerTable
from agents.scheduling import events as ev
from agents.scheduling.peer_requests import CHAIN_BROKEN, MEMORY
from agents.scheduling.scheduler import Scheduler
from swarm.core.policy.plan import Leg
from swarm.core.protocol.spans import LegTimes
from swarm.core.units import ns
from tests.agents.builders import peer_table, profile, request, scheduler
from tests.agents.scheduler_events import asked, done, of

STAGES = 4
NEXT = [Leg("ox", 2, 3), Leg("mule", 3, 4)]


def others(*names: str) -> PeerTable:
    return peer_table(**{name: [profile(p50_s=0.01, stages=STAGES)] for name in names})


def middle(*names: str) -> Scheduler:
    """It runs stages [1, 2) of 20 ms in all, 5 ms, for `asker`."""
    return scheduler(known=others("asker", *names), stages=STAGES, detector=0.02)


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


def test_a_cancel_reaches_waiting_running_passed_on_and_future_requests() -> None:
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


def test_remembered_requests_are_bounded() -> None:
    agent = middle("ox", "mule")
    for sequence in range(MEMORY + 1):
        agent.handle(ev.StageCancelled(request=request(sequence, "asker"), peer="asker"), 1)
        passed_on(agent, sequence + 10_000)
    assert of(ev.Forget, agent.handle(asked(MEMORY), 2))
    assert not of(ev.Forget, agent.handle(asked(0), 2))
    assert not agent.handle(ev.Refused(request=request(10_000, "asker"), peer="ox", reason="full"), 2)
    assert agent.handle(ev.Refused(request=request(10_001, "asker"), peer="ox", reason="full"), 2)


def test_a_lost_owner_is_forgotten_and_a_failed_leg_is_reported() -> None:
    agent = middle("ox", "mule")
    (run,) = of(ev.RunStage, agent.handle(asked(1, first=1, last=2, route=NEXT), 0))
    assert [r.reason for r in of(ev.Refuse, agent.handle(done(run.work, 1, ran=False), 1))] == ["failed"]
    (run,) = of(ev.RunStage, agent.handle(asked(2, first=1, last=2, route=NEXT), 2))
    agent.handle(ev.PeerLost(peer="asker"), 3)
    assert agent.handle(done(run.work, 4), 4) == []


def test_a_request_that_has_gone_on_is_not_taken_again() -> None:
    agent = middle("ox", "mule")
    passed_on(agent, 1)
    (no,) = of(ev.Refuse, agent.handle(asked(1, first=1, last=2, route=NEXT), 1))
    assert no.reason == "duplicate"
