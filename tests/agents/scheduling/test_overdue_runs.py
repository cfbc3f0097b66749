"""Runs that do not end: aborted past their deadline and a grace time, at home and for peers."""

from __future__ import annotations

from agents.scheduling import events as ev
from agents.scheduling.queue.queued_run import GRACE_NS
from swarm.core.units import ns
from tests.agents.builders import peer_table, profile, request, scheduler, stream
from tests.agents.scheduler_events import arrived, asked, done, endings, of


def gives_up(commands: list[ev.Command]) -> int:
    (timer,) = [t for t in of(ev.SetTimer, commands) if isinstance(t.event, ev.GivenUp)]
    return timer.at_ns


def test_a_run_that_never_ends_is_aborted_past_its_deadline_and_a_grace_time_and_the_request_fails() -> None:
    agent = scheduler(detector=0.03)
    (run,) = of(ev.RunStage, agent.handle(arrived(1, stream()), 0))
    at = gives_up(agent.handle(ev.BudgetSpent(request=request(1)), ns(0.1)))
    assert at == ns(0.1) + GRACE_NS + ns(0.036)              # deadline, grace, p95
    commands = agent.handle(ev.GivenUp(request=request(1)), at)
    assert of(ev.AbortRun, commands) == [ev.AbortRun(work=run.work)]
    assert endings(commands) == [("failed", "overdue")]
    agent.handle(arrived(2, stream(), at), at)
    (free,) = of(ev.RunStage, agent.handle(done(run.work, at + 1, ran=False), at + 1))
    assert free.request == request(2)


def test_a_fallback_that_never_ends_is_aborted_after_the_peer_was_given_up() -> None:
    agent = scheduler(known=peer_table(mule=[profile(p50_s=0.005)]), detector=0.04)
    agent.handle(arrived(1, stream(deadline_s=0.1)), 0)
    agent.handle(ev.LastSafeStart(request=request(1)), ns(0.052))
    peers = gives_up(agent.handle(ev.BudgetSpent(request=request(1)), ns(0.1)))
    commands = agent.handle(ev.GivenUp(request=request(1)), peers)
    assert of(ev.CancelStage, commands) == [ev.CancelStage(request=request(1), peer="mule")]
    assert endings(agent.handle(ev.GivenUp(request=request(1)), gives_up(commands))) == [("failed", "overdue")]


def test_a_peers_run_that_never_ends_is_aborted_when_another_waits_for_its_executor() -> None:
    agent = scheduler(known=peer_table(asker=[profile()]), policy="local", detector=0.03)
    (run,) = of(ev.RunStage, agent.handle(asked(1), 0))
    late = ns(0.2) + GRACE_NS + ns(0.036)                    # its deadline, grace, p95
    assert of(ev.AbortRun, agent.handle(arrived(1, stream(deadline_s=9.0), 0), late - 1)) == []
    commands = agent.handle(arrived(2, stream("other", deadline_s=9.0), 0), late)
    assert of(ev.AbortRun, commands) == [ev.AbortRun(work=run.work)]
    assert len(of(ev.RunStage, agent.handle(done(run.work, late + 1, ran=False), late + 1))) == 1
