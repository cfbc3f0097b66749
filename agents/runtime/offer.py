"""What a robot's board offers: the variants that it runs, their run times, their input tensors. Deterministic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from agents.runtime.emulation import VariantTimes
from models import tasks
from models.batch_sizes import paying
from models.profiles import Times, fit
from swarm.core.policy.plan import MOST_STAGES, Profile, StageProfile
from swarm.core.settings.cards import Card, RunTime, TensorSpec, crossing

MIN_S = 1e-6                         # so that no profile has a run time of 0


class Offer:
    """The variants that are worth running on one board.

    cards: by model. times: by model and variant, on this board. staged: whether to load all stages at the start.
    `profiles`: by model, as advertised. `staged`: models and variants whose stages are loaded at the start.
    """

    def __init__(
        self, cards: Mapping[str, Card], times: Mapping[str, Mapping[str, Times]], *, staged: bool = False
    ) -> None:
        self.cards = cards
        self.tasks = {model: tasks.task(card) for model, card in cards.items()}
        self.profiles: dict[str, list[Profile]] = {}
        self._times: dict[tuple[str, str], VariantTimes] = {}
        for model, card in cards.items():
            for variant in sorted(fit(card, {key: on_board.whole for key, on_board in times[model].items()})):
                self._add(card, variant, times[model][variant])
        self.staged = [
            (model, variant) for model, variant in self._times if staged and cards[model].variants[variant].stages
        ]

    def announce(self) -> list[Profile]:
        """The profiles of all variants, as in the advert."""
        return [profile for some in self.profiles.values() for profile in some]

    def times(self, model: str, variant: str) -> VariantTimes:
        """The run times of a variant that is offered."""
        return self._times[model, variant]

    def inputs(self, model: str, frame: NDArray[np.uint8]) -> list[NDArray]:
        """The tensors that are sent when a peer runs a whole model on a frame, in the card's order.

        Raises: ValueError if the frame's shape does not fit the model.
        """
        card = self.cards[model]
        tensors = self.tasks[model].preprocess(frame)
        return [tensors[spec.name] for spec in card.inputs]

    def fits(self, model: str, variant: str, first: int, tensors: Sequence[NDArray]) -> bool:
        """Whether these tensors have the types and shapes of the boundary before stage `first`.

        True for an unknown model or variant: the scheduler refuses these.
        """
        card = self.cards.get(model)
        entry = card.variants.get(variant) if card else None
        if card is None or entry is None or first > len(entry.stages):
            return card is None or entry is None
        expected: list[TensorSpec] = crossing(card, variant, first) if first else card.inputs
        return [(spec.dtype, tuple(spec.shape)) for spec in expected] == [(t.dtype.name, t.shape) for t in tensors]

    def _add(self, card: Card, variant: str, times: Times) -> None:
        entry = card.variants[variant]
        whole_s, *stages_s = [_quantiles_s(time) for time in (times.whole, *times.stages)]
        batches = paying(times.whole, times.batches) if entry.batch > 1 else []
        self._times[card.name, variant] = VariantTimes(whole_s, stages_s, [_quantiles_s(time) for time in batches])
        by_stage = [
            StageProfile(max(stage_s[10], MIN_S), max(stage_s[19], MIN_S), _bytes(crossing(card, variant, k)))
            for k, stage_s in enumerate(stages_s)
        ]
        self.profiles.setdefault(card.name, []).append(Profile(
            model=card.name, variant=variant, p50_s=whole_s[10], p95_s=whole_s[19],
            memory_bytes=entry.memory_bytes, accuracy=entry.metrics[card.primary_metric],
            input_bytes=_bytes(card.inputs), stages=by_stage if len(by_stage) <= MOST_STAGES else [],
            batch_s=[time.p50_ms / 1e3 for time in batches],
        ))


def _quantiles_s(time: RunTime) -> list[float]:
    return [ms / 1e3 for ms in time.quantiles_ms]


def _bytes(specs: Sequence[TensorSpec]) -> int:
    return sum(spec.bytes for spec in specs)
