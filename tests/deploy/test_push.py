"""A push to fleets of boards: what it does, and where it stops."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from swarm.cli.main import main
from swarm.core.settings.errors import BadInput
from swarm.deploy.boards.ports import Ran, Unreachable
from swarm.deploy.rollout import planned, revocation, state
from swarm.deploy.rollout.push import Outcome, Push, Pushed, refused
from tests.deploy.board import PROGRAM, Boards, FakeBoard, SmallReleases

Make = Callable[..., Boards]
GPU_BOARD = {"speed": {"fp32": 9.0, "int8": 9.0}, "power_w": 15, "source": "test", "providers": ["tensorrt", "cpu"]}


def push(fleet: Boards, **notes: str) -> Pushed:
    """notes: how the releases of boards behave; all others behave well."""
    one = fleet.fleet()
    return Push(one, lambda text: None, made=SmallReleases(one, notes)).run()


def outcomes(pushed: Pushed) -> list[str]:
    return [one.outcome for one in pushed.boards]


def test_a_fleet_gets_its_first_release_and_nothing_when_nothing_changes(boards: Make) -> None:
    fleet = boards(3)
    first = push(fleet)
    assert outcomes(first) == ["updated"] * 3
    assert [board.places.number(board.places.current) for board in fleet.boards.values()] == [1, 2, 3]
    sent = [board.sent_bytes for board in fleet.boards.values()]
    again = push(fleet)
    assert outcomes(again) == ["unchanged"] * 3
    assert all(board.sent_bytes - before < 12_000 for board, before in zip(fleet.boards.values(), sent, strict=True))
    assert [board.system.starts for board in fleet.boards.values()] == [1, 1, 1]


def test_each_board_hears_the_processes_of_all_others(boards: Make) -> None:
    fleet = boards(2)
    push(fleet)
    for board in fleet.boards.values():
        assert heard(board) == ["rover_0", "rover_1"]


def test_a_key_has_the_role_of_its_process(boards: Make, tmp_path: Path) -> None:
    (tmp_path / "seen.npz").touch()
    fleet = boards(1, policy="planner", recording="seen.npz",
                   at={"rover_0": {"address": "10.0.0.1", "body": "recorded"}})
    push(fleet)
    keys = fleet.boards["rover_0"].places.keys / "enrolled"
    roles = {path.stem: path.read_text().split("role: ")[1].strip() for path in keys.iterdir()}
    assert roles == {"rover_0": "agent", "rover_0-body": "world", "planner": "planner"}


def test_a_bad_release_touches_one_board_and_that_one_goes_back(boards: Make) -> None:
    fleet = boards(5)
    push(fleet)
    bad = push(fleet, **dict.fromkeys(fleet.boards, "crashes"))
    assert (bad.touched, bad.stopped) == (1, True)
    assert outcomes(bad) == ["put back", *["not reached"] * 4]
    assert (bad.boards[0].gate, bad.boards[0].log) == ("restart", ["it crashes"])
    assert [board.places.number(board.places.current) for board in fleet.boards.values()] == [1, 2, 3, 4, 5]
    assert fleet.boards["rover_0"].system.behaves == "well"


def test_the_others_of_a_wave_go_back_with_the_one_that_failed(boards: Make) -> None:
    fleet = boards(3)
    push(fleet)
    bad = push(fleet, rover_0="well again", rover_1="well again", rover_2="crashes")
    assert outcomes(bad)[0] == "updated"             # the first wave is one board
    assert outcomes(bad)[2] == "put back"
    assert bad.stopped


def test_a_board_that_is_off_stays_pending_and_is_caught_up(boards: Make) -> None:
    fleet = boards(3)
    fleet.boards["rover_1"].reachable = False
    first = push(fleet)
    assert outcomes(first) == ["updated", "pending", "updated"]
    assert "no route" in first.boards[1].why
    fleet.boards["rover_1"].reachable = True
    assert outcomes(push(fleet)) == ["unchanged", "updated", "unchanged"]


def test_a_transfer_that_broke_off_goes_on(boards: Make) -> None:
    fleet = boards(1)
    board = fleet.boards["rover_0"]
    run, broken = board.run, []

    def cut_off(*command: str, **more: object) -> object:
        done = run(*command, **more)                 # pyright: ignore[reportArgumentType]
        if command[-1] == "receive" and board.most_bytes is not None:
            broken.append(command)
            raise Unreachable("the link was cut")
        return done

    board.run = cut_off                              # type: ignore[method-assign]
    board.most_bytes = 150
    assert outcomes(push(fleet)) == ["pending"]
    assert broken
    board.most_bytes = None
    assert outcomes(push(fleet)) == ["updated"]


@pytest.mark.parametrize(("behaves", "ended", "outcome"), [
    ("crashes", True, "put back"), ("crashes", False, "put back"), ("well, anew", False, "updated")])
def test_a_release_whose_switch_was_not_answered_is_tried_once(
    boards: Make, monkeypatch: pytest.MonkeyPatch, behaves: str, ended: bool, outcome: str
) -> None:
    """ended: whether the trial is over when the board is reached again."""
    monkeypatch.setattr("swarm.deploy.rollout.push.LOOK_S", 0.0)
    fleet = boards(1)
    push(fleet)
    board = fleet.boards["rover_0"]
    run, asked = board.run, []

    def lost(*words: str, **more: Any) -> Ran:
        if words[-1] == "switch":
            asked.append(words)
            if ended:
                run(*words, **more)
            else:
                board.keeper.switch(json.loads(more["stdin"]))
            raise Unreachable("the link was cut")
        done = run(*words, **more)
        if asked and board.places.trial.exists():    # it ends after this look
            board.keeper.trial.watch()
        return done

    board.run = lost                                 # type: ignore[method-assign]
    assert outcomes(push(fleet, rover_0=behaves)) == [outcome]
    assert len(asked) == 1


@pytest.mark.parametrize(("outcome", "stopped", "code", "said"), [
    ("pending", True, 1, "swarm: rover_0 did not answer: link: no route"),
    ("put back", True, 1, "swarm: rover_0 was put back: link: no route"),
    ("refused", True, 1, "swarm: rover_0 refused: link: no route"),
    ("refused", False, 2, "at.rover_0: no route"),
    ("pending", False, 0, ""),
])
def test_a_roll_out_that_stopped_fails(
    boards: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], outcome: Any, stopped: bool,
    code: int, said: str,
) -> None:
    end = Pushed(updated=0, unchanged=0, pending=0, touched=1, stopped=stopped,
                 boards=[Outcome(board="rover_0", outcome=outcome, gate="link", why="no route")])
    fleet = boards(1)
    made = fleet.fleet()
    monkeypatch.setattr("swarm.deploy.rollout.fleet.Fleet", lambda read: made)
    monkeypatch.setattr(Push, "run", lambda self: end)
    assert main(["deploy", "push", str(fleet.path), "--json"]) == code
    assert said in capsys.readouterr().err


def test_what_a_board_cannot_take_is_said_in_one_line(boards: Make) -> None:
    fleet = boards(2)
    fleet.boards["rover_1"].facts |= {"jetpack": "5", "python": "3.8"}
    done = push(fleet)
    assert outcomes(done) == ["updated", "refused"]
    mistake = refused(done, "fleet.yaml")
    assert str(mistake) == ("fleet.yaml: at.rover_1: it has JetPack 5, whose Python 3.8 is too old for this runtime: "
                            "JetPack 6 or 7")
    fleet.boards["rover_1"].facts |= {"jetpack": "", "python": "3.8", "machine": "riscv64"}
    assert "riscv64 with Python 3.8" in push(fleet).boards[1].why


def test_a_full_disk_is_refused_before_anything_is_sent(boards: Make) -> None:
    fleet = boards(1)
    fleet.boards["rover_0"].system.free = 64 << 20
    done = push(fleet)
    assert outcomes(done) == ["refused"]
    assert "the disk is too full" in done.boards[0].why


def test_a_second_push_at_the_same_time_is_refused(boards: Make) -> None:
    fleet = boards(1)
    with fleet.fleet().locked(), pytest.raises(BadInput, match="another push"):
        push(fleet)


def test_numbers_rise_also_above_what_another_operator_has_pushed(boards: Make) -> None:
    fleet = boards(1)
    push(fleet)
    (fleet.path.parent / "fleet.fleet" / "releases.json").unlink()
    assert push(fleet, rover_0="well, anew").boards[0].release == 2


def test_a_plan_changes_nothing_and_says_what_a_push_would_do(boards: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = boards(2)
    monkeypatch.setattr("swarm.deploy.rollout.one_board.Made.site", lambda self, robot, target: self_site(self))
    fleet.boards["rover_1"].reachable = False
    rows = planned.plan(fleet.fleet(), lambda text: None)
    assert [row.change for row in rows] == ["install", ""]
    assert rows[1].trouble == "no route to host"
    assert rows[0].processes == ["rover_0"]
    assert not fleet.boards["rover_0"].places.home.exists()


def test_a_plan_asks_each_board_for_its_providers(boards: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = boards(1, boards={"host": GPU_BOARD})
    board = fleet.boards["rover_0"]
    board.facts |= {"gpu": ["nvgpu"], "libraries": ["CUDA", "cuDNN", "TensorRT"]}
    monkeypatch.setattr("swarm.deploy.rollout.one_board.Made.site", lambda self, robot, target: self_site(self))
    (new,) = planned.plan(fleet.fleet(), lambda text: None)
    assert (new.wanted, new.providers, new.runtime, new.trouble) == (["tensorrt", "cpu"], [], "", "")
    assert "not known before a runtime is there" in planned.cells(new)
    push(fleet)
    assert planned.plan(fleet.fleet(), lambda text: None)[0].trouble == (
        "the inventory says tensorrt, and ONNX Runtime 1.23 of its release is built without it")
    board.runtime["providers"] = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    (row,) = planned.plan(fleet.fleet(), lambda text: None)
    assert (row.providers, row.runtime, row.trouble) == (["tensorrt", "cuda", "cpu"], "1.23", "")
    board.facts["libraries"] = ["CUDA", "cuDNN"]
    (row,) = planned.plan(fleet.fleet(), lambda text: None)
    assert (row.providers, row.trouble) == (
        ["cuda", "cpu"], "the inventory says tensorrt, and TensorRT is not installed there")


def self_site(made: object) -> object:
    from swarm.deploy.bundles.bundle import Bundle

    files = made._fleet.files                        # pyright: ignore[reportAttributeAccessIssue]
    return Bundle(target="debian", parts=["agent"], tree=files.tree({"share/program": PROGRAM}), files=1, bytes=1,
                  wheels=[], missing=[])


def test_status_tells_how_each_board_is(boards: Make) -> None:
    fleet = boards(3)
    fleet.boards["rover_2"].reachable = False
    push(fleet)
    fleet.boards["rover_1"].places.board.unlink()
    rows = state.status(fleet.fleet())
    assert [row.state for row in rows] == ["runs", "not set up", "not reached"]
    assert (rows[0].release, rows[0].providers, rows[0].power_mode) == (1, ["cpu"], "15W")


def test_a_rollback_is_a_trial_of_the_previous_release(boards: Make) -> None:
    fleet = boards(1)
    push(fleet)
    push(fleet, rover_0="well, anew")
    board: FakeBoard = fleet.boards["rover_0"]
    assert board.places.number(board.places.current) == 2
    state.rollback(fleet.fleet(), [], "fleet.yaml")
    assert board.places.number(board.places.current) == 1
    assert board.system.behaves == "well"


def test_a_revoked_key_is_heard_by_no_board(boards: Make) -> None:
    fleet = boards(3)
    push(fleet)
    fleet.boards["rover_2"].reachable = False
    one = fleet.fleet()
    one.keys.revoke("rover_1")
    told = revocation.tell(one)
    assert [bool(why) for why in told.values()] == [False, False, True]
    assert heard(fleet.boards["rover_0"]) == ["rover_0", "rover_2"]
    fleet.boards["rover_2"].reachable = True
    push(fleet)
    assert heard(fleet.boards["rover_2"]) == ["rover_0", "rover_2"]


def test_a_board_whose_key_was_revoked_is_refused_and_the_others_go_on(boards: Make) -> None:
    fleet = boards(2)
    push(fleet)
    fleet.fleet().keys.revoke("rover_0")
    done = push(fleet, rover_0="well, anew", rover_1="well, anew")
    assert outcomes(done) == ["refused", "updated"]
    assert "this key was revoked" in done.boards[0].why
    assert heard(fleet.boards["rover_1"]) == ["rover_1"]


def heard(board: FakeBoard) -> list[str]:
    return sorted(path.stem for path in (board.places.keys / "enrolled").iterdir())
