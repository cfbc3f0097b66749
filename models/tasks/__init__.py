"""Tasks that models solve: one module per task, and the folder is the registry.

A task's module defines `make(card) -> Task`. A task turns a frame into the network's inputs, and its outputs into an
outcome. The field `task` of a card is the module's name.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.store import ModelError
from swarm import plugins
from swarm.core.protocol.world import Outcome
from swarm.core.settings.cards import Card

__path__ = plugins.extended(__path__, "tasks")


class Task(Protocol):
    """Pre- and post-processing of a model. Post-processing runs on the agent of the last stage: outcomes are small."""

    def preprocess(self, frame: NDArray[np.uint8]) -> dict[str, NDArray]:
        """The network's inputs for a frame, uint8 [height, width, 3], RGB. Raises: ValueError for another shape."""
        ...

    def postprocess(self, outputs: Sequence[NDArray]) -> Outcome:
        """The outcome of the network's outputs, given in the card's order. Raises: ValueError for other shapes."""
        ...


def available() -> list[str]:
    """The names of all tasks, sorted."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__))


def task(card: Card) -> Task:
    """The task of a card's model. Raises: ModelError if the task is unknown or does not fit the card."""
    if card.task not in available():
        raise ModelError(f"task {card.task!r}", "is not known", f"available: {', '.join(available())}")
    return plugins.load(f"{__name__}.{card.task}", "make").make(card)
