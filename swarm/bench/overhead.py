"""What the runtime adds to a run: delivery minus request minus run, within each request, beside a bare thread hand-off.

One agent's own parts (scheduler, driver, executor, loop) and a real model, fed by a timer at 50 Hz in this process; the
hand-off is measured in the same run, between the requests: a thread is woken through a queue and wakes the loop back.
"""

from __future__ import annotations

import json
import queue
import threading
from pathlib import Path

import numpy as np

from agents import events as ev
from agents.catalogue import Catalogue
from agents.driver import Driver, Input
from agents.presence import Presence
from agents.scheduler import Scheduler
from models.store import ARTEFACTS
from swarm.bench.stats import quantile
from swarm.core.clock import MonotonicClock, ns
from swarm.core.config import AgentFile, Board
from swarm.core.plan import StreamSpec
from swarm.core.spans import RequestId, Span
from swarm.core.world import CAMERA, Outcome
from swarm.net.endpoint import Endpoint
from swarm.net.loop import Loop

RATE_HZ = 50.0
HOST = Board(speed={"fp32": 1.0, "int8": 1.0}, memory_mb=0, power_w=0.0, source="this machine", emulated=False)
WARM_UP = 50


class _Bench:
    """Requests and hand-offs in turn, a period apart."""

    def __init__(self, model: str, requests: int) -> None:
        self.clock = MonotonicClock()
        self.loop = Loop(self.clock)
        self.net = Endpoint(self.loop, swarm="bench", name="bench", role="agent", boot=1, handler=lambda _: None)
        catalogue = Catalogue([model], HOST, Path(ARTEFACTS))
        profiles = catalogue.profiles
        scheduler = Scheduler(name="bench", policy="local", profiles=profiles, presence=Presence())
        self.stream = StreamSpec(name="bench", model=model, rate_hz=RATE_HZ, deadline_s=1.0)
        settings = AgentFile(
            version=1, name="bench", swarm="bench", board_name="host", board=HOST, streams=[self.stream]
        )
        self.driver = Driver(settings, self.loop, self.net, scheduler, catalogue, self.ended)
        self.frame = np.zeros((CAMERA.height_px, CAMERA.width_px, 3), np.uint8)
        self.left = requests + WARM_UP
        self.added_us: list[float] = []
        self.run_us: list[float] = []
        self.handoff_us: list[float] = []
        self.failed = 0
        self.asked: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self.helper = threading.Thread(target=self.hand_back, daemon=True)
        self.helper.start()

    def run(self) -> None:
        self.loop.every(ns(1.0 / RATE_HZ), self.request)
        self.loop.run()
        self.asked.put(None)
        self.helper.join()
        self.driver.executor.close()
        self.net.close()
        self.loop.close()

    def request(self) -> None:
        now = self.clock.now_ns()
        self.left -= 1
        request = RequestId("bench", 1, self.left)
        self.driver.arrived(
            ev.RequestArrived(request=request, stream=self.stream, captured_ns=now, deadline_ns=now + ns(1.0)),
            Input(self.frame),
        )

    def ended(self, span: Span, outcome: Outcome | None, data: Input) -> None:
        if outcome is None:              # superseded: this host stood still for two periods
            self.failed += 1
        else:
            self.added_us.append((self.clock.now_ns() - span.captured_ns) / 1e3 - span.run_s * 1e6)
            self.run_us.append(span.run_s * 1e6)
        self.loop.after(ns(0.5 / RATE_HZ), lambda: self.asked.put(self.clock.now_ns()))

    def hand_back(self) -> None:
        """In a thread of its own: as bare as a hand-off can be, there through a queue and back through the loop."""
        while (sent_ns := self.asked.get()) is not None:
            there_ns = self.clock.now_ns()
            self.loop.post(lambda at=sent_ns, there=there_ns: self.handed(at, there))

    def handed(self, sent_ns: int, there_ns: int) -> None:
        self.handoff_us.append((there_ns - sent_ns) / 1e3)
        self.handoff_us.append((self.clock.now_ns() - there_ns) / 1e3)
        if self.left <= 0:
            self.loop.stop()


def measure(model: str = "detector", requests: int = 500) -> dict[str, float | int | str]:
    """`added_us`: p50 of delivery - request - run; `handoff_us`: p50 of one bare hand-off; both with their p95."""
    bench = _Bench(model, requests)
    bench.run()
    added, handoff = bench.added_us[WARM_UP:], bench.handoff_us[2 * WARM_UP:]
    return {
        "model": model, "requests": len(added), "failed": bench.failed, "rate_hz": RATE_HZ,
        "run_us": quantile(bench.run_us, 0.5),
        "added_us": quantile(added, 0.5), "added_p95_us": quantile(added, 0.95),
        "handoff_us": quantile(handoff, 0.5), "handoff_p95_us": quantile(handoff, 0.95),
    }


def main(as_json: bool) -> int:
    figures = measure()
    if as_json:
        print(json.dumps(figures))
    else:
        print(f"{figures['model']}, {figures['requests']} requests at {RATE_HZ:g} Hz, run {figures['run_us']} us: the "
              f"runtime adds {figures['added_us']} us (p95 {figures['added_p95_us']}); a bare hand-off takes "
              f"{figures['handoff_us']} us (p95 {figures['handoff_p95_us']})")
    return 0
