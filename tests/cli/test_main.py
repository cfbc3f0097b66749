"""The command line as a user meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from swarm.cli import commands
from swarm.cli.commands import experiment, keys, models
from swarm.cli.main import main
from swarm.core.settings import yaml_text
from tests.launcher.world import write_launch
from tests.patience import HANG_S

BLOCKED = ("ray", "pybullet", "torch", "onnx", "rich", "pyarrow", "matplotlib", "jinja2", "scipy")
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


NAMES = [[name] for name in commands.available(commands)]
NAMES += [["models", name] for name in commands.available(models)]
NAMES += [["keys", name] for name in commands.available(keys)]
NAMES += [["experiment", name] for name in commands.available(experiment)]


@pytest.mark.parametrize("words", NAMES, ids=" ".join)
def test_every_command_has_help_with_an_example(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*words, "--help"])
    assert ended.value.code == 0
    assert f"example: swarm {' '.join(words)}" in capsys.readouterr().out


def test_the_folder_lists_the_commands() -> None:
    assert set(commands.available(commands)) == {
        "agent", "bench", "body", "collector", "demo", "deploy", "doctor", "experiment", "explore", "keys", "launch",
        "models", "plan", "planner", "report", "version", "world", "worlds"}
    assert set(commands.available(models)) == {
        "import", "list", "partition", "profile", "quantize", "replay", "show", "verify"}
    assert set(commands.available(experiment)) >= {"power", "run"}
    assert set(commands.available(keys)) == {"enrol", "list", "new", "revoke"}


NEW_COMMAND = """
HELP = "say hello"
EXAMPLE = "swarm hello rover_0"

def arguments(p):
    p.add_argument("name")

def run(given):
    print("hello", given.name)
    return 7
"""


def test_a_file_in_the_folder_is_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "hello.py").write_text(NEW_COMMAND)
    (tmp_path / "_helper.py").write_text("")
    monkeypatch.setattr(commands, "__path__", [*commands.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "swarm.cli.commands.hello", raising=False)
    try:
        assert main(["hello", "rover_0"]) == 7
        assert capsys.readouterr().out == "hello rover_0\n"
        assert main(["hello"]) == 2
        with pytest.raises(SystemExit):
            main(["--help"])
        out = capsys.readouterr().out
        assert "say hello" in out
        assert "_helper" not in out
    finally:
        sys.modules.pop("swarm.cli.commands.hello", None)
        vars(commands).pop("hello", None)


HEAVY = ("onnxruntime", "ray", "pybullet", "matplotlib", "jinja2", "pyarrow", "zmq", "torch", "onnx", "numpy", "rich",
         "scipy")
LOADED = f"""
import sys
from swarm.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print("loaded:", *sorted(set({HEAVY!r}) & sys.modules.keys()))
"""


@pytest.mark.parametrize("words", [["--help"], ["models", "--help"], ["keys", "--help"], ["bench", "--help"],
                                   ["models", "verify", "--help"], ["experiment", "run", "--help"]], ids=" ".join)
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", LOADED, *words], capture_output=True, text=True, timeout=HANG_S,
                          check=False)
    assert done.stdout.splitlines()[-1] == "loaded:", done.stderr


@pytest.mark.parametrize(("arguments", "told"), [
    (["launch", "nowhere"], "nowhere: no launch file of this name"),
    (["launch"], "the following arguments are required: NAME|FILE"),
    (["launch", "search_rescue", "--duration", "long"], "argument --duration: invalid float value: 'long'"),
    (["launch", "search_rescue", "--clock", "sundial"], "argument --clock: invalid choice"),
    (["launch", "search_rescue", "--robot", "3"], "unrecognized arguments: --robot"),
    (["launch", "search_rescue", "--gui"], "--gui: there is no display: DISPLAY is not set; a desktop, or `xvfb-run"),
    (["launch", "search_rescue", "--gui", "--clock", "virtual"], "--gui: in virtual time there is nothing to look at"),
    (["fly"], "invalid choice: 'fly'"),
    ([], "the following arguments are required: COMMAND"),
    (["agent", "nowhere.yaml"], "nowhere.yaml: No such file or directory"),
    (["planner", "nowhere.yaml"], "nowhere.yaml: No such file or directory"),
    (["world", "nowhere.yaml"], "nowhere.yaml: No such file or directory"),
    (["report", "nowhere"], "nowhere: not a run folder"),
    (["worlds", "show"], "no name"),
    (["worlds", "list", "--map", "office.yaml"], "`swarm worlds list` takes no map"),
    (["worlds", "show", "atlantis"], "no scenario is called 'atlantis'"),
    (["worlds", "show", "search_rescue", "--seed", "-1"], "--seed: -1 is too small; at least 0"),
    (["worlds", "render", "search_rescue", "--robots", "0"], "--robots"),
    (["bench", "chaos", "--duration", "2"], "--duration: 2 s; from 8 s to 1800"),
    (["bench", "chaos", "--seed", "-1"], "--seed: -1 is too small; at least 0"),
    (["bench", "chaos", "--model", "squeezenet"], "unrecognized arguments: --model"),
    (["bench", "lanes", "--duration", "9"], "unrecognized arguments: --duration"),
    (["experiment", "run", "nowhere"], "nowhere: no experiment file of this name; known names: "),
    (["experiment", "run", "nowhere.yaml"], "nowhere.yaml: No such file or directory"),
    (["experiment", "run", "grid", "--resume", "--rerun", "--keep"], "--keep: not allowed with argument --rerun"),
    (["experiment", "power", "grid"], "the following arguments are required: --difference"),
    (["models", "show", "oracle"], "no model is called 'oracle'"),
])
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
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
        "swarm: --set streams.0.rate_hz=-1: streams[0].rate_hz: -1 is too small; at least 0.001"]


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
    assert yaml_text.parse(capsys.readouterr().out, "dry run")["seed"] == 5
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
    drawn = picture.read_text()
    assert "<svg" in drawn
    assert all(f">{word}<" in drawn for word in ("casualty", "beacon", "hazard", "rover", "1", "not found"))
    assert main(["worlds", "render", "search_rescue", "--out", str(picture.with_suffix(".png"))]) == 0
    assert picture.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    capsys.readouterr()
    assert main(["worlds", "render", "search_rescue", "--out", str(tmp_path / "x.bmp")]) == 2
    assert "one of .svg, .png, .pdf" in capsys.readouterr().err
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
