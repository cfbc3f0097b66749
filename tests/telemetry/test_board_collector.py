"""Boards without a launcher: agents report to a collector, which writes a run folder when it is told to end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim_worlds.sensors.suite import LIDAR, SUITE
from swarm.cli.main import main
from swarm.core.policy.plan import StreamSpec
from swarm.core.ports import Host
from swarm.core.protocol import messages as msg
from swarm.core.protocol.world import Pose
from swarm.core.settings.boards import Board
from swarm.core.settings.errors import BadInput
from swarm.core.settings.launch_file import FleetSpec, StreamOn
from swarm.core.settings.process_files import AgentFile, CollectorFile
from swarm.core.settings.yaml_text import dump
from swarm.core.units import seconds
from swarm.net.process import PLAINTEXT
from swarm.telemetry import process, table
from swarm.telemetry.board_collector import BoardCollector
from swarm.telemetry.file_types import Record
from swarm.telemetry.process import RunFolders, collected_launch
from swarm.telemetry.recorder import RunFolder, new_folder
from swarm.transport.endpoint import Endpoint
from tests.launcher.world import wait_until
from tests.net.harness import Net
from tests.patience import HANG_S

BOARD = Board(speed={"fp32": 0.5, "int8": 0.5}, power_w=1, source="test", emulated=False)
STREAM = StreamOn(name="detect", on=["rover"], model="detector", rate_hz=20.0, deadline_s=HANG_S)
FRAME = np.zeros((72, 96, 3), np.uint8)
SCAN = np.full(LIDAR.beams, 3.0, np.float32)


def settings(folder: Path, **changes: Any) -> CollectorFile:
    return CollectorFile(**{
        "version": 1, "swarm": "s", "out": str(folder / "out"), "fleet": [FleetSpec(name="rover", count=1, board="b")],
        "streams": [STREAM], "boards": {"b": BOARD}, **changes})


class Machine:
    """It only notes that it was stopped."""

    pid = 1

    def __init__(self) -> None:
        self.stopped = False

    def on_held_up(self, told: Callable[[float], None]) -> None:
        pass

    def stop(self) -> None:
        self.stopped = True


class Folders:
    """Run folders that are written at once: `out`, `out-2`, ..."""

    def __init__(self, out: Path) -> None:
        self.out, self.writes, self.full = out, False, False

    def begin(self) -> tuple[RunFolder, Callable[[str], dict[str, Any]]]:
        if self.full:
            raise BadInput("out", "no space", "some")
        return RunFolder(new_folder(self.out)), lambda renderer: {}

    def end(self, record: Record, write: Callable[[], object]) -> None:
        write()


def collector(
    folder: Path, clock: Any, timers: Any, transport: Any, **changes: Any
) -> tuple[BoardCollector, Machine, Folders]:
    given, machine = settings(folder, **changes), Machine()
    folders = Folders(Path(given.out))
    host = Host(clock, timers, transport, machine)           # pyright: ignore[reportArgumentType]
    return BoardCollector(host, given, collected_launch(given, "file"), folders), machine, folders


def summary(folder: Path, run: str = "out") -> dict[str, Any]:
    return json.loads((folder / run / "summary.json").read_text())


# --- a real agent ---


def test_an_agent_reports_its_requests_to_the_collector_of_its_roster(tmp_path: Path) -> None:
    net = Net()
    mule, world = net.endpoint("mule", boot=7, answers=True), net.endpoint("world", role="world")
    ours: Endpoint = net.endpoint("collector", role="collector")
    counting, machine, _ = collector(tmp_path, net.loop.clock, net.loop, ours)
    counting.begin()
    path = tmp_path / "rover_0.yaml"
    path.write_text(dump(AgentFile(
        version=1, name="rover_0", swarm="s", board_name="b", board=BOARD, policy="local", behaviour="",
        streams=[StreamSpec(name="detect", model="detector", rate_hz=20.0, deadline_s=HANG_S)],
        roster=[mule.member, world.member, ours.member])))
    child = subprocess.Popen([sys.executable, "-m", "swarm.cli.main", "agent", str(path)])
    try:
        net.until(lambda: any(isinstance(m.body, msg.Introduction) for m in net.got["mule"]))
        (rover,) = next(m.body.members for m in net.got["mule"] if isinstance(m.body, msg.Introduction))
        for endpoint in (mule, world, ours):
            endpoint.join([rover])
        net.until(lambda: world.send("rover_0", msg.Embodied(sensors=SUITE)))
        sequence = iter(range(1, 1 << 30))

        def requests_are_there() -> bool:
            world.send("rover_0", msg.Sensed(
                sequence=next(sequence), at_s=seconds(net.loop.clock.now_ns()), age_s=0.0,
                pose=Pose(0.0, 0.0, 0.0), v_mps=0.0, w_radps=0.0, bumped=False, frame=True), [SCAN, FRAME])
            return (tmp_path / "out" / "events.jsonl").exists()      # the first request has been reported

        net.until(requests_are_there)
        counting.end()
        net.until(lambda: machine.stopped)
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(HANG_S)
        child.kill()
        net.close()
    figures = counting.finish()
    assert figures["requests"]["submitted"] > 0
    assert figures["requests"]["completed"] == figures["requests"]["submitted"]
    assert figures == summary(tmp_path)
    requests = table.read(tmp_path / "out" / "requests.parquet")
    assert set(requests["agent"]) == {"rover_0"}
    assert set(requests["ending"]) == {"completed"}


# --- the command ---


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `swarm collector FILE`; it is killed at the end."""
    children: list[subprocess.Popen[str]] = []

    def start(**changes: Any) -> subprocess.Popen[str]:
        path = tmp_path / "collector.yaml"
        path.write_text(dump(settings(tmp_path, **changes)))
        children.append(subprocess.Popen(
            [sys.executable, "-m", "swarm.cli.main", "collector", str(path)], stderr=subprocess.PIPE, text=True))
        return children[-1]

    yield start
    for child in children:
        child.kill()
        child.communicate()


def test_sigterm_ends_the_command_with_a_run_folder(
    started: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    (tmp_path / "out" / "00000007").mkdir(parents=True)      # of an earlier start
    child = started()
    manifest = tmp_path / "out" / "00000008" / "manifest.json"
    wait_until(lambda: manifest.exists() and "revision" in manifest.read_text())     # it runs
    child.send_signal(signal.SIGTERM)
    _, errors = child.communicate(timeout=HANG_S)
    assert (child.returncode, errors) == (0, f"collector: WARNING {PLAINTEXT % 'collector'}\n")
    figures = summary(tmp_path, "out/00000008")
    assert (figures["scenario"], figures["policy"], figures["ran_s"]) == ("", "", 0.0)
    assert figures["transport"]["security"] == "plaintext"
    assert (tmp_path / "out" / "00000008" / "report.html").exists()


@pytest.mark.parametrize(("changes", "told"), [
    ({"out": ""}, "out: no folder"),
    ({"launch": "a.yaml"}, "launch: a launch file, and fleet, streams or boards beside it"),
    ({"boards": {}}, "fleet[0].board: no board of this file is called 'b'"),
    ({"fleet": []}, "streams[0].on: no fleet is called 'rover'"),
    ({"drain_s": -1.0}, "drain_s: -1 is too small"),
    ({"bind": "10.0.0.1:7000"}, "bind: 10.0.0.1:7000 is beyond this machine"),
    ({"launch": "nowhere.yaml", "fleet": [], "streams": [], "boards": {}}, "nowhere.yaml: No such file"),
])
def test_a_mistake_in_the_file_is_one_line(
    changes: dict[str, Any], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "collector.yaml"
    path.write_text(dump(settings(tmp_path, **changes)))
    assert main(["collector", str(path)]) == 2
    _, err = capsys.readouterr()
    assert err.count("\n") == 1
    assert told in err


def test_a_folder_that_cannot_be_made_is_named_as_the_file_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.tex").touch()
    path = tmp_path / "collector.yaml"
    path.write_text(dump(settings(tmp_path, out=str(tmp_path / "thesis.tex"))))
    assert main(["collector", str(path)]) == 2
    assert f"collector.yaml: out: {tmp_path}/thesis.tex: File exists" in capsys.readouterr().err


def test_a_launch_file_says_what_is_run(tmp_path: Path) -> None:
    given = settings(tmp_path, launch="run.yaml", fleet=[], streams=[], boards={})
    (tmp_path / "run.yaml").write_text(
        "{version: 1, scenario: patrol, policy: local, fleet: [{name: rover, count: 1, board: b}], streams: [], "
        "boards: {b: {speed: {fp32: 0.5, int8: 0.5}, power_w: 1, source: test}}}")
    launch = collected_launch(given, str(tmp_path / "collector.yaml"))
    assert (launch.scenario, launch.policy, [fleet.name for fleet in launch.fleet]) == ("patrol", "local", ["rover"])


def test_each_run_has_a_folder_and_the_oldest_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def started() -> RunFolders:
        return RunFolders(tmp_path, collected_launch(settings(tmp_path), "file"))

    monkeypatch.setattr(RunFolder, "report", lambda folder: None)
    for _ in range(3):                                       # starts of the process
        folders = started()
        record, facts = folders.begin()
        record.manifest(facts("none"))
        folders.end(record, lambda record=record: record.event(0.0, "collector", "ended"))
        folders.wait()
    runs = sorted(tmp_path.iterdir())
    assert [run.name for run in runs] == ["00000001", "00000002", "00000003"]
    assert all((run / "events.jsonl").exists() for run in runs)
    monkeypatch.setattr(process, "MOST_BYTES", sum(at.stat().st_blocks * 512 for at in (runs[0], *runs[0].iterdir())))
    (tmp_path / "notes").mkdir()
    started().wait()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00000002", "00000003", "notes"]
