"""The planner's process: messages in, plans out; solving in a thread beside the loop, refining on Ray once that is up.

Plans are made in this process from the first second. Ray joins after the streams have begun, so that it does not slow
the start of the agents, in a process beside this one (refiner.py); where it fails or dies, refinement ends and
nothing else does.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Callable
from functools import partial

import msgspec

from swarm.core.clock import ns, seconds
from swarm.core.ports import Received
from swarm.core.protocol import messages as msg
from swarm.core.settings.process_files import PlannerFile
from swarm.membership.events import Doubted
from swarm.membership.failure_detector import Changed, FailureDetector
from swarm.membership.participant import Participant
from swarm.membership.view import MOST
from swarm.net.loop import Loop
from swarm.net.process import Process, log_to_stderr
from swarm.planner.events import Command, Event, Heard, Publish, Report, Solve, Solved, Tick
from swarm.planner.solvers.place import place
from swarm.planner.solvers.refiner import ENDED, Refined, Refiner
from swarm.planner.state import PlannerState

log = logging.getLogger(__name__)

NICENESS = 10                        # robots first; Ray's processes inherit it
TICK_S = 0.1
BUDGET_S = 0.02
RAY_AFTER_S = 2.0                    # after Start: the first results come first
LOST_RUNS = 3                        # portfolios in a row from which nothing came: Ray is given up


class Lane:
    """One thread that does what it is given, in order; daemonic, so that it never holds up the end of the process.

    An error there is raised in the loop: a bug crashes loudly.
    """

    def __init__(self, name: str, loop: Loop) -> None:
        self._loop = loop
        self._todo: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def put(self, call: Callable[[], object]) -> None:
        self._todo.put(call)

    def _run(self) -> None:
        while True:
            call = self._todo.get()
            try:
                call()
            except BaseException as error:           # noqa: BLE001 - handed over, not swallowed
                self._loop.fail(error)
                return


class Planner:
    """Joins the deterministic state with the network, the solving threads and Ray."""

    def __init__(self, settings: PlannerFile) -> None:
        self._settings = settings
        self._state = PlannerState(lease_s=settings.lease_s, every_s=settings.every_s)
        self._process = Process(settings, "planner")
        self._participant = Participant(
            self._process.host, settings, self._received,
            advert_of=lambda agent: self._state.advert_of(agent), met=lambda names: self._failures.met(names),
        )
        self._failures = FailureDetector(self._process.host, self._participant, self._changed, neighbours=MOST)
        self._loop, self._net, self._clock = self._process.loop, self._process.net, self._process.clock
        self._solver, self._refiner = Lane("solver", self._loop), Lane("refiner", self._loop)
        self._ray: Refiner | None = None
        self._refining = self._started = False
        self._unrefined: Solve | None = None         # wanted while nobody could
        self._lost_runs = 0

    def run(self) -> None:
        self._loop.every(ns(TICK_S), lambda: self._handle(Tick()))
        if self._settings.launcher is None:
            self._begin()                            # on a board nobody sends Start
        self._process.run(self._participant.begin)
        if self._ray is not None and not self._ray.close():
            log.warning("ray did not end by itself; its processes were killed")

    # --- events ---

    def _received(self, message: Received) -> None:
        if isinstance(message.body, msg.Start):
            self._begin()
        elif self._net.role(message.sender) == "agent" and self._failures.heard(message):
            if isinstance(message.body, msg.Rumour):
                self._failures.rumour(message.body)
            else:
                self._handle(Heard(message.sender, message.boot, message.body))

    def _changed(self, change: Changed) -> None:
        if not isinstance(change, Doubted):          # a plan does not follow what may be over in an instant
            self._handle(change)

    def _handle(self, event: Event) -> None:
        for command in self._state.handle(event, self._clock.now_ns()):
            self._perform(command)

    def _perform(self, command: Command) -> None:
        match command:
            case Publish(plan=plan):
                self._participant.tell_launcher(msg.PlanNews(plan=plan))
                for agent in self._net.peers("agent"):       # each its own part, or that would grow with the swarm
                    own = [placement for placement in plan.placements if placement.agent == agent]
                    self._net.send(agent, msg.PlanNews(plan=msgspec.structs.replace(plan, placements=own)))
            case Report(what=what, detail=detail):
                self._tell(what, detail)
            case Solve(refine=True):
                self._unrefined = command
                self._refine_next()
            case Solve():
                self._solver.put(partial(self._solve, command))

    def _solved(self, solved: Solved) -> None:
        """In the loop's thread."""
        self._handle(solved)
        self._participant.tell_launcher(msg.PlannerNews(
            epoch=self._state.plan.epoch, solve_s=solved.solve_s, solver=solved.solution.solver, ray=solved.refined,
        ))

    # --- in the solving threads ---

    def _solve(self, command: Solve) -> None:
        begun = self._clock.now_ns()
        solution = place(
            command.problem, command.previous, BUDGET_S, self._settings.seed, loyal=command.loyal
        )
        took_s = seconds(self._clock.now_ns() - begun)
        self._loop.post(partial(self._solved, Solved(command.basis, solution, took_s)))

    def _refine(self, ray: Refiner, command: Solve) -> None:
        begun = self._clock.now_ns()
        refined = ray.refine(command.problem, command.previous)
        took_s = seconds(self._clock.now_ns() - begun)
        self._loop.post(partial(self._refined, command.basis, refined, took_s))

    def _connect(self, ray: Refiner) -> None:
        begun = self._clock.now_ns()
        reason = ray.up()
        self._loop.post(partial(self._connected, reason, seconds(self._clock.now_ns() - begun)))

    # --- Ray ---

    def _begin(self) -> None:
        if self._started:
            return
        self._started = True
        if self._settings.ray == "none":
            self._tell("ray_absent", {"reason": "not wanted"})
        else:
            self._loop.after(ns(RAY_AFTER_S), self._start_ray)

    def _start_ray(self) -> None:
        try:
            self._ray = Refiner(self._settings.ray, self._settings.seed)
        except OSError as error:                     # no memory, no more processes: the plans stand without Ray
            self._give_up_ray(f"its process cannot be started: {error}")
            return
        self._refining = True                        # busy until it says whether it is up
        self._refiner.put(partial(self._connect, self._ray))

    def _connected(self, reason: str, took_s: float) -> None:
        self._refining = False
        if reason:
            self._give_up_ray(reason)
        else:
            self._tell("ray_up", {"took_s": round(took_s, 3)})
            self._refine_next()

    def _refine_next(self) -> None:
        """Refine the newest plan, if Ray is up and idle; otherwise it is kept for later."""
        if self._ray is not None and not self._refining and self._unrefined is not None:
            self._refiner.put(partial(self._refine, self._ray, self._unrefined))
            self._refining, self._unrefined = True, None

    def _refined(self, basis: tuple[int, int], refined: Refined, took_s: float) -> None:
        self._refining = False
        if refined.solution is not None:
            self._lost_runs = 0
            self._solved(Solved(basis, refined.solution, took_s, refined=True))
        else:
            self._lost_runs += 1
            self._tell("portfolio_lost", {"reason": refined.reason, "in_a_row": self._lost_runs})
            if self._lost_runs >= LOST_RUNS or refined.reason == ENDED:
                self._give_up_ray(refined.reason)
        self._refine_next()

    def _give_up_ray(self, reason: str) -> None:
        """From here on the plans of this process stand as they are."""
        ray, self._ray = self._ray, None
        if ray is not None:
            self._refiner.put(ray.close)
        self._tell("ray_absent", {"reason": reason})

    # --- small things ---

    def _tell(self, what: str, detail: dict[str, str | float | int]) -> None:
        log.info("%s %s", what, " ".join(f"{k}={v}" for k, v in detail.items()))
        self._participant.tell_launcher(msg.Happened(what=what, detail=detail))


def run(settings: PlannerFile) -> int:
    """Run the planner to its end."""
    os.nice(NICENESS)
    log_to_stderr(settings.name)
    Planner(settings).run()
    return 0
