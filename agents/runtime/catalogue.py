"""The models that this robot holds ready, whole and by stages, and what each costs on its board."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models import profiles, store, tasks
from models.batch_sizes import paying
from models.pipeline import Pipeline
from models.profiles import Times
from models.providers import order
from models.session import VERSION, LoadHandle, RunHandle, Session
from swarm.core.policy.plan import MOST_STAGES, Profile, StageProfile
from swarm.core.protocol.world import Outcome
from swarm.core.settings.boards import Board
from swarm.core.settings.cards import Card, Provider, RunTime, TensorSpec, Variant, crossing

log = logging.getLogger(__name__)

Given = NDArray[np.uint8] | Sequence[NDArray]
"""What a run begins with: a frame of this robot, uint8 [height, width, 3], or the tensors before its leg, in order."""

Made = Outcome | list[NDArray]
"""What a run ends with: an outcome, or what crosses after its leg, in that order."""

LEAST_S = 1e-6                       # a stage of no time at all is none


@dataclass(frozen=True)
class Loaded:
    """One variant in memory. Quantiles are of run times on this board."""

    session: Session
    task: tasks.Task
    inputs: list[str]
    quantiles_s: list[float]
    stage_quantiles_s: list[list[float]]
    stages: Pipeline | None = None
    batch_quantiles_s: Sequence[list[float]] = ()            # of 1, 2, ... inputs at once, as far as it pays

    def run(self, given: Given, handle: RunHandle) -> Outcome:
        """Run it whole. Raises: Aborted; RunFailed; ValueError for a frame of another shape."""
        return self.task.postprocess(self.session.run(self._tensors(given), handle))

    def run_batch(self, givens: Sequence[Given], handle: RunHandle) -> list[Outcome | None]:
        """Run it whole on several inputs at once; None for a frame of another shape. Raises: Aborted; RunFailed."""
        each: list[dict[str, NDArray] | None] = []
        for given in givens:
            try:
                each.append(self._tensors(given))
            except ValueError as error:      # the others are not to suffer from it
                log.warning("not run: %s", error)
                each.append(None)
        fitting = [tensors for tensors in each if tensors is not None]
        if not fitting:
            return [None] * len(each)
        stacked = {name: np.concatenate([tensors[name] for tensors in fitting]) for name in self.inputs}
        outputs = self.session.run(stacked, handle)
        made = (self.task.postprocess([output[k:k + 1] for output in outputs]) for k in range(len(fitting)))
        return [None if tensors is None else next(made) for tensors in each]

    def run_stage(self, given: Given, stage: int, handle: RunHandle) -> Made:
        """Run one stage on what crosses before it, or the first one on a frame. Raises: as `run` does."""
        assert self.stages is not None       # the scheduler runs stages that were loaded only
        if isinstance(given, np.ndarray):
            tensors = self.task.preprocess(given)
        else:
            tensors = dict(zip(self.stages.crossing(stage), given, strict=True))
        made = list(self.stages.run(tensors, stage, stage + 1, handle).values())
        return self.task.postprocess(made) if stage + 1 == len(self.stage_quantiles_s) else made

    def _tensors(self, given: Given) -> dict[str, NDArray]:
        if isinstance(given, np.ndarray):
            return self.task.preprocess(given)
        return dict(zip(self.inputs, given, strict=True))


class Catalogue:
    """Loads models one after the other (creating sessions concurrently is racy) and keeps them.

    staged: whether stages are loaded now, or each variant's when they are first wanted: they take as much memory as the
    whole does. Raises: ModelError.
    """

    def __init__(
        self, names: Iterable[str], board: Board, folder: Path | None, *, board_name: str = "", staged: bool = False
    ) -> None:
        self._folder, self._board = folder, board
        self._cards: dict[str, Card] = {}
        self._tasks: dict[str, tasks.Task] = {}
        self._loaded: dict[tuple[str, str], Loaded] = {}
        self.profiles: dict[str, list[Profile]] = {}
        for name in sorted(set(names)):
            card = self._cards[name] = store.load_card(name, folder)
            self._tasks[name] = tasks.task(card)
            times = profiles.on_board(card, board_name, board, VERSION, folder)
            for variant in sorted(profiles.fit(card, {key: whole for key, (whole, *_) in times.items()})):
                entry = card.variants[variant]
                self._load(card, variant, entry, times[variant])
                if staged and entry.stages:
                    self.adopt(name, variant, self.load_stages(name, variant, LoadHandle()))

    def get(self, model: str, variant: str) -> Loaded:
        return self._loaded[model, variant]

    @property
    def staged(self) -> list[tuple[str, str]]:
        """Models and variants whose stages are loaded."""
        return [key for key, loaded in self._loaded.items() if loaded.stages is not None]

    def announce(self) -> list[Profile]:
        return [profile for announced in self.profiles.values() for profile in announced]

    def inputs(self, model: str, frame: NDArray[np.uint8]) -> list[NDArray]:
        """What travels when a frame's request is sent to a peer. Raises: ValueError for a frame of another shape."""
        tensors = self._tasks[model].preprocess(frame)
        return [tensors[spec.name] for spec in self._cards[model].inputs]

    def fits(self, model: str, variant: str, first: int, tensors: Sequence[NDArray]) -> bool:
        """Whether these are what crosses before a stage. Of what is not known here anything may be said."""
        card = self._cards.get(model)
        entry = card.variants.get(variant) if card else None
        if card is None or entry is None or first > len(entry.stages):
            return card is None or entry is None
        takes: list[TensorSpec] = crossing(card, variant, first) if first else card.inputs
        return [(spec.dtype, tuple(spec.shape)) for spec in takes] == [(t.dtype.name, t.shape) for t in tensors]

    def load_stages(self, model: str, variant: str, handle: LoadHandle) -> Pipeline:
        """Load the stages of a variant, in any thread. Raises: ModelError, LoadCancelled."""
        card = self._cards[model]
        on = self._providers(card, variant)
        sessions = [Session(store.stage(card, variant, k, self._folder), self._board.threads, on, handle)
                    for k in range(len(card.variants[variant].stages))]
        return Pipeline(sessions, [spec.name for spec in card.inputs], [spec.name for spec in card.outputs])

    def adopt(self, model: str, variant: str, stages: Pipeline) -> None:
        """From now on the stages of this variant can be run."""
        self._loaded[model, variant] = dataclasses.replace(self._loaded[model, variant], stages=stages)

    def _providers(self, card: Card, variant: str) -> Sequence[Provider]:
        return order(self._board.providers, card.variants[variant].providers, f"{card.name} {variant}")

    def _load(self, card: Card, variant: str, entry: Variant, times: Times) -> None:
        quantiles_s, *stages_s = [_quantiles_s(time) for time in (times.whole, *times.stages)]
        file, on = store.artefact(card, variant, self._folder), self._providers(card, variant)
        session = Session(file, self._board.threads, on)
        at_once = paying(times.whole, times.batches) if session.batched else []
        self._loaded[card.name, variant] = Loaded(
            session, self._tasks[card.name], [spec.name for spec in card.inputs], quantiles_s, stages_s,
            batch_quantiles_s=[_quantiles_s(time) for time in at_once],
        )
        by_stage = [
            StageProfile(max(stage_s[10], LEAST_S), max(stage_s[19], LEAST_S), _bytes(crossing(card, variant, k)))
            for k, stage_s in enumerate(stages_s)
        ]
        self.profiles.setdefault(card.name, []).append(Profile(
            model=card.name, variant=variant, p50_s=quantiles_s[10], p95_s=quantiles_s[19],
            memory_bytes=entry.memory_bytes, accuracy=entry.metrics[card.primary_metric],
            input_bytes=_bytes(card.inputs), stages=by_stage if len(by_stage) <= MOST_STAGES else [],
            batch_s=[time.p50_ms / 1e3 for time in at_once],
        ))


def _quantiles_s(time: RunTime) -> list[float]:
    return [ms / 1e3 for ms in time.quantiles_ms]


def _bytes(specs: Sequence[TensorSpec]) -> int:
    return sum(spec.bytes for spec in specs)
