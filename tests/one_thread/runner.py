"""The runner of virtual time as tests want it: exact times, results that the test says, and a count to plant."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import msgspec

from agents.ports import Made, RunnerStatistics, RunOrder
from agents.runtime.emulation import VariantTimes
from agents.runtime.offer import Offer
from swarm.core.ports import Clock, Timers
from swarm.core.protocol.world import Detections
from swarm.virtual.runner import VirtualRunner


class FakeRunner(VirtualRunner):
    """Every stage takes the median of its profile, and hand-offs take no time. `stuck`: told in its statistics.

    said: gives the result of an order, whole or by the last stage.
    """

    def __init__(
        self, clock: Clock, timers: Timers, offer: Offer,
        said: Callable[[RunOrder], Made] = lambda order: Detections(boxes=[]),
    ) -> None:
        def makes(model: str, variant: str, order: RunOrder, stage: int | None) -> Made:
            before_last = stage is not None and stage + 1 < len(offer.times(model, variant).stages_s)
            return [] if before_last else said(order)

        super().__init__(clock, timers, cast(Offer, _Medians(offer)), 0, makes, handoff_ns=0, wake_ns=0)
        self.stuck = 0

    def statistics(self) -> RunnerStatistics:
        return msgspec.structs.replace(super().statistics(), stuck=self.stuck)


class _Medians:
    """The times of an offer without their spread."""

    def __init__(self, offer: Offer) -> None:
        self._offer = offer
        self.sizes, self.at_start = offer.sizes, offer.at_start

    def times(self, model: str, variant: str) -> VariantTimes:
        times = self._offer.times(model, variant)
        return VariantTimes(_flat(times.whole_s), [*map(_flat, times.stages_s)], [*map(_flat, times.batches_s)])


def _flat(quantiles_s: list[float]) -> list[float]:
    return [quantiles_s[len(quantiles_s) // 2]] * len(quantiles_s)
