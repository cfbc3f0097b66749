"""The events that a robot tells of itself: what was loaded, unloaded, shed, replaced or dropped. Deterministic."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from agents.outputs import in_words
from agents.ports import MemoryEnd
from agents.runtime.memory import MB
from swarm.core.policy.plan import WHY_MAX, NotLoaded
from swarm.core.protocol.messages import Happened

log = logging.getLogger(__name__)


class OwnEvents:
    """Tells each event once. put: sends it to the collector."""

    def __init__(self, put: Callable[[Happened], object]) -> None:
        self._put = put
        self._stuck = 0
        self._shed: list[str] = []
        self._nonsense: set[str] = set()     # its kinds so far

    def not_loaded(self, what: Sequence[NotLoaded]) -> None:
        """What did not fit into the memory at the start."""
        for one in what:
            self._put(Happened(what="not_loaded", detail={"model": one.model, "variant": one.variant}))

    def other_provider(self, nodes: Sequence[Mapping[str, str | float | int]]) -> None:
        """Nodes of models that another provider runs than wanted."""
        for detail in nodes:
            self._put(Happened(what="other_provider", detail=dict(detail)))

    def task_stuck(self, model: str) -> None:
        """The task of a model did not end when it prepared an input."""
        log.error("the task of %s does not end: from now on no input is prepared for peers, only for runs here", model)
        self._put(Happened(what="task_stuck", detail={"model": model}))

    def dropped(self, kind: str, output: object, why: str) -> None:
        """An output of the behaviour was nonsense. Only the first of each kind is told."""
        if kind in self._nonsense:
            return
        self._nonsense.add(kind)
        words = in_words(output)
        log.warning("nonsense of the behaviour is dropped: %s: %s; more of this kind is only counted", words, why)
        self._put(Happened(what="nonsense", detail={"kind": kind, "output": words, "why": why[:WHY_MAX]}))

    def moved(self, end: MemoryEnd) -> None:
        """A load or an unload has ended."""
        detail: dict[str, str | float | int] = {
            "model": end.part.model, "variant": end.part.variant, "stages": int(end.part.stages),
            "rss_mb": round(end.rss_bytes / MB, 1)}
        if end.failed:
            self._put(Happened(what="not_loaded", detail=detail))
        elif end.present:
            detail |= {"took_s": round(end.took_s, 4), "kept_mb": round(end.kept_bytes / MB, 1)}
            self._put(Happened(what="loaded", detail=detail))
        else:
            self._put(Happened(what="unloaded", detail=detail))

    def look(self, stuck: int, shed: list[str]) -> None:
        """stuck: runs so far that could not be ended. shed: the load shedding steps in force."""
        if stuck > self._stuck:
            self._stuck = stuck
            self._put(Happened(what="executor_replaced", detail={"stuck": stuck}))
        if shed != self._shed:
            self._shed = shed
            self._put(Happened(what="degraded", detail={"given_up": ", ".join(shed)[:WHY_MAX]}))
