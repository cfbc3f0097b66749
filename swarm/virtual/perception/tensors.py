"""Models of all other kinds: zeros, of the types and shapes that the card says, since nothing is known of values.

So all qualities are alike.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from models.tasks.tensors import NAME_MAX
from sim_worlds.sensors.true_view import TrueView
from swarm.core.protocol.world import NamedArray, Tensors
from swarm.core.settings.cards import ITEM_BYTES, Card
from swarm.core.settings.launch_file import Quality


class Zeros:
    """The outcome of one model."""

    def __init__(self, card: Card, quality: Quality = "model") -> None:
        self._made = Tensors([
            NamedArray(spec.name[-NAME_MAX:], spec.dtype, spec.shape, bytes(prod(spec.shape) * ITEM_BYTES[spec.dtype]))
            for spec in card.outputs])

    def __call__(self, variant: str, view: TrueView | None, draw: Callable[..., float]) -> Tensors:
        """The same for every view."""
        return self._made


make = Zeros
"""As the folder's `perceive` needs it."""
