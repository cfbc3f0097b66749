"""The directory listing is the registry."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import agents.behaviours as behaviours
from agents.behaviours import Heard, Verdict, available, load
from swarm.core.protocol.world import Act, Detections, Perceived, Pose, Report
from swarm.core.settings.errors import BadInput
from tests.agents.behaviours.toy import SENSORS, THREE_ROOMS, observation


def test_every_module_beside_the_package_is_a_behaviour_and_nothing_else() -> None:
    folder = Path(behaviours.__file__).parent
    assert available() == sorted(p.stem for p in folder.glob("*.py") if p.stem != "__init__")
    assert "search_rescue" in available()


@pytest.mark.parametrize("name", available())
def test_every_behaviour_keeps_the_protocol(name: str) -> None:
    robot = load(name)("a", ["a", "b"], 7, SENSORS)
    pose = Pose(0.0, 0.0, 0.0)
    for k in range(3):
        out = robot.on(observation(pose, THREE_ROOMS, sequence=k), k * 100_000_000)
        assert sum(isinstance(o, Act) for o in out) == 1
    later = 400_000_000
    for event in (Perceived(stream="detect", outcome=Detections([]), pose=pose, age_s=0.1), Heard("b", "?", b"?"),
                  Verdict(Report(kind="claim", values={"label": "beacon", "x_m": 1.0, "y_m": 0.0}), "found"),
                  Verdict(Report(kind="claim", values={"label": "?", "x_m": 0.0, "y_m": 0.0}), "?"),
                  Verdict(Report(kind="claim", values={}), "found"), Verdict(Report(kind="?", values={}), "?")):
        assert not any(isinstance(o, Act) for o in robot.on(event, later))


@pytest.mark.parametrize("name", ["nothing", "", "search", "../search_rescue"])
def test_an_unknown_name_is_refused_with_the_known_names(name: str) -> None:
    with pytest.raises(BadInput, match="search_rescue"):
        load(name)


NEW = """
from swarm.core.protocol.world import Act, Drive, Observation

class Spin:
    def on(self, event, now):
        return [Drive(v_mps=0.0, w_radps=1.0, ttl_s=0.5)] if isinstance(event, Observation) else []

def spin(robot, team, seed):
    return Spin()
"""


def test_a_file_in_the_folder_is_a_behaviour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "spin.py").write_text(NEW)
    monkeypatch.setattr(behaviours, "__path__", [*behaviours.__path__, str(tmp_path)])
    try:
        assert "spin" in available()
        (act,) = load("spin")("a", ["a"], 7).on(observation(Pose(0.0, 0.0, 0.0), THREE_ROOMS, sequence=0), 0)
        assert isinstance(act, Act)
    finally:
        sys.modules.pop("agents.behaviours.spin", None)
        vars(behaviours).pop("spin", None)
