"""The policy of one run: who must be ready, when the streams start and stop, which faults come, and how the run ends.

Events in, commands out (`events.py`); a host performs the commands. Phases only go forward: starting (processes become
ready), running (streams), draining (open requests end), stopping (processes end).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from swarm.core.policy.faults import Fault
from swarm.core.protocol import messages as msg
from swarm.core.settings.launch_file import PLANNERS, LaunchFile
from swarm.core.units import ns, seconds
from swarm.run import events as ev
from swarm.run.faults import FaultSchedule
from swarm.run.limits import DRAIN_CHECK_NS, RESPAWN_S, SETTLE_NS, Limits
from swarm.run.presence import Presence
from swarm.run.roster import Roster


class Director:
    """One run. `handle` takes events, in order of time; `now` is the host's monotonic clock.

    open_requests: how many requests have not ended, as the collector knows. last_words: the last line that a process
    has printed.
    """

    def __init__(
        self, launch: LaunchFile, faults: Sequence[Fault], *, open_requests: Callable[[], int],
        last_words: Callable[[str], str] = lambda name: "", limits: Limits | None = None,
    ) -> None:
        self.roster = Roster()
        self.phase = "starting"
        self.since_ns = self.start_ns = self.drain_ns = 0        # when the phase, the streams and the drain began
        self.error, self.exit_code = "", 0           # the first error, and the exit code that belongs to it
        self.interrupted = False                     # the run was ended before its time
        self.running: dict[str, None] = {}           # processes that have been started and have not ended, in order
        self._launch, self._limits = launch, limits or Limits()
        self._open_requests, self._last_words = open_requests, last_words
        self._robots = [robot for fleet in launch.fleet for robot in fleet.robots()]
        self._open_s = max((stream.deadline_s for stream in launch.streams), default=0.0) + self._limits.drain_extra_s
        self._presence = Presence(launch, self._open_s, ready=self.roster.names, running=lambda: self.running,
                                  order=self._order)
        self._there = [robot for robot in self._robots if not self._presence.is_outside(robot)]
        self._needed = {"world", *self._there}       # without the planner a run may start
        self._starts: Counter[str] = Counter()       # of each process
        self._killed: set[str] = set()               # processes that were killed on purpose and have not ended yet
        self._settling = False                       # all are ready, and the start is due soon
        self._drained: set[str] = set()
        self._planner_crashes: dict[str, int] = {}
        self._interruptions = 0
        self._held_ns = 0                            # of this phase: when the host did not run
        self._commands: list[ev.Command] = []
        self._faults = FaultSchedule(
            list(faults), launch.seed, ready=self.roster.names, running=lambda: self.running, order=self._order,
            outside=self._presence.is_outside)

    @property
    def ready(self) -> int:
        """How many of the processes that the start waits for are ready."""
        return sum(name in self.roster for name in self._needed)

    def begin(self, now: int) -> list[ev.Command]:
        """Start all processes but those of robots that join later."""
        self.since_ns = now
        for name in self._launch.processes():
            if not self._presence.is_outside(name):
                self._order(ev.Spawn(name))
        self._limit(self._ready_limit_s, ev.ReadyLimit(), now)
        return self._ordered()

    def handle(self, event: ev.Event, now: int) -> list[ev.Command]:
        """Everything that a host learns. Returns what it has to do, in this order."""
        match event:
            case ev.ProcessReady():
                self._process_ready(event.member, event.boot, now)
            case ev.ProcessEnded():
                self._process_ended(event, now)
            case ev.SpawnFailed():
                self._spawn_failed(event)
            case ev.AgentDrained(name):
                self._drained.add(name)
                self._presence.drained(name)
            case ev.JoinDue() | ev.LeaveDue() | ev.LeaveLimit():
                self._presence.handle(event, now)
            case ev.BatteryEmpty(name):
                self._presence.ran_out(name)
            case ev.Interrupted():
                self._interrupted(now)
            case ev.HeldUp(for_s):
                self._held_ns += ns(for_s)
            case ev.LoopEnded():
                self._commands.clear()               # of an event that was cut off by an error
                self._to("stopping", now)
            case ev.FaultDue(fault):
                self._faults.inject(fault, now)
            case ev.FaultExpired(fault):
                self._faults.clear(fault)
            case ev.RespawnDue(name):
                self._respawn(name)
            case ev.RestartDue(fault):
                self._faults.restart(fault)
            case ev.ReadyLimit():
                self._ready_limit(now)
            case ev.StartDue():
                self._start(now)
            case ev.StreamsDone():
                self._drain(now)
            case ev.DrainCheck():
                self._drain_check(now)
            case ev.ShutdownLimit():
                if self._limit(self._limits.shutdown_s, event, now):
                    self._order(ev.Stop())
            case _:
                raise TypeError(f"{event} is no event of a run")
        return self._ordered()

    def fail(self, error: str, exit_code: int = 1) -> None:
        """The run has failed. The first error is the one to tell; none if it is empty."""
        if error and not self.error:
            self.error, self.exit_code = error, exit_code

    # --- starting ---

    @property
    def _ready_limit_s(self) -> float:
        return self._limits.ready_s + self._limits.ready_per_robot_s * len(self._there)

    def _process_ready(self, member: msg.Member, boot: int, now: int) -> None:
        name = member.name
        if name not in self.running or not self.roster.add(member, boot):
            return
        self._order(ev.Join(member, boot))
        if self.phase in ("running", "draining"):
            self._faults.process_ready(name)         # it has its faults before it hears of others
            self._tell_all(msg.Roster(members=self.roster.members()))
            self._order(ev.Tell(name, self._begin_streams(now) if self.phase == "running" else msg.Drain()))
            if member.role == "agent" and not self._presence.is_outside(name):
                self._tell_world(msg.Back(name=name, boot=boot))
                self._presence.joined(name)
        elif self.phase == "starting" and self._needed <= set(self.roster.names()):
            self._tell_all(msg.Roster(members=self.roster.members()))
            if not self._settling:
                self._settling = True
                self._order(ev.Wake(now + SETTLE_NS, ev.StartDue()))

    def _ready_limit(self, now: int) -> None:
        if self.phase == "starting" and self._limit(self._ready_limit_s, ev.ReadyLimit(), now):
            late = sorted(self._needed - set(self.roster.names()))
            words = self._last_words(late[0])
            self.fail(f"{', '.join(late)} not ready after {self._ready_limit_s:g} s" + (f": {words}" if words else ""))
            self._order(ev.Stop())

    def _spawn_failed(self, event: ev.SpawnFailed) -> None:
        self.running.pop(event.name, None)
        if self.phase == "starting":
            self.fail(f"{event.name} cannot be started: {event.why}")
            self._order(ev.Stop())
        else:
            self._order(ev.NotStarted(event.name, event.why))

    # --- running ---

    def _start(self, now: int) -> None:
        if self.phase != "starting":
            return                                   # the user has ended the run meanwhile
        self._to("running", now)
        self.start_ns = now
        self._order(ev.StreamsStarted())
        self._presence.schedule(now)
        self._tell_all(self._begin_streams(now))
        self._faults.schedule(now)
        self._order(ev.Wake(now + ns(self._launch.duration_s), ev.StreamsDone()))

    def _begin_streams(self, now: int) -> msg.Start:
        """What a process is told that is ready: the streams end at their time, whatever becomes of the launcher."""
        since_s = seconds(now - self.start_ns)
        return msg.Start(since_s=since_s, for_s=max(0.0, self._launch.duration_s - since_s))

    def _process_ended(self, event: ev.ProcessEnded, now: int) -> None:
        name, killed = event.name, event.name in self._killed
        self.running.pop(name, None)
        self._killed.discard(name)
        boot = self.roster.remove(name)
        self._order(ev.Leave(name))
        if self.phase == "stopping":
            if event.returncode == 0:
                self._order(ev.ProcessStopped(name, boot))
            if not self.running:
                self._order(ev.Stop())
            return
        words = "" if killed else self._last_words(name)
        how = event.how + (f": {words}" if words else "")
        if self.phase == "starting" and name in self._needed:
            self.fail(f"{name}, before the run began, {how}", 2 if event.returncode == 2 else 1)
            self._order(ev.Stop())
            return
        if not self._presence.ended(name, boot, killed or event.returncode == 0):
            self._order(ev.ProcessLost(name, boot, how, killed))
            if name in self._robots:                 # its body stops; peers and planner detect the failure themselves
                self._tell_world(msg.Gone(name=name, boot=boot))
        self._faults.process_ended(name, killed, now)
        if name in PLANNERS and not killed:
            self._planner_crashed(name, now)
        if name == "world":
            self.fail(f"cut short: {seconds(now - self.start_ns):.1f} s after the start, the world {how}")
            self.interrupted |= self.phase == "running"
            self._drain(now)

    def _planner_crashed(self, name: str, now: int) -> None:
        """Start it again after a while: without a planner every robot routes for itself for the rest of the run."""
        crashes = self._planner_crashes.get(name, 0)
        if crashes < len(RESPAWN_S):
            self._order(ev.Wake(now + ns(RESPAWN_S[crashes]), ev.RespawnDue(name)))
        self._planner_crashes[name] = crashes + 1

    def _respawn(self, name: str) -> None:
        if self.phase in ("starting", "running") and name not in self.running:
            self._order(ev.Respawned(name, self._planner_crashes[name]))
            self._order(ev.Spawn(name))

    # --- ending ---

    def _drain(self, now: int) -> None:
        """Streams and world stop. The run waits for open requests, and for every agent to say that it has drained."""
        if self.phase == "running":
            self._to("draining", now)
            self.drain_ns = now
            self._order(ev.StreamsEnded())
            self._faults.end()
            self._presence.end()
            self._tell_all(msg.Drain())
            self._order(ev.Wake(now + DRAIN_CHECK_NS, ev.DrainCheck()))

    def _drain_check(self, now: int) -> None:
        """Shut down when everything has drained, or its time is up."""
        if self.phase != "draining":
            return
        awaited = [robot for robot in self._robots if robot in self.running and robot not in self._drained]
        time_is_up = seconds(now - self.since_ns - self._held_ns) > self._open_s
        if time_is_up or not (awaited or self._open_requests()):
            self._shut_down(now)
        else:
            self._order(ev.Wake(now + DRAIN_CHECK_NS, ev.DrainCheck()))

    def _shut_down(self, now: int) -> None:
        self._to("stopping", now)
        self._tell_all(msg.Shutdown())
        if self.running:
            self._limit(self._limits.shutdown_s, ev.ShutdownLimit(), now)
        else:
            self._order(ev.Stop())

    def _interrupted(self, now: int) -> None:
        """The first interruption ends the run in order, the second at once. Before the start the first one does."""
        self._interruptions += 1
        self.interrupted |= self.phase == "running" or (self.phase == "draining" and self._interruptions > 1)
        if self.phase == "starting" or self._interruptions > 1:
            self._order(ev.Stop())
        else:
            self._drain(now)

    # --- orders ---

    def _to(self, phase: str, now: int) -> None:
        self.phase, self.since_ns, self._held_ns = phase, now, 0

    def _limit(self, limit_s: float, event: ev.Event, now: int) -> bool:
        """Whether this phase has lasted its time, without the time in which the host did not run; if not, wake then."""
        end_ns = self.since_ns + ns(limit_s) + self._held_ns
        if now < end_ns:
            self._order(ev.Wake(end_ns, event))
        return now >= end_ns

    def _tell_all(self, body: msg.Body) -> None:
        for name in self.roster.names():
            self._order(ev.Tell(name, body))

    def _tell_world(self, body: msg.Body) -> None:
        """The world may have ended, which ends the run anyway."""
        if "world" in self.roster:
            self._order(ev.Tell("world", body))

    def _order(self, command: ev.Command) -> None:
        if isinstance(command, ev.Spawn):
            self.running[command.name] = None
            self._starts[command.name] += 1
            command = msgspec.structs.replace(command, incarnation=self._starts[command.name])
        elif isinstance(command, ev.Kill):
            self._killed.add(command.name)
        self._commands.append(command)

    def _ordered(self) -> list[ev.Command]:
        ordered = list(self._commands)
        self._commands.clear()
        return ordered
