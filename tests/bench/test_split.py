"""The figures of the split bench."""

from __future__ import annotations

import json

import pytest

from swarm.bench import split
from swarm.cli.main import main

KEYS = [f"{figure}_{threads}t" for threads in (1, 2) for figure in ("whole_ms", "ratio2", "ratio4", "ratio8")]


@pytest.mark.long
def test_whole_and_splits_are_told_with_their_spread(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(split, "ROUNDS", 3)
    assert main(["bench", "split", "--model", "detector", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(KEYS) <= set(told)
    assert all(0 < told[key] < 100 for key in KEYS)
    assert all(told[f"{key}_spread"] >= 0 for key in KEYS if key.startswith("ratio"))
    assert (told["model"], told["stages"]) == ("detector", [2, 4, 8])
    assert main(["bench", "split", "--model", "detector"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split("  ")[0] == "detector, threads"
    assert [row.split()[0] for row in rows] == ["1", "2"]


def test_an_unknown_network_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "split", "--model", "resnet5"]) == 2
    assert "--model resnet5: no such network; one of resnet50" in capsys.readouterr().err
    assert main(["bench", "overhead", "--model", "detector"]) == 2
    assert "unrecognized arguments: --model" in capsys.readouterr().err
