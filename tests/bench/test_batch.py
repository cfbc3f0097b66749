"""The batch bench measures each shipped model and an overloaded agent."""

from __future__ import annotations

import json

import pytest

from swarm.bench import batch
from swarm.cli.main import main


@pytest.mark.long
def test_what_several_at_once_take_and_what_an_overloaded_agent_makes_of_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(batch, "ROUNDS", 1)
    monkeypatch.setattr(batch, "BLOCKS", 1)
    monkeypatch.setattr(batch, "BLOCK_S", 0.3)
    assert main(["bench", "batch", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    over = told.pop("overloaded")
    assert set(told) == {f"{name}_{form}" for name in ("detector", "segmenter") for form in (
        "fp32", "int8", "student_fp32", "student_int8", "small_fp32", "small_int8")}
    for figures in told.values():
        assert figures["one_ms"] > 0
        assert all(figures[f"ratio{n}_low"] <= figures[f"ratio{n}"] <= figures[f"ratio{n}_high"] for n in batch.SIZES)
    assert over["most_at_once"] > 1
    assert over["batched"] >= 2 * over["batches"] > 0
    for mode in batch.MODES:
        assert over[f"{mode}_per_s"] >= 0
        assert 0 <= over[f"{mode}_on_time"] <= 1


@pytest.mark.parametrize(("batched", "one_by_one", "told"), [
    ((30.0, 20.0, 40.0), (10.0, 20.0, 10.0), (3.0, 1.0, 4.0)),
    ((30.0, 20.0, 0.0), (10.0, 0.0, 0.0), (None, 3.0, None)),        # infinitely better once, and nothing at all once
    ((0.0, 20.0), (10.0, 10.0), (1.0, 0.0, 2.0)),
    ((0.0,), (0.0,), (None, None, None)),
])
def test_the_gain_is_the_median_over_the_blocks(
    batched: tuple[float, ...], one_by_one: tuple[float, ...], told: tuple[float | None, ...]
) -> None:
    assert tuple(batch.gain(batched, one_by_one).values()) == told


def test_the_figures_are_told_in_words(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(batch, "names", lambda folder: [])
    monkeypatch.setattr(batch, "BLOCKS", 1)
    monkeypatch.setattr(batch, "BLOCK_S", 0.2)
    assert main(["bench", "batch"]) == 0
    assert "on time per second against " in capsys.readouterr().out
