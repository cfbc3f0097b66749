"""The latency of an urgent model beside a background model that always has work, on one executor and one core.

SqueezeNet is due ten times per second. DenseNet, on several images at once, is requested again whenever it ends. Blocks
take turns: each of the two alone, both in order of arrival without preemption, and both as an agent runs them. The
networks are those of the onnx package, with random weights. Each run uses one thread.
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
IMAGES = 5                           # batch of the background model: a run takes over 300 ms
ROUNDS = 11
BLOCK_S = 10.0
END_S = 30.0                         # a request that is open so long after its block is lost
PROFILED = 7                         # profiled runs of each stage
NO_FRAME = np.zeros((1, 1, 3), np.uint8)         # the networks have fixed inputs
MODES: dict[str, tuple[bool, bool, bool]] = {     # mode -> with urgent, with background, in order of arrival
    "solo": (True, False, False), "lone": (False, True, True), "fcfs": (True, True, True),
    "preempt": (True, True, False)}

Figures = dict[str, float | int | str]


class SameInput:
    """A task with a constant input and an empty outcome."""

    def __init__(self, tensors: dict[str, NDArray]) -> None:
        self._tensors = tensors

    def preprocess(self, frame: NDArray) -> dict[str, NDArray]:
        return self._tensors

    def postprocess(self, outputs: Sequence[NDArray]) -> Detections:
        return Detections(boxes=[])


class Fcfs:
    """The reference: first come, first served; each run is completed."""

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
        """Nothing to update."""


class LoadedNetworks:
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
        sample = network.sample_inputs[0]
        task = SameInput(sample)
        watch = Stopwatch()
        whole_s = [watch.time_ms(lambda: whole.run(sample)) / 1e3 for _ in range(PROFILED)]
        by_stage: list[list[float]] = [[] for _ in network.stages[stages]]
        for _ in range(PROFILED):
            tensors = sample
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
    """Results of one block in one mode."""

    urgent_s: list[float] = []
    background: int = 0              # runs that ended
    background_s: float = 0.0        # from the start of the block to the end of the last run
    submitted: int = 0
    ended: int = 0
    failed: int = 0
    preempted: int = 0
    cut: int = 0


class _Run:
    """Executes one block in one mode."""

    def __init__(
        self, networks: LoadedNetworks, urgent: bool, background: bool, in_order: bool, block_s: float
    ) -> None:
        self.block = Block()
        self._scheduler = Fcfs() if in_order else Scheduler(
            name=NAME, policy="local", profiles=networks.profiles, peers=PeerTable(),
            staged=[(model, VARIANT) for model in networks.profiles],
        )
        self._rig = Rig(self._scheduler, networks, NO_FRAME, self._ended)
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
        """Latency counts from the due time of the frame, not from when the loop handles it."""
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


def measure(
    rounds: int = ROUNDS, block_s: float = BLOCK_S, progress: Callable[[str], None] = lambda _: None
) -> Figures:
    """p99 of the urgent model alone, in order of arrival, and with preemption; throughput of the background.

    `background_throughput_ratio`: runs per second / runs per second of the background alone in the time that the urgent
    model leaves free. `lost`: requests that did not end. `failed`: requests that ended without a result.
    """
    cores = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory(prefix="swarm-") as folder:
        os.sched_setaffinity(0, {min(cores)})
        try:
            networks = LoadedNetworks(Path(folder))
            blocks: dict[str, list[Block]] = {mode: [] for mode in MODES}
            for k in range(rounds):
                progress(f"round {k + 1} of {rounds}: {', '.join(MODES)}, {block_s:g} s each")
                for mode in [*list(MODES)[k % len(MODES):], *list(MODES)[:k % len(MODES)]]:
                    blocks[mode].append(_Run(networks, *MODES[mode], block_s).run())
        finally:
            os.sched_setaffinity(0, cores)
    return _figures(networks, blocks)


def _figures(networks: LoadedNetworks, blocks: dict[str, list[Block]]) -> Figures:
    ms = {way: [s * 1e3 for block in some for s in block.urgent_s] for way, some in blocks.items()}
    p99 = {way: quantile(ms[way], 0.99) for way in ("solo", "fcfs", "preempt")}
    rate = {way: sum(b.background for b in blocks[way]) / sum(b.background_s for b in blocks[way])
            for way in ("lone", "fcfs", "preempt")}
    share = URGENT.rate_hz * float(np.median(ms["solo"])) / 1e3
    left = rate["lone"] * (1.0 - share)
    all_blocks = [block for some in blocks.values() for block in some]
    return {
        "urgent": URGENT.model, "background": BACKGROUND.model, "executors": 1, "threads": 1, "cores": 1,
        "stages": len(networks.profiles[BACKGROUND.model][0].stages), "urgent_requests": len(ms["preempt"]),
        "background_ms": round(networks.profiles[BACKGROUND.model][0].p50_s * 1e3, 1),
        "solo_p50_ms": quantile(ms["solo"], 0.5), "solo_p99_ms": p99["solo"],
        "fcfs_p50_ms": quantile(ms["fcfs"], 0.5), "fcfs_p99_ms": p99["fcfs"],
        "preempt_p50_ms": quantile(ms["preempt"], 0.5), "preempt_p99_ms": p99["preempt"],
        "over_solo": round(p99["preempt"] / p99["solo"], 2), "gain": round(p99["fcfs"] / p99["preempt"], 1),
        "urgent_share": round(share, 3), "background_throughput_ratio": round(rate["preempt"] / left, 3),
        "fcfs_throughput_ratio": round(rate["fcfs"] / left, 3),
        "preempted": sum(b.preempted for b in all_blocks), "cut": sum(b.cut for b in all_blocks),
        "failed": sum(b.failed for b in all_blocks), "lost": sum(b.submitted - b.ended for b in all_blocks),
    }


def run(given: argparse.Namespace, progress: Callable[[str], None]) -> Figures:
    return measure(progress=progress)


def as_text(figures: Figures) -> str:
    """A row per mode, then the throughput of the background."""
    ways = (("alone", "solo"), ("in order of arrival", "fcfs"), ("with preemption", "preempt"))
    rows = [(words, str(figures[f"{way}_p50_ms"]), str(figures[f"{way}_p99_ms"])) for words, way in ways]
    return (f"{figures['urgent']}, {URGENT.rate_hz:g} Hz, {figures['urgent_requests']} requests, beside "
            f"{figures['background']} of {figures['background_ms']} ms in {figures['stages']} stages:\n"
            + text_table((str(figures["urgent"]), "p50 ms", "p99 ms"), rows, right=(1, 2))
            + f"p99 with preemption is {figures['over_solo']} times p99 alone; p99 in order of arrival is "
            f"{figures['gain']} times p99 with preemption\n"
            f"the background reaches {figures['background_throughput_ratio']:.0%} of its possible throughput; it was "
            f"preempted {figures['preempted']} times, {figures['cut']} of them within a stage; lost {figures['lost']}")
