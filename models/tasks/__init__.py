"""What models solve: how a frame becomes a network's inputs, and its outputs what behaviours understand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.store import ModelError
from models.tasks import detect, segment
from swarm.core.protocol.world import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Both ends of a model. Post-processing runs where the last stage runs, so that outcomes travel."""

    preprocess: Callable[[NDArray[np.uint8]], dict[str, NDArray]]    # a frame, uint8 [72, 96, 3], RGB
    postprocess: Callable[[Sequence[NDArray]], Outcome]              # the outputs, in the card's order


TASKS = {
    "detect": Task(preprocess=detect.preprocess, postprocess=detect.postprocess),
    "segment": Task(preprocess=segment.preprocess, postprocess=segment.postprocess),
}


def task(name: str) -> Task:
    """The task called `name` on a card; ModelError where there is none."""
    if name not in TASKS:
        raise ModelError(f"task {name!r}", "is not known", f"available: {', '.join(sorted(TASKS))}")
    return TASKS[name]
