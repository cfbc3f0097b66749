"""Acceptance rules: refused before the run if they cannot be judged, judged by the summary after it."""

from __future__ import annotations

from typing import Any

import pytest

from swarm.core.settings.errors import BadInput
from swarm.telemetry.accept import KEYS, SHORT, STREAM_KEYS, check_accept, judge
from tests.telemetry import fakes

SUMMARY: dict[str, Any] = {
    "on_time_ratio": 0.9, "host_overloaded": False, "first_result_s": None,
    "requests": {"lost": 0, "failed_by": {"superseded": 3}}, "latency_ms": {"p95": 120.5, "p95_all": None},
    "after_warmup": {"on_time_ratio": 0.95},
    "streams": {"de.tect": {"on_time_ratio": 0.8, "latency_ms": {"p50": 40.0}, "after_warmup": {"on_time_ratio": 0.7}}},
}


@pytest.mark.parametrize(("key", "rule", "holds"), [
    ("on_time_ratio", ">= 0.9", True), ("on_time_ratio", "> 0.9", False), ("lost", "== 0", True),
    ("requests.lost", "<0", False), ("p95", "<= 1.205e2", True), ("requests.failed_by.superseded", "<= 2", False),
    ("requests.failed_by.agent_lost", "== 0", True), ("host_overloaded", "== false", True),
    ("streams.de.tect.on_time_ratio", ">= 0.8", True), ("streams.de.tect.latency_ms.p50", "< 40", False),
    ("first_result_s", "<= 5", False), ("mission.found", ">= 0", False), ("p95_all", "<= 500", False),
    ("after_warmup.on_time_ratio", ">= 0.95", True), ("streams.de.tect.after_warmup.on_time_ratio", "<= 0.7", True),
])
def test_a_rule_is_judged(key: str, rule: str, holds: bool) -> None:
    check_accept({key: rule}, ["de.tect"], ["found"])
    assert [j.holds for j in judge({key: rule}, SUMMARY)] == [holds]


def test_the_headline_is_the_measure_that_the_mission_names() -> None:
    of = {**SUMMARY, "mission": {"headline": "auc", "auc": 0.25, "found": 3}, "measures": {"auc": {}, "found": {}}}
    for key in ("mission.headline", "headline"):
        check_accept({key: "== 0.25"}, [], ["auc", "found"])
        rule, = judge({key: "== 0.25"}, of)
        assert (rule.key, rule.value, rule.holds) == ("mission.headline", 0.25, True)
    assert judge({"mission.headline": ">= 0"}, {**of, "mission": {}})[0].value is None
    assert judge({"mission.headline": ">= 0"}, {**of, "mission": {"headline": "lost"}})[0].value is None
    with pytest.raises(BadInput, match="no such key"):
        check_accept({"mission.headline": "> 0"}, [], [])    # a scenario without measures


@pytest.mark.parametrize(("accept", "says"), [
    ({"on_time": ">= 0.9"}, "did you mean on_time_ratio"),
    ({"requests": "== 0"}, "did you mean preempted.requests or batched.requests"),
    ({"nonsense": ">= 0.9"}, "a number of summary.json, such as on_time_ratio"),
    ({"lost": "!= 0"}, "is not a rule"), ({"lost": ">= nan"}, "is not a rule"), ({"lost": "0"}, "is not a rule"),
    ({"lost": "== 0 or 1"}, "is not a rule"), ({"lost": ""}, "is not a rule"),
    ({"host_overloaded": ">= true"}, "write '== true'"),
    ({"streams.segment.on_time_ratio": ">= 0.9"}, "known streams: detect"),
    ({"streams.detect.nonsense": ">= 0.9"}, "no such figure of a stream"),
])
def test_a_rule_that_cannot_be_judged_is_refused(accept: dict[str, str], says: str) -> None:
    with pytest.raises(BadInput, match=says) as refused:
        check_accept(accept, ["detect"], ["found"], "launch/x.yaml: accept")
    assert str(refused.value).startswith(f"launch/x.yaml: accept: {next(iter(accept))}: ")


def test_the_keys_are_the_numbers_of_the_summary_and_a_short_name_means_one_of_them() -> None:
    assert {"on_time_ratio", "host_overloaded", "first_result_s", "requests.lost", "latency_ms.p99_all",
            "offload.share", "after_warmup.latency_ms.p95", "ledger.ended_twice", "world.steps"} <= set(KEYS)
    assert not {"accepted", "seed", "scenario", "faults", "latency_ms.p95_interval", "unwritten"} & set(KEYS)
    assert {"lost", "latency_ms.p95_all", "after_warmup.on_time_ratio"} <= set(STREAM_KEYS)
    assert (SHORT["lost"], SHORT["p95_all"], SHORT["on_time_ratio"]) == (
        "requests.lost", "latency_ms.p95_all", "on_time_ratio")
    assert "requests" not in SHORT                       # preempted.requests or batched.requests?


def test_every_key_is_in_a_real_summary() -> None:
    of = fakes.launch(accept={k: ">= 0" for k in KEYS if k != "host_overloaded"}
                      | {f"streams.detect.{k}": ">= 0" for k in STREAM_KEYS})
    made = fakes.summary(of, fakes.ledger(of))
    failing = [rule["key"] for rule in made["accept"] if not rule["holds"] and not rule["key"].startswith("choices")]
    batteries = [key for key in KEYS if key.startswith(("energy_j.", "charge.")) and key != "charge.robots_empty"]
    assert len(batteries) == 6
    assert failing == ["preempted.aside_ms_p95", "world.out_of_reach", *batteries]   # under 72 were preempted; no reach
