"""How fast this machine runs models, relative to the machine that profiled their cards. Kept in the cache.

Emulated boards imitate run times that derive from the cards, so a machine that is much slower cannot keep up with them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from models import cache, store
from models.session import Session
from swarm.core.clock import MonotonicClock
from swarm.core.settings.cards import Card
from swarm.core.units import seconds

log = logging.getLogger(__name__)

RUNS = 20                            # of each model
BUSY = 0.8                           # a lower speed may be that of a busy moment: it is measured again the next time


class HostSpeed(msgspec.Struct, frozen=True, kw_only=True):
    """The speed, 1: as fast as the machine of the cards; `kept`: it was measured before."""

    speed: float
    kept: bool = False


def host_speed(models: Sequence[str]) -> HostSpeed:
    """The speed of one core: the lowest over these models, from the medians of `RUNS` runs. Takes about a second.

    Raises: ModelError.
    """
    cards = [store.load_card(name) for name in sorted(set(models))]
    fastest = {card.name: min(card.variants, key=lambda v, c=card: c.variants[v].run_time.p50_ms) for card in cards}
    entry = cache.folder() / f"speed-{cache.key(*(c.variants[fastest[c.name]].sha256 for c in cards))}.json"
    kept = _kept(entry)
    if kept is not None:
        return HostSpeed(speed=kept, kept=True)
    speed = round(min(_speed(card, fastest[card.name]) for card in cards), 3)
    if speed >= BUSY:
        _keep(entry, speed)
    return HostSpeed(speed=speed)


def _speed(card: Card, variant: str) -> float:
    session = Session(store.artefact(card, variant))
    inputs: Mapping[str, NDArray] = {spec.name: np.zeros(spec.shape, spec.dtype) for spec in session.inputs}
    clock, took_ns = MonotonicClock(), list[int]()
    for _ in range(RUNS):
        start_ns = clock.now_ns()
        session.run(inputs)
        took_ns.append(clock.now_ns() - start_ns)
    return card.variants[variant].run_time.p50_ms / (seconds(round(float(np.median(took_ns)))) * 1e3)


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
