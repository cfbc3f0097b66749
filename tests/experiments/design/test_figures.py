"""The figures of a run by key."""

from __future__ import annotations

import math

import pytest

from swarm.experiments.design.figures import is_cut, value_of
from swarm.telemetry.accept import KEYS, STREAM_KEYS

SUMMARY = {
    "on_time_ratio": 0.5, "host_overloaded": True, "seed": 3,
    "latency_ms": {"p95": 80.0, "p95_all": None, "p95_all_interval": None, "p99_all": None,
                   "p99_all_interval": [90.0, None]},
    "requests": {"lost": 2, "failed_by": {}},
    "after_warmup": {"from_s": 0.0, "on_time_ratio": None, "latency_ms": {}},
    "streams": {"detect": {"on_time_ratio": 0.25, "latency_ms": {"p95": 7.0},
                           "after_warmup": {"on_time_ratio": 0.75, "latency_ms": {"p95": 9.0}}}},
}
WARM = {**SUMMARY, "after_warmup": {"from_s": 2.0, "on_time_ratio": 0.9, "latency_ms": {"p95": 60.0}}}


@pytest.mark.parametrize(("key", "whole", "warm"), [
    ("on_time_ratio", 0.5, 0.9), ("latency_ms.p95", 80.0, 60.0), ("requests.lost", 2.0, 2.0),
    ("streams.detect.on_time_ratio", 0.25, 0.75), ("streams.detect.latency_ms.p95", 7.0, 9.0),
    ("host_overloaded", 1.0, 1.0), ("requests.failed_by.timeout", 0.0, 0.0),
])
def test_ratio_and_latencies_are_those_after_the_warm_up_if_there_is_one(
    key: str, whole: float, warm: float
) -> None:
    assert value_of(SUMMARY, key) == whole
    assert value_of(WARM, key) == warm


@pytest.mark.parametrize("key", [*KEYS, *(f"streams.detect.{key}" for key in STREAM_KEYS)])
def test_the_keys_that_are_cut_are_those_that_have_figures_after_the_warm_up(key: str) -> None:
    latency = dict.fromkeys(("p50", "p95", "p99", "p95_all", "p99_all"), 1.0)
    figures = {"due": 1, "on_time_ratio": 1.0, "latency_ms": latency}
    warm = {"after_warmup": {"from_s": 1.0, **figures}}
    assert (value_of({**warm, "streams": {"detect": warm}}, key) == 1.0) == is_cut(key)


def test_a_quantile_beyond_the_last_result_is_infinite_and_an_unknown_one_is_none() -> None:
    assert value_of(SUMMARY, "latency_ms.p99_all") == math.inf
    assert value_of(SUMMARY, "latency_ms.p95_all") is None
    assert value_of(SUMMARY, "latency_ms.p50") is None


def test_a_figure_that_is_no_number_is_none() -> None:
    assert value_of({"measure": float("nan")}, "measure") is None
