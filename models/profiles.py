"""Measurements of a model on one board: `NAME/profiles/BOARD-PROVIDER-RUNTIME.json`, beside the card.

A profile is valid only for its board, provider, runtime and machine, and for files with the measured hashes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from models import cache, store
from models.store import ModelError
from swarm.core.settings.boards import Board, Measured
from swarm.core.settings.cards import Card, Precision, Provider, RunTime, network

HOST = "host"
"""The board that stands for this machine, not emulated."""

LOAD_S, LOAD_S_PER_BYTE = 0.005, 15e-9
"""To load a file from the cache of optimised graphs, where no profile tells: of the 12 variants that we ship for a CPU
`load_warm_ms` of `swarm models profile` on the host, the lower of two, is at most this. A GPU makes no load faster."""


class FileProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The profile of one file: a whole variant, or one of its stages."""

    run_time: RunTime                # with one thread
    run_time_threads: RunTime        # with the profile's number of threads
    p99_ms: float                    # one thread
    spread: float                    # (largest - smallest) / median of the medians of blocks of runs, one thread
    load_cold_ms: float              # through the optimiser
    load_warm_ms: float              # from the cache of optimised graphs
    memory_bytes: int                # growth of the resident memory of a separate process, after its runs
    peak_bytes: int                  # peak of that growth


class VariantProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The profile of a variant: whole, and stage by stage."""

    sha256: str                      # of the file that was measured
    whole: FileProfile
    stages: list[FileProfile] = []
    batches: dict[int, RunTime] = {}     # number of inputs at once -> run time of the whole, one thread
    boundary_bytes: list[int] = []   # tensors alive before stage 0, between stages, after the last


class ModelProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The profile of a model on a board; times of an emulated board are the host's, divided by the board's speed."""

    model: str
    board: str
    provider: Provider               # the board's first; a variant whose card forbids it ran on the next allowed one
    runtime: str                     # version of ONNX Runtime
    device: str                      # fingerprint of the machine, from `cache.device`
    host: str                        # the same in readable form
    emulated: bool
    speed: dict[Precision, float] = {}       # of the emulated board; times were divided by it
    overhead_ms: float = 0.0         # of the emulated board; added to them
    threads: int
    variants: dict[str, VariantProfile]


def path_of(model: str, board: str, provider: Provider, runtime: str, folder: Path | None = None) -> Path:
    """The path of a profile, whether or not the file exists."""
    return (folder or store.home()) / model / "profiles" / f"{board}-{provider}-{runtime}.json"


def save(profile: ModelProfile, folder: Path | None = None) -> Path:
    """Write a profile into a store, by default the user's; returns its path."""
    path = path_of(profile.model, profile.board, profile.provider, profile.runtime, folder)
    store.write(path, msgspec.json.format(msgspec.json.encode(profile), indent=1) + b"\n")
    return path


def find(
    card: Card, board: str, provider: Provider, runtime: str, *, speed: Mapping[Precision, float] | None = None,
    overhead_ms: float = 0.0, threads: int = 1, folder: Path | None = None,
) -> dict[str, VariantProfile]:
    """Measurements by variant, without those that are not valid here.

    speed, overhead_ms: as an emulated board has them now. threads: of one run; a number other than 1 must have been
    profiled.

    Raises: ModelError for a malformed file.
    """
    profile = _read(path_of(card.name, board, provider, runtime, folder))
    if profile is None or profile.device != cache.device() or profile.speed != dict(speed or {}):
        return {}
    if profile.overhead_ms != overhead_ms:
        return {}
    if threads not in (1, profile.threads):
        return {}
    return {key: measured for key, measured in profile.variants.items()
            if key in card.variants and card.variants[key].sha256 == measured.sha256}


def _read(path: Path) -> ModelProfile | None:
    """The profile in a file; None without one. Raises: ModelError for a malformed file."""
    if not path.is_file():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=ModelProfile)
    except msgspec.DecodeError as error:
        raise ModelError(str(path), str(error), "remove it, or profile the model again") from None


class Times(NamedTuple):
    """Run times of one variant on a board: whole, by stage, and by number of inputs at once."""

    whole: RunTime
    stages: list[RunTime]
    batches: dict[int, RunTime]
    load_s: float = 0.0              # of the whole, from the cache of optimised graphs; 0: not known
    memory_bytes: int = 0            # of the whole, as measured; 0: was not
    peak_bytes: int = 0              # the most that its load takes, as measured; 0: was not


def on_board(card: Card, name: str, board: Board, runtime: str, folder: Path | None = None) -> dict[str, Times]:
    """Run times of the variants that a board runs: measured on such a board, else the card's, divided by its speed.

    The card's batch times are for CPUs only; other providers must be profiled. Times with one thread do not predict
    times with several: a board with several threads must be profiled with as many. The speed of a board with a GPU is
    the GPU's: a variant that only its CPU may run is left out, unless it was measured. Raises: ModelError, also where
    the board runs no variant.
    """
    allowed = runnable(card, board.providers)
    if board.measured is not None:
        return _of_such_a_board(card, name, board.measured, allowed)
    emulated = board.emulated
    measured = find(card, name, board.providers[0], runtime, speed=board.speed if emulated else None,
                    overhead_ms=board.overhead_ms if emulated else 0.0, threads=board.threads, folder=folder)
    if board.threads > 1:
        return _with_threads(card, name, board.threads, measured, allowed)
    times = {}
    for key in allowed:
        seen, variant = measured.get(key), card.variants[key]
        if seen is not None and len(seen.stages) == len(variant.stages):
            times[key] = Times(seen.whole.run_time, [stage.run_time for stage in seen.stages], seen.batches,
                               *_kept(seen))
        elif variant.providers != ["cpu"] or board.providers[0] == "cpu":
            speed, over_ms = board.speed_of(variant.precision), board.overhead_ms
            batch_times = variant.batch_times if board.providers[0] == "cpu" else {}
            times[key] = Times(
                slowed(variant.run_time, speed, over_ms),
                [slowed(stage.run_time, speed, over_ms) for stage in variant.stages],
                {inputs: slowed(time, speed, over_ms) for inputs, time in batch_times.items()},
                (LOAD_S + variant.bytes * LOAD_S_PER_BYTE) / (speed if board.providers[0] == "cpu" else 1.0),
            )
    if not times:
        raise ModelError(f"board {name}", f"only its CPU runs {card.name}, and was not measured",
                         f"`swarm models profile {card.name} --board {name}`, or `swarm models quantize {card.name} "
                         "--for tensorrt`")
    return times


def runnable(card: Card, providers: Sequence[Provider]) -> list[str]:
    """The variants whose cards allow one of a board's providers. Raises: ModelError if there is none."""
    allowed = [key for key, variant in card.variants.items()
               if not variant.providers or any(provider in variant.providers for provider in providers)]
    if not allowed:
        wanted = sorted({provider for variant in card.variants.values() for provider in variant.providers})
        raise ModelError(card.name, f"may run on {', '.join(wanted)} only", f"the board has {', '.join(providers)}")
    return allowed


def _of_such_a_board(card: Card, name: str, measured: Measured, allowed: Sequence[str]) -> dict[str, Times]:
    """Run times from a board's file, of the variants that it has as they are here. Raises: ModelError if none."""
    found = measured.models.get(card.name, {})
    times = {
        key: Times(seen.whole.run_time, [stage.run_time for stage in seen.stages], seen.batches,
                   seen.whole.load_ms / 1e3, seen.whole.memory_bytes, seen.whole.peak_bytes)
        for key in allowed if (seen := found.get(key)) is not None and seen.sha256 == card.variants[key].sha256
        and len(seen.stages) == len(card.variants[key].stages)}
    if not times:
        raise ModelError(
            f"board {name}: measured", f"{card.name} was not, or not with the files that are here",
            f"`swarm models profile {card.name} ... --board {name} --out FILE` on such a board")
    return times


def _with_threads(
    card: Card, board: str, threads: int, measured: Mapping[str, VariantProfile], allowed: Sequence[str]
) -> dict[str, Times]:
    """Run times with several threads; without batch times, which are measured with one thread. Raises: ModelError."""
    missing = [key for key in allowed
               if key not in measured or len(measured[key].stages) != len(card.variants[key].stages)]
    if missing:
        raise ModelError(
            f"board {board}: threads: {threads}",
            f"{card.name} {', '.join(missing)} was not profiled with as many on this machine",
            f"`swarm models profile {card.name} --board {board}` first, or threads: 1",
        )
    return {key: Times(seen.whole.run_time_threads, [stage.run_time_threads for stage in seen.stages], {},
                       *_kept(seen))
            for key, seen in measured.items() if key in allowed}


def _kept(seen: VariantProfile) -> tuple[float, int, int]:
    """Seconds of its load, bytes that it keeps, and the most that its load takes."""
    return seen.whole.load_warm_ms / 1e3, max(seen.whole.memory_bytes, 0), max(seen.whole.peak_bytes, 0)


def slowed(time: RunTime, speed: float, overhead_ms: float = 0.0) -> RunTime:
    """The run time on a board of this relative speed, whose runs each take some time more."""
    return RunTime(quantiles_ms=[round(overhead_ms + ms / speed, 4) for ms in time.quantiles_ms], runs=time.runs)


def run_times(card: Card, profiled: dict[str, VariantProfile]) -> dict[str, RunTime]:
    """Run times on this machine's processor, by variant that it may run: measured here, else from the card."""
    return {key: profiled[key].whole.run_time if key in profiled else card.variants[key].run_time
            for key in runnable(card, ("cpu",))}


def fit(card: Card, times: Mapping[str, RunTime]) -> list[str]:
    """The variants worth running with these times: originals, and variants that passed their gate and save time.

    A student's original is not, where a variant made from it is: other robots never need it.
    """
    slower = slower_than_parent(card, times)
    kept = [key for key, variant in card.variants.items()
            if key in times and key not in slower and (variant.gate is None or variant.gate.passed)]
    replaced = {card.variants[key].parent for key in kept}
    return [key for key in kept if not (card.variants[key].teacher and key in replaced)]


def check_wanted(wanted: Sequence[str], card: Card, times: Mapping[str, RunTime], board: str) -> None:
    """Check the variants of a model that the user lets run. times: on this board, of the variants that it runs.

    Raises: ModelError for one that the card lacks, and if none of them can run.
    """
    where = f"variants: {card.name}"
    for name in wanted:
        if name not in card.variants:
            raise ModelError(where, f"there is no {name}", f"one of {', '.join(card.variants)}")
    left = {name: times[name] for name in wanted if name in times}
    if not left:
        raise ModelError(where, f"board {board} runs none of {', '.join(wanted)}", f"one of {', '.join(times)}")
    if not fit(card, left):
        gates = [f"{name} has {gate.metric} {gate.value:.4g}, and its gate is {gate.floor:.4g}"
                 for name in left if (gate := card.variants[name].gate) is not None and not gate.passed]
        raise ModelError(where, "; ".join(gates), f"one of {', '.join(fit(card, times))}")


def chosen(card: Card, times: Mapping[str, RunTime]) -> str:
    """The fastest form of the most accurate network among those of `fit`: what runs where time allows."""
    forms = fit(card, times)
    trained = {key: card.variants[network(card, key)].metrics.get(card.primary_metric, 0.0) for key in forms}
    return min(forms, key=lambda key: (-trained[key], times[key].p50_ms, key))


def slower_than_parent(card: Card, times: Mapping[str, RunTime]) -> dict[str, str]:
    """Variants that save no time here, with their parents."""
    return {key: variant.parent for key, variant in card.variants.items()
            if key in times and variant.parent in times and times[key].p50_ms >= times[variant.parent].p50_ms}
