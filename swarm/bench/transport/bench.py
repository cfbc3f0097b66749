"""Round trips of an endpoint and of plain ZeroMQ, between two processes on loopback.

A request carries the payload; the reply is small. Every variant has its own child, which sleeps while the others are
measured. Blocks of the variants take turns, so that all see the same load of the host.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from swarm.bench.support.stats import quantile
from swarm.bench.transport.trips import BareVariant, Block, EndpointVariant, Variant, block, keys_in
from swarm.telemetry.text_table import text_table

SIZES = (1 << 10, 64 << 10, 600 << 10, 4 << 20)
ROUND_TRIPS = 2000                   # per size and variant
BUSY_POLL_S = 0.0003                 # as for the board `host` in boards.yaml
BLOCK = 25
WARM_UP = 5                          # round trips before each block, to wake both sides
WINDOW = 8                           # requests in flight while throughput is measured
PIPELINED_S = 0.2                    # approximate duration of a block of throughput
PIPELINED_BLOCKS = 9

Row = dict[str, float | int]
Blocks = list[Block]


def measure(
    sizes: Sequence[int] = SIZES, round_trips: int = ROUND_TRIPS, pipelined_s: float = PIPELINED_S,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, list[Row]]:
    """One row per payload size.

    `raw_zmq`: the reference, plain ZeroMQ in plaintext. `blocking`: our endpoint without busy polling. `curve`: our
    endpoint with CURVE. `ratio`: p50 / p50 of the reference over all round trips; `_p25` and `_p75`: quartiles of the
    ratios of the blocks. `cpu_us`: CPU time of both processes per round trip, without other requests in flight.
    """
    rows: list[Row] = []
    for size in sizes:
        progress(f"{size} bytes, {round_trips} round trips with each variant")
        rows.append(_row(size, round_trips, pipelined_s))
    return {"rows": rows}


def _row(size: int, round_trips: int, pipelined_s: float) -> Row:
    with contextlib.ExitStack() as stack:
        keys = keys_in(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="swarm-bench-"))))
        variants: dict[str, Variant] = {}
        makers = {"ours": partial(EndpointVariant, busy_poll_s=BUSY_POLL_S), "raw": BareVariant,
                  "blocking": EndpointVariant, "curve": partial(EndpointVariant, busy_poll_s=BUSY_POLL_S, keys=keys)}
        for name, make in makers.items():
            variants[name] = make(size)
            stack.callback(variants[name].close)
        alone = _in_turns(variants, -(-round_trips // BLOCK), dict.fromkeys(variants, BLOCK), 1)
        counts = {name: max(2 * WINDOW, round(pipelined_s * 1e6 / _p50_us(blocks))) for name, blocks in alone.items()}
        full = _in_turns(variants, PIPELINED_BLOCKS, counts, WINDOW)
    ours, raw, blocking, curve = (alone[name] for name in ("ours", "raw", "blocking", "curve"))
    return {
        "payload_bytes": size, "round_trips": len(_took_us(ours)), "busy_poll_us": BUSY_POLL_S * 1e6,
        "p50_us": _p50_us(ours), "p99_us": quantile(_took_us(ours), 0.99), "cpu_us": _cpu_us(ours),
        "raw_zmq_p50_us": _p50_us(raw), "raw_zmq_p99_us": quantile(_took_us(raw), 0.99), "raw_zmq_cpu_us": _cpu_us(raw),
        "curve_p50_us": _p50_us(curve), "curve_p99_us": quantile(_took_us(curve), 0.99), "curve_cpu_us": _cpu_us(curve),
        "blocking_p50_us": _p50_us(blocking), "blocking_cpu_us": _cpu_us(blocking),
        **_ratio("ratio", ours, raw), **_ratio("blocking_ratio", blocking, raw), **_ratio("curve_ratio", curve, raw),
        "throughput_rps": _rps(full["ours"]), "raw_zmq_rps": _rps(full["raw"]), "curve_rps": _rps(full["curve"]),
    }


def _in_turns(variants: Mapping[str, Variant], rounds: int, counts: dict[str, int], window: int) -> dict[str, Blocks]:
    """Blocks of every variant; each round has one of each, and a different variant begins each round."""
    names = list(variants)
    blocks: dict[str, Blocks] = {name: [] for name in names}
    for turn in range(rounds):
        for name in names[turn % len(names):] + names[:turn % len(names)]:
            block(variants[name], WARM_UP)
            blocks[name].append(block(variants[name], counts[name], window))
    return blocks


def _took_us(blocks: Blocks) -> list[float]:
    return [us for b in blocks for us in b.took_us]


def _p50_us(blocks: Blocks) -> float:
    return quantile(_took_us(blocks), 0.5)


def _cpu_us(blocks: Blocks) -> float:
    return round(sum(b.cpu_s for b in blocks) * 1e6 / len(_took_us(blocks)), 1)


def _rps(blocks: Blocks) -> float:
    return quantile([len(b.took_us) / b.elapsed_s for b in blocks], 0.5)


def _ratio(name: str, ours: Blocks, raw: Blocks) -> Row:
    """The ratio of the p50, and the quartiles of the blocks' ratios."""
    each = [_p50_us([a]) / _p50_us([b]) for a, b in zip(ours, raw, strict=True)]
    p25, p75 = np.quantile(each, (0.25, 0.75))
    return {
        name: round(_p50_us(ours) / _p50_us(raw), 3), f"{name}_p25": round(float(p25), 3),
        f"{name}_p75": round(float(p75), 3),
    }


def run(given: argparse.Namespace, progress: Callable[[str], None]) -> dict[str, list[Row]]:
    return measure(progress=progress)


def as_text(figures: dict[str, list[Row]]) -> str:
    """A row per payload size; columns `bare`: plain ZeroMQ."""
    rows = [(f"{row['payload_bytes']:,}", f"{row['p50_us']}", f"{row['p99_us']}", f"{row['raw_zmq_p50_us']}",
             f"{row['raw_zmq_p99_us']}", f"{row['ratio']} ({row['ratio_p25']} to {row['ratio_p75']})",
             f"{row['curve_ratio']}", f"{row['throughput_rps']}", f"{row['raw_zmq_rps']}", f"{row['cpu_us']}",
             f"{row['raw_zmq_cpu_us']}") for row in figures["rows"]]
    header = ("bytes", "p50 us", "p99", "bare p50", "p99", "p50 / bare", "with CURVE", "requests/s", "bare", "CPU us",
              "bare")
    return text_table(header, rows, right=range(len(header)))
