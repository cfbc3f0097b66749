"""The command line as a user meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from swarm.cli.main import main
from swarm.cli.options import COMMANDS
from tests.launcher.world import write_launch
from tests.patience import HANG_S

BLOCKED = ("ray", "pybullet", "torch", "onnx", "rich", "pyarrow", "matplotlib")
IMPORT_AGENT = f"""
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {BLOCKED!r}:
            raise ImportError(name)
sys.meta_path.insert(0, Block())
import swarm.cli.main, agents.process
"""


def swarm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "swarm.cli.main", *arguments], capture_output=True, text=True,
                          timeout=HANG_S, check=False)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_has_help_with_an_example(command: object, capsys: pytest.CaptureFixture[str]) -> None:
    name = command.name                                  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert f"example: swarm {name}" in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "told"), [
    (["launch", "nowhere"], "nowhere: no launch file of this name"),
    (["launch"], "the following arguments are required: NAME|FILE"),
    (["launch", "search_rescue", "--duration", "long"], "argument --duration: invalid float value: 'long'"),
    (["launch", "search_rescue", "--clock", "sundial"], "argument --clock: invalid choice"),
    (["launch", "search_rescue", "--robot", "3"], "unrecognized arguments: --robot"),
    (["fly"], "invalid choice: 'fly'"),
    ([], "the following arguments are required: COMMAND"),
    (["agent", "nowhere.yaml"], "nowhere.yaml: No such file or directory"),
    (["planner", "nowhere.yaml"], "nowhere.yaml: No such file or directory"),
    (["world", "nowhere.yaml"], "nowhere.yaml: No such file or directory"),
    (["report", "nowhere"], "nowhere: not a run folder"),
    (["worlds", "show"], "no name"),
    (["worlds", "show", "atlantis"], "no scenario is called 'atlantis'"),
    (["worlds", "show", "search_rescue", "--seed", "-1"], "--seed: -1 is negative"),
    (["worlds", "render", "search_rescue", "--robots", "0"], "--robots"),
    (["bench", "chaos", "--duration", "2"], "--duration: 2 s; from 8 s to 1800"),
    (["bench", "chaos", "--seed", "-1"], "--seed: -1 is negative"),
    (["bench", "chaos", "--model", "squeezenet"], "--model: means nothing to swarm bench chaos"),
    (["bench", "lanes", "--duration", "9"], "--duration: means nothing to swarm bench lanes"),
    (["models", "show", "oracle"], "no model is called 'oracle'"),
])
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("swarm: ")
    assert err.count("\n") == 1
    assert told in err


def test_bad_input_of_a_whole_process_shows_no_traceback(tmp_path: Path) -> None:
    done = swarm("launch", str(write_launch(tmp_path)), "--set", "streams.0.rate_hz=-1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "swarm: --set streams.0.rate_hz=-1: streams[0].rate_hz: -1 is not a positive number; a number above 0"]


def test_a_folder_that_is_not_a_run_is_not_touched(tmp_path: Path) -> None:
    thesis = tmp_path / "out" / "thesis.tex"
    thesis.parent.mkdir()
    thesis.write_text("years of work")
    done = swarm("launch", str(write_launch(tmp_path)), "--out", str(thesis.parent))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "--out" in done.stderr
    assert thesis.read_text() == "years of work"


def test_a_dry_run_prints_yaml_and_starts_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["launch", str(write_launch(tmp_path)), "--dry-run", "--seed", "5", "--out", str(out)]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["seed"] == 5
    assert not out.exists()


def test_lists_are_json_where_a_program_reads_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["worlds", "list", "--json"]) == 0
    assert "search_rescue" in json.loads(capsys.readouterr().out)
    assert main(["models", "list", "--json"]) == 0
    assert {row["name"] for row in json.loads(capsys.readouterr().out)["models"]} >= {"detector"}
    assert main(["doctor", "--json"]) in (0, 1)
    assert "findings" in json.loads(capsys.readouterr().out)


def test_a_world_is_rendered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "building.svg"
    assert main(["worlds", "render", "search_rescue", "--out", str(picture)]) == 0
    assert picture.read_text().startswith("<svg")
    assert main(["worlds", "render", "search_rescue", "--out", str(tmp_path / "no" / "x.svg")]) == 2
    assert "--out" in capsys.readouterr().err


def test_an_agent_is_imported_without_what_a_board_lacks() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT_AGENT], capture_output=True, text=True, timeout=HANG_S,
                          check=False)
    assert done.returncode == 0, done.stderr


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    with subprocess.Popen([sys.executable, "-m", "swarm.cli.main", "worlds", "show", "search_rescue"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()
