"""What models solve: one module per task, and the folder is the registry.

A task's module defines `make(card) -> Task`: how a frame becomes the network's inputs, and how its outputs become an
outcome. A card says `task: NAME`, the module's name.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.store import ModelError
from swarm.core.protocol.world import Outcome
from swarm.core.settings.cards import Card
from swarm.plugins import extended

__path__ = extended(__path__, "tasks")


class Task(Protocol):
    """Both ends of a model. Post-processing runs where the last stage runs, so that outcomes travel."""

    def preprocess(self, frame: NDArray[np.uint8]) -> dict[str, NDArray]:
        """The network's inputs for a frame, uint8 [height, width, 3], RGB. Raises: ValueError for another shape."""
        ...

    def postprocess(self, outputs: Sequence[NDArray]) -> Outcome:
        """The outcome of the outputs, in the card's order. Raises: ValueError for other shapes."""
        ...


def available() -> list[str]:
    """The names of all tasks, sorted."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__))


def task(card: Card) -> Task:
    """The task of a card's model. Raises: ModelError where there is none, or where the card does not fit it."""
    if card.task not in available():
        raise ModelError(f"task {card.task!r}", "is not known", f"available: {', '.join(available())}")
    return importlib.import_module(f"{__name__}.{card.task}").make(card)
