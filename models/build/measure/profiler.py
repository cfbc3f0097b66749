"""How long a model takes on this machine: every variant whole and stage by stage, with one thread and with all."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from models import cache, store
from models.build.measure import batch_times
from models.build.measure.load_cost import Load, load
from models.build.measure.timing import Stopwatch, drawn, interleaved, run_time, spread
from models.profiles import ModelProfile, Piece, VariantProfile, slowed
from models.providers import order
from models.session import VERSION, Session
from models.store import ModelError
from swarm.core.settings.cards import Card, Precision, Provider, RunTime, crossing

Key = TypeVar("Key")
Took = NDArray[np.float64]           # milliseconds [rounds, pieces]
Say = Callable[[str], None]

ROUNDS = 120
"""Runs behind every figure."""


def profile(
    card: Card, *, board: str = "host", speed: Mapping[Precision, float] | None = None,
    on: Sequence[Provider] = ("cpu",), threads: int = 0, rounds: int, folder: Path | None = None,
    say: Say = lambda _: None,
) -> ModelProfile:
    """Measure all variants of a model. `speed` is that of an emulated board: times are divided by it, and it is said.

    on: the board's providers, best first; each variant runs on those that its card allows, as agents run it.
    Raises: ModelError, for a provider that is missing and for more threads than there are cores, too.

    All pieces take turns: a variant whole, then its stages one after the other, as a chain would run them; with one
    thread, then with `threads`, 0: one a core; and whole on several inputs at once, with one. `say` is told how far it
    is.
    """
    cores = len(os.sched_getaffinity(0))
    if threads > cores:
        raise ModelError(f"board {board}: threads: {threads}", f"this machine has {cores} cores for them",
                         f"a machine with as many cores, or threads: {cores} at most")
    threads = threads or cores
    used = {key: order(on, variant.providers, f"{card.name} {key}") for key, variant in card.variants.items()}
    steps: dict[tuple[str | int, ...], batch_times.Step] = {
        (key, whole, n): _step(card, key, whole, n, used[key], folder)
        for key in card.variants for n in (1, threads) for whole in (True, False) if whole or card.variants[key].stages}
    for key, variant in card.variants.items():
        for inputs in batch_times.sizes(variant, used[key]):
            session = Session(store.artefact(card, key, folder), on=used[key])
            steps[key, "row", inputs], steps[key, "at once", inputs] = batch_times.steps(session, inputs)
    took = interleaved(steps, rounds, progress=lambda done, of: say(f"timing {card.name}: {done} of {of} rounds"))
    variants = {}
    for key, variant in card.variants.items():
        files = [store.artefact(card, key, folder),
                 *(store.stage(card, key, k, folder) for k in range(len(variant.stages)))]
        pieces = []
        for i, path in enumerate(files):
            say(f"loading {card.name} {key}: {i + 1} of {len(files)} files")
            at = (key, i == 0)
            column = max(i - 1, 0)
            pieces.append(_piece(took[(*at, 1)][:, column], took[(*at, threads)][:, column], load(path, used[key])))
        scaled = [_slowed(piece, speed[variant.precision]) for piece in pieces] if speed else pieces
        variants[key] = VariantProfile(
            sha256=variant.sha256, whole=scaled[0], stages=scaled[1:],
            batches={n: batch_times.scaled(took[key, "row", n], took[key, "at once", n], n, scaled[0].run_time)
                     for n in batch_times.sizes(variant, used[key])},
            boundary_bytes=[sum(spec.bytes for spec in crossing(card, key, k)) for k in range(len(files))],
        )
    return ModelProfile(
        model=card.name, board=board, provider=on[0], runtime=VERSION, device=cache.device(), host=host(),
        emulated=speed is not None, speed=dict(speed or {}), threads=threads, variants=variants,
    )


def run_times(paths: Mapping[Key, Path], runs: int = 200) -> dict[Key, RunTime]:
    """Run times of several files, one thread each, interleaved."""
    took = interleaved({key: _chain([Session(path)]) for key, path in paths.items()}, runs)
    return {key: run_time(ms[:, 0]) for key, ms in took.items()}


def host() -> str:
    """The processor that times were measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    vnni = any("vnni" in line for line in lines if line.startswith("flags"))
    return f"{model}, {os.cpu_count()} cores, {'with' if vnni else 'without'} VNNI"


def _step(
    card: Card, key: str, whole: bool, threads: int, on: Sequence[Provider], folder: Path | None
) -> Callable[[], Sequence[float]]:
    paths = ([store.artefact(card, key, folder)] if whole
             else [store.stage(card, key, k, folder) for k in range(len(card.variants[key].stages))])
    return _chain([Session(path, threads, on) for path in paths])


def _chain(sessions: Sequence[Session]) -> Callable[[], list[float]]:
    """A step that runs sessions one after the other on tensors of the right kind, and times each."""
    draws, watch = np.random.default_rng(7), Stopwatch()

    def step() -> list[float]:
        took_ms = []
        tensors = drawn(sessions[0].inputs, draws)
        for session in sessions:
            lacking = [spec for spec in session.inputs if spec.name not in tensors]
            inputs = {spec.name: tensors[spec.name] for spec in session.inputs if spec not in lacking}
            inputs |= drawn(lacking, draws)          # inputs of the graph that only later stages take
            made: list[NDArray] = []
            took_ms.append(watch.time_ms(lambda run=session.run, given=inputs, out=made: out.extend(run(given))))
            tensors |= dict(zip((spec.name for spec in session.outputs), made, strict=True))
        return took_ms

    return step


def _piece(one: Took, many: Took, loaded: Load) -> Piece:
    return Piece(
        run_time=run_time(one), run_time_threads=run_time(many), p99_ms=round(float(np.quantile(one, 0.99)), 4),
        spread=spread(one), load_cold_ms=loaded.cold_ms, load_warm_ms=loaded.warm_ms,
        memory_bytes=loaded.memory_bytes, peak_bytes=loaded.peak_bytes,
    )


def _slowed(piece: Piece, speed: float) -> Piece:
    """As on a board of this speed; memory is the same."""
    return msgspec.structs.replace(
        piece, run_time=slowed(piece.run_time, speed), run_time_threads=slowed(piece.run_time_threads, speed),
        p99_ms=round(piece.p99_ms / speed, 4), load_cold_ms=round(piece.load_cold_ms / speed, 2),
        load_warm_ms=round(piece.load_warm_ms / speed, 2),
    )
