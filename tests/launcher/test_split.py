"""Models cut over several robots in whole swarms: the real command, on frames that are recorded and replayed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from swarm.telemetry import table
from tests.agents.staged import store_with_stages
from tests.launcher.world import write_launch
from tests.patience import HANG_S

LAUNCH = """
version: 1
scenario: search_rescue
seed: 7
duration_s: 10
fleet:
  - {name: rover, count: 3, board: orin_nano, physics: kinematic}
  - {name: carrier, count: 1, board: agx_orin, physics: kinematic}
streams:
  - {name: detect, on: [rover, carrier], model: detector, rate_hz: 5, deadline_s: 0.3, priority: 2}
"""


class Run:
    """`swarm launch` and `swarm models replay` with the detector in stages."""

    def __init__(self, folder: Path) -> None:
        self.out, self._launch = folder / "out", write_launch(folder, LAUNCH)
        self._environment = {**os.environ, "SWARM_MODELS": str(store_with_stages(folder / "store"))}

    def command(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        done = subprocess.run(
            [sys.executable, "-m", "swarm.cli.main", *arguments, "--json"], env=self._environment, timeout=HANG_S,
            capture_output=True, text=True)
        assert done.stderr == ""
        return done.returncode, json.loads(done.stdout)

    def launch(self, *arguments: str) -> dict[str, Any]:
        code, summary = self.command("launch", str(self._launch), "--out", str(self.out), *arguments)
        assert code == 0
        return summary

    def chains(self) -> list[list[str]]:
        """Agents of the chains that answered."""
        c = table.read(self.out / "requests.parquet")
        answered = (c["ending"] != "failed") & c["on_peer"].astype(bool)
        return [[leg["agent"] for leg in legs] for legs in c["legs"][np.flatnonzero(answered)]]


@pytest.mark.long
def test_a_detector_cut_over_two_agents_gives_the_same_detections_as_whole(tmp_path: Path) -> None:
    run = Run(tmp_path)
    summary = run.launch("--policy", "split:2", "--record")
    assert summary["requests"]["lost"] == 0
    assert summary["offload"]["share"] > 0
    code, told = run.command("models", "replay", str(run.out))
    assert code == 0
    assert told["same"] == told["frames"] == summary["requests"]["completed"] + summary["requests"]["late"]
    assert told["split_frames"] > 0
    assert told["max_score_difference"] == 0.0
    assert {len(chain) for chain in run.chains()} == {2}


@pytest.mark.long
def test_chains_go_over_three_agents_and_a_killed_one_costs_nothing_but_time(tmp_path: Path) -> None:
    run = Run(tmp_path)
    summary = run.launch("--policy", "split:3", "--set", "faults=[{at_s: 5, kill: carrier_0}]", "--record")
    assert summary["requests"]["lost"] == 0
    assert summary["agents"]["carrier_0"]["status"] == "killed"
    chains = run.chains()
    assert chains
    assert {len(set(chain)) for chain in chains} == {3}
    assert {"carrier_0" in chain for chain in chains} == {True, False}       # before its death, and after
    assert run.command("models", "replay", str(run.out))[0] == 0
