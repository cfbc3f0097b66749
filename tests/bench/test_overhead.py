"""The overhead bench reports the added time and its reference in all modes."""

from __future__ import annotations

import json
import sys

import pytest

from swarm.bench import overhead
from swarm.cli.main import main


def test_what_is_added_is_told_beside_a_bare_hand_off(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before_s = sys.getswitchinterval()
    monkeypatch.setattr(overhead, "WARM_UP", 2)
    monkeypatch.setattr(overhead, "ROUNDS", 1)
    monkeypatch.setattr(overhead, "REQUESTS", 10)
    assert main(["bench", "overhead", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    for way in ("", "busy_", "warm_"):
        assert told[f"{way}requests"] >= 1
        assert told[f"{way}handoff_us"] > 0
        assert 0 < told[f"{way}added_us"] <= told[f"{way}added_p95_us"]
        assert told[f"{way}run_us"] > 0
        assert told[f"{way}cpu"] > 0
    assert sys.getswitchinterval() == before_s
    assert main(["bench", "overhead"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert "added us" in header
    assert len(rows) == 3
