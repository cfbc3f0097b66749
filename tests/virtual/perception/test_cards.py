"""A user's own model that virtual time cannot fly is refused before the start, in one line, by every command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models.store import ARTEFACTS, CARD
from swarm.cli.main import main
from tests.launcher.world import write_launch


def without_profile(variant: dict[str, Any]) -> None:
    del variant["run_time"]


def without_error_model(variant: dict[str, Any]) -> None:
    del variant["error_model"]


NO_PROFILE = ("{launch}: streams[0].model: {card}: Object missing required field `run_time` - at `$.variants[...]`; "
              "a card that `swarm models import` has written\n")
NO_ERRORS = ("model 'detector' fp32: has no error model, which virtual time needs; "
             "a card with `error_model` and the metric `frames`, or clock: real\n")
LAUNCH = "launch {launch} --clock virtual --out {out}"
EXPLORE = "explore {launch} --seeds 1 --out {out}"


@pytest.mark.parametrize(("change", "said"), [(without_profile, NO_PROFILE), (without_error_model, NO_ERRORS)])
@pytest.mark.parametrize("command", [LAUNCH, EXPLORE])
def test_a_model_without_what_virtual_time_needs_is_refused(
    tmp_path: Path, command: str, change: Callable[[dict[str, Any]], None], said: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    card = json.loads((ARTEFACTS / "detector" / CARD).read_text())
    change(card["variants"]["fp32"])
    path = tmp_path / "models" / "detector" / CARD
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(card))
    monkeypatch.setenv("SWARM_MODELS", str(tmp_path / "models"))
    launch = write_launch(tmp_path)
    assert main(command.format(launch=launch, out=tmp_path / "out").split()) == 2
    assert capsys.readouterr().err == "swarm: " + said.format(launch=launch, card=path)
    assert not (tmp_path / "out").exists()


def test_a_launch_that_records_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*LAUNCH.format(launch=write_launch(tmp_path), out=tmp_path / "out").split(), "--record"]) == 2
    assert capsys.readouterr().err == ("swarm: --record: virtual time draws no pictures, so there is nothing to "
                                       "record; record: false, or clock: real\n")
    assert not (tmp_path / "out").exists()
