"""Settings files: what is wrong is said in one line with the file, the key and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarm.core.settings.boards import Board
from swarm.core.settings.errors import BadInput
from swarm.core.settings.launch_file import LaunchFile
from swarm.core.settings.process_files import AgentFile
from swarm.core.settings.yaml_text import dump
from swarm.settings_files import read

GOOD = """
version: 1
scenario: search_rescue
fleet: [{name: rover, count: 2, board: orin_nano}]
streams: [{name: detect, on: [rover], model: detector, rate_hz: 5, deadline_s: 0.1}]
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "x.yaml"
    path.write_text(text)
    return path


def test_a_good_file_is_read_with_its_defaults(tmp_path: Path) -> None:
    launch = read(written(tmp_path, GOOD), LaunchFile)
    assert launch.fleet[0].robots() == ["rover_0", "rover_1"]
    assert (launch.clock, launch.policy, launch.streams[0].priority) == ("real", "planner", 0)


@pytest.mark.parametrize(("change", "parts"), [
    (("rate_hz: 5", "rate_hz: fast"), ["streams[0].rate_hz", "'fast' is text, not a number"]),
    (("rate_hz: 5", "rate: 5"), ["streams[0]: unknown key 'rate'; did you mean 'rate_hz'?"]),
    (("count: 2", "count: 2, colour: red"),
     ["fleet[0]: unknown key 'colour'; known keys: name, count, board, kind, physics"]),
    (("version: 1", "version: 2"), ["version: 2 is not a choice; only 1"]),
    (("scenario: search_rescue", ""), ["the key 'scenario' is missing"]),
    (("fleet: [", "fleet: [["), ["x.yaml"]),
    (("rate_hz: 5", "rate_hz: .nan"), ["streams[0].rate_hz: nan is not a number; at least 0.001"]),
    (("rate_hz: 5", "rate_hz: 241"), ["streams[0].rate_hz: 241 is too large; at most 240"]),
    (("deadline_s: 0.1", "deadline_s: 0"), ["streams[0].deadline_s: 0 is too small; above 0"]),
    (("on: [rover]", "on: [rover, 3]"), ["streams[0].on[1]: 3 is a whole number, not text"]),
    (("on: [rover]", "on: rover"), ["streams[0].on: 'rover' is text, not a list"]),
    (("name: rover", "name: a b"),
     ["fleet[0].name: 'a b' is no name; a letter, then up to 47 letters, digits, _ or -"]),
    (("count: 2", f"count: 2, kind: {'x' * 99}, spawn: [[1, {'y' * 999}]]"),
     ["fleet[0].spawn[0][1]: 'yyy", "... is text"]),
    (("version: 1", "version: 1\nboards: {b: {speed: {fp32: 0.0}, power_w: 1, source: s}}"),
     ["boards.b.speed.fp32: 0 is too small; at least 0.001"]),
    (("version: 1", "version: 1\nboards: {b: {speed: {fp64: 1}, power_w: 1, source: s}}"),
     ["boards.b.speed: 'fp64' is not a choice; one of fp32, fp16, int8"]),
    (("version: 1", "version: 1\nboards: {a: {speed: {}, power_w: 1, source: s}, b: {}}"),
     ["boards.b: the key 'speed' is missing"]),
    (("version: 1", "version: 1\nboards: {b: {speed: {}, power_w: 1, source: s, providers: [gpu]}}"),
     ["boards.b.providers[0]: 'gpu' is not a choice; one of tensorrt, cuda, cpu"]),
    (("version: 1", "version: 1\nboards: {b: {speed: {}, power_w: 1, source: s, providers: []}}"),
     ["boards.b.providers: it has 0 entries; at least 1"]),
    (("version: 1", "version: 1\nboards: {3: {}}"), ["boards: a key is a whole number, not text"]),
    (("version: 1", "version: 1\nfaults: [{disk_full: 3}]"),
     ["faults[0].disk_full: 3 is a whole number, not true or false"]),
    (("version: 1", "version: 1\nfaults: [{partition: [[1]]}]"), ["faults[0].partition[0][0]: 1 is a whole number"]),
    ((GOOD, "[]"), ["x.yaml: [] is a list, not keys with values"]),
    ((GOOD, ""), ["x.yaml: it is empty; keys with values"]),
    (("rate_hz: 5", "rate_hz: "), ["streams[0].rate_hz: it is empty; a number"]),
    (("rate_hz: 5", "rate_hz: 1:00"), ["streams[0].rate_hz: '1:00' is text, not a number"]),
    (("version: 1", "version: 1\nrecord: yes"), ["record: 'yes' is text, not true or false"]),
])
def test_a_mistake_is_named(tmp_path: Path, change: tuple[str, str], parts: list[str]) -> None:
    with pytest.raises(BadInput) as refused:
        read(written(tmp_path, GOOD.replace(*change)), LaunchFile)
    line = str(refused.value)
    assert "\n" not in line
    assert all(part in line for part in ["x.yaml", *parts]), line


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file"):
        read(tmp_path / "none.yaml", LaunchFile)


def test_what_is_dumped_is_read_back(tmp_path: Path) -> None:
    board = Board(speed={"fp32": 0.5, "int8": 0.5}, power_w=1, source="s")
    agent = AgentFile(version=1, name="a", swarm="s", board_name="b", board=board, streams=[])
    assert read(written(tmp_path, dump(agent)), AgentFile) == agent
