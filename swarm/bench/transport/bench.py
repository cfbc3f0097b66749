"""Round trips of an endpoint beside those of bare ZeroMQ, two processes each, on loopback.

A request carries the payload, the reply is small. Every way has a child of its own, which sleeps while the others are
measured; blocks of them take turns, so that all meet the same host.
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
from swarm.bench.transport.trips import BareWay, Block, EndpointWay, Way, block, keys_in
from swarm.telemetry.text_table import text_table

SIZES = (1 << 10, 64 << 10, 600 << 10, 4 << 20)
ROUND_TRIPS = 2000                   # per size and way
BUSY_POLL_S = 0.0003                 # as the board `host` has it in boards.yaml
BLOCK = 25
WARM_UP = 5                          # round trips before each block: they wake both sides
WINDOW = 8                           # requests under way while throughput is measured
PIPELINED_S = 0.2                    # a block of throughput takes about this long
PIPELINED_BLOCKS = 9

Row = dict[str, float | int]
Blocks = list[Block]


def measure(
    sizes: Sequence[int] = SIZES, round_trips: int = ROUND_TRIPS, pipelined_s: float = PIPELINED_S,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, list[Row]]:
    """One row per payload size; `tell` hears of the progress.

    `raw_zmq` is the bare reference, plaintext; `blocking` our endpoint without busy polling, `curve` with CURVE on.
    Every `ratio` is p50 to the reference's p50 over all round trips; `_p25` and `_p75` are the quartiles of the same
    over the blocks. `cpu_us` is what both processes ran on their cores per round trip, one after the other.
    """
    rows: list[Row] = []
    for size in sizes:
        tell(f"{size} bytes, {round_trips} round trips each way")
        rows.append(_row(size, round_trips, pipelined_s))
    return {"rows": rows}


def _row(size: int, round_trips: int, pipelined_s: float) -> Row:
    with contextlib.ExitStack() as stack:
        keys = keys_in(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="swarm-bench-"))))
        ways: dict[str, Way] = {}
        makers = {"ours": partial(EndpointWay, busy_poll_s=BUSY_POLL_S), "raw": BareWay, "blocking": EndpointWay,
                  "curve": partial(EndpointWay, busy_poll_s=BUSY_POLL_S, keys=keys)}
        for name, make in makers.items():
            ways[name] = make(size)
            stack.callback(ways[name].close)
        alone = _in_turns(ways, -(-round_trips // BLOCK), dict.fromkeys(ways, BLOCK), 1)
        counts = {name: max(2 * WINDOW, round(pipelined_s * 1e6 / _p50_us(blocks))) for name, blocks in alone.items()}
        full = _in_turns(ways, PIPELINED_BLOCKS, counts, WINDOW)
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


def _in_turns(ways: Mapping[str, Way], rounds: int, counts: dict[str, int], window: int) -> dict[str, Blocks]:
    """Blocks of every way, one of each in a round; who is first changes from round to round."""
    names = list(ways)
    blocks: dict[str, Blocks] = {name: [] for name in names}
    for turn in range(rounds):
        for name in names[turn % len(names):] + names[:turn % len(names)]:
            block(ways[name], WARM_UP)
            blocks[name].append(block(ways[name], counts[name], window))
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
    """p50 against p50, and the quartiles of that over the blocks."""
    each = [_p50_us([a]) / _p50_us([b]) for a, b in zip(ours, raw, strict=True)]
    p25, p75 = np.quantile(each, (0.25, 0.75))
    return {
        name: round(_p50_us(ours) / _p50_us(raw), 3), f"{name}_p25": round(float(p25), 3),
        f"{name}_p75": round(float(p75), 3),
    }


def run(given: argparse.Namespace, tell: Callable[[str], None]) -> dict[str, list[Row]]:
    return measure(tell=tell)


def told(figures: dict[str, list[Row]]) -> str:
    """A row per payload size, the figures of bare ZeroMQ in the columns `bare`."""
    rows = [(f"{row['payload_bytes']:,}", f"{row['p50_us']}", f"{row['p99_us']}", f"{row['raw_zmq_p50_us']}",
             f"{row['raw_zmq_p99_us']}", f"{row['ratio']} ({row['ratio_p25']} to {row['ratio_p75']})",
             f"{row['curve_ratio']}", f"{row['throughput_rps']}", f"{row['raw_zmq_rps']}", f"{row['cpu_us']}",
             f"{row['raw_zmq_cpu_us']}") for row in figures["rows"]]
    header = ("bytes", "p50 us", "p99", "bare p50", "p99", "p50 / bare", "with CURVE", "requests/s", "bare", "CPU us",
              "bare")
    return text_table(header, rows, right=range(len(header)))
