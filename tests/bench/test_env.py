"""The bench of learning environments."""

from __future__ import annotations

import argparse

import pytest

pytest.importorskip("pettingzoo", reason="pip install 'swarm-edge-runtime[gym]'")

from swarm.bench import env
from swarm.core.settings.errors import BadInput


def given(**changed: object) -> argparse.Namespace:
    return argparse.Namespace(**{"scenario": "patrol", "robots": 2, "processes": 2, "steps": 3, "rounds": 2, "seed": 1,
                                 **changed})


def test_the_ratio_is_of_world_steps() -> None:
    figures = env.run(given(rounds=1), lambda _: None)
    (row,) = figures["rows"]
    assert (row["scenario"], row["world_steps_per_env_step"]) == ("patrol", 6)
    assert row["ratio"] == pytest.approx(6 * row["env_steps_per_s"] / row["world_steps_per_s"], rel=0.02)
    assert row["ratio_least"] == row["ratio"] == row["ratio_most"]
    assert row["gain"] == pytest.approx(
        row["env_steps_per_s_processes"] / row["env_steps_per_s_1_process"], rel=0.02, abs=0.006)
    assert "vector, 2 processes" in env.as_text(figures)


@pytest.mark.parametrize("wrong", [{"robots": 0}, {"robots": 1001}, {"steps": 0}, {"rounds": -1},
                                   {"processes": 1}, {"seed": -1},
                                   {"seed": 2**64}, {"scenario": "nowhere"}], ids=str)
def test_what_cannot_be_measured_is_refused_before_work(wrong: dict[str, object]) -> None:
    def never(text: str) -> None:
        pytest.fail(f"work began: {text}")

    with pytest.raises(BadInput):
        env.run(given(**wrong), never)
