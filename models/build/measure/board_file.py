"""The file of a measured board: a class of computers with the run times of its models, which any host can be.

`swarm models profile MODEL --board NAME --out FILE` writes it; `--boards FILE` reads it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from models.profiles import FileProfile, ModelProfile, VariantProfile
from swarm.core.settings.boards import (
    Board,
    FigureName,
    FigureSource,
    Measured,
    MeasuredFile,
    MeasuredVariant,
    Precision,
)
from swarm.core.settings.cards import Card, Provider

SLOWEST, FASTEST = 1e-3, 1e3         # that a class may be


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the machine that was measured; fields as those of `Measured`."""

    name: str
    power_mode: str = ""
    clocks_mhz: dict[str, float] = {}
    versions: dict[str, str] = {}


def measured_board(
    kind: Board, name: str, machine: Machine, cards: Mapping[str, Card], profiles: Sequence[ModelProfile],
    providers: Mapping[tuple[str, str], Provider], date: str,
) -> Board:
    """The class of a board that was measured. kind, name: of its class before, which says memory and power.

    cards: by model. providers: of each model and variant that was measured. date: of the measurement.
    """
    how = ", ".join(filter(None, (machine.name, machine.power_mode, f"measured {date}")))
    several = kind.threads > 1
    found = Measured(
        date=date, machine=machine.name, runtime=profiles[0].runtime, providers=list(kind.providers),
        threads=kind.threads, power_mode=machine.power_mode, clocks_mhz=machine.clocks_mhz, versions=machine.versions,
        models={profile.model: {key: _variant(variant, providers[profile.model, key], several)
                                for key, variant in profile.variants.items()} for profile in profiles})
    unknown = FigureSource(origin="derived", source=f"of the class {name}: {kind.source}")
    told: list[FigureName] = ["memory_mb", "power_w"]
    told += [] if kind.idle_w is None else ["idle_w"]
    kept = {key: kind.figures.get(key, unknown) for key in told}
    return msgspec.structs.replace(
        kind, speed=speeds(cards, found), overhead_ms=0.0, busy_poll_s=0.0, emulated=True, measured=found, source=how,
        figures={"speed": FigureSource(origin="measured", source=f"`swarm models profile` on {how}"), **kept})


def speeds(cards: Mapping[str, Card], found: Measured) -> dict[Precision, float]:
    """The highest speed of any variant of each precision, relative to the host of the cards."""
    highest: dict[Precision, float] = {}
    for model, variants in found.models.items():
        for key, seen in variants.items():
            variant = cards[model].variants[key]
            ratio = variant.run_time.p50_ms / seen.whole.run_time.p50_ms
            speed = round(min(max(ratio, SLOWEST), FASTEST), 3)
            highest[variant.precision] = max(speed, highest.get(variant.precision, SLOWEST))
    most = max(highest.values())
    return {"fp32": most, "int8": most, **highest}


def _variant(variant: VariantProfile, provider: Provider, several: bool) -> MeasuredVariant:
    return MeasuredVariant(
        sha256=variant.sha256, provider=provider, whole=_file(variant.whole, several),
        stages=[_file(stage, several) for stage in variant.stages], batches={} if several else variant.batches)


def _file(piece: FileProfile, several: bool) -> MeasuredFile:
    return MeasuredFile(run_time=piece.run_time_threads if several else piece.run_time, load_ms=piece.load_warm_ms,
                        memory_bytes=max(piece.memory_bytes, 0), peak_bytes=max(piece.peak_bytes, 0))
