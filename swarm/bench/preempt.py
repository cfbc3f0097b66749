"""The latency of an urgent model beside one that always has work, on one executor, one thread and one core.

SqueezeNet falls due ten times a second; DenseNet, on several images at once, is asked for again whenever it ends.
Blocks take turns: each of the two alone, both with runs to completion in the order of arrival, and both as an agent
runs them. The networks are those of the onnx package, with random weights.
"""

from __future__ import annotations

import argparse
import collections
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from agents.peers.table import PeerTable
from agents.runtime.emulation import VariantTimes
from agents.runtime.sessions import Loaded
from agents.scheduling import events as ev
from agents.scheduling.scheduler import Scheduler
from models.build.measure.timing import Stopwatch
from models.pipeline import Pipeline
from models.session import Session
from swarm.bench.support.rig import NAME, Rig
from swarm.bench.support.stats import quantile
from swarm.core.policy.plan import MOST_STAGES, Leg, Profile, StageProfile, StreamSpec
from swarm.core.protocol.spans import Span
from swarm.core.protocol.world import Detections, Outcome
from swarm.core.units import ns, seconds
from swarm.telemetry.text_table import text_table

NEEDS = ("onnx",)
URGENT = StreamSpec(name="urgent", model="squeezenet", rate_hz=10.0, deadline_s=30.0, priority=3)
BACKGROUND = StreamSpec(name="background", model="densenet121", rate_hz=10.0, deadline_s=120.0)
VARIANT = "fp32"
IMAGES = 5                           # of the background at once: over 300 ms
ROUNDS = 11
BLOCK_S = 10.0
END_S = 30.0                         # what has not ended so long after its block is lost
PROFILED = 7                         # runs of each stage
NO_FRAME = np.zeros((1, 1, 3), np.uint8)         # the networks run on inputs of their own
WAYS: dict[str, tuple[bool, bool, bool]] = {      # way -> urgent and background take part; in the order of arrival
    "solo": (True, False, False), "lone": (False, True, True), "fcfs": (True, True, True),
    "preempt": (True, True, False)}

Figures = dict[str, float | int | str]


class SameInput:
    """A task whose network always gets the same input, and whose outcome is empty."""

    def __init__(self, given: dict[str, NDArray]) -> None:
        self._given = given

    def preprocess(self, frame: NDArray) -> dict[str, NDArray]:
        return self._given

    def postprocess(self, outputs: Sequence[NDArray]) -> Detections:
        return Detections(boxes=[])


class Fcfs:
    """The reference: one run after the other, each to its end, in the order of arrival."""

    def __init__(self) -> None:
        self._waiting: collections.deque[Span] = collections.deque()
        self._running: Span | None = None
        self._key = 0

    def handle(self, event: ev.Event, now: int) -> list[ev.Command]:
        out: list[ev.Command] = []
        if isinstance(event, ev.RequestArrived):
            self._waiting.append(Span(
                request=event.request, stream=event.stream.name, model=event.stream.model, priority=0,
                captured_ns=event.captured_ns, submitted_ns=now, deadline_ns=event.deadline_ns,
            ))
        elif isinstance(event, ev.StageDone) and self._running is not None:
            span, self._running = self._running, None
            span.ended_ns, span.ending, span.run_s = now, "completed", seconds(event.finished_ns - event.started_ns)
            out.append(ev.Deliver(span=span, outcome=event.made))
        if self._running is None and self._waiting:
            span = self._running = self._waiting.popleft()
            self._key += 1
            out.append(ev.RunStage(
                work=self._key, request=span.request, asker="", model=span.model, variant=VARIANT, leg=Leg(NAME)
            ))
        return out

    def learn(self) -> None:
        """It learns nothing."""


class Held:
    """The two networks in memory, with their profiles."""

    def __init__(self, folder: Path) -> None:
        self._loaded: dict[str, Loaded] = {}
        self.profiles: dict[str, list[Profile]] = {}
        for stream, stages, images in ((URGENT, 2, 1), (BACKGROUND, MOST_STAGES, IMAGES)):
            self._load(stream.model, folder / stream.model, stages, images)

    def get(self, model: str, variant: str) -> Loaded:
        return self._loaded[model]

    def _load(self, model: str, folder: Path, stages: int, images: int) -> None:
        from models.build.measure.split_files import write_split_files

        folder.mkdir()
        network = write_split_files(model, (stages,), folder, 1, images)
        whole = Session(network.stages[1][0])
        pipeline = Pipeline([Session(path) for path in network.stages[stages]], network.inputs, network.outputs)
        given = network.sample_inputs[0]
        task = SameInput(given)
        watch = Stopwatch()
        whole_s = [watch.time_ms(lambda: whole.run(given)) / 1e3 for _ in range(PROFILED)]
        by_stage: list[list[float]] = [[] for _ in network.stages[stages]]
        for _ in range(PROFILED):
            tensors = given
            for k, took_s in enumerate(by_stage):
                made: list[dict[str, Any]] = []
                took_s.append(watch.time_ms(lambda t=tensors, k=k, m=made: m.append(pipeline.run(t, k, k + 1))) / 1e3)
                tensors = made[0]
        self._loaded[model] = Loaded(
            whole, task, network.inputs, VariantTimes(_quantiles(whole_s), [_quantiles(s) for s in by_stage]), pipeline
        )
        self.profiles[model] = [Profile(
            model=model, variant=VARIANT, p50_s=_middle(whole_s), p95_s=max(whole_s), memory_bytes=0, accuracy=1.0,
            input_bytes=0, stages=[StageProfile(_middle(s), max(s), 0) for s in by_stage],
        )]


def _quantiles(values: list[float]) -> list[float]:
    return [float(q) for q in np.quantile(values, np.linspace(0, 1, 21))]


def _middle(values: list[float]) -> float:
    return float(np.median(values))


class Block(msgspec.Struct):
    """What came of one way for some seconds."""

    urgent_s: list[float] = []
    background: int = 0              # runs that ended
    background_s: float = 0.0        # from the first's beginning to the last's end
    submitted: int = 0
    ended: int = 0
    failed: int = 0
    preempted: int = 0
    cut: int = 0


class _Way:
    """One block of one way."""

    def __init__(self, held: Held, urgent: bool, background: bool, in_order: bool, block_s: float) -> None:
        self.block = Block()
        self._scheduler = Fcfs() if in_order else Scheduler(
            name=NAME, policy="local", profiles=held.profiles, peers=PeerTable(),
            staged=[(model, VARIANT) for model in held.profiles],
        )
        self._rig = Rig(self._scheduler, held, NO_FRAME, self._ended)
        self._began_ns = self._rig.clock.now_ns()
        self._until_ns = self._began_ns + ns(block_s)
        if background:
            self._rig.loop.post(lambda: self._rig.submit(BACKGROUND))
        if urgent:
            self._due_ns = self._began_ns
            self._next()
        self._rig.loop.at(self._until_ns, self._stop_if_done)
        self._rig.loop.at(self._until_ns + ns(END_S), self._rig.loop.stop)

    def run(self) -> Block:
        self._rig.loop.run()
        self._rig.close()
        self.block.submitted = self._rig.submitted
        if isinstance(self._scheduler, Scheduler):
            statistics = self._scheduler.statistics()
            self.block.preempted, self.block.cut = statistics.preempted, statistics.preempted_mid_stage
        return self.block

    def _next(self) -> None:
        """Latency counts from when a frame falls due, not from when the loop has come round to it."""
        self._due_ns += ns(1.0 / URGENT.rate_hz)
        if self._due_ns < self._until_ns:
            self._rig.loop.at(self._due_ns, self._due)

    def _due(self) -> None:
        self._rig.submit(URGENT, self._due_ns)
        self._next()

    def _ended(self, span: Span, outcome: Outcome | None) -> None:
        now = self._rig.clock.now_ns()
        self.block.ended += 1
        self.block.failed += outcome is None
        if span.stream == URGENT.name:
            self.block.urgent_s.append(seconds(now - span.captured_ns))
        else:
            self.block.background += outcome is not None
            self.block.background_s = seconds(now - self._began_ns)
            if now < self._until_ns:
                self._rig.submit(BACKGROUND)
        self._stop_if_done()

    def _stop_if_done(self) -> None:
        if self._rig.clock.now_ns() >= self._until_ns and self.block.ended == self._rig.submitted:
            self._rig.loop.stop()


def measure(rounds: int = ROUNDS, block_s: float = BLOCK_S, tell: Callable[[str], None] = lambda _: None) -> Figures:
    """p99 of the urgent model alone, in the order of arrival, and preempting; what the background keeps.

    `background_throughput_ratio`: runs per second, to what the background does alone in the time that the urgent model
    leaves it, whole and without others. `lost`: requests that did not end; `failed`: that ended without a result.
    """
    cores = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory(prefix="swarm-") as folder:
        os.sched_setaffinity(0, {min(cores)})
        try:
            held = Held(Path(folder))
            blocks: dict[str, list[Block]] = {way: [] for way in WAYS}
            for k in range(rounds):
                tell(f"round {k + 1} of {rounds}: {', '.join(WAYS)}, {block_s:g} s each")
                for way in [*list(WAYS)[k % len(WAYS):], *list(WAYS)[:k % len(WAYS)]]:
                    blocks[way].append(_Way(held, *WAYS[way], block_s).run())
        finally:
            os.sched_setaffinity(0, cores)
    return _figures(held, blocks)


def _figures(held: Held, blocks: dict[str, list[Block]]) -> Figures:
    ms = {way: [s * 1e3 for block in some for s in block.urgent_s] for way, some in blocks.items()}
    p99 = {way: quantile(ms[way], 0.99) for way in ("solo", "fcfs", "preempt")}
    rate = {way: sum(b.background for b in blocks[way]) / sum(b.background_s for b in blocks[way])
            for way in ("lone", "fcfs", "preempt")}
    share = URGENT.rate_hz * float(np.median(ms["solo"])) / 1e3
    left = rate["lone"] * (1.0 - share)
    everything = [block for some in blocks.values() for block in some]
    return {
        "urgent": URGENT.model, "background": BACKGROUND.model, "executors": 1, "threads": 1, "cores": 1,
        "stages": len(held.profiles[BACKGROUND.model][0].stages), "urgent_requests": len(ms["preempt"]),
        "background_ms": round(held.profiles[BACKGROUND.model][0].p50_s * 1e3, 1),
        "solo_p50_ms": quantile(ms["solo"], 0.5), "solo_p99_ms": p99["solo"],
        "fcfs_p50_ms": quantile(ms["fcfs"], 0.5), "fcfs_p99_ms": p99["fcfs"],
        "preempt_p50_ms": quantile(ms["preempt"], 0.5), "preempt_p99_ms": p99["preempt"],
        "over_solo": round(p99["preempt"] / p99["solo"], 2), "gain": round(p99["fcfs"] / p99["preempt"], 1),
        "urgent_share": round(share, 3), "background_throughput_ratio": round(rate["preempt"] / left, 3),
        "fcfs_throughput_ratio": round(rate["fcfs"] / left, 3),
        "preempted": sum(b.preempted for b in everything), "cut": sum(b.cut for b in everything),
        "failed": sum(b.failed for b in everything), "lost": sum(b.submitted - b.ended for b in everything),
    }


def run(given: argparse.Namespace, tell: Callable[[str], None]) -> Figures:
    return measure(tell=tell)


def told(figures: Figures) -> str:
    """A row per way, then what the background keeps."""
    ways = (("alone", "solo"), ("in the order of arrival", "fcfs"), ("preempting", "preempt"))
    rows = [(words, str(figures[f"{way}_p50_ms"]), str(figures[f"{way}_p99_ms"])) for words, way in ways]
    return (f"{figures['urgent']}, {URGENT.rate_hz:g} Hz, {figures['urgent_requests']} requests, beside "
            f"{figures['background']} of {figures['background_ms']} ms in {figures['stages']} stages:\n"
            + text_table((str(figures["urgent"]), "p50 ms", "p99 ms"), rows, right=(1, 2))
            + f"p99 preempting is {figures['over_solo']} times that alone; in the order of arrival it is "
            f"{figures['gain']} times that preempting\n"
            f"the background keeps {figures['background_throughput_ratio']:.0%} of what is left to it; it was "
            f"preempted {figures['preempted']} times, {figures['cut']} of them within a stage; lost {figures['lost']}")
