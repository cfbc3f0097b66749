"""What the director of a run is told (events), and what it orders from its host (commands). Times in nanoseconds.

A host performs the commands in the order given: the launcher with real processes, virtual time with robots in its own
process. Commands whose class derives from `Record` go to the collector.
"""

from __future__ import annotations

import msgspec

from swarm.core.policy.faults import Fault
from swarm.core.protocol.messages import Body, Member

# --- events ---


class Event(msgspec.Struct, frozen=True):
    """Something has happened."""


class ProcessReady(Event, frozen=True):
    """A process that the host started says that it is ready; it repeats this until it gets the roster."""

    member: Member
    boot: int


class ProcessEnded(Event, frozen=True):
    """A process has ended. `how`: words for people, such as `ended by SIGKILL`."""

    name: str
    returncode: int                  # negative: the signal
    how: str


class SpawnFailed(Event, frozen=True):
    """The host could not start a process."""

    name: str
    why: str


class AgentDrained(Event, frozen=True):
    """All requests of an agent have ended, and the collector has been told of each."""

    name: str


class BatteryEmpty(Event, frozen=True):
    """The world says that the battery of a robot is empty; it says so again and again."""

    name: str


class Interrupted(Event, frozen=True):
    """The user, or the system, asks for the end of the run."""


class HeldUp(Event, frozen=True):
    """The host did not run for a while: its process was stopped, or the computer slept."""

    for_s: float


class LoopEnded(Event, frozen=True):
    """The host has left its loop, for whatever reason, and ends all processes that are left."""


class FaultDue(Event, frozen=True):
    """The time of a fault has come."""

    fault: Fault


class FaultExpired(Event, frozen=True):
    """A fault has lasted for its time."""

    fault: Fault


class RespawnDue(Event, frozen=True):
    """A process that crashed is to be started again."""

    name: str


class RestartDue(Event, frozen=True):
    """A killed process is to be started again."""

    fault: Fault


class JoinDue(Event, frozen=True):
    """The time has come at which a robot joins."""

    name: str


class LeaveDue(Event, frozen=True):
    """The time has come at which a robot leaves."""

    name: str


class LeaveLimit(Event, frozen=True):
    """A robot that leaves has had its time to end its open requests."""

    name: str


class ReadyLimit(Event, frozen=True):
    """The processes have had their time to become ready."""


class StartDue(Event, frozen=True):
    """All connections have had their time to be made."""


class StreamsDone(Event, frozen=True):
    """The streams have run for their time."""


class DrainCheck(Event, frozen=True):
    """Time to look whether the run has drained."""


class ShutdownLimit(Event, frozen=True):
    """The processes have had their time to end."""


# --- commands ---


class Command(msgspec.Struct, frozen=True):
    """An order to the host."""


class Spawn(Command, frozen=True):
    """Start a process, perhaps again under the same name."""

    name: str
    clock_step_s: float = 0.0        # its wall clock is off by so much from its first moment on
    incarnation: int = 1             # which start of the process it is


class Kill(Command, frozen=True):
    """End a process at once (SIGKILL). ProcessEnded follows."""

    name: str


class Pause(Command, frozen=True):
    """Stop a process and all that it has started, until Continue (SIGSTOP)."""

    name: str


class Continue(Command, frozen=True):
    """Let a paused process go on (SIGCONT)."""

    name: str


class Join(Command, frozen=True):
    """Connect to a process that is ready."""

    member: Member
    boot: int


class Leave(Command, frozen=True):
    """Disconnect from a process that has ended; what still waits for it is dropped."""

    name: str


class Tell(Command, frozen=True):
    """Send a message to a process; it must not be lost while the connection is not there yet."""

    name: str
    body: Body


class Wake(Command, frozen=True):
    """Give this event to the director at this time."""

    at_ns: int
    event: Event


class Stop(Command, frozen=True):
    """Leave the loop."""


class Record(Command, frozen=True):
    """Something for the collector."""


class StreamsStarted(Record, frozen=True):
    """The streams begin."""


class StreamsEnded(Record, frozen=True):
    """The streams end; open requests run to their end."""


class ProcessLost(Record, frozen=True):
    """A process ended during the run: by an injected fault (`planned`), or by itself."""

    name: str
    boot: int                        # of the start that ended; 0: it was never ready
    how: str
    planned: bool


class ProcessStopped(Record, frozen=True):
    """A process ended as it was told to."""

    name: str
    boot: int


class RobotJoined(Record, frozen=True):
    """A robot is there now, which was not at the start."""

    name: str


class RobotLeft(Record, frozen=True):
    """The process of a robot has ended that was to leave."""

    name: str
    boot: int                        # of the start that ended; 0: it was never ready


class RobotEmpty(Record, frozen=True):
    """The battery of a robot is empty. Its process is ended, as its computer is."""

    name: str


class Respawned(Record, frozen=True):
    """A process that crashed is started again."""

    name: str
    crashes: int                     # so far


class NotStarted(Record, frozen=True):
    """A process could not be started again; the run goes on without it."""

    name: str
    why: str


class FaultInjected(Record, frozen=True):
    """A fault of the launch file begins."""

    fault: Fault


class FaultCleared(Record, frozen=True):
    """The effect of a fault has ended, or the process that it restarted is ready."""

    fault: Fault


class DiskFull(Record, frozen=True):
    """From now on the run folder takes nothing, or everything again."""

    full: bool
