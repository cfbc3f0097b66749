"""What a board with a GPU does at its start: it builds its engines, and tells which nodes run elsewhere than wanted."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from agents.runtime.offer import Offer
from models import store
from models.gpu import engines
from models.gpu.placements import Elsewhere
from models.gpu.versions import this_machine
from models.providers import order
from models.session import VERSION, Session
from swarm.core.clock import MonotonicClock
from swarm.core.settings.boards import Board
from swarm.core.settings.cards import Precision, Provider
from swarm.core.units import seconds

log = logging.getLogger(__name__)

TELL_S = 15.0                        # between two lines of one build
MOST_TOLD = 8                        # nodes of one variant that run elsewhere

Say = Callable[[str], None]
Wait = Callable[[float], bool]
"""Waits up to these seconds; returns whether the build has ended."""


class File(NamedTuple):
    """A file of a model that a session of its own runs."""

    model: str
    variant: str
    stage: str                       # "whole", or "stage 2 of 8"
    sha256: str
    path: Path
    on: tuple[Provider, ...]
    precision: Precision

    def __str__(self) -> str:
        return f"{self.model} {self.variant}, {self.stage}"


def files(offer: Offer, board: Board, folder: Path | None) -> Iterator[File]:
    """The files that an agent loads, now or later: each variant whole, then its stages. Raises: ModelError."""
    for profile in offer.all():
        model, variant = profile.model, profile.variant
        card = offer.cards[model]
        entry = card.variants[variant]
        on = order(board.providers, entry.providers, f"{model} {variant}")
        yield File(model, variant, "whole", entry.sha256, store.artefact(card, variant, folder), on, entry.precision)
        for k in range(len(profile.stages)):
            yield File(model, variant, f"stage {k} of {len(profile.stages)}", entry.stages[k].sha256,
                       store.stage(card, variant, k, folder), on, entry.precision)


def build_engines(
    offer: Offer, board: Board, folder: Path | None, *, load: Callable[[File], object] | None = None,
    say: Say = log.info, wait: Wait | None = None,
) -> int:
    """Build the engines that are missing, whole models and stages, one after the other. Returns how many.

    So no engine is built while streams run. Raises: ModelError for one that cannot be built; the others stand.
    """
    if board.emulated or "tensorrt" not in board.providers:
        return 0
    missing = [file for file in files(offer, board, folder)
               if "tensorrt" in file.on and not engines.stands(_engines_of(file))]
    for k, file in enumerate(missing, 1):
        with _Telling(f"building engine {k} of {len(missing)}: {file}", say, wait):
            (load or _loaded)(file)
    return len(missing)


def _engines_of(file: File) -> Path:
    return engines.folder_of(file.sha256, file.precision, this_machine(VERSION))


def _loaded(file: File) -> Session:
    return Session(file.path, on=file.on, precision=file.precision)


class _Telling:
    """Within the block: a line at the start, one every `TELL_S`, and one at the end, with the seconds so far."""

    def __init__(self, what: str, say: Say, wait: Wait | None) -> None:
        self._what, self._say, self._clock, self._ended = what, say, MonotonicClock(), threading.Event()
        self._wait = wait or self._ended.wait
        self._start_ns = self._clock.now_ns()
        self._thread = threading.Thread(target=self._tell, name="engines", daemon=True)

    def __enter__(self) -> None:
        self._say(self._what)
        self._thread.start()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._say(f"{self._what}: {'built' if kind is None else 'not built'} after {self._took_s():.0f} s")

    def _tell(self) -> None:
        while not self._wait(TELL_S):
            self._say(f"{self._what}: {self._took_s():.0f} s so far")

    def _took_s(self) -> float:
        return seconds(self._clock.now_ns() - self._start_ns)


def elsewhere(
    offer: Offer, board: Board, folder: Path | None, loaded: Iterable[tuple[Path, Sequence[Elsewhere]]],
) -> list[dict[str, Any]]:
    """The nodes of loaded files that another provider runs than wanted, as in events, by model, variant and stage.

    loaded: the file of each session, and its nodes on other providers; at most `MOST_TOLD` of each are told.
    """
    if board.emulated or board.providers[0] == "cpu":
        return []
    by_path = dict(loaded)
    return [{"model": file.model, "variant": file.variant, "stage": file.stage, "node": one.node,
             "operator": one.operator, "provider": one.provider, "share": round(one.share, 4)}
            for file in files(offer, board, folder) for one in by_path.get(file.path, ())[:MOST_TOLD]]
