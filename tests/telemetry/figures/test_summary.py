"""summary.json holds what its readers rely on, and the figures mean what they say."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from swarm.core.policy.faults import Fault
from swarm.core.protocol.messages import AgentNews
from swarm.telemetry.figures.agents import AgentBook
from swarm.telemetry.figures.planner import PlanHistory
from swarm.telemetry.figures.recovery.fault_records import FaultDone
from swarm.telemetry.figures.summary import summarise
from swarm.telemetry.ledger import Ledger
from tests.telemetry import fakes

SHOWN: dict[str, Any] = {           # what readers rely on
    "scenario": "search_rescue", "seed": 3, "clock": "real", "network": "loopback", "policy": "planner", "robots": 8,
    "duration_s": 30.0, "first_result_s": 0.0,
    "requests": {"due": 0, "missed": {"body": 0, "world": 0, "agent": 0}, "submitted": 0, "completed": 0,
                 "late": 0, "failed": 0, "lost": 0, "failed_by": {}},
    "latency_ms": {"p50": 0.0, "p95": 0.0, "p99": 0.0, "p95_all": 0.0, "p99_all": 0.0, "p95_all_interval": []},
    "on_time_ratio": 0.0, "on_time_interval": [],
    "after_warmup": {"from_s": 0.0, "due": 0, "on_time_ratio": 0.0, "on_time_interval": [], "latency_ms": {}},
    "offload": {"share": 0.0, "peers": 0, "guarded": 0, "unguarded": 0, "guard_fired": 0},
    "preempted": {"requests": 0, "times": 0, "aside_ms_p95": None}, "batched": {"requests": 0, "largest": 0},
    "planner": {"solves": 0, "refined": 0, "adopted": 0, "stale": 0, "epoch": 0, "solve_ms_p50": 0.0,
                "refine_ms_p50": 0.0, "solver": "", "ray": True, "starts": 0},
    "loop_late_ms_p99": 0.0,
    "world": {"steps": 0, "real_time_factor": 0.0, "lag_ms_p99": 0.0},
    "mission": {"headline": "", "found": 0.0, "coverage": 0.0, "collisions": 0.0},
    "measures": {"found": {"unit": "", "text": ""}},
    "interrupted": False, "host_overloaded": False, "overloaded_by": [], "faults": [], "accepted": True,
}


def assert_like(found: Any, shown: Any, where: str) -> None:
    assert type(found) is type(shown), where
    if isinstance(shown, dict):
        for key, value in shown.items():
            assert key in found, f"{where}.{key}"
            assert_like(found[key], value, f"{where}.{key}")


def test_the_keys_and_types_are_those_of_the_design() -> None:
    of = fakes.launch()
    made = fakes.summary(of, fakes.ledger(of))
    assert_like(made, SHOWN, "summary")
    assert made["tool"] == {"emulated_boards": True}
    assert set(made["streams"]) == {"detect", "segment"}
    assert set(made["agents"]["rover_0"]) >= {"board", "role", "rss_bytes_max", "runs", "overruns", "busy_share",
                                              "on_time_ratio", "offload_share", "status"}
    assert made["agents"]["rover_2"]["status"] == "killed"
    assert made["agents"]["carrier_0"]["role"] == "carrier"


def test_figures_follow_their_definitions() -> None:
    of = fakes.launch()
    book = fakes.ledger(of)
    made, rows = fakes.summary(of, book), book.close()
    got = [r.span for r in rows if r.span.ending in ("completed", "late")]
    done = [s for s in got if s.ending == "completed"]
    r = made["requests"]
    assert r["submitted"] == len(rows) == r["completed"] + r["late"] + r["failed"] + r["lost"]
    assert made["on_time_ratio"] == round(len(done) / len(rows), 6)
    assert made["offload"]["share"] == round(sum(s.ran_on != s.request.agent for s in done) / len(done), 6)
    assert made["latency_ms"]["p99"] == round(float(np.percentile([s.latency_s * 1e3 for s in got], 99)), 6)
    assert made["offload"]["peers"] == 2
    aside = [s for s in (r.span for r in rows) if s.preempted]
    assert made["preempted"] == {"requests": len(aside), "times": 2 * len(aside), "aside_ms_p95": None}
    assert len(aside) < 72                               # too few bear a 95th percentile
    assert made["batched"] == {"requests": sum(r.span.batch > 1 for r in rows), "largest": 3}
    assert sum(a["submitted"] for a in made["agents"].values()) == len(rows)
    assert sum(s["submitted"] for s in made["streams"].values()) == len(rows)
    assert made["faults"][0]["left_out"] == ["rover_2", "carrier_1"]
    assert made["faults"][0]["hit"]["own_missed"] >= r["failed_by"]["agent_lost"]
    assert made["accepted"] is True


def test_one_broken_rule_is_not_accepted() -> None:
    of = fakes.launch(accept={"on_time_ratio": ">= 0.999", "lost": "== 0"})
    made = fakes.summary(of, fakes.ledger(of))
    assert made["accepted"] is False
    assert [rule["holds"] for rule in made["accept"]] == [False, True]


def empty(agents: AgentBook | None = None) -> dict[str, Any]:
    of, book = fakes.launch(), Ledger(0)
    return msgspec.to_builtins(summarise(
        launch=of, boards=fakes.BOARDS, rows=book.close(), ledger=book.statistics(), world=None, slips=[],
        agents=agents or AgentBook(), planner=[], planner_starts=0, plans=PlanHistory(), losses=[], ran_s=0.0,
        faults=[FaultDone(fault=Fault(at_s=20, kind="kill", target="rover_2"))]))


def test_a_run_without_requests_has_no_latency_and_is_not_on_time() -> None:
    made = empty()
    assert set(made["latency_ms"].values()) == {None}
    assert (made["on_time_interval"], made["after_warmup"]["due"]) == (None, 0)
    assert (made["on_time_ratio"], made["first_result_s"], made["accepted"]) == (0.0, None, False)
    assert made["faults"] == [{"at_s": 20, "kind": "kill", "target": "rover_2", "sensor": "", "groups": [],
                               "for_s": None, "done_s": None, "ended_s": None, "hit": None, "verdict": None,
                               "before": None, "worst": None, "after": None, "recover_s": None, "n": 0,
                               "together": 0, "left_out": []}]
    assert made["preempted"] == {"requests": 0, "times": 0, "aside_ms_p95": None}
    assert made["batched"] == {"requests": 0, "largest": 1}
    assert made["host_overloaded"] is False
    assert made["agents"]["rover_0"]["status"] == "silent"


def news(runs: int, overruns: int) -> AgentNews:
    return AgentNews(rss_bytes=runs, runs=runs, overruns=overruns, busy_s=0.5, available_s=1.0, refused_in=0,
                     duplicates=0, control_bytes=0)


def test_over_one_percent_of_overruns_mark_the_host_also_over_restarts() -> None:
    book = AgentBook()
    book.handle("rover_0", 1, news(500, 5))
    book.handle("rover_0", 2, news(100, 0))
    book.handle("rover_0", 2, news(500, 5))
    assert (book.figures("rover_0").runs, book.figures("rover_0").starts) == (1000, 2)
    assert empty(book)["host_overloaded"] is False                 # exactly 1 %
    book.handle("rover_0", 2, news(500, 6))
    assert empty(book)["host_overloaded"] is True


def test_an_interrupted_run_is_not_accepted_though_its_rules_hold() -> None:
    of, book = msgspec.structs.replace(fakes.launch(), accept={"requests.lost": "== 0"}), Ledger(0)
    made = [summarise(
        launch=of, boards=fakes.BOARDS, rows=[], ledger=book.statistics(), world=None, agents=AgentBook(), slips=[],
        planner=[], planner_starts=0, plans=PlanHistory(), losses=[], ran_s=0.4, faults=[], interrupted=interrupted)
        for interrupted in (False, True)]
    assert [(one.interrupted, one.accept[0].holds, one.accepted) for one in made] == [
        (False, True, True), (True, True, False)]
