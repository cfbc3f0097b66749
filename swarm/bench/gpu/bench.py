"""What a GPU makes of our models: loads, agreement with the CPU, run times, the price of stages, aborts, engines.

Each variant runs on each provider of the GPU that its card allows, whole and cut into its stages. Engines are built in
an empty cache, so that the first load of a file is a miss and the second a hit. All ends within 8 minutes: what does
not fit into them is named in `left_out`.
"""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models import store
from models.gpu.agreement import agreement
from models.pipeline import Pipeline
from models.providers import allowed
from models.session import Aborted, RunFailed
from models.store import ModelError
from swarm.bench.gpu.runtime import Loaded, Runtime, ThisMachine, empty_cache, gpu_providers
from swarm.core.clock import MonotonicClock
from swarm.core.settings.cards import Card, Precision, Provider, network
from swarm.core.settings.rules import known
from swarm.core.units import seconds
from swarm.telemetry.text_table import text_table

LIMIT_S = 460.0                      # of 8 minutes, with room for the start
RUNS, ABORTS, INPUTS = 100, 20, 8
SEED = 7

Say = Callable[[str], None]
Now = Callable[[], float]
Row = dict[str, Any]
Expected = dict[tuple[str, str], list[list[NDArray]]]
"""By model and network: what it gives on the CPU, in float32, for each input."""


class Case(NamedTuple):
    """A variant on a provider."""

    card: Card
    variant: str
    on: tuple[Provider, ...]

    def __str__(self) -> str:
        return f"{self.card.name} {self.variant} on {self.on[0]}"

    @property
    def precision(self) -> Precision:
        return self.card.variants[self.variant].precision


def arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--model", metavar="NAME", action="append", help="a model; may be repeated; default: all")


def run(given: argparse.Namespace, progress: Say) -> dict[str, Any]:
    """Raises: BadInput; CannotRun where there is no GPU."""
    for name in given.model or ():
        known(name, store.names(), "--model", "model")
    cards = [store.load_card(name) for name in given.model or store.names(store.ARTEFACTS)]
    found, versions = gpu_providers()
    clock = MonotonicClock()
    with empty_cache():
        return {"machine": versions} | measure(
            cards, found, ThisMachine(), progress, lambda: seconds(clock.now_ns()))


def cases(cards: Sequence[Card], providers: Sequence[Provider]) -> list[Case]:
    """Each variant on each provider that its card allows; TensorRT with CUDA for what it does not take."""
    found = [Case(card, key, allowed(providers[providers.index(first):], variant.providers))
             for card in cards for first in providers for key, variant in card.variants.items()
             if allowed([first], variant.providers)]
    return [case for case in found if case.on]


def measure(
    cards: Sequence[Card], providers: Sequence[Provider], runtime: Runtime, progress: Say, now_s: Now,
    limit_s: float = LIMIT_S,
) -> dict[str, Any]:
    """First all variants whole, then their stages. A step begins only if the longest one so far would still end."""
    rows: dict[str, Row] = {}
    left_out: list[str] = []
    start_s, longest_s = now_s(), 0.0
    inputs = {card.name: _inputs(card) for card in cards}
    expected: Expected = {}
    for what, step in _steps(cases(cards, providers), runtime, inputs, expected, rows, now_s):
        began_s = now_s()
        if began_s - start_s + longest_s > limit_s:
            left_out.append(what)
            continue
        progress(what)
        step()
        longest_s = max(longest_s, now_s() - began_s)
    return {"rows": list(rows.values()), "left_out": left_out, "took_s": round(now_s() - start_s, 1)}


def _steps(
    some: Sequence[Case], runtime: Runtime, inputs: Mapping[str, list[dict[str, NDArray]]],
    expected: Expected, rows: dict[str, Row], now_s: Now,
) -> Iterator[tuple[str, Callable[[], None]]]:
    """The steps with their names. Each adds to `rows`, by case; an error of one is told in its row."""
    def guarded(case: Case, step: Callable[[], Row]) -> Callable[[], None]:
        def guarded_step() -> None:
            row = rows.setdefault(str(case), {
                "model": case.card.name, "variant": case.variant, "provider": case.on[0], "error": ""})
            try:
                row.update(step())
            except (ModelError, RunFailed) as error:
                row["error"] = str(error)
        return guarded_step

    for case in some:
        feeds = inputs[case.card.name]
        yield f"{case}, whole", guarded(
            case, lambda case=case, feeds=feeds: _whole(case, runtime, feeds, expected, now_s))
    for case in some:
        if case.card.variants[case.variant].stages:
            feeds = inputs[case.card.name]
            yield f"{case}, in stages", guarded(
                case, lambda case=case, feeds=feeds: _staged(case, runtime, feeds, rows.get(str(case), {}), now_s))


def _whole(
    case: Case, runtime: Runtime, feeds: Sequence[dict[str, NDArray]], expected: Expected, now_s: Now,
) -> Row:
    path = store.artefact(case.card, case.variant)
    trained = network(case.card, case.variant)
    if (case.card.name, trained) not in expected:
        on_cpu = runtime.load(store.artefact(case.card, trained), ("cpu",), "fp32")
        expected[case.card.name, trained] = [on_cpu.run(feed) for feed in feeds]
    miss_s, loaded = _load(runtime, path, case, now_s)
    missed = not loaded.cached
    found = [loaded.run(feed) for feed in feeds]
    del loaded
    hit_s, loaded = _load(runtime, path, case, now_s)
    took_ms = [_took_ms(lambda feed=feed: loaded.run(feed), now_s) for feed in _repeated(feeds, RUNS)]
    p50_ms = float(np.median(took_ms))
    aborts_ms, aborted = _aborts(runtime, loaded, feeds[0], p50_ms, now_s)
    return {
        "load_miss_s": round(miss_s, 2), "load_hit_s": round(hit_s, 2), "missed": missed, "hit": loaded.cached,
        "agreement": round(agreement(expected[case.card.name, trained], found), 4), "p50_ms": round(p50_ms, 3),
        "p95_ms": round(float(np.quantile(took_ms, 0.95)), 3), "abort_p50_ms": round(float(np.median(aborts_ms)), 3),
        "aborted": aborted, "elsewhere": [str(one) for one in loaded.elsewhere],
        "elsewhere_share": round(sum(one.share for one in loaded.elsewhere), 4),
    }


def _staged(
    case: Case, runtime: Runtime, feeds: Sequence[dict[str, NDArray]], whole: Row, now_s: Now,
) -> Row:
    count = len(case.card.variants[case.variant].stages)
    loads = [_load(runtime, store.stage(case.card, case.variant, k), case, now_s) for k in range(count)]
    chain = Pipeline([loaded for _, loaded in loads], [spec.name for spec in case.card.inputs],
                     [spec.name for spec in case.card.outputs])
    took_ms = [_took_ms(lambda feed=feed: chain.run(feed), now_s) for feed in _repeated(feeds, RUNS)]
    staged_ms, whole_ms = float(np.median(took_ms)), whole.get("p50_ms")
    return {"stages": count, "stages_load_miss_s": round(sum(took_s for took_s, _ in loads), 2),
            "stages_p50_ms": round(staged_ms, 3), "price": round(staged_ms / whole_ms, 3) if whole_ms else None}


def _load(runtime: Runtime, path: Path, case: Case, now_s: Now) -> tuple[float, Loaded]:
    began_s = now_s()
    loaded = runtime.load(path, case.on, case.precision)
    return now_s() - began_s, loaded


def _aborts(
    runtime: Runtime, loaded: Loaded, feed: dict[str, NDArray], p50_ms: float, now_s: Now,
) -> tuple[list[float], int]:
    """Milliseconds from an abort in the middle of a run to its end, and how many runs were ended by it."""
    took_ms, aborted = [], 0
    for _ in range(ABORTS):
        handle, ended = runtime.handle(), list[Aborted | RunFailed]()
        thread = threading.Thread(target=_run_to_end, args=(loaded, feed, handle, ended))
        thread.start()
        thread.join(p50_ms / 2e3)
        began_s = now_s()
        handle.abort()
        thread.join()
        took_ms.append((now_s() - began_s) * 1e3)
        for error in ended:
            if isinstance(error, RunFailed):
                raise error
        aborted += len(ended)
    return took_ms, aborted


def _run_to_end(loaded: Loaded, feed: dict[str, NDArray], handle: Any, ended: list[Aborted | RunFailed]) -> None:
    """ended: gets the error of a run that has one."""
    try:
        loaded.run(feed, handle)
    except (Aborted, RunFailed) as error:
        ended.append(error)


def _took_ms(call: Callable[[], object], now_s: Now) -> float:
    began_s = now_s()
    call()
    return (now_s() - began_s) * 1e3


def _repeated(feeds: Sequence[dict[str, NDArray]], count: int) -> Iterator[dict[str, NDArray]]:
    for k in range(count):
        yield feeds[k % len(feeds)]


def _inputs(card: Card) -> list[dict[str, NDArray]]:
    """Inputs that look like something: blocks of 8 pixels for pictures, a normal distribution for numbers."""
    draws = np.random.default_rng(SEED)

    def one(dtype: str, shape: Sequence[int]) -> NDArray:
        if np.dtype(dtype).kind != "f":
            coarse = draws.integers(0, 256 if dtype == "uint8" else 2, [-(-side // 8) for side in shape])
            for axis, side in enumerate(shape):
                coarse = np.repeat(coarse, 8, axis)[(slice(None),) * axis + (slice(side),)]
            return coarse.astype(dtype)
        return draws.standard_normal(shape).astype(dtype)

    return [{spec.name: one(spec.dtype, spec.shape) for spec in card.inputs} for _ in range(INPUTS)]


def as_text(figures: dict[str, Any]) -> str:
    """A row per variant and provider; then errors, nodes on other providers, and what was left out."""
    header = ("", "load miss s", "hit s", "agreement", "p50 ms", "stages", "p50 ms", "price", "abort ms", "elsewhere")
    rows = [(f"{row['model']} {row['variant']} on {row['provider']}", *(
        "-" if row.get(key) is None else f"{row[key]}" for key in (
            "load_miss_s", "load_hit_s", "agreement", "p50_ms", "stages", "stages_p50_ms", "price", "abort_p50_ms",
            "elsewhere_share"))) for row in figures["rows"]]
    lines = [figures.get("machine", ""), text_table(header, rows, right=range(1, len(header)))]
    for row in figures["rows"]:
        what = f"{row['model']} {row['variant']} on {row['provider']}"
        lines += [f"{what}: {line}" for line in ([row["error"]] if row["error"] else []) + row.get("elsewhere", [])]
    lines += [f"left out: {what}" for what in figures["left_out"]]
    return "\n".join(lines)
