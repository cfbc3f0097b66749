"""The time of a batch beside single runs, and the gain of batching on an overloaded agent.

First, each shipped model: a batch of 2, 4 or 8 inputs, alternating with as many single runs. Then one agent's own parts
with one executor and the detector: eight streams are due together, with 1.5 times the load that single runs can serve.
Blocks take turns: with the model's profile, and with a profile without batches.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np

from agents.peers.table import PeerTable
from agents.runtime.sessions import Sessions, read_offer
from agents.scheduling.scheduler import Scheduler
from models.batch_sizes import SIZES
from models.build.measure.timing import Stopwatch
from models.session import Session
from models.store import ARTEFACTS, artefact, load_card, names
from swarm.bench.support.rig import HOST, NAME, Rig, black_frame
from swarm.bench.support.stats import quantile
from swarm.core.policy.plan import Profile, StreamSpec
from swarm.core.protocol.spans import Span
from swarm.core.protocol.world import Outcome
from swarm.core.units import ns, seconds
from swarm.telemetry.text_table import text_table

ROUNDS = 25
BLOCKS = 6
BLOCK_S = 5.0
STREAMS = 8
OVERLOAD = 1.5
DEADLINE_RUNS = 20                   # deadline, in durations of a single run
MODES = ("batched", "one_by_one")
OVERLOADED = "overloaded"

Figures = dict[str, float | int | str | None]


def at_once(name: str, variant: str, rounds: int) -> Figures:
    """Median of a single run in ms, and the ratio of a batch of n to n single runs with its quartiles over rounds."""
    card = load_card(name, ARTEFACTS)
    session, (image,) = Session(artefact(card, variant, ARTEFACTS)), card.inputs
    pixels = np.random.default_rng(7).integers(0, 256, (max(SIZES), *image.shape[1:])).astype(np.uint8)
    watch, one_ms = Stopwatch(), list[float]()
    ratios: dict[int, list[float]] = {inputs: [] for inputs in SIZES}
    for _ in range(rounds):
        for inputs in SIZES:
            each_ms = [watch.time_ms(lambda k=k: session.run({image.name: pixels[k:k + 1]})) for k in range(inputs)]
            together_ms = watch.time_ms(lambda n=inputs: session.run({image.name: pixels[:n]}))
            one_ms += each_ms
            ratios[inputs].append(together_ms / sum(each_ms))
    figures: Figures = {"one_ms": round(float(np.median(one_ms)), 3)}
    for inputs, found in ratios.items():
        low, middle, high = (round(float(np.quantile(found, q)), 3) for q in (0.25, 0.5, 0.75))
        figures |= {f"ratio{inputs}": middle, f"ratio{inputs}_low": low, f"ratio{inputs}_high": high}
    return figures


class _Block:
    """Some seconds in one mode."""

    def __init__(self, sessions: Sessions, profile: Profile, block_s: float) -> None:
        self.completed, self.latency_ms = 0, list[float]()
        self.scheduler = Scheduler(
            name=NAME, policy="local", profiles={profile.model: [profile]}, peers=PeerTable()
        )
        self._rig = Rig(self.scheduler, sessions, black_frame(profile.model), self._ended)
        self._streams = [
            StreamSpec(name=f"rover_{k}", model=profile.model, rate_hz=1.0, deadline_s=DEADLINE_RUNS * profile.p50_s)
            for k in range(STREAMS)
        ]
        self._until_ns = self._rig.clock.now_ns() + ns(block_s)
        self._rig.loop.every(ns(STREAMS * profile.p50_s / OVERLOAD), self._due)
        self._open = 0

    def run(self) -> None:
        began_ns = self._rig.clock.now_ns()
        self._rig.loop.run()
        self.took_s = seconds(self._rig.clock.now_ns() - began_ns)
        self.submitted = self._rig.submitted
        self._rig.close()

    def _due(self) -> None:
        if self._rig.clock.now_ns() >= self._until_ns:
            if not self._open:
                self._rig.loop.stop()
            return
        for stream in self._streams:
            self._open += 1
            self._rig.submit(stream)

    def _ended(self, span: Span, outcome: Outcome | None) -> None:
        self._open -= 1
        if span.ending == "completed":
            self.completed += 1
            self.latency_ms.append(span.latency_s * 1e3)


def overloaded(blocks: int, block_s: float, progress: Callable[[str], None]) -> Figures:
    """The detector's requests completed on time per second, in both modes, and their ratio block by block."""
    offer = read_offer(["detector"], HOST, ARTEFACTS)
    sessions = Sessions(offer, HOST, ARTEFACTS)
    known = min(offer.profiles["detector"], key=lambda profile: profile.p50_s)
    profiles = {"batched": known, "one_by_one": msgspec.structs.replace(known, batch_s=[])}
    done: dict[str, list[_Block]] = {mode: [] for mode in MODES}
    for k in range(blocks):
        progress(f"overloaded, block {k + 1} of {blocks}: {' and '.join(MODES)}, {block_s:g} s each")
        for mode in (MODES, MODES[::-1])[k % 2]:
            done[mode].append(_Block(sessions, profiles[mode], block_s))
            done[mode][-1].run()
    rates = {mode: [block.completed / block.took_s for block in some] for mode, some in done.items()}
    batches = [block.scheduler.statistics() for block in done["batched"]]
    figures: Figures = {"variant": known.variant, "most_at_once": len(known.batch_s)}
    for mode, some in done.items():
        latency_ms = [ms for block in some for ms in block.latency_ms]
        figures |= {
            f"{mode}_per_s": round(float(np.median(rates[mode])), 1),
            f"{mode}_on_time": round(sum(b.completed for b in some) / sum(b.submitted for b in some), 3),
            f"{mode}_p95_ms": quantile(latency_ms, 0.95) if latency_ms else None,
        }
    return figures | {
        **gain(rates["batched"], rates["one_by_one"]),
        "batches": sum(s.batches for s in batches), "batched": sum(s.batched for s in batches),
    }


def gain(batched: Sequence[float], one_by_one: Sequence[float]) -> Figures:
    """Median, minimum and maximum of the ratio of both rates, block by block; null if infinite or without a block.

    If single runs completed nothing, the block's ratio is infinite. If both modes completed nothing, the block is left
    out.
    """
    ratios = [with_ / without if without else math.inf
              for with_, without in zip(batched, one_by_one, strict=True) if with_ or without]
    found = (float(np.median(ratios)), min(ratios), max(ratios)) if ratios else (math.inf,) * 3
    return {name: round(value, 3) if math.isfinite(value) else None
            for name, value in zip(("gain", "gain_low", "gain_high"), found, strict=True)}


def measure(progress: Callable[[str], None] = lambda _: None) -> dict[str, Figures]:
    """Key `MODEL_VARIANT`: see `at_once`. Key `overloaded`: see `overloaded`."""
    figures = {}
    for name in names(Path(ARTEFACTS)):
        for variant in (key for key, one in load_card(name, ARTEFACTS).variants.items() if one.batch > 1):
            progress(f"{name} {variant}: {', '.join(map(str, SIZES))} at once and one by one, {ROUNDS} rounds")
            figures[f"{name}_{variant}"] = at_once(name, variant, ROUNDS)
    return figures | {OVERLOADED: overloaded(BLOCKS, BLOCK_S, progress)}


def run(given: argparse.Namespace, progress: Callable[[str], None]) -> dict[str, Figures]:
    return measure(progress)


def as_text(figures: dict[str, Figures]) -> str:
    """A row per variant, then the overloaded agent."""
    rows = [(name, f"{one['one_ms']}", *(
        f"{one[f'ratio{n}']} ({one[f'ratio{n}_low']} to {one[f'ratio{n}_high']})" for n in SIZES))
        for name, one in figures.items() if name != OVERLOADED]
    header = ("model", "one ms", *(f"{n} at once / one by one" for n in SIZES))
    over = figures[OVERLOADED]
    return text_table(header, rows, right=range(1, len(header))) + (
        f"detector {over['variant']}, batches up to {over['most_at_once']}, load {OVERLOAD:g} times the capacity of "
        f"single runs: {over['batched_per_s']} on time per second against {over['one_by_one_per_s']} "
        f"(gain {over['gain']}, blocks {over['gain_low']} to {over['gain_high']}); "
        f"{over['batched_on_time']:.0%} against {over['one_by_one_on_time']:.0%} of all requests")
