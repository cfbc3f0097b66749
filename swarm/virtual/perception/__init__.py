"""What models would have seen: outcomes from the truth of a view and the errors on the model's card, without running.

One file for each task, of the task's name, with `make(card, quality) -> Perceive`; the folder is the registry. What a
quality means is said there. Draws have the same names in every quality, so that runs of one seed can be compared: a
target that is found in a view in `halved` is found in that view in `model`, and one of `model` in `perfect`.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable
from typing import Protocol

from agents.ports import Made, RunOrder
from agents.runtime.offer import Offer
from models.store import ModelError, load_card
from sim_worlds.sensors.true_view import TrueView
from swarm import plugins
from swarm.core.policy.draw import uniform
from swarm.core.protocol.world import Outcome, Pose
from swarm.core.settings.cards import Card, crossing
from swarm.core.settings.launch_file import Quality
from swarm.virtual.stamps import Views, boundary

__path__ = plugins.extended(__path__, "perception")

PLACE_M, TURN_RAD = 0.5, 0.26
"""Views that are closer are mistaken alike. With these steps errors last from frame to frame, 0.2 s later, as those of
a detector for buildings did on drives: of missed targets 0.62 stay missed (the network: 0.57), of found ones 0.95 stay
found (0.97), and scores, places and sizes correlate by 0.50, 0.46 and 0.52 (0.52, 0.58, 0.58)."""


class Perceive(Protocol):
    """The outcome of one model on a view."""

    def __call__(self, variant: str, view: TrueView | None, draw: Callable[..., float]) -> Outcome:
        """view: None if the frame was damaged on its way. draw: a number in [0, 1) by names, the same for a view."""
        ...


def available() -> list[str]:
    """The tasks whose models can be flown without being run, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def perceive(card: Card, quality: Quality = "model") -> Perceive:
    """How a model perceives. Raises: ModelError for a task or a card without an error model."""
    if card.task not in available():
        raise ModelError(f"model {card.name!r}", f"task {card.task!r} has no error model, which virtual time needs",
                         f"a model of {', '.join(available())}, or clock: real")
    return plugins.load(f"{__name__}.{card.task}", "make").make(card, quality)


def check_models(names: Iterable[str]) -> None:
    """Raises: ModelError for the first model that virtual time cannot fly."""
    for name in sorted(set(names)):
        perceive(load_card(name))


class Perception:
    """Makes the outputs of runs for one offer. seed: of the run."""

    def __init__(self, offer: Offer, views: Views, seed: int, quality: Quality = "model") -> None:
        self._offer, self._views, self._seed = offer, views, seed
        self._perceive = {model: perceive(card, quality) for model, card in offer.cards.items()}

    def made(self, model: str, variant: str, order: RunOrder, stage: int | None) -> Made:
        """The output of a run, whole or by one stage. Deterministic: the same for the same view."""
        card = self._offer.cards[model]
        if stage is not None and stage + 1 < len(card.variants[variant].stages):
            return boundary(crossing(card, variant, stage + 1), order.given)
        view = self._views.of(order.given)
        place = cell(view.pose) if view is not None else ()

        def draw(*names: object) -> float:
            return uniform(self._seed, "perceive", model, variant, *place, *names)

        return self._perceive[model](variant, view, draw)


def cell(pose: Pose) -> tuple[int, int, int]:
    """Place and direction in steps: a network errs alike on views that are alike, not anew on each frame."""
    return round(pose.x_m / PLACE_M), round(pose.y_m / PLACE_M), round(pose.heading_rad / TURN_RAD)
