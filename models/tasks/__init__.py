"""What models solve: how a frame becomes a network's inputs, and how its outputs become an outcome."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.store import ModelError
from models.tasks import detect, segment
from swarm.core.protocol.world import Outcome
from swarm.core.settings.cards import Card


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Both ends of a model. Post-processing runs where the last stage runs, so that outcomes travel."""

    preprocess: Callable[[NDArray[np.uint8]], dict[str, NDArray]]    # a frame, uint8 [height, width, 3], RGB
    postprocess: Callable[[Sequence[NDArray]], Outcome]              # the outputs, in the card's order


TASKS = {"detect": detect.Detect.of, "segment": segment.Segment.of}


def task(card: Card) -> Task:
    """The task of a card's model. Raises: ModelError where there is none, or where the card does not fit it."""
    if card.task not in TASKS:
        raise ModelError(f"task {card.task!r}", "is not known", f"available: {', '.join(sorted(TASKS))}")
    solve = TASKS[card.task](card)
    return Task(preprocess=solve.preprocess, postprocess=solve.postprocess)
