"""Boards that answer what no keeper does: they get and change nothing of the operator's, and hold up no other board."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from swarm.deploy.boards.ports import Ran
from swarm.deploy.keeper.manifest import MOST_NUMBER
from swarm.deploy.rollout import state
from tests.deploy.board import Boards, FakeBoard
from tests.deploy.test_push import Make, heard, outcomes, push

KEY = "name: {}\npublic: " + "k" * 40 + "\nrole: {}\n"


def answers(board: FakeBoard, command: str, change: Callable[[Any], Any]) -> None:
    """The board changes its keeper's answers to a command."""
    run = board.run

    def changed(*words: str, **more: Any) -> Ran:
        done = run(*words, **more)
        return Ran(0, json.dumps(change(json.loads(done.out))).encode(), "") if words[-1] == command else done

    board.run = changed                              # type: ignore[method-assign]


def enrolled(fleet: Boards) -> list[str]:
    return sorted(path.stem for path in (fleet.folder / "fleet.fleet" / "keys" / "enrolled").iterdir())


def test_a_board_gets_no_file_but_those_of_its_release(boards: Make, tmp_path: Path) -> None:
    fleet = boards(2)
    (tmp_path / "secret").write_text("secret")
    other = fleet.fleet().files.put(b"of another fleet")
    for name in (str(tmp_path / "secret"), other):
        answers(fleet.boards["rover_0"], "offer", lambda said, name=name: {"missing": [[name, 0]]})
        done = push(fleet)
        assert outcomes(done)[0] == "refused"
        assert done.boards[0].why == "it asks for a file that is not of its release"
    assert fleet.boards["rover_1"].places.number(fleet.boards["rover_1"].places.current)


@pytest.mark.parametrize("change", [
    lambda keys: {**keys, "FOLDER/planted": KEY.format("planted", "agent")},
    lambda keys: {**keys, "planner": KEY.format("planner", "planner")},
    lambda keys: {"rover_0": KEY.format("rover_1", "agent")},
    lambda keys: {"rover_0": KEY.format("rover_0", "launcher")},
    lambda keys: {"rover_0": "name: \ud800"},
    lambda keys: {"rover_0": 7},
])
def test_a_board_gives_keys_of_its_own_processes_alone(boards: Make, change: Callable[[Any], Any]) -> None:
    fleet = boards(2)
    answers(fleet.boards["rover_0"], "keys", lambda said: {
        "keys": {name.replace("FOLDER", str(fleet.folder)): text for name, text in change(said["keys"]).items()}})
    assert outcomes(push(fleet)) == ["refused", "updated"]
    assert enrolled(fleet) == heard(fleet.boards["rover_1"]) == ["rover_1"]
    assert not list(fleet.folder.glob("planted*"))


@pytest.mark.parametrize("change", [
    lambda said: [], lambda said: {}, lambda said: {**said, "current": "five"}, lambda said: {**said, "last": []},
    lambda said: {**said, "highest": 10**30},
])
def test_an_answer_that_makes_no_sense_ends_that_board_alone(boards: Make, change: Callable[[Any], Any]) -> None:
    fleet = boards(2)
    push(fleet)
    answers(fleet.boards["rover_0"], "status", change)
    done = push(fleet)
    assert outcomes(done) == ["refused", "unchanged"]
    assert "its keeper's answer to `status` makes no sense" in done.boards[0].why
    assert [row.state for row in state.status(fleet.fleet())] == ["not reached", "runs"]


def test_an_agent_that_tells_nonsense_of_itself_can_be_updated(boards: Make) -> None:
    fleet = boards(2)
    push(fleet)
    (fleet.boards["rover_0"].places.runtime / "agent.json").write_text('{"peers": "many", "leans_on": {"rover_1": []}}')
    assert state.status(fleet.fleet())[0].error == "what its agent tells of itself makes no sense"
    assert outcomes(push(fleet, rover_0="well, anew")) == ["updated", "unchanged"]


def test_a_board_cannot_use_up_the_numbers_of_releases(boards: Make) -> None:
    fleet = boards(2)
    push(fleet)
    answers(fleet.boards["rover_0"], "status", lambda said: {**said, "highest": MOST_NUMBER})
    assert outcomes(push(fleet, rover_1="well, anew")) == ["unchanged", "updated"]
