"""`swarm experiment` as a user meets it: bad input is one line that names the file, and the point where it is one."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from swarm import plugins
from swarm.cli.main import main
from swarm.core.policy import policies
from swarm.core.settings import yaml_text
from tests.experiments.files import TINY

PLAIN: dict[str, Any] = {"version": 1, "launch": "patrol", "set": TINY, "seeds": 2,
                         "metrics": {"on_time_ratio": "higher"}}
AXES = {"policy": ["local", "greedy"]}
KILLED = {"duration_s": 1, "clock": "virtual", "faults": [{"at_s": 0.5, "kill": "rover_3"}]}
STOP = {"metric": "on_time_ratio", "half_width": 0.1}
RATE = "streams.0.rate_hz"


def refused(capsys: pytest.CaptureFixture[str], content: Any, *arguments: str) -> str:
    """What the command says of an experiment file with this content."""
    text = content if isinstance(content, str) else yaml_text.dump(content)
    Path("e.yaml").write_text(text)
    assert main(["experiment", "run", "e.yaml", "--out", "out", "--jobs", "1", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    line = err.split("\r")[-1].removeprefix("\x1b[K")
    assert line.startswith("swarm: ")
    assert line.count("\n") == 1
    assert not Path("out").exists()
    return line


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("keys", "told"), [
    ({"axes": {"stream.0.rate_hz": [1]}}, "e.yaml: point stream.0.rate_hz=1: patrol: unknown key 'stream'"),
    ({"axes": {"streams.0.rate": [1]}}, "point streams.0.rate=1: patrol: streams[0]: unknown key 'rate'"),
    ({"axes": {"streams.7.rate_hz": [1]}}, "point streams.7.rate_hz=1: --set streams.7.rate_hz=1: '7' is no place"),
    ({"axes": {"robots": [8, 3]}, "set": KILLED}, "e.yaml: point robots=3: --set faults="),
    ({"axes": {"robots": [1]}}, "point robots=1: --robots: 1 robots for 2 fleets"),
    ({"axes": {"robots": [1001]}}, "point robots=1001: --robots: 1001 is too large"),
    ({"axes": {"robots": [None]}}, "point robots=null: robots: it is empty"),
    ({"axes": {"robots": [True]}}, "point robots=true: --robots: True is true or false"),
    ({"axes": {"policy": ["local", "luck"]}}, "e.yaml: point policy=luck: --set policy=\"luck\": policy: "),
    ({"axes": {"policy": [["local"], {"a": 1}]}}, "point policy=[\"local\"]: patrol: policy: ['local'] is a list"),
    ({"axes": {RATE: [1, float("nan")]}}, f"point {RATE}=NaN: "),
    ({"axes": {RATE: [1, None]}}, f"point {RATE}=null: "),
    ({"axes": {RATE: [1, 1.0]}}, f"point {RATE}=1.0: its runs are those of point {RATE}=1"),
    ({"axes": {"accept.lost": ["== 0", "== 1"]}}, "its runs are those of point accept.lost=== 0"),
    ({"axes": {"seed": [1, 2]}}, "e.yaml: seed is no axis; seeds and first_seed"),
    ({"axes": {"": [1]}}, "e.yaml: point =1: --set =1: not an assignment"),
    ({"axes": ["policy"]}, "e.yaml: axes: ['policy'] is a list, not keys with values"),
    ({"axes": {"policy": "local"}}, "e.yaml: axes.policy: 'local' is text, not a list"),
    ({"axes": {"clock": ["virtual", "real"]}}, "e.yaml: some points are in real time and some in virtual time"),
    ({"zip": [{"policy": ["local", "greedy"], RATE: [1, 2, 3]}]}, "e.yaml: zip[0]: its axes have 2 and 3 values"),
    ({"zip": [{}]}, "e.yaml: zip[0]: no axis"),
    ({"seeds": 50_000, "axes": AXES}, "e.yaml: 100000 points; fewer axes, values or seeds; or --yes"),
    ({"seeds": 0}, "e.yaml: seeds: 0 is too small"),
    ({"first_seed": 2**63 - 1}, "e.yaml: first_seed: "),
    ({"metrics": {"on_time_ratios": "higher"}}, "e.yaml: metrics.on_time_ratios: no such key in summary.json"),
    ({"metrics": {"streams.x.on_time_ratio": "higher"}}, "metrics.streams.x.on_time_ratio: no stream is called 'x'"),
    ({"metrics": {"on_time_ratio": "more"}}, "e.yaml: metrics.on_time_ratio: 'more' is not a choice"),
    ({"metrics": {}}, "e.yaml: metrics: it has 0 keys"),
    ({"launch": "patrl"}, "e.yaml: launch: patrl: no launch file of this name"),
    ({"launch": "./patrl.yaml"}, "e.yaml: launch: patrl.yaml: No such file"),
    ({"axes": AXES, "compare": {"axis": "robots"}}, "e.yaml: compare.axis: 'robots' is no axis of this file"),
    ({"axes": AXES, "compare": {"to": "planner"}}, "e.yaml: compare.to: no point has policy=planner"),
    ({"axes": AXES, "stop_when": {**STOP, "metric": "lost"}}, "e.yaml: stop_when.metric: 'lost' is no metric"),
    ({"axes": AXES, "stop_when": STOP}, "e.yaml: seeds: 2 with stop_when"),
    ({"seeds": 6, "stop_when": STOP}, "e.yaml: stop_when: nothing is compared"),
    ({"seeds": 6, "axes": AXES, "stop_when": {**STOP, "half_width": 0}}, "stop_when.half_width: 0 is too small"),
    ({"seeds": 9, "axes": AXES, "stop_when": {**STOP, "most_seeds": 8}}, "e.yaml: seeds: 9 with stop_when"),
    ({"axis": AXES}, "e.yaml: unknown key 'axis'; did you mean 'axes'?"),
    ({"version": 2}, "e.yaml: version: "),
])
def test_a_file_that_makes_no_sense_is_refused_before_anything_flies(
    keys: dict[str, Any], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told in refused(capsys, {**PLAIN, **keys})


@pytest.mark.parametrize(("text", "told"), [
    ("version: [1\n", "e.yaml: line 2: "), ("", "e.yaml: it is empty"), ("- 1\n- 2\n", "e.yaml: [1, 2] is a list"),
    ("3", "e.yaml: 3 is a whole number"), ("a: 1\na: 2\n", "e.yaml: line 2"), ("\x00", "e.yaml: "),
])
def test_what_is_no_map_is_refused(text: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert told in refused(capsys, text)


@pytest.mark.parametrize(("text", "told"), [
    ("x = 1\n", "odd.py: AttributeError: module 'swarm.core.policy.policies.odd' has no attribute 'POLICY'"),
    ("POLICY = 3\n", "odd.py: POLICY is neither a Policy nor a PolicyFamily"),
    ("from swarm.core.policy.policies import Policy\nPOLICY = Policy()\n", "odd.py: line 2: TypeError: "),
    ("from swarm.core.policy.policies import Policy\nPOLICY = Policy(3)\n", "odd.py: line 2: TypeError: route is no "),
])
def test_a_policy_that_is_none_is_refused_with_its_point(
    text: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plug" / "policies").mkdir(parents=True)
    (tmp_path / "plug" / "policies" / "odd.py").write_text(text)
    monkeypatch.setenv(plugins.VARIABLE, str(tmp_path / "plug"))
    monkeypatch.setattr(policies, "__path__", plugins.extended(policies.__path__, "policies"))
    monkeypatch.delitem(sys.modules, f"{policies.__name__}.odd", raising=False)
    line = refused(capsys, {**PLAIN, "axes": {"policy": ["local", "odd"]}})
    assert "e.yaml: point policy=odd: " in line
    assert told in line


def test_points_in_real_time_take_no_ray(capsys: pytest.CaptureFixture[str]) -> None:
    real = {**PLAIN, "set": {**TINY, "clock": "real"}}
    assert "--ray: these points run in real time" in refused(capsys, real, "--ray", "local")


@pytest.mark.parametrize("jobs", ["0", "-1", "257", "x"])
def test_jobs_are_a_number_of_processes(jobs: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("e.yaml").write_text(yaml_text.dump(PLAIN))
    assert main(["experiment", "run", "e.yaml", "--jobs", jobs]) == 2
    assert "jobs: " in capsys.readouterr().err


def test_a_dry_run_lists_the_points_and_flies_none(capsys: pytest.CaptureFixture[str]) -> None:
    Path("e.yaml").write_text(yaml_text.dump({**PLAIN, "axes": {**AXES, RATE: [1, 2]}}))
    assert main(["experiment", "run", "e.yaml", "--dry-run", "--jobs", "1"]) == 0
    said = capsys.readouterr().out
    assert f"policy=greedy, {RATE}=2" in said
    assert "8 points: 4 combinations, 2 seeds each" in said
    assert main(["experiment", "run", "e.yaml", "--dry-run", "--jobs", "1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["points"], told["clock"]) == (8, "virtual")
    assert told["estimated_s"] > 0.0
    assert sorted(path.name for path in Path().iterdir()) == ["e.yaml"]


def test_a_folder_of_other_things_is_refused_by_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    Path("e.yaml").write_text(yaml_text.dump(PLAIN))
    Path("out").mkdir()
    Path("out/thesis.tex").write_text("years of work")
    assert main(["experiment", "run", "e.yaml", "--out", "out", "--jobs", "1"]) == 2
    assert "--out out: the folder holds other things" in capsys.readouterr().err
