"""Experiment files that are refused before anything flies, with one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from swarm.core.settings.errors import BadInput
from swarm.experiments.experiment import Experiment
from tests.experiments.files import write


@pytest.mark.parametrize("name", ["a\\b", "...", "a\udcff"])
def test_a_name_that_could_not_be_read_again_is_refused(tmp_path: Path, name: str) -> None:
    path = write(tmp_path)
    with pytest.raises(BadInput, match="no name of an experiment"):
        Experiment(path.rename(tmp_path / f"{name}.yaml"))


@pytest.mark.parametrize("name", ["first", "zwei läufe", "v1.2", "..a"])
def test_other_names_are_good(tmp_path: Path, name: str) -> None:
    assert Experiment(write(tmp_path).rename(tmp_path / f"{name}.yaml")).name == name


@pytest.mark.parametrize("keys", [
    {"axes": {"streams.0.rate_hz=3 #": [1]}},
    {"set": {"clock": "virtual", "duration_s": 1, "robots=2": 1}},
])
def test_a_key_cannot_hold_a_value_of_its_own(tmp_path: Path, keys: dict[str, Any]) -> None:
    """Else a point would fly something else than its label."""
    with pytest.raises(BadInput, match="it has a ="):
        Experiment(write(tmp_path, **keys)).check(lambda text: None)
