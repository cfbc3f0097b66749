"""Settings files: what is wrong is said in one line with the file, the key and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarm.core.settings.config import AgentFile, Board, LaunchFile, dump, read
from swarm.core.settings.errors import BadInput

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
    (("rate_hz: 5", "rate_hz: fast"), ["streams[0].rate_hz", "float"]),
    (("rate_hz: 5", "rate: 5"), ["streams[0]", "`rate`", "rate_hz"]),
    (("count: 2", "count: 2, colour: red"), ["fleet[0]", "`colour`", "physics"]),
    (("version: 1", "version: 2"), ["version"]),
    (("scenario: search_rescue", ""), ["missing required field `scenario`"]),
    (("fleet: [", "fleet: [["), ["x.yaml"]),
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
    board = Board(speed={"fp32": 0.5, "int8": 0.5}, memory_mb=1, power_w=1, source="s")
    agent = AgentFile(version=1, name="a", swarm="s", board_name="b", board=board, streams=[])
    assert read(written(tmp_path, dump(agent)), AgentFile) == agent
