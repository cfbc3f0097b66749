"""The time of several inputs at once beside one by one, and the gain of an overloaded agent.

Each shipped model, 2, 4 and 8 inputs at once, in turn with as many runs of one. Then one agent's own parts, one
executor and the detector: eight streams fall due together, half as much again as runs of one can do, in blocks that
take turns: as its profile has it, and with a profile that knows of no runs of several.
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
DEADLINE_RUNS = 20                   # deadlines, in runs of one
WAYS = ("batched", "one_by_one")
OVERLOADED = "overloaded"

Figures = dict[str, float | int | str | None]


def at_once(name: str, variant: str, rounds: int) -> Figures:
    """Median of one run, milliseconds, and the ratio of n at once to n runs of one, with the quartiles over rounds."""
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
    told: Figures = {"one_ms": round(float(np.median(one_ms)), 3)}
    for inputs, found in ratios.items():
        low, middle, high = (round(float(np.quantile(found, q)), 3) for q in (0.25, 0.5, 0.75))
        told |= {f"ratio{inputs}": middle, f"ratio{inputs}_low": low, f"ratio{inputs}_high": high}
    return told


class _Block:
    """Some seconds of one way."""

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


def overloaded(blocks: int, block_s: float, tell: Callable[[str], None]) -> Figures:
    """Requests of the detector completed in time, per second, both ways, and their ratio block by block."""
    offer = read_offer(["detector"], HOST, ARTEFACTS)
    sessions = Sessions(offer, HOST, ARTEFACTS)
    known = min(offer.profiles["detector"], key=lambda profile: profile.p50_s)
    profiles = {"batched": known, "one_by_one": msgspec.structs.replace(known, batch_s=[])}
    done: dict[str, list[_Block]] = {way: [] for way in WAYS}
    for k in range(blocks):
        tell(f"overloaded, block {k + 1} of {blocks}: {' and '.join(WAYS)}, {block_s:g} s each")
        for way in (WAYS, WAYS[::-1])[k % 2]:
            done[way].append(_Block(sessions, profiles[way], block_s))
            done[way][-1].run()
    rates = {way: [block.completed / block.took_s for block in some] for way, some in done.items()}
    batches = [block.scheduler.statistics() for block in done["batched"]]
    told: Figures = {"variant": known.variant, "most_at_once": len(known.batch_s)}
    for way, some in done.items():
        latency_ms = [ms for block in some for ms in block.latency_ms]
        told |= {
            f"{way}_per_s": round(float(np.median(rates[way])), 1),
            f"{way}_on_time": round(sum(b.completed for b in some) / sum(b.submitted for b in some), 3),
            f"{way}_p95_ms": quantile(latency_ms, 0.95) if latency_ms else None,
        }
    return told | {
        **gain(rates["batched"], rates["one_by_one"]),
        "batches": sum(s.batches for s in batches), "batched": sum(s.batched for s in batches),
    }


def gain(batched: Sequence[float], one_by_one: Sequence[float]) -> Figures:
    """Median, least and largest ratio of the two rates, block by block; null where it is infinite or of nothing.

    A block in which one by one nothing was done in time counts as infinitely better; one in which nothing was done
    either way is left out.
    """
    ratios = [with_ / without if without else math.inf
              for with_, without in zip(batched, one_by_one, strict=True) if with_ or without]
    found = (float(np.median(ratios)), min(ratios), max(ratios)) if ratios else (math.inf,) * 3
    return {name: round(value, 3) if math.isfinite(value) else None
            for name, value in zip(("gain", "gain_low", "gain_high"), found, strict=True)}


def measure(tell: Callable[[str], None] = lambda _: None) -> dict[str, Figures]:
    """`MODEL_VARIANT`: see `at_once`; `overloaded`: see there."""
    told = {}
    for name in names(Path(ARTEFACTS)):
        for variant in load_card(name, ARTEFACTS).variants:
            tell(f"{name} {variant}: {', '.join(map(str, SIZES))} at once and one by one, {ROUNDS} rounds")
            told[f"{name}_{variant}"] = at_once(name, variant, ROUNDS)
    return told | {OVERLOADED: overloaded(BLOCKS, BLOCK_S, tell)}


def run(given: argparse.Namespace, tell: Callable[[str], None]) -> dict[str, Figures]:
    return measure(tell)


def told(figures: dict[str, Figures]) -> str:
    """A row per variant, then the overloaded agent."""
    rows = [(name, f"{told['one_ms']}", *(
        f"{told[f'ratio{n}']} ({told[f'ratio{n}_low']} to {told[f'ratio{n}_high']})" for n in SIZES))
        for name, told in figures.items() if name != OVERLOADED]
    header = ("model", "one ms", *(f"{n} at once / one by one" for n in SIZES))
    over = figures[OVERLOADED]
    return text_table(header, rows, right=range(1, len(header))) + (
        f"detector {over['variant']}, up to {over['most_at_once']} at once, asked for {OVERLOAD:g} of what it can do "
        f"one by one: {over['batched_per_s']} in time per second against {over['one_by_one_per_s']} "
        f"(gain {over['gain']}, blocks {over['gain_low']} to {over['gain_high']}); "
        f"{over['batched_on_time']:.0%} against {over['one_by_one_on_time']:.0%} of all")
