"""Enters the answer of peers into the span of a request; for a chain, every leg. Deterministic."""

from __future__ import annotations

from collections.abc import Sequence

from swarm.core.policy.plan import Leg
from swarm.core.protocol.spans import LegRun, LegTimes, Span
from swarm.core.units import ns


def runs(route: Sequence[Leg]) -> list[LegRun]:
    """The legs of a chain, before their times are known."""
    return [LegRun(agent=leg.agent, first=leg.first, last=leg.last) for leg in route]


def run_at_home(home: str, leg: Leg, run_s: float, waited_s: float) -> LegRun:
    """The leg at home, with its times."""
    return LegRun(agent=home, first=leg.first, last=leg.last, run_s=run_s, waited_s=waited_s)


def record(span: Span, route: Sequence[Leg], times: Sequence[LegTimes], now: int) -> None:
    """Enter the times of the legs on peers. All transfers are assumed to take equally long.

    route: the legs on peers. times: one for each of them, or of the last one only.
    """
    if len(times) != len(route):             # the last peer is trusted about its own leg only
        times = times[-1:]
    held_s = sum(t.held_s for t in times)
    transit_ns = max(0, now - span.sent_ns - ns(held_s)) // (len(route) + 1)
    span.received_ns = span.sent_ns + transit_ns
    span.returned_ns, span.peer_held_s, span.run_s = now, held_s, sum(t.run_s for t in times)
    span.batch, span.overrun = times[-1].batch, span.overrun or any(t.overrun for t in times)
    span.started_ns = span.received_ns + ns(times[0].waited_s)
    span.finished_ns = max(span.started_ns, now - transit_ns)
    span.ran_on = route[-1].agent
    if span.legs:
        untimed = len(route) - len(times)
        timed = [LegRun(agent=leg.agent, first=leg.first, last=leg.last, run_s=t.run_s, waited_s=t.waited_s,
                        held_s=t.held_s) for leg, t in zip(route[untimed:], times, strict=True)]
        span.legs = [*span.legs[:len(span.legs) - len(route)], *runs(route[:untimed]), *timed]
