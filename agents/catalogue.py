"""The models that this robot holds ready, and what each costs on its board."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import store, tasks
from models.session import RunHandle, Session
from swarm.core.config import Board
from swarm.core.plan import Profile
from swarm.core.world import Outcome


@dataclass(frozen=True)
class Loaded:
    """One variant in memory."""

    session: Session
    task: tasks.Task
    quantiles_s: list[float]         # of its run time on this board

    def run(self, frame: NDArray[np.uint8], handle: RunHandle) -> Outcome:
        """Frame uint8 [72, 96, 3] to outcome. Raises: Aborted; ValueError for a frame of another shape."""
        return self.task.postprocess(self.session.run(self.task.preprocess(frame), handle))


class Catalogue:
    """Loads models one after the other (creating sessions concurrently is racy) and keeps them."""

    def __init__(self, names: Iterable[str], board: Board, folder: Path) -> None:
        self._loaded: dict[tuple[str, str], Loaded] = {}
        self.profiles: dict[str, list[Profile]] = {}
        for name in sorted(set(names)):
            card = store.load_card(name, folder)
            for variant, entry in sorted(card.variants.items()):
                quantiles_s = [ms / 1e3 / board.speed[entry.precision] for ms in entry.run_time.quantiles_ms]
                session = Session(store.artefact(card, variant, folder))
                self._loaded[name, variant] = Loaded(session, tasks.task(card.task), quantiles_s)
                self.profiles.setdefault(name, []).append(Profile(
                    model=name, variant=variant, p50_s=quantiles_s[10], p95_s=quantiles_s[19],
                    memory_bytes=entry.memory_bytes, accuracy=entry.metrics[card.primary_metric],
                    input_bytes=sum(spec.bytes for spec in card.inputs),
                ))

    def get(self, model: str, variant: str) -> Loaded:
        return self._loaded[model, variant]

    def announce(self) -> list[Profile]:
        return [profile for profiles in self.profiles.values() for profile in profiles]


def frame_of(tensors: list[NDArray[Any]]) -> NDArray[np.uint8] | None:
    """The one image of an ask; None if it is not one."""
    if len(tensors) != 1 or tensors[0].dtype != np.uint8 or tensors[0].ndim != 3:
        return None
    return tensors[0]
