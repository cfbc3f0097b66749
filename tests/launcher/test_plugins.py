"""A scenario and a behaviour from a user's own folder fly by `swarm launch`, with names of their own everywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import HANG_S

SCENARIO = '''"""Meadow: robots pick flowers in a square field, and the petals count."""
from sim_worlds.engine import Engine, mission_of
from sim_worlds.physics.solids import box
from sim_worlds.environment import Environment, spawns_around
from swarm.core.protocol.scene import SceneMark

BEHAVIOUR, HEADLINE = "picker", "petals"
MEASURES = {"petals": ("", "petals of all flowers that were picked"), "ripeness": ("0..1", "share of ripe flowers")}
WALLS = tuple(box(x, y, 0.0, sx, sy, 1.0, (0.2, 0.5, 0.2)) for x, y, sx, sy in (
    (0, 4.9, 10, 0.2), (0, -4.9, 10, 0.2), (4.9, 0, 0.2, 9.6), (-4.9, 0, 0.2, 9.6)))


def build(fleet, seed, *, render=True):
    spawns = spawns_around(WALLS, 10.0, 0.0, 0.0, len(fleet))
    if spawns is None:
        raise ValueError("the meadow is too small")
    environment = Environment(size_m=10.0, walls=WALLS, spawns=tuple(spawns))
    return Meadow(environment, fleet, scenario="meadow", seed=seed, render=render)


class Meadow(Engine):
    picked = ()

    def judge(self, robot, report):
        if report.kind != "flower":
            return "weed"
        self.picked = (*self.picked, (robot, self.time_s, report.values["petals"]))
        return "picked"

    def mission(self):
        petals = sum(petals for _, _, petals in self.picked)
        return mission_of(HEADLINE, MEASURES, {"petals": petals, "ripeness": 0.25})

    def scene(self):
        marks = [SceneMark(label="daisy", x_m=1.0, y_m=1.0, done_by=r, done_at_s=t) for r, t, _ in self.picked[:1]]
        from msgspec.structs import replace
        return replace(super().scene(), marks=marks, mark="flower", done="plucked")
'''
BEHAVIOUR = '''from swarm.core.protocol.world import Act, Observation, Report


class picker:
    def __init__(self, robot, team, seed, sensors):
        self.picked = 0

    def on(self, event, now):
        if not isinstance(event, Observation):
            return []
        self.picked += 1
        turn = Act(v_mps=0.1, w_radps=0.5)
        return [turn, Report(kind="flower", values={"petals": 7.0})] if self.picked <= 2 else [turn]
'''
LAUNCH = """
version: 1
scenario: meadow
duration_s: 2
policy: local
fleet: [{name: rover, count: 2, board: orin_nano, physics: kinematic}]
streams: [{name: detect, on: [rover], model: detector, rate_hz: 5, deadline_s: 0.5}]
accept: {mission.petals: ">= 14", ripeness: "== 0.25", lost: "== 0"}
"""


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    for folder, name, text in (("scenarios", "meadow", SCENARIO), ("behaviours", "picker", BEHAVIOUR)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{name}.py").write_text(text)
    (tmp_path / "meadow.yaml").write_text(LAUNCH)
    return tmp_path


def swarm(plugins: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "swarm.cli.main", *arguments], cwd=plugins, capture_output=True, text=True,
        timeout=HANG_S, env={**os.environ, "SWARM_PLUGINS": str(plugins)})


def test_a_toy_scenario_flies_and_its_names_are_told(plugins: Path) -> None:
    assert len((SCENARIO + BEHAVIOUR).splitlines()) <= 60
    flight = swarm(plugins, "launch", str(plugins / "meadow.yaml"), "--out", "out")
    assert flight.returncode == 0, flight.stderr
    out = plugins / "out"
    summary = json.loads((out / "summary.json").read_text())
    assert summary["mission"] == {"headline": "petals", "petals": 28.0, "ripeness": 0.25}
    assert summary["measures"]["petals"]["text"] == "petals of all flowers that were picked"
    assert [(rule["key"], rule["holds"]) for rule in summary["accept"]] == [
        ("mission.petals", True), ("mission.ripeness", True), ("requests.lost", True)]
    for words in ("petals", "28", "ripeness", "25.0 %", "holds: mission.petals >= 14"):
        assert words in flight.stdout, words
    assert "petals 28" in flight.stderr                      # while it flew
    page = (out / "report.html").read_text()
    for words in ("petals", "28", "ripeness", "25.0 %", "flower", "plucked by", "daisy"):
        assert words in page, words
    told = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    judged = [event["detail"] for event in told if event["what"] == "judged"]
    assert len(judged) == 4
    assert {(of["kind"], of["verdict"], of["petals"]) for of in judged} == {("flower", "picked", 7.0)}
    for words in (flight.stdout, flight.stderr, page):
        assert "found" not in words.replace("no such file", "")


def test_what_a_plug_in_lacks_is_told_in_one_line(plugins: Path) -> None:
    wrong = swarm(plugins, "launch", "meadow.yaml", "--set", "accept.mission.coverage=>= 1", "--dry-run")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert "no such key in summary.json" in wrong.stderr
    assert "meadow" in swarm(plugins, "worlds", "list").stdout
