"""Load shedding: steps in order, with a reason, and only as long as they are needed."""

from __future__ import annotations

import pytest

from agents.scheduling import events as ev
from agents.scheduling.load_shedding import (
    CALM_NS,
    DROPPED,
    MAX_CALM_NS,
    MIN_MISSES,
    THINNED,
    WINDOW_NS,
    LoadShedding,
)
from agents.scheduling.scheduler import Scheduler
from swarm.core.policy.plan import Placement, Plan, StreamSpec
from swarm.core.protocol.spans import Ending, RequestId, Span
from swarm.core.units import ns, seconds
from tests.agents.builders import peer_table, profile, robot, stream
from tests.agents.scheduler_events import arrived, of
from tests.agents.schedules.simulated import Agenda, SimulatedExecutor

URGENT = StreamSpec(name="detect", model="detector", rate_hz=10.0, deadline_s=0.1, priority=2)
MIDDLE = StreamSpec(name="track", model="tracker", rate_hz=5.0, deadline_s=0.2, priority=1)
BACKGROUND = StreamSpec(name="segment", model="segmenter", rate_hz=2.0, deadline_s=0.5)
BURST = StreamSpec(name="burst", model="tracker", rate_hz=9.0, deadline_s=0.2, priority=1)

LADDER = [
    "cheaper variants", "thin priority 0 to 1 in 2", "thin priority 1 to 1 in 2", "thin priority 0 to 1 in 4",
    "thin priority 1 to 1 in 4", "drop priority 0", "drop priority 1", "thin priority 2 to 1 in 2",
    "thin priority 2 to 1 in 4",
]


class Robot:
    """One executor in simulated time; frames, their ends, and the load shedding steps with their times."""

    def __init__(self) -> None:
        self.agenda = Agenda()
        self.profiles = [profile("detector", 0.03), profile("tracker", 0.06), profile("segmenter", 0.15, stages=8)]
        self.scheduler = robot(self.profiles)
        self.executor = SimulatedExecutor(self.agenda, 1, {p.model: p for p in self.profiles}, self.handle)
        self.spans: list[Span] = []
        self.steps: list[tuple[float, list[str]]] = []       # each time that they changed
        self.sequence = 0

    def frames(self, spec: StreamSpec, from_s: float, to_s: float) -> None:
        for k in range(int((to_s - from_s) * spec.rate_hz)):
            self.agenda.at(ns(from_s + k / spec.rate_hz) + 1, self._frame, spec)

    def _frame(self, spec: StreamSpec) -> None:
        self.sequence += 1
        self.handle(arrived(self.sequence, spec, self.agenda.now))

    def handle(self, event: ev.Event) -> None:
        for command in self.scheduler.handle(event, self.agenda.now):
            match command:
                case ev.RunStage():
                    self.executor.start(command)
                case ev.Preempt(work=work, urgency=urgency):
                    self.executor.preempt(work, urgency)
                case ev.AbortRun(work=work):
                    self.executor.abort(work)
                case ev.SetTimer(at_ns=at_ns, event=event):
                    self.agenda.at(at_ns, self._timer, event)
                case ev.Deliver(span=span):
                    self.spans.append(span)
        shed = self.scheduler.shed()
        if shed != (self.steps[-1][1] if self.steps else []):
            self.steps.append((seconds(self.agenda.now), shed))

    def _timer(self, event: ev.Event) -> None:
        self.handle(event)

    def on_time(self, spec: StreamSpec, from_s: float = 0.0, to_s: float = 1e9) -> float:
        """Share of a stream's frames."""
        ends = [s.ending for s in self.spans if s.stream == spec.name and from_s <= seconds(s.captured_ns) < to_s]
        return ends.count("completed") / len(ends)


def test_under_overload_the_order_is_kept_the_urgent_are_served_and_all_comes_back() -> None:
    """A load of 0.9 of the executor; from 10 to 40 s a load of 1.44. Every request still ends once."""
    one = Robot()
    for spec in (URGENT, MIDDLE, BACKGROUND):
        one.frames(spec, 0.0, 120.0)
    one.frames(BURST, 10.0, 40.0)
    one.agenda.run()

    steps = [shed for _, shed in one.steps]
    deepest = max(steps, key=len)
    assert deepest == [step for step in LADDER if step in deepest]
    assert [step.split()[0] for step in deepest] == ["cheaper", "thin", "thin", "thin", "drop"]
    for before, after in zip([[], *steps], steps, strict=False):             # one at a time, the last first back
        assert after[:-1] == before or before[:-1] == after
    times = [at for at, _ in one.steps]
    assert 10.0 < times[0] < 10.0 + 3 * seconds(WINDOW_NS)
    assert one.steps[-1][1] == []
    assert times[-1] < 90.0

    assert one.on_time(URGENT) == 1.0
    assert one.on_time(BACKGROUND, 0.0, 9.0) == one.on_time(BACKGROUND, times[-1], 119.0) == 1.0
    assert len({s.request for s in one.spans}) == len(one.spans) == one.sequence
    assert {s.reason for s in one.spans if s.stream == BACKGROUND.name} >= {THINNED, DROPPED}
    assert {s.reason for s in one.spans if s.stream == URGENT.name} == {""}


def test_lasting_overload_does_not_make_it_flap() -> None:
    """In 300 s of overload it undoes a step less and less often."""
    one = Robot()
    for spec in (URGENT, MIDDLE, BACKGROUND, BURST):
        one.frames(spec, 0.0, 300.0)
    one.agenda.run()
    depths = [0, *(len(shed) for _, shed in one.steps)]
    backs = [at for (at, _), before, after in zip(one.steps, depths, depths[1:], strict=False) if after < before]
    assert [at for at in backs if at < 290.0]
    assert len([at for at in backs if at < 300.0]) <= 8
    assert one.on_time(URGENT) > 0.99


# --- the policy by itself ---

def end(state: LoadShedding, spec: StreamSpec, now: int, ending: Ending = "completed", reason: str = "") -> None:
    state.observe_end(Span(
        request=RequestId("me", 1, now), stream=spec.name, model=spec.model, priority=spec.priority, captured_ns=now,
        submitted_ns=now, deadline_ns=now, ending=ending, reason=reason,
    ), now)


def window(state: LoadShedding, now: int, *missing: StreamSpec) -> int:
    """A window in which all requests of these streams miss; then the next window begins."""
    for spec in missing:
        for _ in range(MIN_MISSES):
            end(state, spec, now + 1, "failed", "expired")
    state.shed_reason(URGENT, now + WINDOW_NS)
    return now + WINDOW_NS


def known() -> LoadShedding:
    state = LoadShedding()
    for spec in (URGENT, MIDDLE, BACKGROUND):
        state.add_stream(spec, 0.03)
    return state


def told(state: LoadShedding) -> list[str]:
    return [str(step) for step in state.steps]


def test_the_whole_ladder() -> None:
    state, now = known(), 0
    for _ in range(12):
        now = window(state, now, URGENT)
    assert told(state) == LADDER
    assert [state.shed_reason(URGENT, now) for _ in range(8)].count("") == 2
    assert {state.shed_reason(MIDDLE, now) for _ in range(8)} == {DROPPED}
    while state.steps:
        before, now = told(state), window(state, now)
        assert told(state) in (before, before[:-1])
    assert {state.shed_reason(spec, now) for spec in (URGENT, MIDDLE, BACKGROUND) for _ in range(8)} == {""}


def test_streams_more_urgent_than_the_missing_ones_are_not_shed() -> None:
    state, now = known(), 0
    for _ in range(12):
        now = window(state, now, BACKGROUND)
    assert told(state) == [
        "cheaper variants", "thin priority 0 to 1 in 2", "thin priority 0 to 1 in 4", "drop priority 0"]


@pytest.mark.parametrize(("ending", "reason", "counts"), [
    ("late", "", True), ("failed", "superseded", True), ("failed", "no_answer", True),
    ("failed", "overdue", True), ("completed", "", False),
    ("failed", "run_failed", False), ("failed", THINNED, False), ("failed", "peer_lost", False),
])
def test_what_counts_as_a_miss(ending: Ending, reason: str, counts: bool) -> None:
    state = known()
    for _ in range(MIN_MISSES):
        end(state, MIDDLE, 1, ending, reason)
    state.shed_reason(URGENT, WINDOW_NS)
    assert bool(state.steps) is counts


def test_a_stream_that_has_no_hope_costs_the_others_nothing() -> None:
    state = known()
    state.add_stream(MIDDLE, MIDDLE.deadline_s + 0.001)
    window(state, 0, MIDDLE)
    assert state.steps == []


def test_a_step_back_that_does_not_hold_is_tried_less_and_less_often() -> None:
    state = known()
    now = window(state, 0, BACKGROUND)
    waits: list[int] = []
    for _ in range(7):
        taken = now
        while state.steps:
            now = window(state, now)
        waits.append(now - taken)
        now = window(state, now, BACKGROUND)
    assert waits == [min(CALM_NS << k, MAX_CALM_NS) for k in range(7)]


def test_plans_give_way_to_the_fastest_variant_of_their_agent() -> None:
    exact, quick = profile("detector", 0.05, "fp32"), profile("detector", 0.02, "int8")
    known = peer_table(mule=[exact])
    agent = Scheduler(name="me", policy="planner", profiles={"detector": [exact, quick]}, peers=known)
    placed = [Placement(agent="me", stream="detect", variant="fp32", where=["me"]),
              Placement(agent="me", stream="far", variant="fp32", where=["mule"])]
    agent.handle(ev.PlanCame(plan=Plan(epoch=1, lease_s=1e3, placements=placed)), 0)

    def run(sequence: int, now: int) -> str:
        (run,) = of(ev.RunStage, agent.handle(arrived(sequence, stream(deadline_s=0.2), now), now))
        agent.handle(ev.StageDone(work=run.work, started_ns=now, finished_ns=now + 1), now + 1)
        return run.variant

    assert run(1, 1) == "fp32"
    for k in range(MIN_MISSES):
        agent._requests.load_shedding.observe_end(Span(
            request=RequestId("me", 1, 0), stream="detect", model="detector", priority=0, captured_ns=0,
            submitted_ns=0, deadline_ns=0, ending="late"), 2 + k)
    agent._requests.load_shedding.shed_reason(stream(), WINDOW_NS)
    assert agent.shed() == ["cheaper variants"]
    assert run(2, WINDOW_NS + 1) == "int8"
    (sent,) = of(ev.SendStage, agent.handle(arrived(3, stream("far", deadline_s=0.2), WINDOW_NS + 9), WINDOW_NS + 9))
    assert (sent.peer, sent.variant) == ("mule", "fp32")                     # it has no other
