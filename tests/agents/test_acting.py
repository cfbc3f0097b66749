"""The behaviour of a robot beside its loop: order, the newest observation, too many events, figures, errors."""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from agents import behaviours
from agents.acting import MOST_WAITING, Acting
from agents.behaviours import Heard, Note
from agents.runtime.aside_thread import AsideThread
from sim_worlds.sensors.suite import SUITE
from swarm.core.protocol import messages as msg
from swarm.core.protocol.world import Act, Drive, Fly, Observation, Pose, Report
from swarm.core.settings.boards import Board
from swarm.core.settings.process_files import AgentFile
from swarm.core.units import ns
from tests.agents.slow_aside import Slow
from tests.patience import HANG_S

SETTINGS = AgentFile(version=1, name="rover", swarm="s", board_name="b", behaviour="told", streams=[],
                     board=Board(speed={"fp32": 1.0, "int8": 1.0}, power_w=1, source="test"),
                     team=["rover", "mule", "ox"])


class Behaviour:
    """Acts on each observation, and passes on what it hears."""

    def __init__(self) -> None:
        self.seen: list[object] = []
        self.flies = False
        self.gives: Any = None           # what it gives in place of that

    def on(self, event: behaviours.Event, now: int) -> list[behaviours.Output]:
        if isinstance(event, Observation):
            self.seen.append(event.sequence)
            if self.gives is not None:
                return self.gives
            if self.flies:
                return [Fly(vx_mps=0.0, vy_mps=0.0, vz_mps=float(event.sequence), yaw_radps=0.0)]
            return [Drive(v_mps=float(event.sequence), w_radps=0.0, ttl_s=0.3)]
        assert isinstance(event, Heard)
        self.seen.append(event.topic)
        return [Note(topic=event.topic, data=b"", to=("mule",) if event.topic == "to mule" else ())]


class Stage:
    """A behaviour that is as slow as the test wants, and everything that it does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.behaviour, self.aside, self.at_ns = Behaviour(), Slow(), 0
        self.acts: list[float] = []
        self.reports: list[Report] = []
        self.sent: list[tuple[str, str]] = []
        monkeypatch.setattr(behaviours, "load", lambda name: lambda *made_for: self.behaviour)
        self.dropped: list[tuple[str, object]] = []
        self.clock = self.transport = self
        self.acting = Acting(SETTINGS, self, self.aside, self, lambda: ["ox", "mule"],           # type: ignore[arg-type]
                             lambda kind, output, why: self.dropped.append((kind, output)))

    def now_ns(self) -> int:
        return self.at_ns

    def act(self, act: Act) -> None:
        self.acts.append(act.v_mps if isinstance(act, Drive) else act.vz_mps)

    def report(self, report: Report) -> None:
        self.reports.append(report)

    def role(self, name: str) -> str:
        return {"guest": "agent", "world": "world"}.get(name, "")

    def send(self, peer: str, body: msg.Shared) -> None:
        self.sent.append((peer, body.topic))

    def sees(self, *numbers: int) -> None:
        for number in numbers:
            self.acting.on(Observation(
                sequence=number, age_s=0.0, pose=Pose(0.0, 0.0, 0.0), v_mps=0.0, w_radps=0.0,
                scan=np.zeros(3, np.float32), frame=None, bumped=False))

    def hears(self, *topics: str) -> None:
        for topic in topics:
            self.acting.on(Heard(sender="mule", topic=topic, data=b""))

    def finish(self) -> Sequence[object]:
        while self.aside.calls:
            self.aside.end()
        return self.behaviour.seen


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(monkeypatch)


def test_nothing_happens_before_the_body_has_announced_its_sensors(stage: Stage) -> None:
    stage.sees(1)
    assert stage.aside.calls == []
    stage.acting.embodied(SUITE)
    stage.sees(2)
    assert stage.finish() == [2]
    assert stage.acts == [2.0]


def test_acts_of_both_kinds_reach_the_body(stage: Stage) -> None:
    stage.acting.embodied(SUITE)
    stage.behaviour.flies = True
    stage.sees(7)
    stage.finish()
    assert stage.acts == [7.0]


ACT, REPORT = Drive(v_mps=1.0, w_radps=0.0), Report(kind="victim", values={"x_m": 1.0, "as": "word"})
NAN = float("nan")
LOOP: Any = []
LOOP.append(LOOP)


@pytest.mark.parametrize(("kind", "output"), [
    ("output", 3), ("output", None), ("output", [ACT]), ("output", Drive), ("output", Pose(0.0, 0.0, 0.0)),
    *[("act", Drive(v_mps=v, w_radps=0.0)) for v in (NAN, 1e13, 10**400, "fast", None, np.float32(1.0), LOOP)],
    ("act", Fly(vx_mps=0.0, vy_mps=-math.inf, vz_mps=0.0, yaw_radps=0.0)), ("act", Drive(v_mps=0, w_radps=0, ttl_s=-1)),
    *[("report", Report(kind="k", values=v)) for v in ({"x": NAN}, {1: 2.0}, {"x": None}, {"x": "y" * 65}, "x")],
    ("report", Report(kind=None, values={})), ("report", Report(kind="\ud800", values={})),
    *[("note", Note(topic, data)) for topic, data in (("t" * 65, b""), (3, b""), ("t", "text"), ("t", bytes(1 << 17)))],
    *[("receiver", Note("t", b"", to)) for to in (("nobody",), "mule", ("world",), (3,), ([],), 3)],
])
def test_nonsense_is_dropped_counted_and_named_and_what_else_it_gives_is_performed(
    stage: Stage, kind: str, output: Any
) -> None:
    stage.acting.embodied(SUITE)
    stage.behaviour.gives = [output, ACT, REPORT, Note("t", b"d", ("mule", "guest"))]
    stage.sees(1)
    stage.finish()
    assert (stage.dropped, stage.acting.nonsense) == ([(kind, output)], 1)
    assert (stage.acts, stage.reports, stage.sent) == ([1.0], [REPORT], [("mule", "t"), ("guest", "t")])


def test_a_note_goes_to_those_of_its_receivers_that_are_robots_and_a_word_is_one_output(stage: Stage) -> None:
    stage.acting.embodied(SUITE)
    stage.behaviour.gives = [Note("t", b"", ("mule", np.array([1, 2]), "nobody", "ox"))]
    stage.sees(1)
    stage.finish()
    assert (stage.sent, stage.acting.nonsense) == ([("mule", "t"), ("ox", "t")], 1)
    stage.behaviour.gives = "left"
    stage.sees(2)
    stage.finish()
    assert stage.dropped[1:] == [("output", "left")]


def test_what_yields_its_outputs_does_so_beside_the_loop(stage: Stage) -> None:
    stage.acting.embodied(SUITE)
    stage.behaviour.gives = (ACT for _ in range(2))
    stage.sees(1)
    call, _ = stage.aside.calls[0]
    assert call() == [ACT, ACT]


def test_while_it_is_at_work_events_wait_and_only_the_newest_observation_counts(stage: Stage) -> None:
    stage.acting.embodied(SUITE)
    stage.sees(1)
    stage.hears("to mule")
    stage.sees(2, 3)
    stage.hears("to all")
    assert len(stage.aside.calls) == 1
    assert stage.finish() == [1, "to mule", 3, "to all"]
    assert stage.acts == [1.0, 3.0]
    assert stage.sent == [("mule", "to mule"), ("ox", "to all"), ("mule", "to all")]
    assert stage.acting.missed == 1


def test_of_too_many_events_the_oldest_are_lost_and_counted(stage: Stage) -> None:
    stage.acting.embodied(SUITE)
    stage.sees(1)
    stage.hears(*(str(n) for n in range(MOST_WAITING + 2)))
    assert stage.finish() == [1, *(str(n) for n in range(2, MOST_WAITING + 2))]
    assert stage.acting.missed == 2


def test_lateness_is_from_the_event_to_the_act(stage: Stage) -> None:
    stage.acting.embodied(SUITE)
    stage.sees(1)
    stage.at_ns = ns(0.004)
    stage.sees(2)
    stage.aside.end()
    stage.at_ns = ns(0.010)
    stage.aside.end()
    assert stage.acting.lateness.longest_ns == ns(0.006)
    assert stage.acting.lateness.quantile_ms(0.5) == 4.0


def test_the_thread_runs_calls_in_order_and_passes_an_error_on() -> None:
    posted: list[Callable[[], None]] = []
    failed: list[BaseException] = []
    told = threading.Event()

    def fail(error: BaseException) -> None:
        failed.append(error)
        told.set()

    aside = AsideThread(posted.append, fail)
    done: list[object] = []
    for number in range(3):
        aside.run(lambda number=number: (number, threading.current_thread().name), done.append)
    aside.run(lambda: 1 // 0, done.append)
    assert told.wait(timeout=10.0)
    for call in posted:
        call()
    assert done == [(0, "aside"), (1, "aside"), (2, "aside")]
    assert isinstance(failed[0], ZeroDivisionError)
    aside.close()


def test_a_thread_whose_call_does_not_end_is_replaced() -> None:
    posted: queue.Queue[Callable[[], None]] = queue.Queue()
    aside, may_end, ended = AsideThread(posted.put, pytest.fail), threading.Event(), list[str]()
    aside.run(lambda: may_end.wait(HANG_S) and "late", ended.append)
    aside.give_up()
    aside.run(lambda: "next", ended.append)
    posted.get(timeout=HANG_S)()
    assert ended == ["next"]
    may_end.set()
    posted.get(timeout=HANG_S)()                             # and its thread ends
    assert ended == ["next", "late"]
    aside.close()
