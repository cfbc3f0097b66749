"""What the scheduler tells the residency, and what follows for requests. Deterministic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agents.ports import Part
from agents.scheduling import events as ev
from agents.scheduling.guards import Guards
from agents.scheduling.memory.residency import Residency
from agents.scheduling.own_requests import OwnRequests
from agents.scheduling.queue.queued_run import QueuedRun
from agents.scheduling.queue.run_queue import RunQueue
from agents.scheduling.variants import RunnableVariants
from swarm.core.policy.cost import fastest
from swarm.core.policy.plan import StreamSpec

RANK_WEIGHT = 4.0                    # of a priority of own streams, over the next lower one
MOST_RANKS = 8
PEER_WEIGHT = 0.25                   # of a peer's request, where that of the least urgent own stream is 1


class Keeper:
    """Keeps the parts of one robot within its memory. residency: None where the memory is not known."""

    def __init__(
        self, residency: Residency | None, variants: RunnableVariants, queue: RunQueue, guards: Guards,
        requests: OwnRequests,
    ) -> None:
        self._residency, self._variants, self._queue, self._guards = residency, variants, queue, guards
        self._requests = requests
        self._streams: dict[str, tuple[str, int]] = {}       # model and priority of own streams
        self._weights: Mapping[int, float] = {}
        self._look = residency is not None and bool(residency.absent())
        self._blocked: list[tuple[str, str]] = []            # models and variants for whose ends a move waits

    def add_stream(self, stream: StreamSpec) -> None:
        """A stream of this robot."""
        if self._residency is None or self._streams.get(stream.name) == (stream.model, stream.priority):
            return
        self._streams[stream.name] = stream.model, stream.priority
        ranks = sorted({priority for _, priority in self._streams.values()})
        self._weights = {priority: RANK_WEIGHT ** min(rank, MOST_RANKS) for rank, priority in enumerate(ranks)}
        self._residency.own_models(model for model, _ in self._streams.values())
        most_urgent = {model: None for model, priority in self._streams.values() if priority == ranks[-1]}
        self._residency.stays = next(iter(most_urgent)) if len(most_urgent) == 1 else ""

    def started(self, works: Sequence[QueuedRun], now: int) -> None:
        """Runs start."""
        if self._residency is None:
            return
        for work in works:
            weight = PEER_WEIGHT if work.asker else self._weights.get(work.priority, 1.0)
            for stages in (False, True) if work.last else (False,):
                self._residency.used(Part(work.model, work.variant, stages), weight, now, own=not work.asker)

    def handle(self, event: ev.MemoryEvent, now: int) -> bool:
        """Returns whether a whole variant has come or gone."""
        self._look = True
        match event:
            case ev.StagesLoaded(model=model, variant=variant):      # at once, where there is room for all
                self._variants.stages_loaded(model, variant)
                if self._residency is not None:
                    self._residency.came(Part(model, variant, stages=True))
            case ev.MemoryMeasured(memory=memory) if self._residency is not None:
                self._residency.measured(memory.rss_bytes, memory.kept_bytes)
            case ev.MemoryMoved() if self._residency is None:        # stages that could not be loaded
                return False
            case ev.MemoryMoved(end=end) if self._residency is not None:
                self._residency.ended(end, now)
                self._variants.moved(end.part, end.present)
                if end.present:
                    self._requests.loaded(end.part.model, now)
                return not end.part.stages
            case _:
                raise ev.ImpossibleEvent(f"no rule for {event}")
        return False

    def moves(self, now: int) -> list[ev.Command]:
        """What is to be loaded or unloaded now."""
        if self._residency is None or not (self._look or self._variants.wants or self._has_ended()):
            return []
        for part in self._variants.coming():
            self._residency.began(part, now)
        for part, priority in self._variants.take_wants():
            weight = PEER_WEIGHT if priority is None else self._weights.get(priority, 1.0)
            self._residency.used(part, weight, now, own=priority is not None)
        self._look = False
        move = self._residency.next_move(now, self._is_busy)
        self._blocked = self._residency.blocked_by(now, self._is_busy) if move is None else []
        if move is None:
            return []
        if not move.load:
            self._variants.moved(move.part, present=False)
        return [ev.MovePart(part=move.part, load=move.load)]

    def _is_busy(self, model: str, variant: str) -> bool:
        """Whether a variant runs, waits for an executor, or is promised: the fastest in memory is."""
        if self._queue.uses(model, variant):
            return True
        first = fastest(self._variants.profiles.get(model, ()))
        return first is not None and first.variant == variant and self._guards.counts_on(model)

    def _has_ended(self) -> bool:
        """Whether a move that had to wait may be possible now."""
        return any(not self._is_busy(*key) for key in self._blocked)
