"""The delay of urgent messages beside a stream of tensors that fills the same slow link; needs root.

Two processes run in two network namespaces, which the bench makes and removes, over a link of 50 Mbit/s. In each round,
a phase without and a phase with the stream are followed by a plain TCP stream, which measures the link's throughput.
"""

from __future__ import annotations

import argparse
import signal
from collections.abc import Callable
from types import FrameType

import msgspec

from swarm.bench.lanes.sides import TENSOR_BYTES, Arrivals, Phase, ReportArrivals, Trips
from swarm.bench.support.child import Child
from swarm.bench.support.stats import quantile
from swarm.bench.support.stream import Port, Rate
from swarm.core.protocol.messages import Member
from swarm.netns.namespaces import Side, congestion_control, joined
from swarm.telemetry.text_table import text_table

RATE, BURST, LATENCY = "50mbit", "32kb", "400ms"
ROUNDS = 4
URGENT = 300                         # messages per phase, in 6 s


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Round trips of urgent messages; `mbps`: 10^6 bits of payload per second."""

    urgent_alone_p50_us: float
    urgent_alone_p99_us: float
    urgent_beside_bulk_p50_us: float
    urgent_beside_bulk_p99_us: float
    added_ms: float                  # p99 beside the stream - p99 alone
    added_ms_rounds: list[float]     # the same for each round
    bulk_mbps: float                 # received payload of the stream
    link_mbps: float                 # payload of plain TCP
    bulk_share: float                # bulk_mbps / link_mbps
    urgent_messages: int             # alone; equally many beside the stream
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
    rounds: int = ROUNDS, urgent: int = URGENT, rate: str = RATE, progress: Callable[[str], None] = lambda _: None
) -> Figures:
    """`urgent`: messages per phase. Raises: BadInput without privileges or tools."""
    measured: list[_Round] = []
    with (
        joined("swarm bench lanes", rate, BURST, LATENCY) as (a, b),
        Child("swarm.bench.lanes.sides", "sender", a.address, prefix=a.prefix) as sender,
        Child("swarm.bench.lanes.sides", "answerer", b.address, prefix=b.prefix) as answerer,
    ):
        members = sender.receive(Member), answerer.receive(Member)
        sender.send(members[1])
        answerer.send(members[0])
        for turn in range(rounds):
            progress(f"round {turn + 1} of {rounds}: {urgent} urgent messages alone and beside the stream, plain TCP")
            sender.send(Phase(urgent, bulk=False))
            alone_us = sender.receive(Trips).took_us
            sender.send(Phase(urgent, bulk=True))
            beside_us = sender.receive(Trips).took_us
            answerer.send(ReportArrivals())
            measured.append(_Round(alone_us, beside_us, answerer.receive(Arrivals), _plain_tcp(a, b)))
        return _figures(measured, rate, congestion_control(a))


def _figures(measured: list[_Round], rate: str, control: str) -> Figures:
    alone_us = [us for one in measured for us in one.alone_us]
    beside_us = [us for one in measured for us in one.beside_us]
    tensors = sum(one.arrivals.tensors for one in measured)
    took_s = sum(one.arrivals.seconds for one in measured)       # 0 where a busy host let none through
    bulk_mbps = tensors * TENSOR_BYTES * 8e-6 / took_s if took_s else 0.0
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
        port = sink.receive(Port).port
        with Child("swarm.bench.support.stream", "source", b.address, str(port), prefix=a.prefix):
            return sink.receive(Rate).bytes_per_s


def _end(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


def run(given: argparse.Namespace, progress: Callable[[str], None]) -> Figures:
    before = signal.signal(signal.SIGTERM, _end)             # an exception, so that the namespaces are removed
    try:
        return measure(progress=progress)
    finally:
        signal.signal(signal.SIGTERM, before)


def as_text(figures: Figures) -> str:
    """Urgent messages alone and beside the stream, then the throughput of the stream."""
    rows = [("alone", f"{figures.urgent_alone_p50_us}", f"{figures.urgent_alone_p99_us}"),
            ("beside the stream", f"{figures.urgent_beside_bulk_p50_us}", f"{figures.urgent_beside_bulk_p99_us}")]
    return text_table(("urgent", "p50 us", "p99 us"), rows, right=(1, 2)) + (
        f"p99 is {figures.added_ms} ms higher beside the stream; by round: {figures.added_ms_rounds}\n"
        f"the stream carries {figures.bulk_mbps} of {figures.link_mbps} Mbit/s")
