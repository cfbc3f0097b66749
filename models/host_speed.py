"""How fast this machine runs models, relative to the machine that profiled their cards. Kept in the cache.

Emulated boards imitate run times that derive from the cards, so a machine that is much slower cannot keep up with them.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import msgspec

from models import cache, profiles, store
from models.build.measure.profiler import run_times
from swarm.core.settings.cards import Variant

log = logging.getLogger(__name__)

RUNS = 12                            # of each model, with the pauses of the cards' measurement: about a second
BUSY = 0.8                           # a lower speed may be that of a busy moment: it is measured again the next time


class HostSpeed(msgspec.Struct, frozen=True, kw_only=True):
    """The speed, 1: as fast as the machine of the cards; `kept`: it was measured before."""

    speed: float
    kept: bool = False


def host_speed(models: Sequence[str]) -> HostSpeed:
    """The speed of one core: the lowest over these models, measured as their cards were. Raises: ModelError."""
    chosen = {name: _chosen(name) for name in sorted(set(models))}
    entry = cache.folder() / f"speed-{cache.key(*(variant.sha256 for _, variant in chosen.values()))}.json"
    kept = _kept(entry)
    if kept is not None:
        return HostSpeed(speed=kept, kept=True)
    took = run_times({name: path for name, (path, _) in chosen.items()}, RUNS)
    speed = round(min(variant.run_time.p50_ms / took[name].p50_ms for name, (_, variant) in chosen.items()), 3)
    if speed >= BUSY:
        _keep(entry, speed)
    return HostSpeed(speed=speed)


def _chosen(name: str) -> tuple[Path, Variant]:
    """The variant of a model that agents run on a processor where time allows, by its card, and its file."""
    card = store.load_card(name)
    key = profiles.chosen(card, profiles.run_times(card, {}))
    return store.artefact(card, key), card.variants[key]


def _kept(entry: Path) -> float | None:
    try:
        return msgspec.json.decode(entry.read_bytes(), type=HostSpeed).speed
    except (OSError, msgspec.MsgspecError):
        return None


def _keep(entry: Path, speed: float) -> None:
    try:
        store.write(entry, msgspec.json.encode(HostSpeed(speed=speed)))
    except (store.ModelError, OSError) as error:
        log.warning("not cached: %s", error)
