"""`swarm agent|planner|world FILE`: every mistake in the file is one line and exit code 2, before anything runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from swarm.cli.main import main

BOARD = {"speed": {"fp32": 0.3, "int8": 0.3}, "memory_mb": 1024, "power_w": 5, "source": "test"}
STREAM = {"name": "detect", "model": "detector", "rate_hz": 5, "deadline_s": 0.1}
ADDRESSES = {"urgent": "tcp://127.0.0.1:7000", "bulk": "tcp://127.0.0.1:7001"}
FILES: dict[str, dict[str, Any]] = {
    "agent": {"version": 1, "name": "rover_0", "swarm": "s", "board_name": "b", "board": BOARD, "streams": [STREAM]},
    "planner": {"version": 1, "swarm": "s"},
    "world": {"version": 1, "swarm": "s", "scenario": "search_rescue",
              "robots": [{"name": "rover_0", "kind": "rover", "physics": "kinematic"}]},
}


@pytest.mark.parametrize(("role", "changes", "told"), [
    ("agent", {"board": {**BOARD, "speed": {"fp32": 0.3}}}, "board.speed.int8: it is missing"),
    ("agent", {"board": {**BOARD, "executors": 0}}, "board.executors: 0 is too small; at least 1"),
    ("agent", {"streams": [{**STREAM, "rate_hz": 0}]}, "streams[0].rate_hz"),
    ("agent", {"streams": [{**STREAM, "priority": 10**30}]}, "streams[0].priority"),
    ("agent", {"streams": [{**STREAM, "rate_hz": 10**400}]}, "streams[0].rate_hz"),
    ("agent", {"streams": [{**STREAM, "model": "oracle"}]}, "model 'oracle'"),
    ("agent", {"seed": 10**30}, "seed: 1e+30 is too large"),
    ("agent", {"behaviour": "search_rescu"}, "did you mean 'search_rescue'?"),
    ("agent", {"policy": "plan"}, "policy: no policy is called 'plan'"),
    ("agent", {"links": {"rover": {}}}, "links.rover: it names no pair"),
    ("agent", {"links": {"rover:carrier": {"trace": "/nowhere/t.csv"}}}, "/nowhere/t.csv: No such file"),
    ("agent", {"bind": "127.0.0.1:"}, "bind: '127.0.0.1:' is no address"),
    ("agent", {"launcher": {"name": "l", "role": "launcher", "urgent": "nowhere", "bulk": "x"}}, "launcher.urgent"),
    ("planner", {"every_s": 0}, "every_s: 0 is too small; at least 0.05"),
    ("planner", {"ray": "cloud"}, "ray: 'cloud' is no address"),
    ("planner", {"roster": [{"name": "a", "role": "agent", **ADDRESSES}] * 2}, "roster[1].name: 'a' is there already"),
    ("world", {"frame_hz": 0}, "frame_hz: 0 is too small; at least 0.001"),
    ("world", {"sense_hz": 1000}, "sense_hz: 1000 is too large"),
    ("world", {"scenario": "atlantis"}, "scenario: no scenario is called 'atlantis'"),
    ("world", {"robots": []}, "robots: a world needs at least 1 robot"),
    ("world", {"robots": [{"name": "r", "kind": "drone"}]}, "robots[0].kind"),
])
def test_a_mistake_in_a_processs_file_is_one_line(
    role: str, changes: dict[str, Any], told: str, tmp_path: Path, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.nice", lambda _: 0)              # the planner's; this process is the tests'
    path = tmp_path / f"{role}.yaml"
    path.write_text(yaml.safe_dump({**FILES[role], **changes}))
    assert main([role, str(path)]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("swarm: ")
    assert err.count("\n") == 1
    assert told in err


@pytest.mark.parametrize(("module", "arguments", "told"), [
    ("matplotlib", ["report", "."], "swarm report: matplotlib is not installed; pip install 'swarm-edge-run"),
    ("jinja2", ["report", "."], "swarm report: jinja2 is not installed; pip install 'swarm-edge-runtime[sim]'"),
    ("pyarrow", ["report", "."], "swarm report: pyarrow is not installed; pip install 'swarm-edge-runtime[sim]'"),
    ("pyarrow", ["launch", "search_rescue", "--out", "out"], "swarm launch: pyarrow is not installed; pip install"),
    ("pybullet", ["launch", "search_rescue", "--out", "out"],
     "pip install 'swarm-edge-runtime[sim]'; the simulator PyBullet"),
    ("pybullet", ["demo"], "swarm demo: pybullet is not installed"),
    ("pybullet", ["world", "world.yaml"], "world.yaml: scenario search_rescue: pybullet is not installed"),
])
def test_what_is_not_installed_is_said_before_anything_starts(
    module: str, arguments: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "world.yaml").write_text(yaml.safe_dump(FILES["world"]))
    monkeypatch.setitem(sys.modules, module, None)
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert told in err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["world.yaml"]


def test_a_launch_that_is_only_looked_at_needs_no_simulator(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pybullet", None)
    assert main(["launch", "search_rescue", "--dry-run"]) == 0
    assert "scenario: search_rescue" in capsys.readouterr().out
