"""Measures the run times of a model on this machine: each variant whole and by stage, with one thread and several."""

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
from models.build.measure.load_cost import LoadCost, measure_load
from models.build.measure.timing import Stopwatch, interleaved, run_time, spread, timing_inputs
from models.profiles import FileProfile, ModelProfile, VariantProfile, runnable, slowed
from models.providers import order
from models.session import VERSION, Session
from models.store import ModelError
from swarm.core.settings.cards import Card, Precision, Provider, RunTime, crossing

Key = TypeVar("Key")
TimesMs = NDArray[np.float64]        # milliseconds [rounds, files]
Say = Callable[[str], None]

ROUNDS = 120
"""Runs for each figure."""


def profile(
    card: Card, *, board: str = "host", speed: Mapping[Precision, float] | None = None, overhead_ms: float = 0.0,
    on: Sequence[Provider] = ("cpu",), threads: int = 0, rounds: int, folder: Path | None = None,
    say: Say = lambda _: None,
) -> ModelProfile:
    """Measure all variants of a model that may run here. speed, overhead_ms: of an emulated board; times are divided by
    its speed, and the overhead is added.

    on: the board's providers, best first; each variant runs on those that its card allows, as on an agent. Variants
    that no provider of the board may run are left out.
    Raises: ModelError, also for a missing provider and for more threads than cores.

    All timings are interleaved: each variant whole, and its stages as a chain, both with one thread and with `threads`
    (0: one per core); and batches of the whole with one thread. `say` is called with the progress.
    """
    cores = len(os.sched_getaffinity(0))
    if threads > cores:
        raise ModelError(f"board {board}: threads: {threads}", f"this machine has only {cores} cores",
                         f"a machine with enough cores, or threads: {cores} at most")
    threads = threads or cores
    ran = {key: card.variants[key] for key in runnable(card, on)}
    used = {key: order(on, variant.providers, f"{card.name} {key}") for key, variant in ran.items()}
    steps: dict[tuple[str | int, ...], batch_times.Step] = {
        (key, whole, n): _step(card, key, whole, n, used[key], folder)
        for key in ran for n in (1, threads) for whole in (True, False) if whole or ran[key].stages}
    for key, variant in ran.items():
        for inputs in batch_times.sizes(variant, used[key]):
            session = Session(store.artefact(card, key, folder), on=used[key], precision=variant.precision)
            steps[key, "row", inputs], steps[key, "at once", inputs] = batch_times.steps(session, inputs)
    took = interleaved(steps, rounds, progress=lambda done, of: say(f"timing {card.name}: {done} of {of} rounds"))
    variants = {}
    for key, variant in ran.items():
        files = [store.artefact(card, key, folder),
                 *(store.stage(card, key, k, folder) for k in range(len(variant.stages)))]
        profiles = []
        for i, path in enumerate(files):
            say(f"loading {card.name} {key}: {i + 1} of {len(files)} files")
            at = (key, i == 0)
            column = max(i - 1, 0)
            loaded = measure_load(path, used[key], variant.precision)
            profiles.append(_file_profile(took[(*at, 1)][:, column], took[(*at, threads)][:, column], loaded))
        slow = None if speed is None else speed.get(variant.precision, speed["fp32"])
        scaled = [_scaled_by_speed(one, slow, overhead_ms) for one in profiles] if slow else profiles
        variants[key] = VariantProfile(
            sha256=variant.sha256, whole=scaled[0], stages=scaled[1:],
            batches={n: batch_times.scaled(took[key, "row", n], took[key, "at once", n], n, scaled[0].run_time)
                     for n in batch_times.sizes(variant, used[key])},
            boundary_bytes=[sum(spec.bytes for spec in crossing(card, key, k)) for k in range(len(files))],
        )
    return ModelProfile(
        model=card.name, board=board, provider=on[0], runtime=VERSION, device=cache.device(), host=host_processor(),
        emulated=speed is not None, speed=dict(speed or {}), overhead_ms=overhead_ms if speed else 0.0, threads=threads,
        variants=variants,
    )


def run_times(paths: Mapping[Key, Path], runs: int = 200) -> dict[Key, RunTime]:
    """Run times of several files, interleaved, with one thread each."""
    return {key: run_time(took_ms) for key, took_ms in times_ms(paths, runs).items()}


def times_ms(paths: Mapping[Key, Path], rounds: int, watch: Stopwatch | None = None) -> dict[Key, TimesMs]:
    """Milliseconds of each round of several files, interleaved, with one thread each; [rounds]."""
    took = interleaved({key: _chain([Session(path)], watch) for key, path in paths.items()}, rounds)
    return {key: ms[:, 0] for key, ms in took.items()}


def host_processor() -> str:
    """Description of this machine's processor."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    vnni = any("vnni" in line for line in lines if line.startswith("flags"))
    return f"{model}, {os.cpu_count()} cores, {'with' if vnni else 'without'} VNNI"


def _step(
    card: Card, key: str, whole: bool, threads: int, on: Sequence[Provider], folder: Path | None
) -> Callable[[], Sequence[float]]:
    paths = ([store.artefact(card, key, folder)] if whole
             else [store.stage(card, key, k, folder) for k in range(len(card.variants[key].stages))])
    precision = card.variants[key].precision
    return _chain([Session(path, threads, on, precision=precision) for path in paths])


def _chain(sessions: Sequence[Session], watch: Stopwatch | None = None) -> Callable[[], list[float]]:
    """A step that runs sessions as a chain on random inputs, and returns the time of each in milliseconds."""
    draws, watch = np.random.default_rng(7), watch or Stopwatch()

    def step() -> list[float]:
        took_ms = []
        tensors = timing_inputs(sessions[0].inputs, draws)
        for session in sessions:
            missing = [spec for spec in session.inputs if spec.name not in tensors]
            inputs = {spec.name: tensors[spec.name] for spec in session.inputs if spec not in missing}
            inputs |= timing_inputs(missing, draws)          # inputs of the graph that only later stages read
            made: list[NDArray] = []
            took_ms.append(watch.time_ms(lambda run=session.run, feed=inputs, out=made: out.extend(run(feed))))
            tensors |= dict(zip((spec.name for spec in session.outputs), made, strict=True))
        return took_ms

    return step


def _file_profile(one: TimesMs, many: TimesMs, loaded: LoadCost) -> FileProfile:
    return FileProfile(
        run_time=run_time(one), run_time_threads=run_time(many), p99_ms=round(float(np.quantile(one, 0.99)), 4),
        spread=spread(one), load_cold_ms=loaded.cold_ms, load_warm_ms=loaded.warm_ms,
        memory_bytes=loaded.memory_bytes, peak_bytes=loaded.peak_bytes,
    )


def _scaled_by_speed(one: FileProfile, speed: float, overhead_ms: float) -> FileProfile:
    """The profile on a board of this relative speed; memory is the same."""
    return msgspec.structs.replace(
        one, run_time=slowed(one.run_time, speed, overhead_ms),
        run_time_threads=slowed(one.run_time_threads, speed, overhead_ms),
        p99_ms=round(overhead_ms + one.p99_ms / speed, 4), load_cold_ms=round(one.load_cold_ms / speed, 2),
        load_warm_ms=round(one.load_warm_ms / speed, 2),
    )
