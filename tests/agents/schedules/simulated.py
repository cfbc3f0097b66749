"""Simulated time, and an executor that behaves like `agents.runtime.thread_runner` without threads."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from agents.runtime.emulation import STAGE_SLACK
from agents.scheduling import events as ev
from agents.scheduling.queue.margins import ABORT_S
from agents.scheduling.queue.preemption import abort_stage_now
from swarm.core.policy.cost import leg_p50_s, leg_p95_s
from swarm.core.policy.plan import Leg, Profile
from swarm.core.units import NEVER_NS, ns, seconds

TOLD_NS = ns(0.0002)                 # the scheduler learns of the end of a run within this time
ABORT_NS = ns(ABORT_S)
FAILS = 0.01                         # share of stages


class Agenda:
    """Calls in the order of their times; calls of one time in the order in which they were added."""

    def __init__(self) -> None:
        self.now = 1                                         # 0 stands for never
        self._order = itertools.count()
        self._heap: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []

    def at(self, at_ns: int, do: Callable[..., None], *given: Any) -> None:
        heapq.heappush(self._heap, (max(at_ns, self.now), next(self._order), do, given))

    def run(self) -> None:
        """Run all calls, until none is left."""
        while self._heap:
            self.now, _, do, given = heapq.heappop(self._heap)
            do(*given)


class Run(msgspec.Struct, kw_only=True):
    """A run on an executor."""

    work: int
    profile: Profile
    leg: Leg
    started_ns: int
    stage: int
    began_ns: int = 0                # start of the stage, or of the whole run
    ends_ns: int = 0                 # its end, unless it is preempted or aborted
    leave: bool = False              # leaves at the latest at the end of the stage
    ending: bool = False             # within ABORT_S

    @property
    def middle_ns(self) -> int:
        """Median run time of the stage, or of the whole run."""
        now = Leg("", self.stage, self.stage + 1) if self.leg.last else self.leg
        return ns(leg_p50_s(self.profile, now))

    @property
    def longest_ns(self) -> int:
        """Its p95."""
        now = Leg("", self.stage, self.stage + 1) if self.leg.last else self.leg
        return ns(leg_p95_s(self.profile, now)) + 1

    def left_ns(self, now: int) -> int:
        """The expected rest of it."""
        return max(0, self.began_ns + self.middle_ns - now)


class SimulatedExecutor:
    """Runs what the scheduler starts, and reports each end. It checks that no finished stage runs again."""

    def __init__(
        self, agenda: Agenda, threads: int, profiles: Mapping[str, Profile], tell: Callable[[ev.Event], None],
        chance: random.Random | None = None, most: float | None = None,
    ) -> None:
        """chance: draws run times and failures; None: each run takes exactly its median, and none fails.

        most: no run takes longer than this many times its median, and none fails; None: some do.
        """
        self._most, self.slow = most, lambda since_ns, until_ns: None
        self._agenda, self._threads, self._profiles, self._tell, self._chance = agenda, threads, profiles, tell, chance
        self.current: dict[int, Run] = {}
        self.begun: set[int] = set()                         # works
        self.kept: dict[int, int] = {}                       # preempted work -> the stage at which it resumes
        self.stages_done: set[tuple[int, int]] = set()       # work, stage
        self.aborted: set[int] = set()                       # works
        self.stage_aborts = self.boundaries = 0

    def start(self, command: ev.RunStage) -> None:
        work, leg = command.work, command.leg
        assert len(self.current) < self._threads, "more runs than executors"
        assert work not in self.aborted, "aborted work does not resume"
        assert command.resumed == (work in self.begun), "begun work resumes, and no other"
        if command.resumed:
            assert self.kept.pop(work) == leg.first, "it resumes where it was preempted"
        self.begun.add(work)
        run = self.current[work] = Run(
            work=work, profile=self._profiles[command.model], leg=leg, started_ns=self._agenda.now, stage=leg.first
        )
        self._begin(run)

    def preempt(self, work: int, urgency: float) -> None:
        run = self.current.get(work)
        if run is None:                                      # it has ended, and the scheduler does not know yet
            return
        now = self._agenda.now
        run.leave = bool(run.leg.last) or urgency > 0.0
        left_s = seconds(run.left_ns(now))
        if run.leave and (urgency == math.inf or abort_stage_now(seconds(now - run.began_ns), left_s, urgency)):
            self._end(run)
        elif run.leg.last and urgency > 0.0:
            self._agenda.at(now + ns(STAGE_SLACK * left_s + ABORT_S), self._end, run)

    def abort(self, work: int) -> None:
        self.aborted.add(work)
        if work in self.current:
            self._end(self.current[work])

    def tell_slow(self) -> None:
        """Tell the runs that are slow and have not ended: each is told again when it ends."""
        for run in self.current.values():
            self._tell_if_slow(run)

    def _tell_if_slow(self, run: Run) -> None:
        if self._agenda.now - run.began_ns > run.longest_ns:
            self.slow(run.began_ns, self._agenda.now + TOLD_NS)

    def _begin(self, run: Run) -> None:
        run.began_ns = self._agenda.now
        run.ends_ns = run.began_ns + max(1, round(run.middle_ns * self._factor()))
        self._agenda.at(run.ends_ns, self._over, run, run.stage)

    def _factor(self) -> float:
        if self._chance is None:
            return 1.0
        if self._most is not None:
            return self._most if self._chance.random() < 0.5 else self._chance.uniform(0.8, self._most)
        return self._chance.uniform(0.8, 1.2) if self._chance.random() < 0.95 else self._chance.uniform(1.2, 3.0)

    def _over(self, run: Run, stage: int) -> None:
        """The stage, or the whole run, has ended."""
        if self.current.get(run.work) is not run:            # it was aborted before
            return
        self._tell_if_slow(run)
        if self._chance is not None and self._most is None and self._chance.random() < FAILS:
            self.slow(run.began_ns, NEVER_NS)
            self._leave(run, ran=False)
            return
        assert (run.work, stage) not in self.stages_done, "a finished stage is not run again"
        self.stages_done.add((run.work, stage))
        if stage + 1 >= run.leg.last:                        # or whole
            self._leave(run, ran=True)
        elif run.leave:
            self._preempted(run, stage + 1, mid_stage=False)
        elif run.ending:
            self._leave(run, ran=False)
        else:
            run.stage = stage + 1
            self._begin(run)

    def _end(self, run: Run) -> None:
        """End a run as soon as possible."""
        if not run.ending:
            run.ending = True
            self._agenda.at(self._agenda.now + self._within(ABORT_NS), self._ended, run)

    def _ended(self, run: Run) -> None:
        if self.current.get(run.work) is not run:            # it has completed
            return
        self._tell_if_slow(run)
        if run.leave:
            self._preempted(run, run.stage, mid_stage=True)
        else:
            self._leave(run, ran=False)

    def _preempted(self, run: Run, next_stage: int, mid_stage: bool) -> None:
        self.kept[run.work] = next_stage
        self.stage_aborts, self.boundaries = self.stage_aborts + mid_stage, self.boundaries + (not mid_stage)
        self._told(run, ev.Preempted(
            work=run.work, started_ns=run.started_ns, finished_ns=self._agenda.now, next_stage=next_stage,
            mid_stage=mid_stage,
        ))

    def _leave(self, run: Run, ran: bool) -> None:
        self._told(run, ev.StageDone(
            work=run.work, started_ns=run.started_ns, finished_ns=self._agenda.now, ran=ran
        ))

    def _told(self, run: Run, event: ev.Event) -> None:
        del self.current[run.work]
        self._agenda.at(self._agenda.now + self._within(TOLD_NS), self._tell, event)

    def _within(self, most_ns: int) -> int:
        return 0 if self._chance is None else self._chance.randint(0, most_ns)
