"""The time that the runtime adds to a run, beside a bare hand-off to a thread and back.

Added time of a request = delivery - request - run. The run is the model with its pre- and post-processing. The parts of
one agent and a real model run in this process, driven by a timer at 50 Hz, with an agent's interpreter settings. The
reference alternates with the requests: the loop wakes a thread through a queue, and the thread wakes the loop.

Blocks of three modes take turns. No prefix: an idle loop sleeps at once, as on most boards. `busy_`: the loop polls for
a while before it sleeps. `warm_`: without pauses, each request follows the previous request and hand-off. The goal for
the runtime applies to the first mode.
"""

from __future__ import annotations

import argparse
import queue
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psutil

from agents.peers.table import PeerTable
from agents.process import SWITCH_S
from agents.runtime.offer import Offer
from agents.runtime.sessions import Sessions, read_offer
from agents.scheduling.scheduler import Scheduler
from models.store import ARTEFACTS
from swarm.bench.support.rig import HOST, NAME, Rig, black_frame
from swarm.bench.support.stats import quantile
from swarm.core.policy.plan import StreamSpec
from swarm.core.protocol.spans import Span
from swarm.core.protocol.world import Outcome
from swarm.core.units import ns, seconds
from swarm.telemetry.text_table import text_table

RATE_HZ = 50.0
ROUNDS = 4
REQUESTS = 125                       # of each block
WARM_UP = 25
BUSY_POLL_S = 300e-6                 # as launch/boards.yaml has it for this host


class _Mode(NamedTuple):
    busy_poll_s: float               # how long the loop polls before it sleeps
    rests: bool                      # whether it waits for the next period


MODES = {                            # by prefix of the figures
    "": _Mode(0.0, rests=True), "busy_": _Mode(BUSY_POLL_S, rests=True), "warm_": _Mode(0.0, rests=False),
}

Figures = dict[str, float | int | str]


class _Block:
    """Alternating requests and hand-offs, half a period apart or without pause."""

    def __init__(self, offer: Offer, sessions: Sessions, model: str, mode: _Mode) -> None:
        self._rests = mode.rests
        scheduler = Scheduler(name=NAME, policy="local", profiles=offer.profiles, peers=PeerTable())
        self._rig = Rig(scheduler, sessions, black_frame(model), self._ended, mode.busy_poll_s)
        self._clock, self._loop = self._rig.clock, self._rig.loop
        self._stream = StreamSpec(name=NAME, model=model, rate_hz=RATE_HZ, deadline_s=1.0)
        self.added_us: list[float] = []
        self.run_us: list[float] = []
        self.handoff_us: list[float] = []
        self.failed = 0
        self.cpu_s = self.took_s = 0.0
        self._handoffs: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._helper = threading.Thread(target=self._hand_back, daemon=True)

    def run(self) -> None:
        process = psutil.Process()
        began_ns, before = self._clock.now_ns(), process.cpu_times()
        self._helper.start()
        if self._rests:
            self._loop.every(ns(1.0 / RATE_HZ), self._submit)
        else:
            self._loop.post(self._submit)
        self._loop.run()
        after = process.cpu_times()
        self.took_s = seconds(self._clock.now_ns() - began_ns)
        self.cpu_s = after.user + after.system - before.user - before.system
        self._handoffs.put(None)
        self._helper.join()
        self._rig.close()
        del self.added_us[:WARM_UP], self.run_us[:WARM_UP], self.handoff_us[:2 * WARM_UP]

    def _submit(self) -> None:
        self._rig.submit(self._stream)

    def _ended(self, span: Span, outcome: Outcome | None) -> None:
        if outcome is None:              # superseded: this host paused for two periods
            self.failed += 1
        else:
            self.added_us.append((self._clock.now_ns() - span.captured_ns) / 1e3 - span.run_s * 1e6)
            self.run_us.append(span.run_s * 1e6)
        pause_ns = ns(0.5 / RATE_HZ) if self._rests else 0
        self._loop.after(pause_ns, lambda: self._handoffs.put(self._clock.now_ns()))

    def _hand_back(self) -> None:
        """In a separate thread: the minimal hand-off, forth through a queue and back through the loop."""
        while (sent_ns := self._handoffs.get()) is not None:
            there_ns = self._clock.now_ns()
            self._loop.post(lambda at=sent_ns, there=there_ns: self._handed(at, there))

    def _handed(self, sent_ns: int, there_ns: int) -> None:
        self.handoff_us.append((there_ns - sent_ns) / 1e3)
        self.handoff_us.append((self._clock.now_ns() - there_ns) / 1e3)
        if self._rig.submitted >= REQUESTS + WARM_UP:
            self._loop.stop()
        elif not self._rests:
            self._loop.after(0, self._submit)


def measure(model: str = "detector") -> Figures:
    """`added_us`: p50 of delivery - request - run; `handoff_us`: p50 of one bare hand-off; `cpu`: cores in use."""
    offer = read_offer([model], HOST, Path(ARTEFACTS))
    sessions = Sessions(offer, HOST, Path(ARTEFACTS))
    blocks: dict[str, list[_Block]] = {prefix: [] for prefix in MODES}
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        for _ in range(ROUNDS):
            for prefix, mode in MODES.items():
                block = _Block(offer, sessions, model, mode)
                block.run()
                blocks[prefix].append(block)
    finally:
        sys.setswitchinterval(interval_s)
    figures: Figures = {"model": model, "rate_hz": RATE_HZ, "busy_poll_us": BUSY_POLL_S * 1e6}
    for prefix, some in blocks.items():
        figures |= {f"{prefix}{key}": value for key, value in _figures(some).items()}
    return figures


def _figures(blocks: list[_Block]) -> Figures:
    added, run, handoff = ([us for block in blocks for us in getattr(block, of)]
                           for of in ("added_us", "run_us", "handoff_us"))
    return {
        "requests": len(added), "failed": sum(block.failed for block in blocks), "run_us": quantile(run, 0.5),
        "added_us": quantile(added, 0.5), "added_p95_us": quantile(added, 0.95),
        "handoff_us": quantile(handoff, 0.5), "handoff_p95_us": quantile(handoff, 0.95),
        "cpu": round(sum(block.cpu_s for block in blocks) / sum(block.took_s for block in blocks), 3),
    }


def run(given: argparse.Namespace, progress: Callable[[str], None]) -> Figures:
    progress(f"{ROUNDS * (REQUESTS + WARM_UP)} requests in each mode")
    return measure()


def as_text(figures: Figures) -> str:
    """A row per mode."""
    modes = {"": "sleeps at once", "busy_": f"polls for {figures['busy_poll_us']:g} us", "warm_": "without pause"}
    rows = [(f"{figures['model']}, {words}", *(str(figures[f"{prefix}{key}"]) for key in (
        "requests", "run_us", "added_us", "added_p95_us", "handoff_us", "handoff_p95_us", "cpu")))
        for prefix, words in modes.items()]
    header = ("loop", "requests", "run us", "added us", "p95", "bare hand-off us", "p95", "cores")
    return text_table(header, rows, right=range(1, len(header)))
