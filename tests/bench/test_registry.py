"""The benches are the modules of their folder."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from swarm import bench
from swarm.cli.main import main

NEW = '''"""The speed of counting."""
NEEDS = ("math",)

def arguments(p):
    p.add_argument("--most", type=int, default=2)

def run(given, progress):
    progress("counting")
    return {"counted": given.most}

def as_text(figures):
    return f"counted to {figures['counted']}\\n"
'''


@pytest.fixture(params=["counting.py", "counting/bench.py"])
def new(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A bench of one file, and one that is a folder."""
    path = tmp_path / str(request.param)
    path.parent.mkdir(exist_ok=True)
    path.write_text(NEW)
    if path.parent != tmp_path:
        (path.parent / "__init__.py").touch()
    monkeypatch.setattr(bench, "__path__", [*bench.__path__, str(tmp_path)])
    yield
    for name in [name for name in sys.modules if name.startswith("swarm.bench.counting")]:
        del sys.modules[name]
    vars(bench).pop("counting", None)


@pytest.mark.usefixtures("new")
def test_a_file_in_the_folder_is_a_bench_with_options_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "counting", "--most", "5"]) == 0
    assert capsys.readouterr().out == "counted to 5\n"
    assert main(["bench", "counting", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"counted": 2}
    assert main(["bench", "--json", "counting"]) == 0
    assert json.loads(capsys.readouterr().out) == {"counted": 2}
    assert main(["bench", "counting", "--most", "many"]) == 2
    assert "argument --most: invalid int value: 'many'" in capsys.readouterr().err
    assert main(["bench"]) == 0
    assert re.search("^counting +The speed of counting.$", capsys.readouterr().out, re.MULTILINE)
    with pytest.raises(SystemExit):
        main(["bench", "counting", "--help"])
    assert "--most" in capsys.readouterr().out


def test_the_folder_lists_the_benches(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.available() == [
        "batch", "board-arm64", "budget", "chaos", "deploy", "deploy-cuts", "deploy-faults", "deploy-roles",
        "deploy-waves", "env", "experiment", "fidelity", "figures", "forecast", "gpu", "lanes", "memory", "overhead",
        "physics", "planner", "preempt", "presence", "ray", "scheduler", "siege", "split", "statistics", "transport",
        "vicsek", "virtual", "world"]
    assert main(["bench", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told) == bench.available()
    assert all(len(about) > 20 for about in told.values())
    assert main(["bench", "support"]) == 2
    assert "invalid choice: 'support'" in capsys.readouterr().err


@pytest.mark.parametrize("name", bench.available())
def test_every_bench_can_be_loaded_and_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    loaded = bench.load(name)
    assert callable(loaded.run)
    assert callable(loaded.as_text)
    with pytest.raises(SystemExit):
        main(["bench", name, "--help"])
    assert f"example: swarm bench {name}" in capsys.readouterr().out
