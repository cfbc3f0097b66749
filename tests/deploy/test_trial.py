"""The keeper of one board: how it tries a release, and when it goes back by itself."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from swarm.deploy.keeper import units
from swarm.deploy.keeper.errors import Refused
from swarm.deploy.keeper.gates import Before, Rules, Seen, judge
from swarm.deploy.keeper.places import Places, link_to, read_json, write_json
from swarm.deploy.keeper.system import System
from tests.deploy.board import FakeBoard, Operator


def test_a_healthy_release_is_accepted(board: FakeBoard, operator: Operator) -> None:
    assert operator.tried() == "release 1 is accepted"
    assert board.places.number(board.places.current) == 1
    assert not board.places.trial.exists()


@pytest.mark.parametrize(("note", "gate"), [
    ("crashes", "restart"), ("never ready", "ready"), ("wrong provider", "provider"), ("alone", "peers"),
    ("slow", "p95")])
def test_an_unhealthy_release_is_put_back_by_the_board(
    board: FakeBoard, operator: Operator, note: str, gate: str
) -> None:
    operator.tried()
    assert operator.tried(note).startswith(f"release 2 was put back: {gate}: ")
    assert board.places.number(board.places.current) == 1
    assert board.system.behaves == "well"
    last = read_json(board.places.last)
    assert (last["release"], last["outcome"], last["gate"], last["log"]) == (2, "put back", gate, [f"it {note}"])
    resets = [command for command in board.system.commands if command[1:2] == ("reset-failed",)]
    assert len(resets) == 3                          # two switches and a way back: start limits block none of them


@pytest.mark.parametrize(("state", "restarts", "said"), [
    ("activating", 0, ""), ("active", 0, ""), ("active", 2, "restart"), ("failed", 0, "restart")])
def test_what_runs_beside_the_agent_is_not_waited_for_and_must_not_end(state: str, restarts: int, said: str) -> None:
    rules = Rules(units=("swarm-agent.service",), beside=("swarm-planner.service",), ready_s=30.0, trial_s=5.0)
    seen = [Seen("swarm-agent.service", "active", 0, {"role": "agent"}),
            Seen("swarm-planner.service", state, restarts, {})]
    verdict = judge(rules, seen, 20.0, 10.0, Before(heard=0, ended=0))
    assert (verdict.gate, verdict.healthy) == (said, not said)


def test_without_a_release_before_it_a_bad_one_stops(board: FakeBoard, operator: Operator) -> None:
    assert operator.tried("crashes").startswith("release 1 was put back")
    assert read_json(board.places.last)["outcome"] == "stopped: there is no release before it"
    assert board.places.number(board.places.current) == 0


def test_no_second_release_goes_on_trial_beside_the_first(board: FakeBoard, operator: Operator) -> None:
    board.keeper.switch({"release": operator.staged()})
    number = operator.staged("another")
    with pytest.raises(Refused, match="release 1 is on trial"):
        board.keeper.switch({"release": number})


def test_a_power_cut_before_the_switch_leaves_the_old_release(board: FakeBoard, operator: Operator) -> None:
    operator.tried("well 1")
    operator.tried("well 2")
    board.keeper.switch({"release": operator.staged("another")})
    link_to(board.places.previous, "releases/2")     # the first step of the switch
    board.system.reboot()
    assert board.keeper.trial.watch() == "release 3 was never switched to"
    assert current_and_previous(board) == (2, 1)
    assert not board.places.trial.exists()


def test_units_are_installed_and_started_after_a_power_cut_right_after_the_switch(
    board: FakeBoard, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    board.keeper.switch({"release": operator.staged()})
    cut_off_at_install(board, monkeypatch, 1)
    assert (board.places.number(board.places.current), board.system.running) == (1, False)
    assert board.keeper.trial.watch() == "release 1 is accepted"
    assert all(link.is_symlink() for link in links(board))


def test_a_trial_that_a_power_cut_ended_begins_anew_once(board: FakeBoard, operator: Operator) -> None:
    operator.tried()
    cut_off(board, operator.staged("another"))
    assert board.keeper.trial.watch() == "release 2 is accepted"


def test_a_release_that_takes_the_board_down_twice_is_put_back(board: FakeBoard, operator: Operator) -> None:
    operator.tried()
    cut_off(board, operator.staged("another"))
    trial = read_json(board.places.trial)
    write_json(board.places.trial, {**trial, "boots": 1})
    assert "put back: boots" in board.keeper.trial.watch()
    assert board.places.number(board.places.current) == 1


def test_a_power_cut_on_the_way_back_changes_nothing(
    board: FakeBoard, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator.tried("well 1")
    operator.tried("well 2")
    board.keeper.switch({"release": operator.staged("crashes")})
    cut_off_at_install(board, monkeypatch, 2)
    assert not board.system.running
    assert board.keeper.trial.watch() == "release 3 was put back"
    last = read_json(board.places.last)
    assert (last["release"], last["outcome"], last["gate"]) == (3, "put back", "restart")
    assert current_and_previous(board) == (2, 1)
    assert all(link.is_symlink() for link in links(board))
    assert (board.system.running, board.system.behaves) == (True, "well 2")
    assert not board.places.trial.exists()


def test_a_release_that_fails_leaves_the_previous_one(board: FakeBoard, operator: Operator) -> None:
    operator.tried("well 1")
    operator.tried("well 2")
    operator.tried("crashes")
    assert current_and_previous(board) == (2, 1)
    assert operator.tried("well 4") == "release 4 is accepted"
    board.keeper.put_back({"release": 4, "why": "rover_1 of the same wave failed"})
    assert current_and_previous(board) == (2, 1)
    board.keeper.switch({"release": 0})
    assert board.keeper.trial.watch() == "release 1 is accepted"
    assert current_and_previous(board) == (1, 2)


def test_no_way_leads_back_to_the_current_release(board: FakeBoard, operator: Operator) -> None:
    operator.tried()
    link_to(board.places.previous, "releases/1")
    with pytest.raises(Refused, match="no previous release"):
        board.keeper.switch({"release": 0})


def cut_off(board: FakeBoard, number: int) -> None:
    """The power is cut right after the switch to a release, and comes back."""
    board.keeper.switch({"release": number})
    trial = board.trial()
    trial._wait = lambda for_s: False
    trial.watch()
    board.system.reboot()


def cut_off_at_install(board: FakeBoard, monkeypatch: pytest.MonkeyPatch, call: int) -> None:
    """The power is cut as the watch is about to tell systemd of units for the `call`-th time, and comes back."""
    install, calls = units.install, list[int]()

    def counted(places: Places, system: System) -> list[str]:
        calls.append(1)
        if len(calls) == call:
            for link in links(board):                # as of a unit that systemd does not know yet
                link.unlink(missing_ok=True)
            raise KeyboardInterrupt
        return install(places, system)

    with monkeypatch.context() as patched:
        patched.setattr(units, "install", counted)
        with pytest.raises(KeyboardInterrupt):
            board.keeper.trial.watch()
    board.system.reboot()


def links(board: FakeBoard) -> list[Path]:
    """By which systemd finds the agent, and starts it at boot."""
    return [board.places.units / units.AGENT, board.places.units / units.WANTS / units.AGENT]


def current_and_previous(board: FakeBoard) -> tuple[int, int]:
    return board.places.number(board.places.current), board.places.number(board.places.previous)


def test_a_process_whose_files_stay_runs_on(tmp_path: Path) -> None:
    def release(name: str, site: str, **files: str) -> Path:
        folder = tmp_path / name
        config = tmp_path / f"{name}-config"
        for path, text in {"units/swarm-agent.service": "a", "units/swarm-body.service": "b",
                           "units/swarm-planner.service": "p", "body.yaml": "b", "planner.yaml": "p", **files}.items():
            (config / path).parent.mkdir(parents=True, exist_ok=True)
            (config / path).write_text(text)
        folder.mkdir()
        os.symlink(f"../trees/{site}", folder / "site")
        os.symlink(config, folder / "config")
        return folder

    old = release("1", "one")
    assert units.changed(old, release("2", "one", **{"agent.yaml": "new"})) == ["swarm-agent.service"]
    assert units.changed(old, release("3", "one", **{"planner.yaml": "new"})) == [
        "swarm-agent.service", "swarm-planner.service"]
    assert len(units.changed(old, release("4", "two"))) == 3
    assert units.changed(old, old) == []
    assert len(units.changed(tmp_path / "none", old)) == 3


def test_a_process_that_tells_nonsense_is_put_back(board: FakeBoard, operator: Operator) -> None:
    operator.tried()
    start = board.system.start

    def nonsense() -> None:
        start()
        state = {"role": "agent", "pid": board.system.starts, "models": 3}
        (board.places.runtime / "agent.json").write_text(json.dumps(state))

    board.system.start = nonsense                    # type: ignore[method-assign]
    assert "put back: ready: what its processes tell" in operator.tried("another")


def test_a_watch_that_cannot_end_the_trial_puts_it_back(board: FakeBoard, operator: Operator) -> None:
    operator.tried()
    board.keeper.switch({"release": operator.staged("another")})
    write_json(board.places.trial, {**read_json(board.places.trial), "watches": 9})
    assert "put back: watch: " in board.keeper.trial.watch()


def test_a_release_that_hears_fewer_peers_is_healthy_if_its_rules_say_so() -> None:
    agent = [Seen("swarm-agent.service", "active", 0, {"role": "agent", "peers": 1})]
    rules = Rules(units=("swarm-agent.service",), ready_s=9.0, trial_s=1.0)
    assert judge(rules, agent, 2.0, 0.5, before=Before(heard=2, ended=0)).healthy
    assert judge(rules, agent, 2.0, 0.5, before=Before(heard=3, ended=0)).gate == "peers"
    assert judge(rules._replace(peers=0.0), agent, 2.0, 0.5, before=Before(heard=3, ended=0)).healthy


def test_a_release_that_serves_nothing_is_put_back_where_the_one_before_served() -> None:
    def after(at_s: float, total: int, ended_before: int) -> str:
        agent = [Seen("swarm-agent.service", "active", 0, {"role": "agent", "total": total})]
        verdict = judge(Rules(units=("swarm-agent.service",), ready_s=9.0, trial_s=1.0), agent, at_s, 0.5,
                        before=Before(heard=0, ended=ended_before))
        return verdict.gate or ("healthy" if verdict.healthy else "goes on")

    assert [after(5.0, 0, 60), after(9.1, 0, 60), after(5.0, 1, 60), after(5.0, 0, 9)] == [
        "goes on", "requests", "healthy", "healthy"]
