"""Robots that decide alone, on links that are slow to tell them of load, do not all choose the same peer."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from swarm.cli.main import main
from swarm.virtual.run_folder import HashedFolder

TWO_CARRIERS = """
version: 1
scenario: patrol
seed: 7
duration_s: {duration_s}
clock: virtual
policy: greedy
fleet:
  - {{name: rover, count: 8, board: raspberry_pi_4, physics: kinematic}}
  - {{name: carrier, count: 2, board: agx_orin, physics: kinematic}}
streams:
  - {{name: segment, on: [rover], model: segmenter, rate_hz: 5, deadline_s: 0.4}}
variants: {{segmenter: [fp32, int8]}}
links:
  rover:carrier: {{rate_mbps: 100, delay_ms: 20}}
"""


@pytest.mark.parametrize("duration_s", [12, pytest.param(60, marks=pytest.mark.long)])
def test_equal_carriers_get_equal_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, duration_s: int) -> None:
    monkeypatch.setattr(HashedFolder, "report", lambda self: None)
    (tmp_path / "two.yaml").write_text(TWO_CARRIERS.format(duration_s=duration_s))
    assert main(["launch", str(tmp_path / "two.yaml"), "--out", str(tmp_path / "run")]) == 0
    rows = pq.read_table(tmp_path / "run" / "requests.parquet", columns=["ran_on", "run_s"]).to_pylist()
    load_s: Counter[str] = Counter()
    for row in rows:
        if row["ran_on"] and row["ran_on"].startswith("carrier"):
            load_s[row["ran_on"]] += row["run_s"]
    assert len(load_s) == 2
    assert max(load_s.values()) <= 1.2 * min(load_s.values())
