"""The runner of the real host: executors are threads. ONNX Runtime releases the GIL while it runs.

`agents.runtime.emulation` decides what a run does next, and when it ends on an emulated board.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from agents.ports import (
    RUN_FAILED,
    TASK,
    Made,
    Measured,
    MemoryEnd,
    Part,
    RunEnd,
    RunnerStatistics,
    RunOrder,
)
from agents.runtime.emulation import Emulation, Run, VariantTimes
from agents.runtime.loader import Loader
from agents.runtime.memory_moves import MemoryMoves
from agents.runtime.sessions import Loaded, Sessions
from models.session import Aborted, RunFailed, RunHandle
from swarm.core.policy.plan import Leg
from swarm.core.ports import Clock
from swarm.core.protocol.spans import RequestId
from swarm.core.units import ns, seconds

log = logging.getLogger(__name__)
MOST_LOGGED = 32                     # causes of failed runs
MOST_STUCK = 3                       # runs of one model: each has left a thread behind

CLOSE_S = 2.0                        # for all threads together: one that is stuck never ends

Call = Callable[[], None]


class _ThreadRun(Run):
    """A run, with the handles by which another thread can end it."""

    model: str
    loaded: Loaded
    handle: RunHandle
    wake: threading.Event | None = None              # ends the wait after a run that is emulated or slowed down

    def __init__(self, orders: Sequence[RunOrder], leg: Leg, times: VariantTimes) -> None:
        super().__init__(orders, leg, times)
        self.told = threading.Lock()                 # taken for good by whoever tells its end

    def end_now(self) -> None:
        self.handle.abort()
        self.look_again()

    def look_again(self) -> None:
        """Let its thread look again how long the run lasts."""
        if self.wake is not None:
            self.wake.set()


class ThreadRunner:
    """The runner port: each executor is a thread.

    post: runs a call in the policy's thread. fail: passes an error to that thread. Executors' threads call both.
    """

    def __init__(
        self, sessions: Sessions, clock: Clock, *, post: Callable[[Call], None], fail: Callable[[BaseException], None],
        executors: int, emulated: bool, seed: int,
    ) -> None:
        self._sessions, self._clock, self._post, self._fail = sessions, clock, post, fail
        self._logged: set[str] = set()               # causes of failed runs
        self._emulation = Emulation(emulated=emulated, seed=seed)
        self._moves = MemoryMoves(sessions, clock, post, Loader(fail))
        self._on_ended: Callable[[list[RunEnd]], None] = _not_attached
        self._waiting: queue.SimpleQueue[_ThreadRun | None] = queue.SimpleQueue()
        self._current: dict[int, _ThreadRun] = {}                    # by the scheduler's key of the run
        self._handles = [RunHandle() for _ in range(executors + 1)]  # a pool of unused ones: making one takes 45 us
        self._runs = self._overruns = self._aborted = self._failed = self._busy_ns = self._stuck = 0
        self._stuck_of: Counter[str] = Counter()     # by model
        self._threads: list[threading.Thread] = []
        for _ in range(executors):
            self._add_executor()

    def attach(
        self, ended: Callable[[list[RunEnd]], None], loaded: Callable[[str, str], None],
        moved: Callable[[MemoryEnd], None] = lambda end: None,
    ) -> None:
        self._on_ended = ended
        self._moves.attach(loaded, moved)

    def start(self, model: str, variant: str, leg: Leg, orders: Sequence[RunOrder]) -> None:
        loaded = self._sessions.get(model, variant)
        run = _ThreadRun(orders, leg, loaded.times)
        run.model, run.loaded = model, loaded
        run.handle = self._handles.pop() if self._handles else RunHandle()
        run.wake = threading.Event() if self._emulation.applies else None
        for order in orders:
            self._current[order.work] = run
        self._waiting.put(run)

    def abort(self, work: int) -> None:
        run = self._current.get(work)
        if run is not None and run.abort(work):
            run.end_now()

    def preempt(self, work: int, urgency: float) -> float | None:
        run = self._current.get(work)
        if run is None:
            return None
        wait_s = run.preempt(urgency, self._clock.now_ns())
        if wait_s == 0.0:
            run.end_now()
        return wait_s or None

    def hurry(self, work: int) -> None:
        run = self._current.get(work)
        if run is not None and run.is_overdue(self._clock.now_ns()):
            run.end_now()

    def give_up(self, work: int) -> None:
        """Its thread never returned from the model: the thread is left to itself, and another takes its place."""
        run = self._current.get(work)
        if run is None or not run.handle.aborted or not run.told.acquire(blocking=False):
            return                                   # it has ended, or its end is on its way
        self._stuck += 1
        self._stuck_of[run.model] += 1
        log.error("a run of %s does not end: its executor is replaced", run.orders[0].request)
        ended = _ThreadRun(run.orders, run.leg, run.loaded.times)        # the thread may still change the other one
        ended.handle, ended.told = run.handle, run.told
        ended.begin(run.started_ns)
        ended.cut_short(self._clock.now_ns())
        self._current |= {order.work: ended for order in run.orders if self._current.get(order.work) is run}
        self._add_executor()
        self._post(partial(self._finish, ended))

    def load_stages(self, model: str, variant: str) -> None:
        self._moves.load_stages(model, variant)

    def load(self, part: Part) -> None:
        self._moves.load(part)

    def unload(self, part: Part) -> None:
        self._moves.unload(part)

    def memory(self) -> Measured:
        return self._sessions.memory()

    def slow_down(self, factor: float) -> None:
        self._emulation.slow_down(factor)
        for run in self._current.values():
            run.look_again()

    def statistics(self) -> RunnerStatistics:
        now = self._clock.now_ns()
        busy_ns = self._busy_ns + sum(run.busy_ns(now) for run in set(self._current.values()))
        return RunnerStatistics(
            self._runs, self._overruns, self._aborted, self._failed, seconds(busy_ns), self._stuck,
            self._moves.loads, self._moves.unloads)

    def close(self) -> None:
        """End loads and threads; runs in progress are aborted."""
        self._moves.close()
        for run in list(self._current.values()):
            run.end_now()
        for _ in self._threads:
            self._waiting.put(None)
        until_ns = self._clock.now_ns() + ns(CLOSE_S)
        for thread in self._threads:
            thread.join(timeout=max(0.0, seconds(until_ns - self._clock.now_ns())))

    def _finish(self, run: _ThreadRun) -> None:
        """In the policy's thread: report the ends first, since the next run may start at once; then count."""
        ends = run.ends()
        self._on_ended(ends)
        for end in ends:
            if self._current.get(end.work) is run:       # a preempted one may already run again, in another run
                del self._current[end.work]
            self._failed += end.ended == "failed"
        if not run.handle.aborted:
            self._handles.append(run.handle)
        self._runs += 1
        self._overruns += run.overrun
        self._aborted += run.ended == "aborted"
        self._busy_ns += run.busy_ns(run.finished_ns)

    def _add_executor(self) -> None:
        thread = threading.Thread(target=self._run_forever, name=f"executor-{len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()

    # --- in an executor's thread ---

    def _run_forever(self) -> None:
        try:
            while (run := self._waiting.get()) is not None:
                self._run(run)
                if not run.told.acquire(blocking=False):
                    return                           # this thread was given up and has been replaced
                self._post(partial(self._finish, run))
        except BaseException as error:       # noqa: BLE001 - passed on: a bug ends the loop, not only this thread
            self._fail(error)

    def _run(self, run: _ThreadRun) -> None:
        run.begin(self._clock.now_ns())
        try:
            if self._stuck_of[run.model] >= MOST_STUCK:
                raise RunFailed(f"{run.model} is not run any more: {MOST_STUCK} of its runs did not end")
            if run.leg.whole:
                self._run_whole(run)
            else:
                self._run_stages(run)
        except Aborted:
            run.cut_short(self._clock.now_ns())
        except (ValueError, RunFailed) as error:     # a frame that does not fit the model, or no memory
            run.fail(self._clock.now_ns(), RUN_FAILED if isinstance(error, RunFailed) else TASK)
            self._log_failure(run.orders[0].request, f"{type(error).__name__}: {error}")

    def _log_failure(self, request: RequestId, why: str) -> None:
        """Each cause once, and only some causes: peers can make runs fail as often as they ask."""
        if why not in self._logged and len(self._logged) < MOST_LOGGED:
            self._logged.add(why)
            log.warning("run of %s failed: %s; more runs that fail so are only counted", request, why)

    def _run_whole(self, run: _ThreadRun) -> None:
        """Raises: Aborted, ValueError, RunFailed."""
        made: Sequence[Made | None]
        if len(run.orders) > 1:
            made = run.loaded.run_batch([order.given for order in run.orders], run.handle)
        else:
            made = [run.loaded.run(run.given, run.handle)]
        if run.wake is not None:
            self._wait_for_end(run, run.wake)
        run.finish(made, self._clock.now_ns())

    def _run_stages(self, run: _ThreadRun) -> None:
        """Run the rest of a leg, or until it is preempted. Raises: Aborted, ValueError, RunFailed."""
        if run.leave:
            run.leave_unbegun(self._clock.now_ns())
            return
        more = True
        while more:
            made = run.loaded.run_stage(run.given, run.stage, run.handle)
            if run.wake is not None:
                self._wait_for_end(run, run.wake)
            more = run.stage_over(made, self._clock.now_ns())

    def _wait_for_end(self, run: _ThreadRun, wake: threading.Event) -> None:
        """Wait after a stage until it has lasted as long as the emulation says. Raises: Aborted.

        A fault that ends meanwhile, or begins, changes how long that is.
        """
        assert run.began_ns is not None
        now = self._clock.now_ns()
        took_ns = now - run.began_ns
        while (rest_ns := run.began_ns + self._emulation.lasts_ns(run, took_ns) - now) > 0:
            if wake.wait(seconds(rest_ns)):
                wake.clear()
                if run.handle.aborted:
                    raise Aborted
            now = self._clock.now_ns()


def _not_attached(*_: object) -> None:
    """The callback until `attach` is called."""
