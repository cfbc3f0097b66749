"""Inventories: mistakes are one line, and what each board is to run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from models import store, tasks
from swarm.cli.main import main
from swarm.core.settings.cards import Card
from swarm.core.settings.errors import BadInput
from swarm.core.settings.process_files import AgentFile, PlannerFile
from swarm.core.settings.validation import check
from swarm.core.settings.yaml_text import parse
from swarm.deploy import configuration, inventory
from swarm.launcher import find
from tests.deploy.board import inventory_file


def read(folder: Path, robots: int = 2, **changes: Any) -> inventory.Read:
    path = inventory_file(folder, robots, **changes)
    return inventory.read(path, find.boards_file(path), ["detector", "segmenter"])


TWO = {"rover_0": {"address": "10.0.0.1"}, "rover_1": {"address": "10.0.0.1"}}


def forwarded(port: int) -> dict[str, Any]:
    """Two boards behind one address. port: of the second one; the first has 7400."""
    return {"rover_0": {"address": "Yard.local"}, "rover_1": {"address": "yard.local", "ssh_port": 2222, "port": port}}


@pytest.mark.parametrize(("changes", "said"), [
    ({"colour": "red"}, "unknown key 'colour'"),
    ({"at": TWO}, "at.rover_1.address: rover_0 has the address 10.0.0.1, too; an address of its own"),
    ({"at": forwarded(7440)}, "at.rover_1.port: 7440 and the next 40 are also those of rover_0"),
    ({"at": {"rover_0": {"address": "10.0.0.1"}}}, "rover_1 has no address"),
    ({"at": {**TWO, "rover_9": {"address": "10.0.0.9"}}}, "no robot of the fleet is called 'rover_9'"),
    ({"at": {"rover_0": {"address": "not an address"}, "rover_1": {"address": "b"}}}, "'not an address' is no address"),
    ({"at": {"rover_0": {"address": "a", "board": "sum"}, "rover_1": {"address": "b"}}}, "no board is called 'sum'"),
    ({"at": {"rover_0": {"address": "a", "body": "recorded"}, "rover_1": {"address": "b"}}}, "there is no recording"),
    ({"at": {"rover_0": {"address": "a", "login": "x y"}, "rover_1": {"address": "b"}}}, "at.rover_0.login"),
    ({"placed": {"planner": "rover_7"}}, "no robot of the fleet is called 'rover_7'"),
    ({"placed": {"standby": "rover_0"}}, "the planner runs on rover_0, too"),
    ({"runtimes": "nowhere"}, "nowhere is not there"),
    ({"runtimes": "fleet.yaml"}, "fleet.yaml is no folder"),
    ({"recording": "."}, "recording: . is no file"),
    ({"policy": "fate"}, "no policy is called 'fate'"),
    ({"policy": "oracle"}, "oracle knows the links' future"),
    ({"variants": {"nope": ["x"]}}, "variants: no model of a stream is called 'nope'"),
    ({"variants": {"detector": ["int7"]}}, "fleet.yaml: variants: detector: there is no int7; one of fp32, "),
    ({"variants": {"detector": ["fp16"]}}, "variants: detector: board host runs none of fp16; one of fp32, "),
    ({"policy": "mine.py"}, "mine.py is a file, which no board has"),
    ({"fleet": [{"name": "rover", "count": 2, "board": "host", "leaves_at_s": 5}]},
     "fleet: robots on boards join and leave by themselves; no such times"),
])
def test_a_mistake_is_one_line(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput) as error:
        read(tmp_path, **changes)
    assert said in str(error.value)


def test_a_mistake_ends_each_command_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = inventory_file(tmp_path, 2, at=TWO)
    for action in ("plan", "push", "status", "logs", "rollback"):
        assert main(["deploy", action, str(path)]) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert "rover_0 has the address" in err


def test_the_files_of_a_board_are_those_of_its_processes(tmp_path: Path) -> None:
    one = read(tmp_path, policy="planner", at={
        "rover_0": {"address": "rover-0.local"}, "rover_1": {"address": "10.0.0.2", "port": 8000}})
    files = configuration.files_of(one, "rover_0")
    agent = check(parse(files["agent.yaml"].decode(), "agent.yaml"), AgentFile, "agent.yaml")
    assert (agent.name, agent.bind, agent.announce, agent.keys) == (
        "rover_0", "*:7400", "rover-0.local", "/var/lib/swarm/keys")
    assert [(member.name, member.urgent) for member in agent.roster] == [
        ("rover_1", "tcp://10.0.0.2:8000"), ("planner", "tcp://rover-0.local:7410")]
    assert check(parse(files["planner.yaml"].decode(), ""), PlannerFile, "planner.yaml").ray == "none"
    assert "planner.yaml" not in configuration.files_of(one, "rover_1")
    assert configuration.parts_of(one, "rover_0") == ["agent", "names", "planner"]
    rules = json.loads(files["trial.json"])
    assert (rules["units"], rules["providers"], rules["models"]) == (["swarm-agent.service"], ["cpu"], ["detector"])


def test_planner_and_standby_place_by_the_policy_and_are_watched_in_the_trial(tmp_path: Path) -> None:
    one = read(tmp_path, policy="nearest", placed={"planner": "rover_0", "standby": "rover_1"})
    for robot, name in (("rover_0", "planner"), ("rover_1", "standby")):
        files = configuration.files_of(one, robot)
        planner = check(parse(files["planner.yaml"].decode(), ""), PlannerFile, "planner.yaml")
        assert (planner.name, planner.ray, planner.places) == (name, "none", "nearest")
        rules = json.loads(files["trial.json"])
        assert (rules["units"], rules["beside"]) == (["swarm-agent.service"], ["swarm-planner.service"])


def test_a_unit_has_what_all_have_and_the_memory_of_its_board(tmp_path: Path) -> None:
    unit = configuration.files_of(read(tmp_path), "rover_0")["units/swarm-agent.service"].decode()
    for line in ("Type=notify", "WatchdogSec=10", "User=swarm", "ProtectSystem=strict", "RestartPreventExitStatus=2",
                 "MemoryMax=3441M", "StartLimitBurst=10"):
        assert f"\n{line}\n" in unit
    assert unit.index("[Service]") < unit.index("Type=notify") < unit.index("ExecStart=") < unit.index("[Install]")


def test_an_agent_unloads_models_before_systemd_ends_it(tmp_path: Path) -> None:
    one = read(tmp_path, policy="planner", placed={"planner": "rover_0", "collector": "rover_0"})
    budgets = []
    for robot in ("rover_0", "rover_1"):
        files = configuration.files_of(one, robot)
        budgets.append(check(parse(files["agent.yaml"].decode(), ""), AgentFile, "").board.memory_mb)
        assert f"\nMemoryMax={round(1.05 * budgets[-1])}M\n" in files["units/swarm-agent.service"].decode()
    beside_others, alone = budgets
    of_both_mb = one.boards["host"].memory_mb * 0.8
    assert (alone, beside_others) == (round(of_both_mb), round(of_both_mb / 2))      # 2 x 1024 MB would leave less


def test_the_collector_has_time_to_write_its_last_run(tmp_path: Path) -> None:
    files = configuration.files_of(read(tmp_path, placed={"collector": "rover_1"}), "rover_1")
    given = [line for line in files["units/swarm-collector.service"].decode().splitlines()
             if line.startswith("TimeoutStopSec=")]
    assert given == ["TimeoutStopSec=15", "TimeoutStopSec=90"]       # systemd.service(5): the last one counts


def test_a_model_travels_with_all_its_files(tmp_path: Path) -> None:
    files = configuration.files_of(read(tmp_path), "rover_0")
    card = json.loads(files["models/detector/card.json"])
    blobs = {name.split("/")[-1].removesuffix(".onnx") for name in files if name.startswith("models/blobs/")}
    assert {variant["sha256"] for variant in card["variants"].values()} <= blobs


TASK = "def make(card):\n    return None\n"


@pytest.fixture
def with_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's file of the task of model `mine`, which has the variants of the detector."""
    monkeypatch.setenv("SWARM_MODELS", str(tmp_path / "store"))
    file = tmp_path / "mine.py"
    file.write_text(TASK)
    card = store.load_card("detector")
    store.save_card(msgspec.structs.replace(
        card, name="mine", task=str(file), task_sha256=hashlib.sha256(TASK.encode()).hexdigest()))
    return file


def with_stream_of(folder: Path, model: str) -> inventory.Read:
    path = inventory_file(folder, 2, streams=[
        {"name": "look", "on": ["rover"], "model": model, "rate_hz": 5, "deadline_s": 0.2}])
    return inventory.read(path, find.boards_file(path), ["detector", model])


def test_a_task_of_the_user_travels_with_its_model_and_the_card_names_it_there(
    tmp_path: Path, with_task: Path
) -> None:
    files = configuration.files_of(with_stream_of(tmp_path, "mine"), "rover_0")
    card = msgspec.json.decode(files["models/mine/card.json"], type=Card)
    place, _, name = card.task.rpartition("/")
    assert (place, name) == ("/opt/swarm/current/config/models/blobs", f"{card.task_sha256}.py")
    assert files[f"models/blobs/{name}"].decode() == TASK
    assert hashlib.sha256(files[f"models/blobs/{name}"]).hexdigest() == card.task_sha256


@pytest.mark.parametrize(("change", "said"), [
    (lambda file: file.write_text(TASK + "# other\n"), "is not the file with which model mine was imported"),
    (lambda file: file.unlink(), "No such file or directory"),
    (lambda file: file.write_text("x = 1\n"), "it has no make"),
])
def test_a_task_that_is_missing_or_another_one_is_refused_by_its_name(
    tmp_path: Path, with_task: Path, change: Callable[[Path], object], said: str
) -> None:
    change(with_task)
    with pytest.raises(BadInput, match=f"mine.py: {said}"):
        configuration.files_of(with_stream_of(tmp_path, "mine"), "rover_0")


def test_a_task_among_the_plug_ins_travels_too(
    tmp_path: Path, with_task: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plugins" / "tasks").mkdir(parents=True)
    (tmp_path / "plugins" / "tasks" / "plugged.py").write_text(TASK)
    monkeypatch.setattr(tasks, "__path__", [*tasks.__path__, str(tmp_path / "plugins" / "tasks")])
    store.save_card(msgspec.structs.replace(store.load_card("mine"), task="plugged", task_sha256=""))
    files = configuration.files_of(with_stream_of(tmp_path, "mine"), "rover_0")
    card = msgspec.json.decode(files["models/mine/card.json"], type=Card)
    assert card.task.endswith(f"/{card.task_sha256}.py")
    assert files[f"models/blobs/{card.task_sha256}.py"].decode() == TASK


def test_boards_behind_one_address_have_ports_of_their_own(tmp_path: Path) -> None:
    one = read(tmp_path, at=forwarded(7441))
    agents = [configuration.member(one.inventory, place).urgent for place in configuration.places(one.inventory)]
    assert agents == ["tcp://Yard.local:7400", "tcp://yard.local:7441"]
