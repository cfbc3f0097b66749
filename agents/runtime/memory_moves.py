"""Loads and unloads models and stages beside the loop, and says in the policy's thread when that is done."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from agents.ports import MemoryEnd, Part
from agents.runtime.loader import Loader
from agents.runtime.sessions import Sessions
from models.pipeline import Pipeline
from models.resident import resident_bytes, trim
from models.session import LoadHandle, Session
from swarm.core.ports import Clock
from swarm.core.units import seconds

Call = Callable[[], None]


class MemoryMoves:
    """`loads`, `unloads`: of parts, so far. post: runs a call in the policy's thread."""

    def __init__(self, sessions: Sessions, clock: Clock, post: Callable[[Call], None], loader: Loader) -> None:
        self._sessions, self._clock, self._post, self._loader = sessions, clock, post, loader
        self._on_loaded: Callable[[str, str], None] = lambda model, variant: None
        self._on_moved: Callable[[MemoryEnd], None] = lambda end: None
        self.loads = self.unloads = 0

    def attach(self, loaded: Callable[[str, str], None], moved: Callable[[MemoryEnd], None]) -> None:
        """loaded: called when stages can run. moved: called after a load or an unload."""
        self._on_loaded, self._on_moved = loaded, moved

    def close(self) -> None:
        """End all loads."""
        self._loader.close()

    def load_stages(self, model: str, variant: str) -> None:
        """Load the stages of a variant that is in memory."""
        part = Part(model, variant, stages=True)

        def adopt(stages: Pipeline) -> None:
            if self._sessions.adopt(model, variant, stages):
                self._on_loaded(model, variant)
            else:
                self._left(part)

        self._loader.start(
            _name(part), lambda handle: self._sessions.load_stages(model, variant, handle),
            lambda stages: self._post(lambda: adopt(stages)), lambda: self._post(lambda: self._left(part, failed=True)))

    def load(self, part: Part) -> None:
        """Load a part; `moved` follows, also if it cannot be loaded."""
        began_ns = self._clock.now_ns()

        def put(loaded: Session | Pipeline, kept_bytes: int) -> None:
            if not self._sessions.put(part, loaded, kept_bytes):
                self._left(part)
                return
            self.loads += 1
            self._on_moved(MemoryEnd(
                part=part, present=True, rss_bytes=resident_bytes(), kept_bytes=kept_bytes,
                took_s=seconds(self._clock.now_ns() - began_ns)))

        self._loader.start(
            _name(part), lambda handle: self._sessions.load(part, handle),
            lambda loaded: self._post(partial(put, *loaded)),
            lambda: self._post(lambda: self._left(part, failed=True)))

    def _left(self, part: Part, *, failed: bool = False) -> None:
        """A load has ended without a part."""
        self._on_moved(MemoryEnd(part=part, present=False, failed=failed, rss_bytes=resident_bytes()))

    def unload(self, part: Part) -> None:
        """Forget a part at once, and give its memory back; `moved` follows."""
        loaded = self._sessions.take(part)
        self.unloads += 1

        def close(handle: LoadHandle) -> int:
            loaded.close()
            trim()
            return resident_bytes()

        self._loader.start(_name(part), close, lambda rss_bytes: self._post(
            lambda: self._on_moved(MemoryEnd(part=part, present=False, rss_bytes=rss_bytes))))


def _name(part: Part) -> str:
    return f"{'the stages of ' if part.stages else ''}{part.model} {part.variant}"
