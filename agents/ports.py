"""What one robot's policy needs of whatever runs its models. Hosts provide it: a pool of threads, or virtual time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from swarm.core.policy.plan import Leg
from swarm.core.protocol.spans import RequestId
from swarm.core.protocol.world import Outcome

Given = NDArray[np.uint8] | Sequence[NDArray]
"""What a run begins with: a frame of this robot, uint8 [72, 96, 3], or the tensors that cross before its leg, in order.
"""

Made = Outcome | list[NDArray]
"""What a run ends with: an outcome, or the tensors that cross after its leg, in order."""

Ended = Literal["done", "preempted", "aborted", "failed"]
"""How a run left its executor; `preempted`: it was told to leave, and is to go on later."""


class RunOrder(msgspec.Struct, frozen=True):
    """One input to run: the scheduler's key of the work, whose request it is, what the run begins with."""

    work: int
    request: RequestId
    given: Given


class RunEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How the run of one order ended. Times are readings of the robot's clock, nanoseconds.

    A preempted run is to go on at `stage`, with `given`.
    """

    work: int
    request: RequestId
    ended: Ended
    started_ns: int
    finished_ns: int
    stage: int                       # the stage that was reached
    given: Given                     # what that stage begins with
    made: Made | None = None         # None unless it is `done`
    cut: bool = False                # preempted within `stage`, which is to be run anew
    overrun: bool = False            # on an emulated board: it took longer than was drawn for it


class RunnerStatistics(msgspec.Struct, frozen=True):
    """Counts since the start. A batch is one run; `failed` counts its inputs."""

    runs: int
    overruns: int
    aborted: int
    failed: int
    busy_s: float


class Runner(Protocol):
    """Runs models on the executors of one robot. The scheduler starts a run only while an executor is free.

    All methods are called in the policy's thread; the runner calls back in that thread, too, and never from within
    one of these methods.
    """

    def attach(self, ended: Callable[[list[RunEnd]], None], loaded: Callable[[str, str], None]) -> None:
        """Set the callbacks: `ended` gets the ends of all orders of one run, in their order; `loaded` gets a model and
        a variant whose stages can be run from now on."""
        ...

    def start(self, model: str, variant: str, leg: Leg, orders: Sequence[RunOrder]) -> None:
        """Run a leg now, on one input or, as a batch, on several; a batch runs the whole model."""
        ...

    def abort(self, work: int) -> None:
        """The result is not wanted any more: end the run early, unless others of its batch are still wanted."""
        ...

    def preempt(self, work: int, impatience: float) -> float | None:
        """Have a run leave its executor, after its stage or within it; its end follows.

        impatience: see `agents.scheduling.queue.preemption.cut_now`.
        Returns after how many seconds `hurry` is to be called; None: never.
        """
        ...

    def hurry(self, work: int) -> None:
        """End a run at once that should have left its executor by now."""
        ...

    def load_stages(self, model: str, variant: str) -> None:
        """Load the stages of a variant beside everything else; `loaded` follows, unless they cannot be loaded."""
        ...

    def slow_down(self, factor: float) -> None:
        """An injected fault: runs take so many times as long from now on; 1 clears it."""
        ...

    def statistics(self) -> RunnerStatistics: ...
