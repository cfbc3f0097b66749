"""The scenario and the behaviour of docs/extend.md fly from a user's own folder, with names of their own everywhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.folder import HOUSE
from tests.docs.pages import blocks, typed
from tests.patience import HANG_S

PAGE = HOUSE / "docs" / "extend.md"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that the page asks its reader to save."""
    for block in blocks(PAGE):
        if block.file:
            (tmp_path / block.file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / block.file).write_text(block.text)
    return tmp_path


def swarm(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "swarm.cli.main", *arguments], cwd=folder, capture_output=True, text=True,
        timeout=HANG_S, env={**os.environ, "SWARM_PLUGINS": "plugins"})


@pytest.mark.parametrize("clock", ["virtual", pytest.param("real", marks=pytest.mark.long)])
def test_the_toy_scenario_of_the_page_flies_and_its_names_are_told(folder: Path, clock: str) -> None:
    files = [block.text for block in blocks(PAGE) if block.language == "python"]
    assert sum(len(text.splitlines()) for text in files) <= 60
    listed, launched = ([word for word in words if "=" not in word or word.startswith("--")] for words in typed(PAGE))
    assert "meadow" in swarm(folder, *listed[1:]).stdout
    flight = swarm(folder, *launched[1:], "--clock", clock)
    assert flight.returncode == 0, flight.stderr
    out = folder / "runs" / "meadow"
    summary = json.loads((out / "summary.json").read_text())
    assert summary["mission"] == {"headline": "petals", "petals": 28.0, "ripeness": 0.25}
    assert summary["measures"]["petals"]["text"] == "petals of all flowers that were picked"
    assert [(rule["key"], rule["holds"]) for rule in summary["accept"]] == [
        ("mission.petals", True), ("mission.ripeness", True), ("requests.lost", True)]
    for words in ("petals", "28", "ripeness", "25.0 %", "holds: mission.petals >= 14"):
        assert words in flight.stdout, words
    if clock == "real":                                      # a virtual flight may be over before its first progress
        assert "petals" in flight.stderr                     # how many by then depends on the host
    page = (out / "report.html").read_text()
    for words in ("petals", "28", "ripeness", "25.0 %", "flower", "plucked by", "daisy"):
        assert words in page, words
    told = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    judged = [event["detail"] for event in told if event["what"] == "judged"]
    assert len(judged) >= 4                                  # a report may be sent again before its verdict comes
    assert {(of["kind"], of["verdict"], of["petals"]) for of in judged} == {("flower", "picked", 7.0)}
    for words in (flight.stdout, flight.stderr, page):
        assert "found" not in words.replace("no such file", "")


RUDE = """from agents.behaviours import Note

class rude:
    def __init__(self, robot, team, seed, sensors):
        self.leaves = robot == team[1]

    def on(self, event, now):
        if self.leaves:
            raise SystemExit(3)
        return ["left", Note("t", b"", ("nobody",))]
"""


@pytest.mark.long
def test_in_real_processes_nonsense_is_told_and_an_exit_is_a_crash_with_words(folder: Path) -> None:
    """In virtual time: tests/virtual/purity/test_runs.py."""
    (folder / "plugins" / "behaviours" / "rude.py").write_text(RUDE)
    flight = swarm(folder, "launch", "plugins/meadow.yaml", "--set", "behaviour=rude", "--out", "out")
    assert flight.returncode == 0, flight.stderr
    assert re.search(r"Nonsense: \d+ outputs of behaviours were dropped \(rover_0 \d+\); the events", flight.stdout)
    assert json.loads((folder / "out" / "summary.json").read_text())["agents"]["rover_0"]["behaviour_nonsense"] > 2
    told = [json.loads(line) for line in (folder / "out" / "events.jsonl").read_text().splitlines()]
    assert [event["detail"]["kind"] for event in told if event["what"] == "nonsense"] == ["output", "receiver"]
    assert [event["detail"] for event in told if event["what"] == "crashed"] == [
        {"process": "rover_1", "how": "ended with exit code 1: RuntimeError: SystemExit in a thread: 3"}]


def test_what_a_plug_in_lacks_is_told_in_one_line(folder: Path) -> None:
    wrong = swarm(folder, "launch", "plugins/meadow.yaml", "--set", "accept.mission.coverage=>= 1", "--dry-run")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert "no such key in summary.json" in wrong.stderr
    wrong = swarm(folder, "launch", "plugins/meadow.yaml", "--set", "behaviour=pickr", "--dry-run")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("swarm: --set behaviour=pickr: behaviour: no behaviour is called 'pickr'; did you "
                                   "mean 'picker'? known: ")
    assert wrong.stderr.count("\n") == 1
    (folder / "plugins" / "behaviours" / "broken.py").write_text("def broken(robot, team, seed, sensors):\n    1 / 0\n")
    wrong = swarm(folder, "launch", "plugins/meadow.yaml", "--set", "behaviour=broken", "--dry-run")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert "plugins/behaviours/broken.py: line 2: ZeroDivisionError: division by zero" in wrong.stderr
