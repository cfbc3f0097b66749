"""The models that this robot has in memory, whole and by stages."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from agents.ports import Given, Made, Measured, Part
from agents.runtime.emulation import VariantTimes
from agents.runtime.offer import Offer
from models import profiles, store, tasks
from models.pipeline import Pipeline
from models.profiles import Times
from models.providers import order, ort_names
from models.resident import resident_bytes, trim
from models.session import AVAILABLE, VERSION, LoadHandle, RunHandle, Session
from swarm.core.policy import policies
from swarm.core.policy.plan import Profile, StreamSpec
from swarm.core.protocol.world import Outcome
from swarm.core.settings.boards import Board
from swarm.core.settings.cards import SENSORS, Card, Provider
from swarm.core.settings.errors import BadInput
from swarm.core.settings.process_files import AgentFile

log = logging.getLogger(__name__)
ON_HOST: tuple[Provider, ...] = ("cpu",)


def read_offer(
    names: Iterable[str], board: Board, folder: Path | None, *, board_name: str = "", staged: bool = False,
    variants: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Offer:
    """The offer of a board for these models, the most important first, from the cards and profiles in a folder.

    staged: whether to load all stages at the start. variants: those that may run, of the models that are named; others
    are as if they were not there. Raises: ModelError, also for a provider that is not available here.
    """
    cards = {name: store.load_card(name, folder) for name in dict.fromkeys(names)}
    on_board = {name: profiles.on_board(card, board_name, board, VERSION, folder) for name, card in cards.items()}
    times = {name: _only(variants.get(name), card, on_board[name], board_name) for name, card in cards.items()}
    offer = Offer(cards, times, staged=staged, memory_mb=board.memory_mb)
    for profile in offer.all():
        what = f"{profile.model} {profile.variant}"
        variant = cards[profile.model].variants[profile.variant]
        ort_names(_on(board, variant.providers, what), AVAILABLE, what)
    return offer


def _only(wanted: Sequence[str] | None, card: Card, times: dict[str, Times], board: str) -> dict[str, Times]:
    """The run times of the variants that may run. Raises: ModelError where `profiles.check_wanted` does."""
    if wanted is None:
        return times
    profiles.check_wanted(wanted, card, {key: on_board.whole for key, on_board in times.items()}, board)
    return {key: on_board for key, on_board in times.items() if key in wanted}


def offer_of(settings: AgentFile) -> Offer:
    """The offer of an agent with these settings: the models of its streams by priority, then the others.

    Raises: ModelError; BadInput for a stream whose model does not fit into the memory, if no peer may run it.
    """
    policy, board = policies.load(settings.policy), settings.board
    streams = sorted(settings.streams, key=lambda stream: -stream.priority)
    offer = read_offer(
        [*(stream.model for stream in streams), *settings.load], board,
        Path(settings.models) if settings.models else None, board_name=settings.board_name, staged=policy.uses_stages,
        variants=settings.variants)
    most_urgent = {stream.model for stream in streams if stream.priority == streams[0].priority}
    for stream in streams:
        _check_source(stream, offer, settings)
        lacks = offer.room_lacks(stream.model, first_stays=len(most_urgent) == 1)
        if lacks and not policy.uses_peers:
            raise BadInput(
                f"board {settings.board_name}: memory_mb: {board.memory_mb}",
                f"no variant of {stream.model} for stream {stream.name} {lacks}, and policy {settings.policy} "
                "does not use peers", "more memory, or another policy")
    return offer


def _check_source(stream: StreamSpec, offer: Offer, settings: AgentFile) -> None:
    """Raises: BadInput for a stream whose source does not give what its model takes."""
    sensor, at = offer.cards[stream.model].sensor, f"stream {stream.name}: source"
    if stream.source in SENSORS:
        if stream.source != sensor:
            raise BadInput(at, f"a {stream.source}, and model {stream.model} takes what a {sensor} gives",
                           f"source: {sensor}")
        return
    if sensor != "camera":
        raise BadInput(at, f"crops of {stream.source}, and model {stream.model} takes what a {sensor} gives",
                       f"source: {sensor}")
    source = next((offer.cards[one.model] for one in settings.streams if one.name == stream.source), None)
    if source is not None and source.sensor != "camera":
        raise BadInput(at, f"{stream.source} looks at no pictures", "a stream of a camera")


@dataclass(frozen=True)
class Loaded:
    """One variant in memory, with its run times on this board."""

    session: Session
    task: tasks.Task
    inputs: list[str]
    times: VariantTimes
    stages: Pipeline | None = None

    def run(self, given: Given, handle: RunHandle) -> Outcome:
        """Run it whole. Raises: Aborted; RunFailed; ValueError for a frame of another shape."""
        return self.task.postprocess(self.session.run(self._tensors(given), handle))

    def run_batch(self, givens: Sequence[Given], handle: RunHandle) -> list[Outcome | None]:
        """Run it whole on several inputs at once; None where the task has failed. Raises: Aborted; RunFailed."""
        each: list[dict[str, NDArray] | None] = []
        for given in givens:
            try:
                each.append(self._tensors(given))
            except ValueError as error:      # the other inputs still run
                log.warning("an input of a batch was not run: %s", error)
                each.append(None)
        fitting = [tensors for tensors in each if tensors is not None]
        if not fitting:
            return [None] * len(each)
        stacked = {name: np.concatenate([tensors[name] for tensors in fitting]) for name in self.inputs}
        outputs = self.session.run(stacked, handle)
        made = (self._outcome([output[k:k + 1] for output in outputs]) for k in range(len(fitting)))
        return [None if tensors is None else next(made) for tensors in each]

    def _outcome(self, outputs: Sequence[NDArray]) -> Outcome | None:
        """The outcome of one input of a batch; None if its task makes none: the others still have theirs."""
        try:
            return self.task.postprocess(outputs)
        except ValueError as error:
            log.warning("an output of a batch has no outcome: %s", error)
            return None

    def run_stage(self, given: Given, stage: int, handle: RunHandle) -> Made:
        """Run one stage on the boundary tensors before it, or the first stage on a frame. Raises: as `run` does."""
        assert self.stages is not None       # the scheduler runs only stages that were loaded
        if isinstance(given, np.ndarray):
            tensors = self.task.preprocess(given)
        else:
            tensors = dict(zip(self.stages.crossing(stage), given, strict=True))
        made = list(self.stages.run(tensors, stage, stage + 1, handle).values())
        return self.task.postprocess(made) if stage + 1 == len(self.times.stages_s) else made

    def _tensors(self, given: Given) -> dict[str, NDArray]:
        if isinstance(given, np.ndarray):
            return self.task.preprocess(given)
        return dict(zip(self.inputs, given, strict=True))


class Sessions:
    """Loads the models of an offer, one after the other (creating sessions concurrently is racy), and keeps them.

    Stages are loaded at once if the offer says so; otherwise each variant's when they are first needed, since they take
    as much memory as the whole model. Raises: ModelError.
    """

    def __init__(self, offer: Offer, board: Board, folder: Path | None) -> None:
        self._cards, self._board, self._folder = offer.cards, board, folder
        self._loaded: dict[tuple[str, str], Loaded] = {}
        self._offer, self._profiles = offer, {(one.model, one.variant): one for one in offer.all()}
        self._kept: dict[Part, int] = {}             # bytes that their loads have added
        for profile in offer.announce():
            key = profile.model, profile.variant
            self._adopt_whole(*key, self._whole(*key, LoadHandle()))
            if key in offer.staged:
                self.adopt(*key, self.load_stages(*key, LoadHandle()))

    def get(self, model: str, variant: str) -> Loaded:
        return self._loaded[model, variant]

    def providers(self) -> dict[tuple[str, str], tuple[Profile, str]]:
        """Each variant that is or can be loaded, with its profile, and the execution provider that runs it."""
        return {key: (one, self._providers(self._cards[one.model], one.variant)[0])
                for key, one in self._profiles.items()}

    def load(self, part: Part, handle: LoadHandle) -> tuple[Session | Pipeline, int]:
        """Load a part, in any thread. Returns the bytes that it has added, too. Raises: ModelError, LoadCancelled."""
        before_bytes, (model, variant, stages) = resident_bytes(), part
        loaded = (self.load_stages if stages else self._whole)(model, variant, handle)
        trim()                           # what only the load needed
        return loaded, max(resident_bytes() - before_bytes, self._file_bytes(part))

    def put(self, part: Part, loaded: Session | Pipeline, kept_bytes: int) -> bool:
        """Add a part that `load` has loaded: it can run from now on. False: it cannot, as `adopt` says."""
        if not isinstance(loaded, Pipeline):
            self._adopt_whole(part.model, part.variant, loaded)
        elif not self.adopt(part.model, part.variant, loaded):
            return False
        self._kept[part] = kept_bytes
        return True

    def take(self, part: Part) -> Session | Pipeline:
        """Forget a part. Whoever closes what is returned gives its memory back."""
        self._kept.pop(part, None)
        if not part.stages:
            return self._loaded.pop(part[:2]).session
        whole = self._loaded[part[:2]]
        assert whole.stages is not None      # only what is in memory is unloaded
        self._loaded[part[:2]] = dataclasses.replace(whole, stages=None)
        return whole.stages

    def memory(self) -> Measured:
        """Resident memory, and what the loads of the parts have added to it, as far as it was measured."""
        return Measured(rss_bytes=resident_bytes(), kept_bytes=dict(self._kept))

    def _whole(self, model: str, variant: str, handle: LoadHandle) -> Session:
        card = self._cards[model]
        session = Session(store.artefact(card, variant, self._folder), self._board.threads,
                          self._providers(card, variant), handle, card.variants[variant].precision)
        if self._profiles[model, variant].batch_s and not session.batched:
            raise store.ModelError(f"{model} {variant}", "takes one input at a time, and its card says several")
        return session

    def _adopt_whole(self, model: str, variant: str, session: Session) -> None:
        inputs = [spec.name for spec in self._cards[model].inputs]
        self._loaded[model, variant] = Loaded(
            session, self._offer.tasks[model], inputs, self._offer.times(model, variant))

    def _file_bytes(self, part: Part) -> int:
        entry = self._cards[part.model].variants[part.variant]
        return sum(stage.bytes for stage in entry.stages) if part.stages else entry.bytes

    def load_stages(self, model: str, variant: str, handle: LoadHandle) -> Pipeline:
        """Load the stages of a variant, in any thread. Raises: ModelError, LoadCancelled."""
        card = self._cards[model]
        on = self._providers(card, variant)
        sessions = [Session(store.stage(card, variant, k, self._folder), self._board.threads, on, handle,
                            card.variants[variant].precision)
                    for k in range(len(card.variants[variant].stages))]
        return Pipeline(sessions, [spec.name for spec in card.inputs], [spec.name for spec in card.outputs])

    def adopt(self, model: str, variant: str, stages: Pipeline) -> bool:
        """Add the loaded stages of a variant: they can run from now on. False: it has left, and they are closed."""
        whole = self._loaded.get((model, variant))
        if whole is None:
            stages.close()
            return False
        self._loaded[model, variant] = dataclasses.replace(whole, stages=stages)
        return True

    def _providers(self, card: Card, variant: str) -> Sequence[Provider]:
        return _on(self._board, card.variants[variant].providers, f"{card.name} {variant}")


def _on(board: Board, allowed: Sequence[Provider], what: str) -> Sequence[Provider]:
    """The providers that run a variant here, best first. An emulated board's run on this machine's processor, whatever
    the board and the card say: only their time is the board's.
    """
    return ON_HOST if board.emulated else order(board.providers, allowed, what)
