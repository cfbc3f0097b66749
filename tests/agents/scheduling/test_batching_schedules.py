"""One robot under random schedules with batches: the rules that hold without batches hold with them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import msgspec
import pytest

from agents.scheduling import events as ev
from agents.scheduling.queue.queued_run import QueuedRun
from models.batch_sizes import paying
from models.store import ARTEFACTS, load_card
from swarm.core.policy.cost import together_p50_s, together_p95_s
from swarm.core.policy.plan import MOST_AT_ONCE, Profile
from swarm.core.protocol.spans import RequestId
from swarm.core.units import ns
from tests.agents.builders import profile, robot
from tests.agents.scheduler_events import asked
from tests.agents.schedules.scenes import Scene, mixed, overloaded
from tests.agents.schedules.simulated import Agenda, Run, SimulatedExecutor
from tests.agents.schedules.simulation import Simulation
from tests.agents.schedules.watch import Watch
from tests.agents.scheduling.test_schedules import Kind

MANY_THREADS = 99                    # that the bare executor need not count: what runs at once is one run


class BatchExecutor(SimulatedExecutor):
    """Runs batches as the real executor does: one run, and an end for each input."""

    def __init__(self, bare: SimulatedExecutor) -> None:
        super().__init__(bare._agenda, MANY_THREADS, bare._profiles, bare._tell, bare._chance, bare._most)
        self.slow = bare.slow
        self._executors = bare._threads
        self.members: dict[int, list[int]] = {}              # of a run, by its first work

    def start(self, command: ev.RunStage) -> None:
        self._one_is_free()
        super().start(command)

    def start_batch(self, runs: Sequence[ev.RunStage]) -> None:
        self._one_is_free()
        assert len({(run.model, run.variant, run.leg, run.resumed) for run in runs}) == 1
        assert runs[0].leg.whole
        assert not runs[0].resumed
        assert self.begun.isdisjoint(run.work for run in runs), "what was begun runs by itself"
        lead = runs[0].work
        self.members[lead] = [run.work for run in runs]
        self.begun.update(self.members[lead])
        known = self._profiles[runs[0].model]
        assert len(runs) <= len(known.batch_s)
        known = msgspec.structs.replace(
            known, p50_s=together_p50_s(known, len(runs)), p95_s=together_p95_s(known, len(runs)))
        run = Run(work=lead, profile=known, leg=runs[0].leg, started_ns=self._agenda.now, stage=0)
        self.current.update(dict.fromkeys(self.members[lead], run))
        self._begin(run)

    def abort(self, work: int) -> None:
        self.aborted.add(work)
        run = self.current.get(work)
        if run is not None and self.aborted.issuperset(self.members.get(run.work, [work])):
            self._end(run)

    def _preempted(self, run: Run, next_stage: int, mid_stage: bool) -> None:
        members = self.members.get(run.work, [run.work])
        self.kept.update(dict.fromkeys(members, next_stage))
        self.stage_aborts += mid_stage * (len(members) - 1)                # each of them is told of
        super()._preempted(run, next_stage, mid_stage)

    def _told(self, run: Run, event: ev.Event) -> None:
        at_ns = self._agenda.now + self._within(200_000)
        for work in self.members.pop(run.work, [run.work]):
            del self.current[work]
            self._agenda.at(at_ns, self._tell, msgspec.structs.replace(event, work=work))

    def _one_is_free(self) -> None:
        assert len({id(run) for run in self.current.values()}) < self._executors, "more runs than executors"


class BatchWatch(Watch):
    """The batch has ended."""

    def _feed(self, waiting: list[QueuedRun], ready: list[QueuedRun], running: list[QueuedRun], now: int) -> None:
        super()._feed(waiting, ready, list(self._queue._running.values()), now)


class BatchSimulation(Simulation):
    def __init__(self, scene: Scene, seed: int) -> None:
        super().__init__(scene, seed)
        self.executor = BatchExecutor(self.executor)
        self.watch = BatchWatch(self.scheduler, self.executor, MOST_AT_ONCE * scene.longest_s)
        self.sizes: Counter[int] = Counter()

    def _do(self, command: ev.Command) -> None:
        if isinstance(command, ev.RunBatch):
            self.sizes[len(command.runs)] += 1
            self.started.update({run.work: run for run in command.runs})
            self.executor.start_batch(command.runs)
        else:
            super()._do(command)


def at_once(profile: Profile, chance: random.Random) -> Profile:
    """The same; each input beyond the first takes a share of the time."""
    share = chance.uniform(0.2, 0.9)
    times_s = [profile.p50_s * (1 + share * n) for n in range(chance.randint(2, MOST_AT_ONCE))]
    return msgspec.structs.replace(profile, batch_s=times_s)


def crowded(kind: Kind, chance: random.Random) -> Scene:
    """A scene in which streams share models that run batches."""
    scene = kind(chance)
    few = [at_once(p, chance) for p in scene.profiles]
    models = [p.model for p in few[:2]]
    return msgspec.structs.replace(
        scene, profiles=few,
        streams=[msgspec.structs.replace(s, model=chance.choice(models), deadline_s=2 * s.deadline_s)
                 for s in scene.streams],
        asks=[msgspec.structs.replace(a, model=chance.choice(models), deadline_s=2 * a.deadline_s, legs=((0, 0, ()),))
              for a in scene.asks],
        loaded=[model for model in scene.loaded if chance.random() < 0.3],
    )


def simulate(kind: Kind, seeds: range) -> Counter[str]:
    seen: Counter[str] = Counter()
    for seed in seeds:
        simulation = BatchSimulation(crowded(kind, random.Random(seed)), seed)
        try:
            simulation.run()
        except Exception as error:
            raise AssertionError(f"{kind.__name__}, seed {seed}: {error!r}") from error
        told = simulation.scheduler.statistics()
        assert told.batches == simulation.sizes.total()
        assert told.batched == sum(size * count for size, count in simulation.sizes.items())
        seen.update(
            batches=told.batches, large=sum(n for size, n in simulation.sizes.items() if size > 2),
            cut=told.preempted_mid_stage, completed=told.ended["completed"], answered=told.serving.answered,
            spans=sum(span.batch > 1 for span in simulation.ended),
        )
    return seen


@pytest.mark.parametrize(("kind", "seeds"), [
    (mixed, range(60)), (overloaded, range(10))])
def test_schedules_with_runs_of_several(kind: Kind, seeds: range) -> None:
    seen = simulate(kind, seeds)
    assert min(seen.values()) > 5, f"where little happens little is shown: {seen}"


@pytest.mark.long
@pytest.mark.parametrize("block", range(20))
def test_many_schedules_with_runs_of_several(block: int) -> None:
    simulate(mixed, range(1000 + block * 100, 1100 + block * 100))
    simulate(overloaded, range(1000 + block * 20, 1020 + block * 20))


def answered(times_s: list[float], lasts_s: float = 5.0, rovers: int = 8, load: float = 1.5) -> tuple[int, int]:
    """Rovers ask a carrier at the same times for 1.5 times the work that it can do one by one.

    Returns how many it answered in time, and how many were asked.
    """
    detector = msgspec.structs.replace(profile(p50_s=0.006), batch_s=times_s)
    scheduler, agenda = robot([detector], loaded=[]), Agenda()
    in_time = asks = 0

    def handle(event: ev.Event) -> None:
        nonlocal in_time
        for command in scheduler.handle(event, agenda.now):
            match command:
                case ev.RunStage():
                    executor.start(command)
                case ev.RunBatch(runs=runs):
                    executor.start_batch(runs)
                case ev.Answer(request=which):
                    in_time += agenda.now <= deadlines[which]

    executor = BatchExecutor(SimulatedExecutor(agenda, 1, {detector.model: detector}, handle))
    deadlines: dict[RequestId, int] = {}
    period_s = rovers * detector.p50_s / load
    for k in range(int(lasts_s / period_s)):
        for rover in range(rovers):
            at = ns(k * period_s) + 1
            ask = asked(asks, detector.model, at + ns(0.06), f"rover_{rover}")
            deadlines[ask.request] = ask.deadline_ns
            asks += 1
            agenda.at(at, handle, ask)
    agenda.run()
    return in_time, asks


def test_an_overloaded_carrier_answers_as_many_more_as_runs_of_several_save() -> None:
    """With the times that the shipped int8 detector was measured to take."""
    card = load_card("detector", ARTEFACTS).variants["int8"]
    shares = [time.p50_ms / card.run_time.p50_ms for time in paying(card.run_time, card.batch_times)]
    alone, asks = answered([])
    several, _ = answered([0.006 * share for share in shares])
    assert alone < 0.7 * asks
    assert several > 1.05 * alone
    useless, _ = answered([0.006 * n for n in range(1, 9)])          # no time gained: never done
    assert useless == alone
