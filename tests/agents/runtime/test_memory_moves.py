"""A real runner loads and unloads a real model; what is unloaded frees its session though a run still refers to it."""

from __future__ import annotations

import queue
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from agents.ports import MemoryEnd, Part, RunEnd, RunOrder
from agents.runtime.memory import MB, RESERVE_BYTES
from agents.runtime.sessions import Sessions, read_offer
from agents.runtime.thread_runner import ThreadRunner
from models import session, store
from models.store import ARTEFACTS
from swarm.bench.support.rig import HOST, black_frame
from swarm.core.clock import MonotonicClock
from swarm.core.policy.plan import Leg
from swarm.core.protocol.spans import Frame, RequestId
from tests.patience import HANG_S

WHOLE = Part("detector", "int8")
BOARD = msgspec.structs.replace(HOST, memory_mb=RESERVE_BYTES // MB + 100)


class Host:
    """A runner with the calls that it posts."""

    def __init__(self) -> None:
        offer = read_offer(["detector"], BOARD, ARTEFACTS)
        self.sessions = Sessions(offer, BOARD, ARTEFACTS)
        self.calls: queue.Queue[Callable[[], None]] = queue.Queue()
        self.moves, self.ends = list[MemoryEnd](), list[RunEnd]()
        self.runner = ThreadRunner(self.sessions, MonotonicClock(), post=self.calls.put, fail=self._failed, executors=1,
                                   emulated=False, seed=1)
        self.staged = list[tuple[str, str]]()
        self.runner.attach(self.ends.extend, lambda *key: self.staged.append(key), self.moves.append)

    def _failed(self, error: BaseException) -> None:
        raise AssertionError(error)

    def next_call(self) -> None:
        self.calls.get(timeout=HANG_S)()

    def move(self, part: Part, load: bool) -> MemoryEnd:
        (self.runner.load if load else self.runner.unload)(part)
        self.next_call()
        return self.moves[-1]

    def run(self, leg: Leg) -> RunEnd:
        self.runner.start("detector", "int8", leg, [
            RunOrder(1, RequestId("a", 1, 1), black_frame("detector"), Frame(1, "detect", 1))])
        self.next_call()
        return self.ends[-1]


@pytest.fixture
def host() -> Host:
    return Host()


def test_a_model_and_its_stages_come_and_go_while_the_agent_runs(host: Host) -> None:
    stages = WHOLE._replace(stages=True)
    whole = host.run(Leg("a"))
    sessions = session.statistics().sessions
    unloaded = host.move(WHOLE, load=False)
    assert (unloaded.present, unloaded.failed, session.statistics().sessions) == (False, False, sessions - 1)
    loaded = host.move(WHOLE, load=True)
    assert loaded.present
    assert loaded.took_s > 0.0
    assert loaded.rss_bytes > loaded.kept_bytes > 0
    assert host.run(Leg("a")).made == whole.made
    assert host.move(stages, load=True).present
    assert host.run(Leg("a", 0, 8)).made == whole.made
    assert host.runner.memory().kept_bytes.keys() == {WHOLE, stages}
    host.move(stages, load=False)
    assert session.statistics().sessions == sessions
    assert (host.runner.statistics().loads, host.runner.statistics().unloads) == (2, 2)
    host.runner.close()


def test_a_model_that_cannot_be_loaded_any_more_is_told(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.move(WHOLE, load=False)

    def missing(*_: object) -> Path:
        raise store.ModelError("detector", "the file is missing")

    monkeypatch.setattr(store, "artefact", missing)
    end = host.move(WHOLE, load=True)
    assert (end.present, end.failed) == (False, True)
    assert host.runner.statistics().loads == 0
    host.runner.close()


def test_memory_that_runs_out_in_a_load_is_a_load_that_failed(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.move(WHOLE, load=False)

    def full(*_: object) -> Path:
        raise MemoryError

    monkeypatch.setattr(store, "artefact", full)
    end = host.move(WHOLE, load=True)
    assert (end.present, end.failed) == (False, True)
    host.runner.close()


def test_stages_whose_model_was_unloaded_meanwhile_are_closed_and_the_agent_goes_on(host: Host) -> None:
    stages = WHOLE._replace(stages=True)
    host.runner.load_stages(*WHOLE[:2])
    loaded = host.calls.get(timeout=HANG_S)
    host.move(WHOLE, load=False)
    sessions = session.statistics().sessions
    loaded()
    assert (host.moves[-1].part, host.moves[-1].present, host.staged) == (stages, False, [])
    assert session.statistics().sessions < sessions
    host.runner.load(stages)                                 # the same, as a part
    host.next_call()
    assert (host.moves[-1].part, host.moves[-1].present) == (stages, False)
    assert host.runner.statistics().loads == 0
    host.runner.close()


def test_a_run_that_comes_to_an_unloaded_model_fails_by_name_or_was_aborted() -> None:
    one = session.Session(store.artefact(store.load_card("detector", ARTEFACTS), "int8", ARTEFACTS))
    one.close()
    with pytest.raises(session.RunFailed, match="unloaded"):
        one.run({})
    handle = session.RunHandle()
    handle.abort()
    with pytest.raises(session.Aborted):
        one.run({}, handle)
