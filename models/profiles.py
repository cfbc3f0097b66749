"""What was measured of a model on one board: `NAME/profiles/BOARD-PROVIDER-RUNTIME.json`, beside the card.

A profile holds for its board, its provider, its runtime, this machine, and the very files that were measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from models import cache, store
from models.store import ModelError
from swarm.core.settings.boards import Board
from swarm.core.settings.cards import Card, Precision, Provider, RunTime

HOST = "host"
"""The board that is this machine as it is."""


class Piece(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file: a whole variant, or a stage of one."""

    run_time: RunTime                # one thread
    run_time_threads: RunTime        # as many threads as the profile says
    p99_ms: float                    # one thread
    spread: float                    # (largest - smallest) / median of the medians of blocks of runs, one thread
    load_cold_ms: float              # through the optimiser
    load_warm_ms: float              # from the cache of optimised graphs
    memory_bytes: int                # resident growth of a process of its own, after its runs
    peak_bytes: int                  # and the most of it on the way


class VariantProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A variant whole, and stage by stage."""

    sha256: str                      # of the file that was measured
    whole: Piece
    stages: list[Piece] = []
    batches: dict[int, RunTime] = {}     # whole, of so many inputs at once, one thread
    boundary_bytes: list[int] = []   # what is alive before stage 0, between stages, after the last


class ModelProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model on a board. On an emulated board times are this machine's, divided by the board's speed."""

    model: str
    board: str
    provider: Provider               # the board's first; a variant that may not run on it ran on the next that it may
    runtime: str                     # version of ONNX Runtime
    device: str                      # what the times were taken on, as `cache.device` tells machines apart
    host: str                        # the same for people
    emulated: bool
    speed: dict[Precision, float] = {}       # of the emulated board, by which times were divided
    threads: int
    variants: dict[str, VariantProfile]


def path_of(model: str, board: str, provider: Provider, runtime: str, folder: Path | None = None) -> Path:
    """Where the profile is, or would be."""
    return (folder or store.home()) / model / "profiles" / f"{board}-{provider}-{runtime}.json"


def save(profile: ModelProfile, folder: Path | None = None) -> Path:
    """Write a profile into a store, by default at home; returns its path."""
    path = path_of(profile.model, profile.board, profile.provider, profile.runtime, folder)
    store.write(path, msgspec.json.format(msgspec.json.encode(profile), indent=1) + b"\n")
    return path


def find(
    card: Card, board: str, provider: Provider, runtime: str, *, speed: Mapping[Precision, float] | None = None,
    threads: int = 1, folder: Path | None = None,
) -> dict[str, VariantProfile]:
    """Measurements by variant; only those that hold here, and with the `speed` that an emulated board has now.

    threads: how many of one run they are to tell of.

    Raises: ModelError for a malformed file.
    """
    profile = _read(path_of(card.name, board, provider, runtime, folder))
    if profile is None or profile.device != cache.device() or profile.speed != dict(speed or {}):
        return {}
    if threads not in (1, profile.threads):
        return {}
    return {key: measured for key, measured in profile.variants.items()
            if key in card.variants and card.variants[key].sha256 == measured.sha256}


def _read(path: Path) -> ModelProfile | None:
    """Raises: ModelError for a malformed file."""
    if not path.is_file():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=ModelProfile)
    except msgspec.DecodeError as error:
        raise ModelError(str(path), str(error), "remove it, or profile the model again") from None


class Times(NamedTuple):
    """Run times of one variant on a board: of the whole, of its stages, and of so many inputs at once."""

    whole: RunTime
    stages: list[RunTime]
    batches: dict[int, RunTime]


def on_board(card: Card, name: str, board: Board, runtime: str, folder: Path | None = None) -> dict[str, Times]:
    """By variant, as measured on a board, else the card's by the board's speed. Raises: ModelError.

    What several inputs at once take on a processor says nothing of another provider: there it is to be measured. Nor do
    times with one thread say what several gain: a board that runs with several is to be profiled with as many.
    """
    measured = find(card, name, board.providers[0], runtime, speed=board.speed if board.emulated else None,
                    threads=board.threads, folder=folder)
    if board.threads > 1:
        return _with_threads(card, name, board.threads, measured)
    times = {}
    for key, variant in card.variants.items():
        seen, speed = measured.get(key), board.speed[variant.precision]
        if seen is not None and len(seen.stages) == len(variant.stages):
            times[key] = Times(seen.whole.run_time, [stage.run_time for stage in seen.stages], seen.batches)
        else:
            told = variant.batch_times if board.providers[0] == "cpu" else {}
            times[key] = Times(
                slowed(variant.run_time, speed), [slowed(stage.run_time, speed) for stage in variant.stages],
                {inputs: slowed(time, speed) for inputs, time in told.items()},
            )
    return times


def _with_threads(card: Card, board: str, threads: int, measured: Mapping[str, VariantProfile]) -> dict[str, Times]:
    """Of each run by several threads; of several inputs at once nothing is known then. Raises: ModelError."""
    missing = [key for key, variant in card.variants.items()
               if key not in measured or len(measured[key].stages) != len(variant.stages)]
    if missing:
        raise ModelError(
            f"board {board}: threads: {threads}",
            f"{card.name} {', '.join(missing)} was not profiled with as many on this machine",
            f"`swarm models profile {card.name} --board {board}` first, or threads: 1",
        )
    return {key: Times(seen.whole.run_time_threads, [stage.run_time_threads for stage in seen.stages], {})
            for key, seen in measured.items()}


def slowed(time: RunTime, speed: float) -> RunTime:
    """The same on a board of this speed."""
    return RunTime(quantiles_ms=[round(ms / speed, 4) for ms in time.quantiles_ms], runs=time.runs)


def run_times(card: Card, profiled: dict[str, VariantProfile]) -> dict[str, RunTime]:
    """By variant, what was measured here, else what the card says."""
    return {key: profiled[key].whole.run_time if key in profiled else variant.run_time
            for key, variant in card.variants.items()}


def fit(card: Card, times: Mapping[str, RunTime]) -> list[str]:
    """The variants worth running where they take these times: originals, and what passed its gate and gains time."""
    slower = slower_than_parent(card, times)
    return [key for key, variant in card.variants.items()
            if key not in slower and (variant.gate is None or variant.gate.passed)]


def chosen(card: Card, times: Mapping[str, RunTime]) -> str:
    """Of the variants that are fit the fastest by its median."""
    return min(fit(card, times), key=lambda key: (times[key].p50_ms, key))


def slower_than_parent(card: Card, times: Mapping[str, RunTime]) -> dict[str, str]:
    """Variants that gain no time here, with their parents."""
    return {key: variant.parent for key, variant in card.variants.items()
            if variant.parent in times and times[key].p50_ms >= times[variant.parent].p50_ms}
