"""Guards: the fallback at the last safe moment, and what their reservations hold back."""

from __future__ import annotations

from agents.scheduling import events as ev
from agents.scheduling.queue.margins import START_NS, TURN_NS
from swarm.core.units import ns
from tests.agents.builders import peer_table, profile, request, robot, scheduler, stream
from tests.agents.scheduler_events import arrived, came, done, endings, of


def test_the_guard_starts_the_fallback_at_the_last_safe_moment_and_an_answer_ends_it() -> None:
    agent = scheduler(known=peer_table(mule=[profile(p50_s=0.005)]), detector=0.04)
    commands = agent.handle(arrived(1, stream(deadline_s=0.1)), 0)
    (timer,) = [t for t in of(ev.SetTimer, commands) if isinstance(t.event, ev.LastSafeStart)]
    assert timer.at_ns == ns(0.1) - ns(0.048) - TURN_NS - START_NS       # deadline - p95 of the own detector - margins
    (run,) = of(ev.RunStage, agent.handle(timer.event, timer.at_ns))
    commands = agent.handle(came(1, "mule"), ns(0.06))
    assert of(ev.AbortRun, commands) == [ev.AbortRun(work=run.work)]
    assert endings(commands) == [("completed", "")]
    late = agent.handle(ev.StageDone(work=run.work, started_ns=0, finished_ns=1, ran=False), ns(0.061))
    assert endings(late) == []


def test_the_fallback_wins_where_the_peer_is_silent() -> None:
    agent = scheduler(known=peer_table(mule=[profile(p50_s=0.005)]), detector=0.04)
    agent.handle(arrived(1, stream(deadline_s=0.1)), 0)
    (run,) = of(ev.RunStage, agent.handle(ev.LastSafeStart(request=request(1)), ns(0.052)))
    commands = agent.handle(done(run.work, ns(0.095)), ns(0.095))
    assert endings(commands) == [("completed", "")]
    assert of(ev.CancelStage, commands) == [ev.CancelStage(request=request(1), peer="mule")]
    agent.handle(came(1, "mule"), ns(0.2))
    assert agent.statistics().duplicates == 1


def test_an_offload_that_home_could_not_do_in_time_is_unguarded() -> None:
    agent = scheduler(known=peer_table(mule=[profile(p50_s=0.005)]), detector=0.2)
    commands = agent.handle(arrived(1, stream(deadline_s=0.1)), 0)
    assert not [t for t in of(ev.SetTimer, commands) if isinstance(t.event, ev.LastSafeStart)]
    agent.handle(ev.BudgetSpent(request=request(1)), ns(0.1))
    assert endings(agent.handle(ev.GivenUp(request=request(1)), ns(0.6))) == [("failed", "no_answer")]


def test_a_less_urgent_run_is_held_back_for_a_guard() -> None:
    agent = scheduler(known=peer_table(mule=[profile(p50_s=0.005)]), detector=0.04, mapper=0.08)
    agent.handle(arrived(1, stream(deadline_s=0.1, priority=2)), 0)
    assert of(ev.RunStage, agent.handle(arrived(2, stream("map", "mapper", 1.0)), ns(0.01))) == []
    commands = agent.handle(came(1, "mule"), ns(0.02))
    assert [run.model for run in of(ev.RunStage, commands)] == ["mapper"]


def test_guards_reserve_the_executor_one_after_the_other() -> None:
    agent = scheduler(known=peer_table(mule=[profile(p50_s=0.005)]), detector=0.02)
    first = agent.handle(arrived(1, stream("a", deadline_s=0.1)), 0)
    second = agent.handle(arrived(2, stream("b", deadline_s=0.1)), 0)
    last_safe = [t.at_ns for t in of(ev.SetTimer, first + second) if isinstance(t.event, ev.LastSafeStart)]
    assert last_safe == [ns(0.1) - START_NS - runs * (ns(0.024) + TURN_NS) for runs in (1, 2)]


def test_guards_that_fire_run_in_the_order_of_deadlines() -> None:
    agent = scheduler(known=peer_table(mule=[profile(p50_s=0.001)]), detector=0.04)
    agent.handle(arrived(1, stream("a", deadline_s=0.1)), 0)
    commands = agent.handle(arrived(2, stream("b", deadline_s=0.13)), 0)
    (timer,) = [t for t in of(ev.SetTimer, commands) if isinstance(t.event, ev.LastSafeStart)]
    (run,) = of(ev.RunStage, agent.handle(timer.event, timer.at_ns))
    assert run.request == request(1)                         # the earlier deadline, though b's moment came first
    at = timer.at_ns + ns(0.048)
    (second,) = of(ev.RunStage, agent.handle(done(run.work, at), at))
    assert second.request == request(2)
    assert at + ns(0.048) <= ns(0.13)


def test_guards_that_are_always_ahead_do_not_starve_the_runs_that_they_hold_back() -> None:
    """An urgent stream that a peer always answers must not keep the executor idle and a long run waiting for ever."""
    known = peer_table(mule=[profile("detector", 0.001)])
    agent = robot([profile("detector", 0.01), profile("mapper", 0.09)], "greedy", known)
    detect, of_map = stream("detect", deadline_s=0.1, priority=1), stream("map", "mapper", deadline_s=0.45)
    begun: list[str] = []
    running: list[tuple[int, int]] = []

    def at(event: ev.Event, now: int) -> None:
        while running and running[0][0] <= now:
            ends_ns, work = running.pop()
            note(agent.handle(done(work, ends_ns), ends_ns), ends_ns)
        note(agent.handle(event, now), now)

    def note(commands: list[ev.Command], now: int) -> None:
        for run in of(ev.RunStage, commands):
            begun.append(run.model)
            running.append((now + ns(0.01 if run.model == "detector" else 0.09), run.work))

    for frame in range(400):                                     # 20 s at 20 Hz
        now = ns(1 + 0.05 * frame)
        known.update("mule", 1, 0.0, now)
        at(arrived(2 * frame, detect, now), now)
        at(came(2 * frame, "mule"), now + ns(0.01))
        if frame % 10 == 0:
            at(arrived(2 * frame + 1, of_map, now), now)
            at(ev.BudgetSpent(request=request(2 * frame - 19)), now)
    assert "mapper" in begun
