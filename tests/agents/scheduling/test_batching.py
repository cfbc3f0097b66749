"""Batches: rule by rule, over random queues, and in the scheduler."""

from __future__ import annotations

import random

import msgspec
import pytest

from agents.peers.table import PeerTable
from agents.scheduling import events as ev
from agents.scheduling.guards import NEVER_NS
from agents.scheduling.queue.batching import batch_with
from agents.scheduling.queue.queued_run import QueuedRun
from agents.scheduling.scheduler import Scheduler
from swarm.core.policy.cost import LONG_S, together_p95_s
from swarm.core.policy.plan import Leg, Profile
from swarm.core.units import ns
from tests.agents.builders import peer_table, profile, request, robot, stream
from tests.agents.scheduler_events import arrived, asked, came, done, endings, of, preempted

NOW = ns(5)
MS = ns(0.001)
SPREAD = 1.2
TIMES_S = [0.010, 0.015, 0.018, 0.020]       # of 1, 2, 3, 4 at once


def several(model: str = "detector", times_s: list[float] = TIMES_S, stages: int = 0) -> Profile:
    """A variant that runs batches."""
    return msgspec.structs.replace(profile(model, times_s[0], spread=SPREAD, stages=stages), batch_s=times_s)


def work(
    key: int, *, deadline_s: float = 1.0, level: int = 0, guard: bool = False, asker: str = "", began: bool = False,
    of: Profile | None = None, last: int = 0,
) -> QueuedRun:
    """A waiting run, with this long to its deadline."""
    made = QueuedRun(
        key=key, request=request(key), asker=asker, stream="s", model=(of or several()).model, variant="int8",
        leg=Leg("me"), priority=level, deadline_ns=NOW + ns(deadline_s), guard=guard, profile=of or several(),
        since_ns=NOW, queued_ns=NOW, first=0, last=last, began_ns=NOW if began else 0,
    )
    made.level = level
    return made


def starts(*waiting: QueuedRun, until_ns: int = NEVER_NS, in_steps: bool = False) -> list[int]:
    """The keys of the batch of the first run."""
    in_order = sorted(waiting, key=lambda each: each.rank)
    return [each.key for each in batch_with(waiting[0], in_order, NOW, until_ns=until_ns, in_steps=in_steps)]


def after(inputs: int) -> float:
    """When a batch of this size ends, by p95, seconds from now."""
    return TIMES_S[inputs - 1] * SPREAD


OTHER = profile("segmenter", 0.020)
LATER = 0.001                        # beside a boundary, seconds

TABLE: list[tuple[str, list[QueuedRun], dict, list[int]]] = [
    ("alone", [work(1)], {}, [1]),
    ("one variant, own and peers'", [work(1), work(2, asker="mule"), work(3)], {}, [1, 2, 3]),
    ("as many as pay", [work(k) for k in range(1, 8)], {}, [1, 2, 3, 4]),
    ("most urgent first", [work(1, level=2), work(3, deadline_s=0.3), work(2, level=1)], {}, [1, 2, 3]),
    ("not next in order", [work(1), work(2, of=OTHER, deadline_s=1.1), work(3, deadline_s=1.2)], {}, [1, 3]),
    ("another model", [work(1), work(2, of=OTHER)], {}, [1]),
    ("another model that takes several, too", [work(1), work(2, of=several("segmenter"))], {}, [1]),
    ("another model is first", [work(2, of=OTHER), work(1)], {}, [2]),
    ("no gain is known", [work(1, of=profile()), work(2, of=profile())], {}, [1]),
    ("several take longer", [work(k, of=several(times_s=[0.01, 0.021])) for k in (1, 2)], {}, [1]),
    ("the first was preempted", [work(1, began=True), work(2)], {}, [1]),
    ("another was preempted", [work(1), work(2, began=True), work(3)], {}, [1, 3]),
    ("it goes stage by stage", [work(k, of=several(stages=4), last=4) for k in (1, 2)], {}, [1]),
    ("the first bears it", [work(1, deadline_s=after(2)), work(2)], {}, [1, 2]),
    ("the first does not", [work(1, deadline_s=after(2) - LATER), work(2)], {}, [1]),
    ("two bear it, three do not", [work(1, deadline_s=after(2)), work(2), work(3)], {}, [1, 2]),
    ("the second bears two", [work(1, level=1), work(2, deadline_s=after(2)), work(3)], {}, [1, 2]),
    ("the second does not", [work(1, level=1), work(2, deadline_s=after(2) - LATER), work(3)], {}, [1]),
    ("until a guard", [work(1), work(2), work(3)], {"until_ns": NOW + ns(after(2))}, [1, 2]),
    ("a guard before", [work(1), work(2)], {"until_ns": NOW + ns(after(2)) - 1}, [1]),
    ("something more urgent is known", [work(k) for k in (1, 2, 3, 4)], {"in_steps": True}, [1, 2]),
    ("less urgent work passes nothing by", [work(1, level=1), work(2, level=1, of=OTHER), work(3)], {}, [1]),
    ("nor does work a guard of its level", [work(1, guard=True), work(2, guard=True, of=OTHER, deadline_s=0.04),
                                            work(3)], {}, [1]),
    ("but for what is lost", [work(1, level=1), work(2, level=1, of=OTHER, deadline_s=0.019), work(3)], {}, [1, 3]),
    ("equal work passes what bears it", [work(1), work(2, of=OTHER, deadline_s=0.06), work(3)], {}, [1, 3]),
    ("and nothing else", [work(1), work(2, of=OTHER, deadline_s=0.04), work(3)], {}, [1]),
    ("fallbacks of guards", [work(1, guard=True), work(2, guard=True), work(3)], {}, [1, 2, 3]),
]


@pytest.mark.parametrize(("waiting", "how", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_who_starts_at_once(waiting: list[QueuedRun], how: dict, expected: list[int]) -> None:
    assert starts(*waiting, **how) == expected


def test_whatever_waits_every_rule_holds() -> None:
    sizes: dict[int, int] = {}
    for seed in range(3000):
        draws = random.Random(seed)
        waiting = [
            work(k, deadline_s=draws.choice([0.01, 0.02, 0.03, 0.1, 1.0]), level=draws.randrange(3),
                 guard=draws.random() < 0.1, asker=draws.choice(["", "mule"]), began=draws.random() < 0.1,
                 of=draws.choice([several(), several(), several(), OTHER]))
            for k in range(1, draws.randrange(2, 12))
        ]
        waiting.sort(key=lambda each: each.rank)
        first = waiting[draws.randrange(2)] if len(waiting) > 1 else waiting[0]
        until_ns = NOW + ns(draws.choice([0.01, 0.02, 10.0]))
        in_steps = draws.random() < 0.3
        joined = batch_with(first, waiting, NOW, until_ns=until_ns, in_steps=in_steps)
        sizes[len(joined)] = sizes.get(len(joined), 0) + 1
        assert joined[0] is first
        assert len({each.key for each in joined}) == len(joined)
        if len(joined) == 1:
            continue
        took_ns = ns(together_p95_s(first.profile, len(joined)))
        assert {(each.model, each.variant, each.began_ns) for each in joined} == {("detector", "int8", 0)}
        assert NOW + took_ns <= min(until_ns, *(each.deadline_ns for each in joined))
        assert not in_steps or took_ns <= ns(LONG_S)
        for other in waiting:
            for each in joined[1:]:
                if other not in joined and other.rank < each.rank and NOW + other.p50_ns <= other.deadline_ns:
                    assert other.level == each.level or other.guard == each.guard is True
                    unharmed = NOW + took_ns + other.p95_ns <= other.deadline_ns
                    assert unharmed or NOW + other.p95_ns > other.deadline_ns or other.guard
    assert set(sizes) == {1, 2, 3, 4}
    assert min(sizes.values()) > 10, sizes


# --- the scheduler ---

def busy(*extra: Profile, executors: int = 1, policy: str = "local", known: PeerTable | None = None) -> Scheduler:
    """A robot whose detector runs batches; each of its executors is busy with a run of another model."""
    agent = robot([several(), profile("other", 0.01), *extra], policy, known, executors=executors, loaded=[])
    for k in range(executors):
        agent.handle(arrived(90 + k, stream(f"other_{k}", "other", deadline_s=1.0)), 0)
    return agent


def detect(sequence: int, deadline_s: float = 0.2, priority: int = 0, at: int = 0) -> ev.RequestArrived:
    return arrived(sequence, stream(f"detect_{sequence}", deadline_s=deadline_s, priority=priority), at)


def test_peers_requests_and_own_ones_run_at_once_and_each_ends_by_itself() -> None:
    agent = busy()
    agent.handle(detect(1), 1)
    agent.handle(asked(7, peer="ox"), 2)
    agent.handle(asked(8, peer="mule"), 3)
    (batch,) = agent.handle(done(1, 4), 4)[-1:]
    assert isinstance(batch, ev.RunBatch)
    assert [(run.request, run.asker) for run in batch.runs] == [
        (request(1), ""), (request(7, "ox"), "ox"), (request(8, "mule"), "mule")]
    assert {(run.leg, run.resumed) for run in batch.runs} == {(Leg("me"), False)}
    assert agent.busy_s(4) == pytest.approx(TIMES_S[2])              # one run, not three
    own, first, second = (run.work for run in batch.runs)
    commands = agent.handle(done(own, 18 * MS), 18 * MS)
    assert endings(commands) == [("completed", "")]
    assert of(ev.Deliver, commands)[0].span.batch == 3
    (answer,) = agent.handle(done(first, 18 * MS), 18 * MS)
    assert isinstance(answer, ev.Answer)
    assert (answer.peer, answer.times.batch) == ("ox", 3)
    assert agent.handle(done(second, 18 * MS, ran=False), 18 * MS) == [
        ev.Refuse(request=request(8, "mule"), peer="mule", reason="failed")]
    statistics = agent.statistics()
    assert (statistics.batches, statistics.batched) == (1, 3)


def test_an_executor_is_free_once_all_that_ran_at_once_have_ended() -> None:
    agent = busy()
    for k in (1, 2):
        agent.handle(detect(k), k)
    (batch,) = of(ev.RunBatch, agent.handle(done(1, 4), 4))
    agent.handle(detect(3), 5)
    one, two = (run.work for run in batch.runs)
    assert of(ev.RunStage, agent.handle(done(one, 6), 6)) == []
    assert [run.request for run in of(ev.RunStage, agent.handle(done(two, 6), 6))] == [request(3)]


def test_with_another_executor_free_they_run_beside_each_other() -> None:
    agent = busy(executors=2)
    for k in (1, 2, 3):
        agent.handle(detect(k), k)
    commands = [*agent.handle(done(1, 4), 4), *agent.handle(done(2, 4), 4)]
    assert [len(batch.runs) for batch in of(ev.RunBatch, commands)] == [3]       # only one was free at a time
    idle = robot([several()], executors=2, loaded=[])
    assert of(ev.RunBatch, [c for k in (1, 2) for c in idle.handle(detect(k), k)]) == []


def test_an_aborted_batch_is_preempted_as_a_whole_and_its_runs_start_one_by_one() -> None:
    agent = busy()
    for k in (1, 2):
        agent.handle(detect(k, deadline_s=0.5), k)
    (batch,) = of(ev.RunBatch, agent.handle(done(1, 4), 4))
    one, two = (run.work for run in batch.runs)
    (told,) = of(ev.Preempt, agent.handle(arrived(5, stream("other_0", "other", 0.05, priority=3), 5), 5))
    assert told.work == one
    assert agent.handle(preempted(one, 4, 6, 0, mid_stage=True), 6) == []
    (urgent,) = of(ev.RunStage, agent.handle(preempted(two, 4, 6, 0, mid_stage=True), 6))
    assert urgent.model == "other"
    (again,) = of(ev.RunStage, agent.handle(done(urgent.work, 10 * MS), 10 * MS))
    assert (again.work, again.resumed) == (one, True)
    (last,) = of(ev.RunStage, agent.handle(done(one, 20 * MS), 20 * MS))
    assert (last.work, last.resumed) == (two, True)
    assert agent.statistics().batched == 2
    (span,) = (end.span for end in of(ev.Deliver, agent.handle(done(two, 30 * MS), 30 * MS)))
    assert (span.batch, span.preempted) == (1, 1)


def test_a_run_of_several_stays_while_any_of_them_is_as_urgent() -> None:
    agent = busy()
    agent.handle(detect(1, deadline_s=0.4, priority=2), 1)
    agent.handle(detect(2, deadline_s=0.5), 2)
    (batch,) = of(ev.RunBatch, agent.handle(done(1, 4), 4))
    urgent = arrived(5, stream("other_0", "other", 0.05, priority=1), 5)
    assert of(ev.Preempt, agent.handle(urgent, 5)) == []
    alone = agent.handle(done(batch.runs[0].work, 6, ran=False), 6)
    assert [told.work for told in of(ev.Preempt, alone)] == [batch.runs[1].work]


def test_a_request_that_is_called_off_does_not_cost_the_others_their_run() -> None:
    agent = busy()
    agent.handle(detect(1), 1)
    agent.handle(asked(7, peer="ox"), 2)
    (batch,) = of(ev.RunBatch, agent.handle(done(1, 4), 4))
    own, theirs = (run.work for run in batch.runs)
    commands = agent.handle(ev.StageCancelled(request=request(7, "ox"), peer="ox"), 5)
    assert of(ev.AbortRun, commands) == [ev.AbortRun(work=theirs)]
    assert agent.handle(done(theirs, 6), 6) == []
    assert endings(agent.handle(done(own, 6), 6)) == [("completed", "")]


def test_a_peers_run_of_several_does_not_make_it_seem_slow() -> None:
    known = peer_table(mule=[several()])
    agent = robot([several(times_s=[0.3, 0.4])], "greedy", known, loaded=[])
    for k in range(1, 9):
        sent = of(ev.SendStage, agent.handle(detect(k, deadline_s=1.0, at=k), k))
        assert [command.peer for command in sent] == ["mule"]
        answer = msgspec.structs.replace(came(k, "mule"), times=msgspec.structs.replace(
            came(k, "mule").times, run_s=TIMES_S[3], batch=4))
        (end,) = of(ev.Deliver, agent.handle(answer, k))
        assert end.span.batch == 4
    (expected,) = known.views(20)["mule"].profiles["detector"]
    assert expected.p50_s == pytest.approx(TIMES_S[0])
