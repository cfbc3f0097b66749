"""The ports of a robot's policy beside `swarm/core/ports.py`: a runner of models, and calls beside the loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

import msgspec
from numpy.typing import NDArray

from swarm.core.policy.plan import Leg
from swarm.core.protocol.spans import Frame, RequestId
from swarm.core.protocol.world import Outcome

T = TypeVar("T")

Given = NDArray[Any] | Sequence[NDArray]
"""The input of a run: what a sensor of this robot gave (a frame, uint8 [height, width, 3], or a crop of one; a scan;
nothing, for a timer), or the boundary tensors before its leg."""

Made = Outcome | list[NDArray]
"""The output of a run: an outcome, or the boundary tensors after its leg. Boundary tensors are in order."""

Ended = Literal["done", "preempted", "aborted", "failed"]
"""How a run left its executor; `preempted`: it resumes later."""

RUN_FAILED, TASK = "run_failed", "task"
"""Why a run failed: the network could not be run; its task could not read what it was given."""


class RunOrder(msgspec.Struct, frozen=True):
    """One input to run: the scheduler's key of the run, the request, and the input."""

    work: int
    request: RequestId
    given: Given
    frame: Frame                     # of the request


class RunEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How the run of one order ended. Times are readings of the robot's clock, nanoseconds.

    A preempted run resumes at `stage` with the input `given`.
    """

    work: int
    request: RequestId
    ended: Ended
    started_ns: int
    finished_ns: int
    stage: int                       # the stage at which it ended
    given: Given                     # the input of that stage
    made: Made | None = None         # None unless it is `done`
    mid_stage: bool = False          # preempted within `stage`, which runs again from its start
    drawn_s: float = 0.0             # on an emulated board: the drawn time of all its finished stages
    overrun: bool = False            # on an emulated board: it took longer than the drawn time
    reason: str = RUN_FAILED         # why it failed, if it has


class Part(NamedTuple):
    """What is loaded and unloaded: a whole variant, or all its stages."""

    model: str
    variant: str
    stages: bool = False


class MemoryEnd(msgspec.Struct, frozen=True, kw_only=True):
    """A part was loaded or unloaded."""

    part: Part
    present: bool                    # it is in memory now
    rss_bytes: int                   # resident memory of the process after it
    took_s: float = 0.0
    kept_bytes: int = 0              # what a load has added
    failed: bool = False             # it could not be loaded


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """The memory of this robot: resident now, and what the loads of its parts have added."""

    rss_bytes: int
    kept_bytes: Mapping[Part, int]


class RunnerStatistics(msgspec.Struct, frozen=True):
    """Counts since the start. A batch is one run; `failed` counts its inputs; `stuck`: runs that could not be ended.

    loads, unloads: of models and of stages, while it runs.
    """

    runs: int
    overruns: int
    aborted: int
    failed: int
    busy_s: float                    # of all executors together, with the runs in progress
    stuck: int = 0
    loads: int = 0
    unloads: int = 0


class Runner(Protocol):
    """Runs models on the executors of one robot. The scheduler starts a run only while an executor is free.

    All methods are called in the policy's thread; the runner calls back in that thread, too, and never from within
    one of these methods.
    """

    def attach(
        self, ended: Callable[[list[RunEnd]], None], loaded: Callable[[str, str], None],
        moved: Callable[[MemoryEnd], None] = lambda end: None,
    ) -> None:
        """Set the callbacks: `ended` gets the ends of all orders of one run, in their order; `loaded` gets a model and
        a variant whose stages can be run from now on; `moved` gets the ends of `load` and `unload`."""
        ...

    def start(self, model: str, variant: str, leg: Leg, orders: Sequence[RunOrder]) -> None:
        """Run a leg now, on one input or, as a batch, on several; a batch runs the whole model."""
        ...

    def abort(self, work: int) -> None:
        """The result is no longer wanted: end the run early, unless other results of its batch are still wanted."""
        ...

    def preempt(self, work: int, urgency: float) -> float | None:
        """Make a run leave its executor, after its stage or within it; its end follows.

        urgency: see `agents.scheduling.queue.preemption.abort_stage_now`.
        Returns the delay in seconds after which `hurry` must be called; None: never.
        """
        ...

    def hurry(self, work: int) -> None:
        """Abort a preempted run that should have left its executor by now."""
        ...

    def give_up(self, work: int) -> None:
        """A run that was told to end long ago holds its executor: replace the executor, if this host can."""
        ...

    def load_stages(self, model: str, variant: str) -> None:
        """Load the stages of a variant in the background; `loaded` follows, unless they cannot be loaded."""
        ...

    def load(self, part: Part) -> None:
        """Load a part in the background; `moved` follows."""
        ...

    def unload(self, part: Part) -> None:
        """Forget a part that nothing runs or waits for, and give its memory back; `moved` follows."""
        ...

    def memory(self) -> Measured: ...

    def slow_down(self, factor: float) -> None:
        """Inject a fault: runs take `factor` times as long from now on; 1 clears it."""
        ...

    def statistics(self) -> RunnerStatistics: ...


class Aside(Protocol):
    """Runs calls beside the policy's thread, one after the other, so that they hold nothing up."""

    def run(self, call: Callable[[], T], done: Callable[[T], None]) -> None:
        """`done` gets the result in the policy's thread; it may be called from within. An error ends the process."""
        ...

    def give_up(self) -> None:
        """The call at work does not end: leave it to itself. Later calls are run; none waits behind it now."""
        ...


class Asides(NamedTuple):
    """behaviour: for the behaviour alone, which must end. tasks: for what may never end."""

    behaviour: Aside
    tasks: Aside
