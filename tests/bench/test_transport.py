"""The bench of round trips: its figures, and that the ways take turns."""

from __future__ import annotations

import os

import pytest

from swarm.bench.transport import bench as transport
from swarm.bench.transport.trips import Block

FIGURES = {
    "p50_us", "p99_us", "cpu_us", "raw_zmq_p50_us", "raw_zmq_p99_us", "raw_zmq_cpu_us", "curve_p50_us", "curve_p99_us",
    "curve_cpu_us", "busy_poll_us", "blocking_p50_us", "blocking_cpu_us", "blocking_ratio", "blocking_ratio_p25",
    "blocking_ratio_p75", "ratio", "ratio_p25", "ratio_p75", "curve_ratio", "curve_ratio_p25", "curve_ratio_p75",
    "throughput_rps", "raw_zmq_rps", "curve_rps",
}


def test_every_size_is_measured_against_the_bare_reference() -> None:
    rows = transport.measure((1 << 10, 600 << 10), round_trips=50, pipelined_s=0.005)["rows"]
    assert [(row["payload_bytes"], row["round_trips"]) for row in rows] == [(1 << 10, 50), (600 << 10, 50)]
    for row in rows:
        assert set(row) == FIGURES | {"payload_bytes", "round_trips"}
        assert all(row[key] > 0 for key in FIGURES)
        assert row["p50_us"] <= row["p99_us"]
        assert row["ratio"] == pytest.approx(row["p50_us"] / row["raw_zmq_p50_us"], abs=0.001)


class FakeWay:
    """Takes a microsecond, and notes when it was asked."""

    pid = os.getpid()

    def __init__(self, name: str, asked: list[tuple[str, int, int]]) -> None:
        self.name, self.asked = name, asked

    def round_trips(self, count: int, window: int) -> list[int]:
        self.asked.append((self.name, count, window))
        return [1000] * count

    def close(self) -> None:
        pass


def test_blocks_take_turns_and_each_is_warmed_up() -> None:
    asked: list[tuple[str, int, int]] = []
    ways = {name: FakeWay(name, asked) for name in ("ours", "raw")}
    blocks = transport._in_turns(ways, 2, {"ours": 20, "raw": 30}, window=8)
    measured = [("ours", 20, 8), ("raw", 30, 8), ("raw", 30, 8), ("ours", 20, 8)]
    assert asked == [call for name, count, window in measured
                     for call in ((name, transport.WARM_UP, 1), (name, count, window))]
    assert [len(b.took_us) for b in blocks["raw"]] == [30, 30]


def test_the_ratio_comes_with_its_spread_over_the_blocks() -> None:
    ours = [Block([us] * 5, 1.0, 1.0) for us in (20.0, 30.0, 40.0)]
    raw = [Block([10.0] * 5, 1.0, 1.0)] * 3
    assert transport._ratio("ratio", ours, raw) == {"ratio": 3.0, "ratio_p25": 2.5, "ratio_p75": 3.5}
