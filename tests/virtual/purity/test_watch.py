"""What a behaviour must not do while an event happens: each is refused with its line, and the host may still do it."""

from __future__ import annotations

import datetime
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from swarm.virtual.process import VirtualProcess
from swarm.virtual.purity import watch
from swarm.virtual.purity.refused import places
from swarm.virtual.purity.watch import Impure, Purity
from swarm.virtual.timeline import Timeline

BEHAVIOUR = "agents.behaviours.odd"
BEGIN = """import datetime, importlib, json, logging, os, queue, random, signal, socket
import subprocess, threading, time, uuid
import numpy as np
from datetime import date
from random import choice
from time import monotonic, sleep
from swarm.core.clock import MonotonicClock

def on():
"""
LINE = BEGIN.count("\n") + 1


@pytest.fixture
def module(tmp_path: Path) -> Callable[..., ModuleType]:
    """Makes a module with a function `on` of these lines, in a file of its own."""
    def module(body: str, name: str = BEHAVIOUR) -> ModuleType:
        path = tmp_path / "odd.py"
        path.write_text(BEGIN + "".join(f"    {line}\n" for line in body.splitlines()))
        made = ModuleType(name)
        made.__file__ = str(path)
        exec(compile(path.read_text(), str(path), "exec"), vars(made))
        return made

    return module


def happen(callback: Callable[[], Any]) -> None:
    """One event, watched."""
    timeline = Timeline()
    timeline.at(1, VirtualProcess(timeline, "a", "agent", 1, ended=lambda process: None), callback)
    with Purity(timeline):
        timeline.step()


@pytest.mark.parametrize(("code", "said"), [
    ("time.time()", "reads the clock (time.time)"),
    ("time.perf_counter_ns()", "reads the clock (time.perf_counter_ns)"),
    ("monotonic()", "reads the clock (time.monotonic)"),
    ("import time as t; t.time_ns()", "reads the clock (time.time_ns)"),
    ("time.strftime('%H')", "reads the clock (time.strftime)"),
    ("time.gmtime()", "reads the clock (time.gmtime)"),
    ("datetime.datetime.now()", "reads the clock (datetime.datetime.now)"),
    ("datetime.datetime.now(datetime.timezone.utc)", "reads the clock (datetime.datetime.now)"),
    ("datetime.datetime.utcnow()", "reads the clock (datetime.datetime.utcnow)"),
    ("date.today()", "reads the clock (datetime.date.today)"),
    ("MonotonicClock().now_ns()", "reads the clock (time.monotonic_ns)"),
    ("time.sleep(0.0)", "waits (time.sleep)"),
    ("sleep(0.0)", "waits (time.sleep)"),
    ("threading.Event().wait(0.0)", "waits (threading.Event.wait)"),
    ("queue.Queue().get()", "waits (threading.Condition.wait)"),
    ("threading.Thread(target=print).start()", "starts a thread or a process (threading.Thread.start)"),
    ("threading.Timer(0.0, print).start()", "starts a thread or a process (threading.Thread.start)"),
    ("subprocess.run(['true'])", "starts a thread or a process (subprocess.Popen)"),
    ("os.system('true')", "starts a thread or a process (os.system)"),
    ("socket.socket()", "opens a socket (socket.socket)"),
    ("socket.create_connection(('127.0.0.1', 9))", "opens a socket (socket.socket)"),
    ("random.random()", "draws without the run's seed (random.random)"),
    ("random.seed(3)", "draws without the run's seed (random.seed)"),
    ("choice([1, 2])", "draws without the run's seed (random.choice)"),
    ("random.Random()", "draws without the run's seed (random.Random.seed)"),
    ("np.random.rand(3)", "draws without the run's seed (numpy.random.rand)"),
    ("np.random.default_rng()", "draws without the run's seed (numpy.random.default_rng)"),
    ("uuid.uuid4()", "draws without the run's seed (uuid.uuid4)"),
    ("os.urandom(8)", "draws without the run's seed (os.urandom)"),
])
def test_it_is_refused_with_file_and_line(module: Any, code: str, said: str) -> None:
    odd = module(f"pass\ntry:\n    {code}\nexcept Exception:\n    pass")      # which must not hide it
    sys.modules[BEHAVIOUR] = odd                                             # as if it had been imported before the run
    try:
        with pytest.raises(Impure) as refused:
            happen(odd.on)
    finally:
        del sys.modules[BEHAVIOUR]
    assert str(refused.value).startswith(f"behaviour 'odd' {said} at {odd.__file__}:{LINE + 2}: ")


def test_the_words_name_what_would_be_right(module: Any) -> None:
    with pytest.raises(Impure, match=r"odd\.py:\d+: use `now`, which comes with each event$"):
        happen(module("time.time()").on)
    with pytest.raises(Impure, match=r"^module 'helper' waits \(time\.sleep\) at .*: return at once, and act on a la"):
        happen(module("time.sleep(0.0)", name="helper").on)


@pytest.mark.parametrize("code", [
    "assert time.strftime('%H', time.gmtime(0)) == '00'",
    "assert random.Random(3).random() == random.Random(3).random()",
    "assert np.random.default_rng(3).random() == np.random.default_rng(seed=3).random()",
    "assert isinstance(datetime.datetime(2020, 1, 1), datetime.date) and date(2020, 1, 1).year == 2020",
    "with threading.Lock(): json.dumps({})",
    "logging.getLogger('odd').warning('a line with its date')",
    "importlib.import_module('concurrent.futures')",
    "uuid.uuid5(uuid.NAMESPACE_DNS, 'rover_0')",
])
def test_what_can_be_repeated_is_not_refused(module: Any, code: str) -> None:
    happen(module(code).on)


@pytest.mark.parametrize("host", ["swarm.virtual.run", "swarm.telemetry.recorder", "swarm.launcher.progress"])
def test_the_host_may_read_the_clock(module: Any, host: str) -> None:
    happen(module("time.time(); monotonic(); MonotonicClock().now_ns(); random.random()", name=host).on)


@pytest.mark.parametrize("policy", ["swarm.planner.planner", "swarm.virtual.perception.odd", "sim_worlds.engine"])
def test_our_own_policy_may_not(module: Any, policy: str) -> None:
    with pytest.raises(Impure, match=f"^module '{policy}' reads the clock"):
        happen(module("time.monotonic()", name=policy).on)


def test_between_events_and_after_the_run_all_may(module: Any) -> None:
    odd = module("time.time(); monotonic(); random.random(); np.random.rand(); return datetime.datetime.now()")
    with Purity(Timeline()):
        assert isinstance(odd.on(), datetime.datetime)
    happen(lambda: None)
    odd.on()


def test_all_names_are_put_back() -> None:
    before = time.time, time.sleep, random.random, np.random.rand, datetime.datetime, threading.Thread.start
    guards = [id(place.guard) for place in places()]
    with pytest.raises(ZeroDivisionError):
        happen(lambda: 1 / 0)
    assert (time.time, time.sleep, random.random, np.random.rand, datetime.datetime, threading.Thread.start) == before
    assert [place for place in places() if id(getattr(place.owner, place.name)) in guards] == []
    assert signal.getsignal(signal.SIGALRM) == signal.SIG_DFL
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


TICK = "signal.raise_signal(signal.SIGALRM)"


@pytest.mark.parametrize("body", [
    f"while True:\n    {TICK}",
    f"while True:\n    try:\n        {TICK}\n    except Exception:\n        pass",
    f"json.dumps([0], default=print, indent=[{TICK} for _ in range(99)] and 1)",
])
def test_an_event_in_which_code_does_not_return_is_ended(module: Any, body: str) -> None:
    with pytest.raises(Impure) as refused:
        happen(module(body).on)
    assert str(refused.value).startswith("behaviour 'odd' has not returned for 20 s of real time, at ")
    assert "odd.py:" in str(refused.value)


def test_code_that_blocks_outside_python_is_ended(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "TICK_S", 0.01)
    with pytest.raises(Impure, match=rf"'odd' has not returned for 0\.1 s of real time, at .*:{LINE + 2}: return"):
        happen(module("lock = threading.Lock()\nlock.acquire()\nlock.acquire()").on)


@pytest.mark.parametrize("name", ["swarm.telemetry.recorder", "swarm.virtual.run_folder"])
def test_a_host_whose_disk_is_slow_is_no_such_code(module: Any, name: str) -> None:
    happen(module(f"for _ in range(99):\n    {TICK}", name=name).on)


@pytest.mark.parametrize(("ticks", "ended"), [(200, False), (400, True)])
def test_code_of_ours_may_take_longer(
    module: Any, ticks: int, ended: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "SHIPPED", (str(tmp_path),))
    planner = module(f"for _ in range({ticks}):\n    {TICK}", name="swarm.planner.planner")
    if not ended:
        happen(planner.on)
        return
    with pytest.raises(Impure, match=r"^module 'swarm\.planner\.planner' has not returned for 600 s"):
        happen(planner.on)


def test_ticks_of_different_events_do_not_add_up(module: Any) -> None:
    odd, timeline = module(f"for _ in range(6):\n    {TICK}"), Timeline()
    process = VirtualProcess(timeline, "a", "agent", 1, ended=lambda process: None)
    for at_ns in range(5):
        timeline.at(at_ns, process, odd.on)
    with Purity(timeline):
        while timeline.step():
            pass
    assert timeline.happened == 5


def test_in_another_thread_nothing_watches_the_time_and_names_are_guarded(module: Any) -> None:
    caught: list[BaseException] = []

    def fly() -> None:
        try:
            happen(module("time.time()").on)
        except Impure as error:
            caught.append(error)

    thread = threading.Thread(target=fly)
    thread.start()
    thread.join()
    assert len(caught) == 1
