"""The promise of the guards, case by case; `test_schedules.py` looks for cases that nobody thought of."""

from __future__ import annotations

import math

import msgspec

from agents.scheduling import events as ev
from agents.scheduling.queue.margins import START_NS, TURN_NS
from agents.scheduling.queue.run_queue import AGING_NS
from agents.scheduling.scheduler import Scheduler
from swarm.core.policy.plan import StreamSpec
from swarm.core.units import ns
from tests.agents.builders import peer_table, profile, request, robot, stream
from tests.agents.scheduler_events import arrived, asked, came, done, endings, of, preempted

AT = ns(10)
MS = ns(0.001)


def fleet(*streams: StreamSpec, away: str = "detector", executors: int = 1, **own: float) -> Scheduler:
    """A robot whose models take up to these times, seconds, by p95; one peer runs one of them in no time."""
    known = peer_table(asker=[], mule=[profile(away, 0.001)])
    known.update("mule", 1, 0.0, AT)
    return robot([profile(model, p95_s / 1.2) for model, p95_s in own.items()], "greedy", known, executors=executors,
                 streams=streams, loaded=[])


def last_safe(commands: list[ev.Command]) -> dict[int, int]:
    """When the guards are to fire, by sequence of the request."""
    timers = [timer for timer in of(ev.SetTimer, commands) if isinstance(timer.event, ev.LastSafeStart)]
    return {timer.event.request.sequence: timer.at_ns for timer in timers}


def fires(agent: Scheduler, sequence: int, now: int) -> list[ev.Command]:
    return agent.handle(ev.LastSafeStart(request=request(sequence)), now)


def guarded(commands: list[ev.Command]) -> list[bool]:
    return [delivered.span.guarded for delivered in of(ev.Deliver, commands)]


def test_what_has_fired_and_still_waits_counts() -> None:
    """Three fallbacks of 50 ms wait or run; a fourth request has time for its own and one other, and no more."""
    agent = fleet(detector=0.05)
    for k in range(3):
        agent.handle(arrived(k, stream(f"s{k}", deadline_s=0.18), AT), AT)
    now = AT + ns(0.18) - START_NS - 3 * (ns(0.05) + TURN_NS)
    (run,) = of(ev.RunStage, fires(agent, 2, now))
    assert agent.statistics().guards.fired == 3
    agent.handle(arrived(3, stream("late", deadline_s=0.12), now + MS), now + MS)
    assert agent.statistics().guards.unguarded == 1
    commands = agent.handle(arrived(4, stream("later", deadline_s=0.26), now + 2 * MS), now + 2 * MS)
    assert last_safe(commands) == {4: now + 2 * MS + ns(0.26) - START_NS - 3 * (ns(0.05) + TURN_NS)}     # one runs
    assert of(ev.RunStage, agent.handle(done(run.work, now + 50 * MS), now + 50 * MS))[0].request == request(1)


def test_a_fallback_leaves_more_urgent_work_alone_and_both_are_in_time() -> None:
    """The least urgent stream's fallback does not end the most urgent run; the time for that was reserved."""
    urgent, lesser = stream("detect", "detector", 0.08, priority=5), stream("segment", "segmenter", 0.5)
    agent = fleet(urgent, lesser, away="segmenter", detector=0.02, segmenter=0.1)
    ((_, fires_ns),) = last_safe(agent.handle(arrived(1, lesser, AT), AT)).items()
    assert fires_ns < AT + ns(0.5) - START_NS - ns(0.1) - ns(0.02) - 2 * TURN_NS
    (detect,) = of(ev.RunStage, agent.handle(arrived(2, urgent, fires_ns - MS), fires_ns - MS))
    assert of(ev.Preempt, fires(agent, 1, fires_ns)) == []
    now = fires_ns + 19 * MS
    commands = agent.handle(done(detect.work, now), now)
    assert endings(commands) == [("completed", "")]
    (fallback,) = of(ev.RunStage, commands)
    now += ns(0.1)
    assert endings(agent.handle(done(fallback.work, now), now)) == [("completed", "")]
    assert now < AT + ns(0.5)


def test_a_more_urgent_run_ends_a_fallback_that_bears_it() -> None:
    """A fallback of one step is aborted for what cannot wait, starts again, and is in time by the time reserved."""
    urgent, lesser = stream("detect", "detector", 0.06, priority=5), stream("segment", "segmenter", 0.5)
    agent = fleet(urgent, lesser, away="segmenter", detector=0.02, segmenter=0.1)
    ((_, now),) = last_safe(agent.handle(arrived(1, lesser, AT), AT)).items()
    (fallback,) = of(ev.RunStage, fires(agent, 1, now))
    commands = agent.handle(arrived(2, urgent, now + 40 * MS), now + 40 * MS)
    assert of(ev.Preempt, commands) == [ev.Preempt(work=fallback.work, urgency=math.inf)]
    aborted = preempted(fallback.work, now, now + 41 * MS, 0, mid_stage=True)
    (detect,) = of(ev.RunStage, agent.handle(aborted, now + 41 * MS))
    assert detect.request == request(2)
    (again,) = of(ev.RunStage, agent.handle(done(detect.work, now + 61 * MS), now + 61 * MS))
    assert now + 161 * MS < AT + ns(0.5)
    assert endings(agent.handle(done(again.work, now + 161 * MS), now + 161 * MS)) == [("completed", "")]


def test_more_urgent_work_beyond_what_was_reserved_waits_for_the_promise() -> None:
    urgent, lesser = stream("detect", "detector", 0.06, priority=5), stream("segment", "segmenter", 0.2)
    agent = fleet(lesser, away="segmenter", detector=0.02, segmenter=0.1)        # the urgent stream is not known
    ((_, now),) = last_safe(agent.handle(arrived(1, lesser, AT), AT)).items()
    assert now == AT + ns(0.2) - START_NS - ns(0.1) - TURN_NS
    assert of(ev.RunStage, agent.handle(arrived(2, urgent, now - MS), now - MS)) == []
    (fallback,) = of(ev.RunStage, fires(agent, 1, now))
    assert fallback.request == request(1)


def test_neither_age_nor_a_peers_priority_goes_before_a_fallback() -> None:
    lesser, old = stream("segment", "segmenter", 0.3, priority=1), stream("old", "detector", 99.0)
    agent = fleet(lesser, old, away="segmenter", detector=0.02, segmenter=0.1)
    (first,) = of(ev.RunStage, agent.handle(asked(7, "segmenter", AT + ns(99), priority=9), AT))
    agent.handle(arrived(1, old, AT), AT)
    agent.handle(asked(8, "detector", AT + ns(99), priority=9), AT)
    now = AT + 3 * AGING_NS
    agent._requests._peers.update("mule", 1, 0.0, now)
    ((_, now),) = last_safe(agent.handle(arrived(2, lesser, now), now)).items()
    assert of(ev.Preempt, fires(agent, 2, now)) == [ev.Preempt(work=first.work, urgency=math.inf)]
    commands = agent.handle(preempted(first.work, AT, now + MS, 0, mid_stage=True), now + MS)
    (fallback,) = of(ev.RunStage, commands)
    assert fallback.request == request(2)


def test_a_peers_run_ends_for_a_fallback_although_a_run_between_the_two_may_not_end_it() -> None:
    between, lesser = stream("map", "mapper", 0.5, priority=3), stream("segment", "segmenter", 0.4, priority=1)
    agent = fleet(between, lesser, away="segmenter", mapper=0.02, segmenter=0.1)
    (first,) = of(ev.RunStage, agent.handle(asked(7, "segmenter", AT + ns(99), priority=9), AT))
    ((_, now),) = last_safe(agent.handle(arrived(1, lesser, AT), AT)).items()
    assert of(ev.Preempt, agent.handle(arrived(2, between, now - MS), now - MS)) == []
    assert of(ev.Preempt, fires(agent, 1, now)) == [ev.Preempt(work=first.work, urgency=math.inf)]


def test_a_promised_run_starts_early_only_if_no_other_promise_needs_the_executor_before_its_end() -> None:
    """Nothing may end it, so that it is held back even if its stages are short, and however long it has waited."""
    slow, quick = stream("segment", "segmenter", 9.0, priority=1), stream("detect", "detector", 0.1, priority=1)
    for waits_ns in (0, 2 * AGING_NS):
        known = peer_table(mule=[profile("segmenter", 0.001), profile("detector", 0.001)])
        agent = robot([profile("segmenter", 0.3, stages=10), profile("detector", 0.02), profile("mapper", 8.0)],
                      "greedy", known, streams=(slow, quick))
        known.update("mule", 1, 0.0, AT)
        (blocks,) = of(ev.RunStage, agent.handle(asked(7, "mapper", AT + ns(99), priority=5), AT))
        agent.handle(arrived(1, slow, AT), AT)
        agent.handle(ev.Refused(request=request(1), peer="mule", reason="full"), AT)
        now = AT + ns(0.3) + waits_ns
        known.update("mule", 1, 0.0, now)
        timers = last_safe(agent.handle(arrived(2, quick, now), now))
        assert timers[2] == now + ns(0.1) - START_NS - ns(0.024) - TURN_NS
        assert of(ev.RunStage, agent.handle(done(blocks.work, now + MS), now + MS)) == []
        (run,) = of(ev.RunStage, agent.handle(came(2, "mule"), now + 2 * MS))
        assert run.request == request(1)


def test_a_fallback_that_has_fired_does_not_wait_for_a_guard_that_has_not() -> None:
    """Earlier runs were short; but there is no time for a new promise with an earlier deadline, after the fallback."""
    known = peer_table(mule=[profile("blink", 0.0001), profile("detector", 0.0001), profile("mapper", 0.0001)])
    known.update("mule", 1, 0.0, AT)
    agent = robot([profile("blink", 0.01), profile("detector", 0.04), profile("mapper", 0.08)], "greedy", known)
    for k in (1, 2):
        agent.handle(arrived(k, stream(f"s{k}", "detector", 0.25), AT), AT)
    now = last_safe(agent.handle(arrived(3, stream("s3", "mapper", 0.3), AT), AT))[3]
    (first,) = of(ev.RunStage, fires(agent, 3, now))
    (second,) = of(ev.RunStage, agent.handle(done(first.work, now + 5 * MS), now + 5 * MS))
    agent.handle(arrived(4, stream("s4", "blink", 0.145), now + 6 * MS), now + 6 * MS)
    assert agent.statistics().guards.unguarded == 1
    (third,) = of(ev.RunStage, agent.handle(done(second.work, now + 50 * MS), now + 50 * MS))
    assert third.request == request(3)


def test_a_new_guard_with_an_earlier_deadline_makes_the_others_fire_earlier() -> None:
    agent = fleet(detector=0.05)
    first = last_safe(agent.handle(arrived(1, stream("a", deadline_s=0.3), AT), AT))
    second = last_safe(agent.handle(arrived(2, stream("b", deadline_s=0.28), AT), AT))
    assert first == {1: AT + ns(0.3) - START_NS - ns(0.05) - TURN_NS}
    assert second == {2: AT + ns(0.28) - START_NS - ns(0.05) - TURN_NS,
                      1: AT + ns(0.3) - START_NS - 2 * (ns(0.05) + TURN_NS)}
    agent.handle(came(2, "mule"), AT + MS)
    commands = fires(agent, 1, second[1])                    # too early by now
    assert of(ev.RunStage, commands) == []
    assert last_safe(commands) == first


def test_longer_runs_of_a_more_urgent_stream_make_guards_fire_earlier() -> None:
    """It runs on a slower variant, or in a batch, than it was expected to."""
    urgent, lesser = stream("detect", "detector", 0.15, priority=5), stream("segment", "segmenter", 0.9)
    agent = fleet(urgent, lesser, away="segmenter", detector=0.02, segmenter=0.1)
    ((_, before_ns),) = last_safe(agent.handle(arrived(1, lesser, AT), AT)).items()
    agent._guards.above.observe_run("detect", ns(0.05))
    ((_, after_ns),) = last_safe(agent.handle(asked(9), AT)).items()
    assert after_ns <= before_ns - ns(0.03)


def test_a_request_in_doubt_is_sent_unguarded_and_counted() -> None:
    """By the medians it would fit; a stage may take its p95, and the loop may be late."""
    agent = fleet(detector=0.05)
    sent = agent.handle(arrived(1, stream("a", deadline_s=0.05 + (START_NS + TURN_NS) / 1e9), AT), AT)
    assert (len(of(ev.SendStage, sent)), last_safe(sent)) == (1, {})
    assert guarded(agent.handle(came(1, "mule"), AT + MS)) == [False]
    sent = agent.handle(arrived(2, stream("a", deadline_s=0.051 + (START_NS + TURN_NS) / 1e9), AT), AT)
    assert last_safe(sent) == {2: AT + MS}
    assert guarded(agent.handle(came(2, "mule"), AT + MS)) == [True]
    counts = agent.statistics().guards
    assert (counts.armed, counts.unguarded) == (1, 1)


def test_what_cannot_wait_for_a_peer_starts_at_home_at_once_and_the_first_result_counts() -> None:
    """Too late for a promise, but a run that starts now is in time by its p95: never worse than staying home."""
    agent = fleet(detector=0.05)
    sent = agent.handle(arrived(1, stream("a", deadline_s=0.05 + START_NS / 1e9), AT), AT)
    assert len(of(ev.SendStage, sent)) == 1
    (run,) = of(ev.RunStage, sent)
    commands = agent.handle(done(run.work, AT + ns(0.05)), AT + ns(0.05))
    assert endings(commands) == [("completed", "")]
    assert of(ev.CancelStage, commands) == [ev.CancelStage(request=request(1), peer="mule")]
    agent = fleet(detector=0.05)
    sent = agent.handle(arrived(1, stream("a", deadline_s=0.049), AT), AT)
    assert (len(of(ev.SendStage, sent)), of(ev.RunStage, sent)) == (1, [])       # home would be late


def test_a_promise_ends_with_a_run_that_failed_or_with_its_deadline() -> None:
    """It holds back nothing any more."""
    for ends in ("failed", "deadline"):
        agent = fleet(detector=0.05, mapper=0.05)
        ((_, now),) = last_safe(agent.handle(arrived(1, stream("a", deadline_s=0.1), AT), AT)).items()
        (run,) = of(ev.RunStage, fires(agent, 1, now))
        if ends == "deadline":
            now = AT + ns(0.1)
            agent.handle(ev.BudgetSpent(request=request(1)), now)
        agent.handle(done(run.work, now + MS, ran=False), now + MS)
        later = stream("m", "mapper", 9.0)
        assert len(of(ev.RunStage, agent.handle(arrived(2, later, now + 2 * MS), now + 2 * MS))) == 1


def test_a_fallback_that_may_run_stage_by_stage_counts_with_all_its_stages() -> None:
    """The stages are loaded meanwhile, and take longer than the whole."""
    known = peer_table(mule=[profile("segmenter", 0.001)])
    known.update("mule", 1, 0.0, AT)
    slow = msgspec.structs.replace(profile("segmenter", 0.1, stages=4), p95_s=0.11)
    agent = robot([slow], "greedy", known, loaded=[])
    ((_, now),) = last_safe(agent.handle(arrived(1, stream("s", "segmenter", 0.5), AT), AT)).items()
    assert now == AT + ns(0.5) - START_NS - ns(0.12) - TURN_NS


def test_a_dropped_run_at_home_does_not_end_a_request_whose_answer_may_still_come() -> None:
    """It cannot be in time at home any more, since a more urgent run has gone first; the peer's answer still can."""
    urgent, lesser = stream("detect", "blink", 0.045, priority=5), stream("a", "detector", 0.075)
    agent = fleet(urgent, lesser, blink=0.04, detector=0.05)
    (run,) = of(ev.RunStage, agent.handle(arrived(1, lesser, AT), AT))
    commands = agent.handle(arrived(2, urgent, AT + 10 * MS), AT + 10 * MS)
    assert [command.work for command in of(ev.Preempt, commands)] == [run.work]
    event = preempted(run.work, AT, AT + 11 * MS, 0, mid_stage=True)
    (first,) = of(ev.RunStage, agent.handle(event, AT + 11 * MS))
    later = agent.handle(done(first.work, AT + 50 * MS), AT + 50 * MS)
    assert ([ending.span.request for ending in of(ev.Deliver, later)], of(ev.CancelStage, later)) == ([request(2)], [])
    assert endings(agent.handle(came(1, "mule"), AT + 60 * MS)) == [("completed", "")]


def test_a_fallback_whose_deadline_has_passed_is_a_run_like_any_other() -> None:
    urgent, lesser = stream("detect", "blink", 0.045, priority=5), stream("a", "detector", 0.2)
    agent = fleet(urgent, lesser, blink=0.04, detector=0.05)
    ((_, safe_ns),) = last_safe(agent.handle(arrived(1, lesser, AT), AT)).items()
    (run,) = of(ev.RunStage, fires(agent, 1, safe_ns))
    late_ns = AT + ns(0.21)                          # it took far longer than its p95
    agent.handle(ev.BudgetSpent(request=request(1)), AT + ns(0.2))
    assert of(ev.Preempt, agent.handle(arrived(2, urgent, late_ns), late_ns))
    event = preempted(run.work, safe_ns, late_ns + MS, 0, mid_stage=True)
    (first,) = of(ev.RunStage, agent.handle(event, late_ns + MS))
    commands = agent.handle(done(first.work, late_ns + 40 * MS), late_ns + 40 * MS)
    assert of(ev.RunStage, commands) == []           # it does not run again before all others
