"""One agent of `swarm bench budget`, in a process of its own: `python -m swarm.bench.budget.side STORE MEMORY_MB`.

Its orders: fly for a while, or load and unload one model again and again.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import msgspec

from agents.peers.table import PeerTable
from agents.ports import MemoryEnd, Part
from agents.runtime.sessions import Sessions, read_offer
from agents.scheduling.scheduler import Scheduler
from models.resident import keep_weights_apart, resident_bytes
from models.store import load_card, names
from swarm.bench.support.peer import handle_orders, send_to_parent
from swarm.bench.support.rig import HOST, Rig, black_frame
from swarm.core.policy.plan import StreamSpec
from swarm.core.protocol.spans import Span
from swarm.core.protocol.world import Outcome
from swarm.core.units import ns

URGENT = "detector"
URGENT_STREAM = StreamSpec(name="urgent", model=URGENT, rate_hz=5.0, deadline_s=0.2, priority=2)
OTHER_HZ, OTHER_DEADLINE_S = 2.0, 0.5
TURN_S = 2.0                         # for so long one of the other streams is due, then the next one
MEASURE_S = 1.0                      # as in a robot


class Order(msgspec.Struct, frozen=True):
    """Fly for so many seconds; or, if `loads` is not 0, load and unload a model so often."""

    fly_s: float = 0.0
    loads: int = 0


class Ready(msgspec.Struct, frozen=True):
    """The models are loaded."""

    loaded: int                      # variants in memory
    models: int
    rss_bytes: int


class Flown(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of one flight. loads, unloads: of parts; failed: loads that failed."""

    urgent: int = 0
    urgent_on_time: int = 0
    urgent_ms: list[float] = []      # latencies
    others: int = 0
    others_on_time: int = 0
    urgent_reasons: dict[str, int] = {}      # of those that were not on time
    reasons: dict[str, int] = {}     # of the others that were not
    loads: int = 0
    unloads: int = 0
    failed: int = 0
    longest_load_s: float = 0.0


class Cycled(msgspec.Struct, frozen=True):
    """Resident memory after each unload, and how many loads failed."""

    rss_bytes: list[int]
    failed: int


class Side:
    """The agent. memory_mb: its budget; 0: it loads everything."""

    def __init__(self, store: Path, memory_mb: int) -> None:
        if memory_mb:
            keep_weights_apart()
        board = msgspec.structs.replace(HOST, memory_mb=memory_mb)
        others = [name for name in names(store) if name != URGENT]
        offer = read_offer([URGENT, *others], board, store)
        sessions = Sessions(offer, board, store)
        self._streams = [StreamSpec(name=name, model=name, rate_hz=OTHER_HZ, deadline_s=OTHER_DEADLINE_S)
                         for name in others]
        scheduler = Scheduler(
            name="bench", policy="local", profiles=offer.profiles, peers=PeerTable(), staged=offer.staged,
            streams=[URGENT_STREAM, *self._streams], residency=offer.residency())
        self._rig = Rig(scheduler, sessions, black_frame(URGENT), self._ended, moved=self._moved)
        self._other_frame = black_frame(load_card(others[0], store).name, store)
        self._flown = Flown()
        self._until_ns = self._flights = self._open = self._loads_left = self._failed = 0
        self._rss_bytes: list[int] = []
        self._part = Part(others[0], next(iter(load_card(others[0], store).variants)))
        handle_orders(self._rig.loop, Order, self._begin)
        self._rig.loop.every(ns(1.0 / URGENT_STREAM.rate_hz), lambda: self._due(URGENT_STREAM))
        self._rig.loop.every(ns(1.0 / OTHER_HZ), self._other_due)
        if memory_mb:
            self._rig.loop.every(ns(MEASURE_S), self._rig.measure_memory)
        self._turns = 0
        self._rig.loop.every(ns(TURN_S), self._next_turn)
        send_to_parent(Ready(len(offer.announce()), len(offer.cards), resident_bytes()))

    def run(self) -> None:
        self._rig.loop.run()

    def _begin(self, order: Order) -> None:
        if order.loads:
            self._loads_left, self._rss_bytes, self._failed = order.loads, [], 0
            self._rig.runner.load(self._part)
            return
        self._flown, self._until_ns = Flown(), self._rig.clock.now_ns() + ns(order.fly_s)
        self._rig.loop.at(self._until_ns + ns(2.0 * OTHER_DEADLINE_S), lambda: send_to_parent(self._flown))

    def _next_turn(self) -> None:
        self._turns += self._rig.clock.now_ns() < self._until_ns

    def _other_due(self) -> None:
        self._due(self._streams[self._turns % len(self._streams)])

    def _due(self, stream: StreamSpec) -> None:
        if self._rig.clock.now_ns() < self._until_ns:
            self._rig.submit(stream, frame=None if stream is URGENT_STREAM else self._other_frame)

    def _ended(self, span: Span, outcome: Outcome | None) -> None:
        on_time, flown = span.ending == "completed", self._flown
        why = "" if on_time else span.reason or span.ending
        if span.stream == URGENT_STREAM.name:
            self._flown = msgspec.structs.replace(
                flown, urgent=flown.urgent + 1, urgent_on_time=flown.urgent_on_time + on_time,
                urgent_ms=[*flown.urgent_ms, span.latency_s * 1e3], urgent_reasons=_more(flown.urgent_reasons, why))
            return
        self._flown = msgspec.structs.replace(
            flown, others=flown.others + 1, others_on_time=flown.others_on_time + on_time,
            reasons=_more(flown.reasons, why))

    def _moved(self, end: MemoryEnd) -> None:
        if self._loads_left:
            self._cycle(end)
            return
        flown = self._flown
        self._flown = msgspec.structs.replace(
            flown, loads=flown.loads + end.present, unloads=flown.unloads + (not end.present and not end.failed),
            failed=flown.failed + end.failed, longest_load_s=max(flown.longest_load_s, end.took_s))

    def _cycle(self, end: MemoryEnd) -> None:
        """The next step of loading and unloading."""
        if end.present:
            self._rig.runner.unload(self._part)
            return
        if end.failed:
            self._failed += 1
        else:
            self._rss_bytes.append(end.rss_bytes)
        self._loads_left -= 1
        if self._loads_left:
            self._rig.runner.load(self._part)
        else:
            send_to_parent(Cycled(self._rss_bytes, self._failed))


def _more(reasons: dict[str, int], why: str) -> dict[str, int]:
    return dict(Counter(reasons) + Counter([why] if why else []))


if __name__ == "__main__":
    Side(Path(sys.argv[1]), int(sys.argv[2])).run()
