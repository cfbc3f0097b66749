"""What a robot's board offers: the variants that it runs, their run times, their input tensors. Deterministic."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.peers.claims import Accuracy, OwnCards
from agents.ports import Part
from agents.runtime.emulation import VariantTimes
from agents.runtime.memory import LOAD_FILES, MB, RESERVE_BYTES, Candidate, fitting
from agents.scheduling.memory.residency import Residency, Size
from models import tasks
from models.batch_sizes import paying
from models.profiles import Times, fit
from swarm.core.policy.plan import MOST_STAGES, Profile, StageProfile
from swarm.core.protocol.wire import MAX_TENSOR_BYTES
from swarm.core.protocol.world import Outcome
from swarm.core.settings.cards import Card, RunTime, TensorSpec, Variant, crossing, network

LEAST_TRANSFER_BYTES = 16 << 20      # two pictures of 1920 x 1080, and more
TRANSFERRING_PEERS = 4               # at once
AT_ONCE_BYTES = 128 << 10            # resizing a picture of 96 x 72 to 96 x 96 takes 0.1 ms; as it is, 1 us
MIN_S = 1e-6                         # so that no profile has a run time of 0
HASH_DIGITS = 16


class Offer:
    """The variants that are worth running on one board, and that fit into its memory, together or in turn.

    cards: by model, the most important first. times: by model and variant, on this board. staged: whether to load all
    stages at the start. memory_mb: of the board; 0: not known.
    `files`: the hash of the files of each variant, by model and variant.
    `profiles`: by model, of all that fit alone. `staged`: models and variants whose stages are loaded at the start.
    `left_out`: variants that are not loaded at the start, the most useful first; `too_large`: those of them that never
    are. `free_bytes`: of the memory; None: not known. `elsewhere`: nodes that another provider runs than wanted, as in
    events; known when all is loaded.
    """

    def __init__(
        self, cards: Mapping[str, Card], times: Mapping[str, Mapping[str, Times]], *, staged: bool = False,
        memory_mb: int = 0,
    ) -> None:
        self.cards = cards
        self.tasks = {model: tasks.task(card) for model, card in cards.items()}
        self.files = {(model, name): _files_hash(variant, card.task_sha256) for model, card in cards.items()
                      for name, variant in card.variants.items()}
        self.profiles: dict[str, list[Profile]] = {}
        self.elsewhere: list[dict[str, Any]] = []
        self._times: dict[tuple[str, str], VariantTimes] = {}
        self._peaks = {(model, variant): max(on_board.peak_bytes, on_board.memory_bytes)
                       for model, each in times.items() for variant, on_board in each.items() if on_board.peak_bytes}
        worth = sorted((model, variant) for model, card in cards.items()
                       for variant in fit(card, {key: on_board.whole for key, on_board in times[model].items()}))
        memory = fitting([_candidate(cards[model], variant, times[model][variant]) for model, variant in worth],
                         list(cards), memory_mb)
        self.left_out, self.too_large, self.free_bytes = memory.left_out, memory.too_large, memory.free_bytes
        never = {one.key for one in memory.too_large}
        for model, variant in worth:
            if (model, variant) not in never:
                self._add(cards[model], variant, times[model][variant], (model, variant) in memory.later)
        self._whole, self._unstaged, self._memory_mb = set(memory.whole), memory.unstaged, memory_mb
        self.staged = [key for key in self._times if staged and key in memory.stages]

    def all(self) -> list[Profile]:
        """The profiles of all variants, in memory or not."""
        return [profile for some in self.profiles.values() for profile in some]

    def announce(self) -> list[Profile]:
        """The profiles of the variants that are loaded at the start, as in the first advert."""
        return [profile for profile in self.all() if (profile.model, profile.variant) in self._whole]

    def not_loaded(self) -> str:
        """The names of all that does not fit together; empty: all does."""
        return ", ".join([f"{one.model} {one.variant}{' (too large)' if one in self.too_large else ''}"
                          for one in self.left_out]
                         + [f"the stages of {model} {variant}" for model, variant in self._unstaged])

    def room_lacks(self, model: str, *, first_stays: bool = True) -> str:
        """Why no variant of a model can ever be in memory; empty: one can.

        first_stays: whether that of the first model always stays.
        """
        if not self._memory_mb:
            return ""
        some, first = self.profiles.get(model, ()), next(iter(self.profiles.values()), ())
        if not some:
            return "fits"
        stays = min(first, key=lambda one: one.p50_s)
        free_bytes = self._memory_mb * MB - RESERVE_BYTES - stays.memory_bytes
        if some is first or not first_stays or any(one.memory_bytes <= free_bytes for one in some):
            return ""
        return f"fits beside {stays.model} {stays.variant}, which stays"

    def residency(self) -> Residency | None:
        """What is in memory, to begin with; None: how much may be is not known."""
        if not self._memory_mb:
            return None
        sizes, present = self.sizes(), self.at_start()
        fastest = {model: min(some, key=lambda one: one.p50_s).variant for model, some in self.profiles.items()}
        rss_bytes = RESERVE_BYTES + sum(sizes[part].kept_bytes for part in present)
        return Residency(sizes, present, fastest, self._memory_mb * MB, rss_bytes)

    def at_start(self) -> list[Part]:
        """What is loaded at the start."""
        return [*(Part(*key) for key in self._times if key in self._whole), *(Part(*k, True) for k in self.staged)]

    def sizes(self) -> dict[Part, Size]:
        """All variants and their stages, as measured on this board, else by their cards.

        All stages together take as much as the whole.
        """
        sizes: dict[Part, Size] = {}
        for profile in self.all():
            entry = self.cards[profile.model].variants[profile.variant]
            files = {False: entry.bytes, True: sum(stage.bytes for stage in entry.stages)}
            measured = self._peaks.get((profile.model, profile.variant), 0)
            for stages in (False, True) if profile.stages else (False,):
                peak_bytes = profile.memory_bytes + LOAD_FILES * files[stages]
                sizes[Part(profile.model, profile.variant, stages)] = Size(
                    profile.memory_bytes, measured if measured and not stages else peak_bytes, profile.load_s)
        return sizes

    def own_cards(self, allowed: Mapping[str, Sequence[str]]) -> OwnCards:
        """What is believed of peers' variants. allowed: of the models that are named, the variants that may run."""
        return OwnCards({
            model: {variant: _accuracy(card, variant) for variant in allowed.get(model, card.variants)
                    if variant in card.variants}
            for model, card in self.cards.items()})

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

    def prepares_at_once(self, model: str, frame: NDArray[Any]) -> bool:
        """Whether `inputs` takes less time than a hand-off to another thread, and cannot hang."""
        return self.tasks[model].trusted and frame.nbytes + _bytes(self.cards[model].inputs) <= AT_ONCE_BYTES

    def labels(self, model: str) -> Sequence[str]:
        """The names of the model's classes, by index."""
        return self.cards[model].labels

    def on_frame(self, model: str, shape: Sequence[int], outcome: Outcome) -> Outcome:
        """An outcome with boxes and masks in pixels of the picture of this shape that the model was given."""
        return self.tasks[model].on_frame(outcome, shape)

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

    def _add(self, card: Card, variant: str, times: Times, staged: bool) -> None:
        """staged: its stages may be loaded."""
        entry, accuracy = card.variants[variant], _accuracy(card, variant)
        whole_s, *stages_s = [_quantiles_s(time) for time in (times.whole, *times.stages)]
        batches = paying(times.whole, times.batches) if entry.batch > 1 else []
        self._times[card.name, variant] = VariantTimes(whole_s, stages_s, [_quantiles_s(time) for time in batches])
        by_stage = [
            StageProfile(max(stage_s[10], MIN_S), max(stage_s[19], MIN_S), _bytes(crossing(card, variant, k)))
            for k, stage_s in enumerate(stages_s)
        ]
        self.profiles.setdefault(card.name, []).append(Profile(
            model=card.name, variant=variant, p50_s=whole_s[10], p95_s=whole_s[19],
            memory_bytes=times.memory_bytes or entry.memory_bytes, accuracy=accuracy.of_variant,
            network_accuracy=accuracy.of_network,
            input_bytes=_bytes(card.inputs), stages=by_stage if staged else [],
            batch_s=[time.p50_ms / 1e3 for time in batches], load_s=times.load_s, files=self.files[card.name, variant],
        ))


def _files_hash(variant: Variant, task_sha256: str) -> str:
    """Of the file of a variant, those of its stages and a user's task: those of different files do not fit together."""
    files = [variant.sha256, *(stage.sha256 for stage in variant.stages), *filter(None, [task_sha256])]
    return hashlib.sha256(" ".join(files).encode()).hexdigest()[:HASH_DIGITS]


def transfer_limits(offer: Offer) -> tuple[int, int]:
    """Most bytes of transfers that one peer, and all together, may have open: two inputs of our largest model or stage.

    Results and pictures are smaller than `LEAST_TRANSFER_BYTES`.
    """
    largest = max((size for profile in offer.all()
                   for size in (profile.input_bytes, *(stage.input_bytes for stage in profile.stages))), default=0)
    most = min(max(2 * largest, LEAST_TRANSFER_BYTES), MAX_TENSOR_BYTES)
    return most, TRANSFERRING_PEERS * most


def _candidate(card: Card, variant: str, times: Times) -> Candidate:
    entry = card.variants[variant]
    return Candidate(card.name, variant, times.whole.p50_ms / 1e3, times.memory_bytes or entry.memory_bytes,
                     staged=0 < len(entry.stages) <= MOST_STAGES)


def _accuracy(card: Card, variant: str) -> Accuracy:
    of_variant, of_network = (card.variants[name].metrics.get(card.primary_metric, 0.0)
                              for name in (variant, network(card, variant)))
    return Accuracy(of_variant, of_network)


def _quantiles_s(time: RunTime) -> list[float]:
    return [ms / 1e3 for ms in time.quantiles_ms]


def _bytes(specs: Sequence[TensorSpec]) -> int:
    return sum(spec.bytes for spec in specs)
