"""Own requests that wait until their model is in memory: the newest of each stream. Deterministic."""

from __future__ import annotations

from agents.scheduling.offloads import OpenRequest
from agents.scheduling.variants import NOT_LOADED
from swarm.core.units import ns


class Held:
    """They wait where no agent can run them now, but this one can in time, once it has loaded their model."""

    def __init__(self) -> None:
        self._by_stream: dict[str, OpenRequest] = {}

    def hold(self, state: OpenRequest, loadable_s: float | None, now: int) -> str:
        """Why a request cannot wait; empty: it waits. loadable_s: in how many seconds it could run; None: never."""
        if loadable_s is None:
            return "no_model"
        newer = self._by_stream.get(state.span.stream, state) is not state
        if newer or now + ns(loadable_s) >= state.span.deadline_ns:
            return NOT_LOADED
        self._by_stream[state.span.stream] = state
        return ""

    def of(self, stream: str) -> OpenRequest | None:
        return self._by_stream.get(stream)

    def take(self, model: str) -> list[OpenRequest]:
        """The requests of a model that is in memory now: they wait no longer."""
        taken = [state for state in self._by_stream.values() if state.span.model == model]
        for state in taken:
            del self._by_stream[state.span.stream]
        return taken

    def reason(self, state: OpenRequest, reason: str) -> str:
        """The reason why a request fails: another one if it still waits here. It waits no longer."""
        if self._by_stream.get(state.span.stream) is not state:
            return reason
        del self._by_stream[state.span.stream]
        return reason and NOT_LOADED
