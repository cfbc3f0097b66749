"""The parts of one agent in this process, without peers: scheduler, performer, runner, loop. A bench submits frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.beside import Beside
from agents.peers.seals import Seals
from agents.performer import Input, Performer
from agents.ports import MemoryEnd
from agents.runtime.offer import Offer
from agents.runtime.thread_runner import ThreadRunner
from agents.scheduling import events as ev
from models.store import ARTEFACTS, load_card
from swarm.core.clock import MonotonicClock, WallClock
from swarm.core.policy.plan import StreamSpec
from swarm.core.ports import Host
from swarm.core.protocol.spans import Frame, RequestId, Span
from swarm.core.protocol.world import Outcome
from swarm.core.settings.boards import Board
from swarm.core.units import ns
from swarm.net.lanes import open_endpoint
from swarm.net.loop import Loop
from swarm.net.process import OwnProcess
from swarm.virtual.runner import AtOnce

NAME = "bench"
HOST = Board(speed={"fp32": 1.0, "int8": 1.0}, memory_mb=0, power_w=0.0, source="this machine", emulated=False)


def black_frame(model: str, store: Path = ARTEFACTS) -> NDArray[np.uint8]:
    """A black input of a camera model, uint8 [height, width, 3]."""
    (image,) = load_card(model, store).inputs
    return np.zeros(image.shape[1:], np.uint8)


class Rig:
    """`scheduler` handles events, `sessions` has the models, `frame` is the input of every request.

    `ended(span, outcome)` is called at the end of every request, `moved(end)` after a load or an unload.
    """

    def __init__(
        self, scheduler: Any, sessions: Any, frame: NDArray[np.uint8],
        ended: Callable[[Span, Outcome | None], None], busy_poll_s: float = 0.0,
        moved: Callable[[MemoryEnd], None] = lambda end: None,
    ) -> None:
        self.clock = MonotonicClock()
        self.loop = Loop(self.clock, busy_poll_s)
        self.net = open_endpoint(self.loop, swarm=NAME, name=NAME, role="agent", boot=1, handler=lambda _: None)
        self.runner = ThreadRunner(
            sessions, self.clock, post=self.loop.post, fail=self.loop.fail, executors=HOST.executors,
            emulated=HOST.emulated, seed=0,
        )
        host = Host(self.clock, self.loop, self.net, OwnProcess(self.loop, WallClock()))
        self._performer = Performer(
            host, self.runner, scheduler, Offer({}, {}), lambda span, outcome, _: ended(span, outcome),
            Seals(NAME, b""), Beside(self.loop, AtOnce(), lambda name: None), moved)
        self._frame = Input(frame, Frame(1, NAME, 0))
        self.submitted = 0

    def submit(self, stream: StreamSpec, due_ns: int = 0, frame: NDArray[np.uint8] | None = None) -> None:
        """Submit a frame that is due now, or was due at `due_ns`. frame: another input than that of all others."""
        now = due_ns or self.clock.now_ns()
        self.submitted += 1
        self._performer.arrived(ev.RequestArrived(
            request=RequestId(NAME, 1, self.submitted), stream=stream, captured_ns=now,
            deadline_ns=now + ns(stream.deadline_s),
        ), self._frame if frame is None else Input(frame, self._frame.frame))

    def measure_memory(self) -> None:
        """As a robot does once a second."""
        self._performer.handle(ev.MemoryMeasured(memory=self.runner.memory()))

    def close(self) -> None:
        self.runner.close()
        self.net.close()
        self.loop.close()
