"""A run in virtual time whose robots have slow links: other latencies, other decisions, and each time the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from swarm.launcher.load import load_launch
from swarm.run.settings.resolve import Options
from swarm.virtual.launch import VirtualLaunch
from swarm.virtual.run_folder import HashedFolder

LAUNCH = """
version: 1
scenario: search_rescue
seed: 7
duration_s: 4
clock: virtual
policy: greedy
fleet:
  - {name: rover, count: 1, board: raspberry_pi_zero_2w, physics: kinematic}
  - {name: carrier, count: 1, board: raspberry_pi_4, physics: kinematic}
streams:
  - {name: segment, on: [rover], model: segmenter, rate_hz: 1.5, deadline_s: 0.7}
variants: {segmenter: [fp32, int8]}
"""
SLOW = "links={rover:carrier: {trace: slow.csv, delay_ms: 20, loss: 0.05}}"


@pytest.fixture
def fly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Flies the pair, with what `--set` changes, and draws no report. Returns its summary."""
    monkeypatch.setattr(HashedFolder, "report", lambda self: None)
    (tmp_path / "pair.yaml").write_text(LAUNCH)
    (tmp_path / "slow.csv").write_text("0 0.5\n1 0.9\n")

    def fly(*assignments: str) -> dict[str, Any]:
        run = load_launch(Options(launch=str(tmp_path / "pair.yaml"), assignments=list(assignments)))
        outcome = VirtualLaunch(run, tmp_path / f"run-{len(list(tmp_path.iterdir()))}", command=["test"]).run()
        assert outcome.error == ""
        assert outcome.summary is not None
        return outcome.summary

    return fly


def test_a_slow_link_changes_latency_and_offloads_and_the_same_seed_gives_the_same_run(
    fly: Callable[..., dict[str, Any]]
) -> None:
    loopback, slow, again = fly(), fly(SLOW), fly(SLOW)
    assert (loopback["network"], slow["network"]) == ("loopback", "shaped")
    assert slow["offload"]["share"] < loopback["offload"]["share"]
    assert slow["latency_ms"]["p50"] > 1.5 * loopback["latency_ms"]["p50"]
    assert slow["requests"]["lost"] == loopback["requests"]["lost"] == 0
    assert slow["state_hash"] == again["state_hash"] != loopback["state_hash"]
    assert slow == again


def test_robots_offload_less_where_their_links_share_airtime(fly: Callable[..., dict[str, Any]]) -> None:
    apart, shared = (fly("fleet.0.count=4", f"links={{rover:carrier: {{rate_mbps: 1{more}}}}}")
                     for more in ("", ", airtime: hall"))
    assert shared["offload"]["share"] < apart["offload"]["share"] - 0.2
