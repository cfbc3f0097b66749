"""Models of twice the memory budget in turn: resident memory, the most urgent stream's results on time, leaks.

Two agents take turns, block by block: one with the budget, one with memory to spare, with the same streams. One stream
is urgent and always due; of the others one after the other is due for two seconds, each with a model of its own. A
third agent loads and unloads one model again and again.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from models import store
from swarm.bench.budget.side import URGENT, Cycled, Flown, Order, Ready
from swarm.bench.memory.bench import resident_mib
from swarm.bench.support.child import Child
from swarm.bench.support.host import host_state
from swarm.bench.support.stats import quantile
from swarm.core.settings.errors import BadInput

SIDE = "swarm.bench.budget.side"
COPIED, VARIANT = "segmenter", "fp32"        # the largest file that we ship
BUDGET_MB = 256
TIMES = 2.0                          # of the budget, which all models take
DURATION_S, BLOCK_S = 600.0, 10.0
LOADS, WARM_UP = 500, 50
PATIENCE_S = 300.0
MOST_OVER, MOST_LOST, MOST_LEAK_MB = 0.05, 0.01, 2.0
LEAST_OTHERS = 0.5                   # of the share on time with memory to spare; 20 s each had 1.0 of it
BYTES_OF_ONE = 14 << 20              # that a copy adds at least, as a process with all of them shows: `models_mb`


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes in MiB, as the budget. `spare`: the agent with memory to spare."""

    host: str
    seconds: float                   # that each agent has flown
    budget_mb: int
    models: int
    models_mb: float                 # of all models, loaded: by what the agent with memory to spare takes
    models_over_budget: float
    loaded_at_start: int
    rss_mb_max: float                # peak, since the process began
    urgent: int                      # requests
    urgent_on_time: float
    urgent_on_time_spare: float
    urgent_p95_ms: float
    urgent_p95_ms_spare: float
    others_on_time: float
    others_on_time_spare: float
    urgent_failed_by: dict[str, int]
    urgent_failed_by_spare: dict[str, int]
    others_failed_by: dict[str, int]
    loads: int
    unloads: int
    longest_load_s: float
    cycles: int                      # loads and unloads of one model
    leak_mb: float                   # growth over them, by a line through the resident memory after each unload
    cycles_failed: int               # loads that failed
    within: bool                     # see `within`


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--duration", type=float, default=DURATION_S, metavar="S", help="of each agent's flight")
    parser.add_argument("--loads", type=int, default=LOADS, metavar="N", help="loads and unloads of one model")


def run(given: argparse.Namespace, progress: Callable[[str], None]) -> Figures:
    """Raises: BadInput for numbers that cannot be flown."""
    for name, value, most in (("duration", given.duration, 86_400.0), ("loads", given.loads, 100_000)):
        if not 0 < value <= most:
            raise BadInput(f"--{name}", str(value)[:40], f"above 0, at most {most:,.0f}")
    return measure(given.duration, given.loads, progress)


def measure(duration_s: float, loads: int, progress: Callable[[str], None]) -> Figures:
    """Fly both agents, then load and unload."""
    host = host_state()
    copies = round(TIMES * BUDGET_MB * (1 << 20) / BYTES_OF_ONE)
    with tempfile.TemporaryDirectory(prefix="swarm-budget-") as folder:
        _fill(Path(folder), copies)
        progress(f"two agents load; {copies} models")
        with Child(SIDE, folder, str(BUDGET_MB)) as tight, Child(SIDE, folder, "0") as spare:
            began, all_loaded = tight.receive(Ready, PATIENCE_S), spare.receive(Ready, PATIENCE_S)
            flown: dict[int, list[Flown]] = {tight.pid: [], spare.pid: []}
            blocks = max(1, round(duration_s / BLOCK_S))
            for k in range(blocks):
                progress(f"block {k + 1} of {blocks}: both agents in turn, {min(BLOCK_S, duration_s):g} s each")
                for side in (tight, spare) if k % 2 == 0 else (spare, tight):
                    side.send(Order(fly_s=min(BLOCK_S, duration_s)))
                    flown[side.pid].append(side.receive(Flown, PATIENCE_S))
            rss_mb_max = resident_mib(tight.pid, "VmHWM")
            with_budget, with_spare = _sum(flown[tight.pid]), _sum(flown[spare.pid])
        progress(f"{loads} loads and unloads")
        with Child(SIDE, folder, str(BUDGET_MB)) as third:
            third.receive(Ready, PATIENCE_S)
            third.send(Order(loads=WARM_UP + loads))
            cycled = third.receive(Cycled, 10.0 * (WARM_UP + loads))
    rss_mb = np.asarray(cycled.rss_bytes[WARM_UP:]) / (1 << 20)
    models_mb = all_loaded.rss_bytes / (1 << 20) - began.rss_bytes / (1 << 20)
    models_mb *= all_loaded.models / (all_loaded.models - began.loaded)
    leak_mb = float(np.polyfit(np.arange(len(rss_mb)), rss_mb, 1)[0]) * len(rss_mb) if len(rss_mb) > 1 else 0.0
    figures = Figures(
        host=host, seconds=blocks * min(BLOCK_S, duration_s), budget_mb=BUDGET_MB, models=all_loaded.models,
        models_mb=round(models_mb, 1), models_over_budget=round(models_mb / BUDGET_MB, 2), loaded_at_start=began.loaded,
        rss_mb_max=round(rss_mb_max, 1), urgent=with_budget.urgent,
        urgent_on_time=_share(with_budget.urgent_on_time, with_budget.urgent),
        urgent_on_time_spare=_share(with_spare.urgent_on_time, with_spare.urgent),
        urgent_p95_ms=quantile(with_budget.urgent_ms, 0.95), urgent_p95_ms_spare=quantile(with_spare.urgent_ms, 0.95),
        others_on_time=_share(with_budget.others_on_time, with_budget.others),
        others_on_time_spare=_share(with_spare.others_on_time, with_spare.others),
        urgent_failed_by=with_budget.urgent_reasons, urgent_failed_by_spare=with_spare.urgent_reasons,
        others_failed_by=with_budget.reasons, loads=with_budget.loads, unloads=with_budget.unloads,
        longest_load_s=round(with_budget.longest_load_s, 3), cycles=len(rss_mb), cycles_failed=cycled.failed,
        leak_mb=round(leak_mb, 2), within=False)
    return msgspec.structs.replace(figures, within=within(figures))


def within(figures: Figures) -> bool:
    """Whether the budget held, cost the urgent stream nothing, leaked nothing, and the others took turns by it."""
    lost = figures.urgent_on_time_spare - figures.urgent_on_time
    held = figures.rss_mb_max <= figures.budget_mb * (1 + MOST_OVER) and lost <= MOST_LOST
    loaded = figures.loads > 0 and figures.others_on_time >= LEAST_OTHERS * figures.others_on_time_spare > 0
    return held and loaded and figures.cycles_failed == 0 and figures.leak_mb <= MOST_LEAK_MB


def _fill(folder: Path, copies: int) -> None:
    """A store with the urgent stream's model, and copies of another one under other names."""
    for name, given in [(URGENT, URGENT), *((f"other_{k}", COPIED) for k in range(copies))]:
        card = store.load_card(given, store.ARTEFACTS)
        alone = {VARIANT: msgspec.structs.replace(card.variants[VARIANT], stages=[])}
        kept = card.variants if name == URGENT else alone
        for variant in kept.values():
            for piece in (variant, *variant.stages):
                store.put(store.blob(piece.sha256, piece.bytes, store.ARTEFACTS).read_bytes(), folder)
        store.save_card(msgspec.structs.replace(card, name=name, variants=kept), folder)


def _sum(flights: list[Flown]) -> Flown:
    """All flights of one agent together."""
    reasons, urgent_reasons = Counter[str](), Counter[str]()
    for one in flights:
        reasons.update(one.reasons)
        urgent_reasons.update(one.urgent_reasons)
    counts = {name: sum(getattr(one, name) for one in flights) for name in (
        "urgent", "urgent_on_time", "others", "others_on_time", "loads", "unloads", "failed")}
    return Flown(
        urgent_ms=[ms for one in flights for ms in one.urgent_ms], urgent_reasons=dict(urgent_reasons),
        reasons=dict(reasons), longest_load_s=max(one.longest_load_s for one in flights), **counts)


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0


def as_text(figures: Figures) -> str:
    """What was held, what was on time, what leaked."""
    f = figures
    return (
        f"{f.models} models of {f.models_mb:g} MiB ({f.models_over_budget:g} times the budget of {f.budget_mb}), "
        f"{f.seconds:g} s: peak {f.rss_mb_max:g} MiB, {f.loads} loads and {f.unloads} unloads, the longest load "
        f"{f.longest_load_s:g} s (host: {f.host})\n"
        f"urgent stream: {f.urgent_on_time:.2%} on time, p95 {f.urgent_p95_ms:g} ms; with memory to spare "
        f"{f.urgent_on_time_spare:.2%}, {f.urgent_p95_ms_spare:g} ms\n"
        f"the others, in turn: {f.others_on_time:.2%} on time; with memory to spare {f.others_on_time_spare:.2%}\n"
        f"{f.cycles} loads and unloads: {f.leak_mb:+g} MiB")
