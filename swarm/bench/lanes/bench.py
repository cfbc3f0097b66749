"""The delay of urgent messages beside a stream of tensors that fills the same slow link; needs root.

Two processes in two network namespaces, which the bench makes and removes, joined at 50 Mbit/s. Phases without and with
the stream take turns, and each is followed by a plain TCP stream: that is what the link carries.
"""

from __future__ import annotations

import argparse
import signal
from collections.abc import Callable
from types import FrameType

import msgspec

from swarm.bench.lanes.sides import TENSOR_BYTES, Arrivals, Came, Phase, Trips
from swarm.bench.support.child import Child
from swarm.bench.support.stats import quantile
from swarm.bench.support.stream import Port, Rate
from swarm.core.protocol.messages import Member
from swarm.netns.namespaces import Side, congestion_control, joined
from swarm.telemetry.text_table import text_table

RATE, BURST, LATENCY = "50mbit", "32kb", "400ms"
ROUNDS = 4
URGENT = 300                         # messages per phase: 6 s


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Round trips of urgent messages; `mbps` are 10^6 bits of payload per second."""

    urgent_alone_p50_us: float
    urgent_alone_p99_us: float
    urgent_beside_bulk_p50_us: float
    urgent_beside_bulk_p99_us: float
    added_ms: float                  # p99 beside the stream less p99 alone
    added_ms_rounds: list[float]     # the same within each round
    bulk_mbps: float                 # what the stream brings to the receiver
    link_mbps: float                 # what plain TCP does
    bulk_share: float                # of that
    urgent_messages: int             # alone, and as many beside
    tensors: int
    rate: str                        # of the link, in tc's units
    congestion_control: str


class _Round(msgspec.Struct, frozen=True):
    """One phase alone, one beside the stream, and the reference."""

    alone_us: list[float]
    beside_us: list[float]
    arrivals: Arrivals
    link_bytes_per_s: float


def measure(
    rounds: int = ROUNDS, urgent: int = URGENT, rate: str = RATE, tell: Callable[[str], None] = lambda _: None
) -> Figures:
    """`urgent`: messages per phase. `tell` hears of the progress. Raises: BadInput without privilege or tools."""
    measured: list[_Round] = []
    with (
        joined("swarm bench lanes", rate, BURST, LATENCY) as (a, b),
        Child("swarm.bench.lanes.sides", "sender", a.address, prefix=a.prefix) as sender,
        Child("swarm.bench.lanes.sides", "answerer", b.address, prefix=b.prefix) as answerer,
    ):
        members = sender.hear(Member), answerer.hear(Member)
        sender.tell(members[1])
        answerer.tell(members[0])
        for turn in range(rounds):
            tell(f"round {turn + 1} of {rounds}: {urgent} urgent messages alone and beside the stream, plain TCP")
            sender.tell(Phase(urgent, bulk=False))
            alone_us = sender.hear(Trips).took_us
            sender.tell(Phase(urgent, bulk=True))
            beside_us = sender.hear(Trips).took_us
            answerer.tell(Came())
            measured.append(_Round(alone_us, beside_us, answerer.hear(Arrivals), _plain_tcp(a, b)))
        return _figures(measured, rate, congestion_control(a))


def _figures(measured: list[_Round], rate: str, control: str) -> Figures:
    alone_us = [us for one in measured for us in one.alone_us]
    beside_us = [us for one in measured for us in one.beside_us]
    tensors = sum(one.arrivals.tensors for one in measured)
    bulk_mbps = tensors * TENSOR_BYTES * 8e-6 / sum(one.arrivals.seconds for one in measured)
    link_mbps = sum(one.link_bytes_per_s for one in measured) * 8e-6 / len(measured)
    return Figures(
        urgent_alone_p50_us=quantile(alone_us, 0.5), urgent_alone_p99_us=quantile(alone_us, 0.99),
        urgent_beside_bulk_p50_us=quantile(beside_us, 0.5), urgent_beside_bulk_p99_us=quantile(beside_us, 0.99),
        added_ms=_added_ms(alone_us, beside_us),
        added_ms_rounds=[_added_ms(one.alone_us, one.beside_us) for one in measured],
        bulk_mbps=round(bulk_mbps, 2), link_mbps=round(link_mbps, 2), bulk_share=round(bulk_mbps / link_mbps, 3),
        urgent_messages=len(alone_us), tensors=tensors, rate=rate, congestion_control=control,
    )


def _added_ms(alone_us: list[float], beside_us: list[float]) -> float:
    return round((quantile(beside_us, 0.99) - quantile(alone_us, 0.99)) / 1e3, 2)


def _plain_tcp(a: Side, b: Side) -> float:
    """Bytes per second from a to b that a plain TCP stream carries."""
    with Child("swarm.bench.support.stream", "sink", b.address, prefix=b.prefix) as sink:
        port = sink.hear(Port).port
        with Child("swarm.bench.support.stream", "source", b.address, str(port), prefix=a.prefix):
            return sink.hear(Rate).bytes_per_s


def _end(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


def run(given: argparse.Namespace, tell: Callable[[str], None]) -> Figures:
    before = signal.signal(signal.SIGTERM, _end)             # so that the namespaces go, too
    try:
        return measure(tell=tell)
    finally:
        signal.signal(signal.SIGTERM, before)


def told(figures: Figures) -> str:
    """Urgent messages alone and beside the stream, then the stream."""
    rows = [("alone", f"{figures.urgent_alone_p50_us}", f"{figures.urgent_alone_p99_us}"),
            ("beside the stream", f"{figures.urgent_beside_bulk_p50_us}", f"{figures.urgent_beside_bulk_p99_us}")]
    return text_table(("urgent", "p50 us", "p99 us"), rows, right=(1, 2)) + (
        f"p99 is {figures.added_ms} ms more, by rounds {figures.added_ms_rounds}\n"
        f"the stream carries {figures.bulk_mbps} of {figures.link_mbps} Mbit/s")
