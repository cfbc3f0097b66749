"""What models solve: one module per task, and the folder is the registry.

A task's module defines `preprocess(frame)`, the inputs that its networks take, and `postprocess(outputs)`, the outcome
that behaviours understand; see `Task`. A card says `task: NAME`, the module's name.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.store import ModelError
from swarm.core.protocol.world import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Both ends of a model. Post-processing runs where the last stage runs, so that outcomes travel."""

    preprocess: Callable[[NDArray[np.uint8]], dict[str, NDArray]]    # a frame, uint8 [72, 96, 3], RGB
    postprocess: Callable[[Sequence[NDArray]], Outcome]              # the outputs, in the card's order


def available() -> list[str]:
    """The names of all tasks, sorted."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__))


def task(name: str) -> Task:
    """The task called `name` on a card. Raises: ModelError where there is none."""
    if name not in available():
        raise ModelError(f"task {name!r}", "is not known", f"available: {', '.join(available())}")
    module = importlib.import_module(f"{__name__}.{name}")
    return Task(preprocess=module.preprocess, postprocess=module.postprocess)
