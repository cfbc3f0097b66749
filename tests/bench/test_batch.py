"""Several at once beside one by one: told for each shipped model, and for an agent that is asked for too much."""

from __future__ import annotations

import json

import pytest

from swarm.bench import batch
from swarm.cli.main import main


def test_what_several_at_once_take_and_what_an_overloaded_agent_makes_of_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(batch, "ROUNDS", 1)
    monkeypatch.setattr(batch, "BLOCKS", 1)
    monkeypatch.setattr(batch, "BLOCK_S", 0.3)
    assert main(["bench", "batch", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    over = told.pop("overloaded")
    assert set(told) == {"detector_fp32", "detector_int8", "segmenter_fp32", "segmenter_int8"}
    for figures in told.values():
        assert figures["one_ms"] > 0
        assert all(figures[f"ratio{n}_low"] <= figures[f"ratio{n}"] <= figures[f"ratio{n}_high"] for n in batch.SIZES)
    assert over["most_at_once"] > 1
    assert over["batched"] >= 2 * over["batches"] > 0
    for way in batch.WAYS:
        assert over[f"{way}_per_s"] >= 0
        assert 0 <= over[f"{way}_on_time"] <= 1
    assert over["gain_low"] is None or over["gain_low"] <= over["gain"] <= over["gain_high"]


def test_the_figures_are_told_in_words(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(batch, "names", lambda folder: [])
    monkeypatch.setattr(batch, "BLOCKS", 1)
    monkeypatch.setattr(batch, "BLOCK_S", 0.2)
    assert main(["bench", "batch"]) == 0
    assert "in time per second against " in capsys.readouterr().out
