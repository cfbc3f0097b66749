"""The keeper of one board: what it accepts, how it tries a release, and when it goes back by itself."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from swarm.deploy import keeper_archive
from swarm.deploy.bundles.store import Files
from swarm.deploy.keeper import trees, units
from swarm.deploy.keeper.commands import locked
from swarm.deploy.keeper.errors import Refused
from swarm.deploy.keeper.places import read_json, write_json
from tests.deploy.board import PYTHON, FakeBoard, signature
from tests.patience import HANG_S

LARGE = bytes(range(256)) * 4000


@pytest.fixture
def board(tmp_path: Path) -> FakeBoard:
    one = FakeBoard(tmp_path / "board", "rover_0")
    one.keeper.install({"name": "rover_0", "signer": "swarm key\n", "unit": "[Unit]\n", "journal": "[Journal]\n"})
    return one


class Operator:
    """Makes releases of one board."""

    def __init__(self, board: FakeBoard, folder: Path) -> None:
        self.board, self.files = board, Files(folder)
        self.number = 0

    def offer(self, note: str = "well", *, older: bool = False, signed: bytes | None = None, **changes: Any) -> Any:
        self.number = changes.get("number", self.number + 1)
        site = self.files.tree({"share/program": LARGE, "share/small": b"small"})
        config = self.files.tree({"units/swarm-agent.service": b"[Unit]\n", "note.txt": note.encode(),
                                  "trial.json": json.dumps({"units": ["swarm-agent.service"], "ready_s": 20.0,
                                                            "trial_s": 5.0, "providers": ["cpu"]}).encode()})
        content = json.dumps({"version": 1, "swarm": "test", "board": "rover_0", "number": self.number,
                              "python": PYTHON, "machine": os.uname().machine, "site": site, "config": config,
                              **changes}).encode()
        return self.board.keeper.offer({
            "manifest": base64.b64encode(content).decode(), "older": older,
            "signature": base64.b64encode(signature(content) if signed is None else signed).decode()})

    def send(self, missing: Any, most: int | None = None) -> None:
        import io

        self.board.keeper.receive(io.BytesIO(b"".join(self.files.stream(missing))[:most]))

    def staged(self, note: str = "well") -> int:
        """A release that is complete on the board. Returns its number."""
        missing = self.offer(note)["missing"]
        while missing:
            self.send(missing)
            missing = self.offer(note, number=self.number)["missing"]
        self.board.keeper.stage({"release": self.number})
        return self.number

    def tried(self, note: str = "well") -> str:
        """A release that is put on trial, until its end."""
        number = self.staged(note)
        self.board.keeper.switch({"release": number})
        return self.board.keeper.trial.watch()


@pytest.fixture
def operator(board: FakeBoard, tmp_path: Path) -> Operator:
    return Operator(board, tmp_path / "files")


# --- manifests ---


def test_only_what_the_fleet_has_signed_for_this_board_is_accepted(board: FakeBoard, operator: Operator) -> None:
    for wrong, why in (({"signed": b"forged"}, "not signed"), ({"board": "rover_1"}, "for rover_1"),
                       ({"python": "3.7"}, "Python 3.7"), ({"machine": "vax"}, "is for vax"),
                       ({"version": 2}, "version 2"), ({"site": "../etc"}, "damaged")):
        with pytest.raises(Refused, match=why):
            operator.offer(**wrong)
    assert read_json(board.places.board)["highest"] == 0
    assert not board.places.releases.exists()


def test_an_older_number_needs_to_be_asked_for(operator: Operator) -> None:
    operator.offer(number=7)
    with pytest.raises(Refused, match="older than 7"):
        operator.offer(number=6)
    operator.offer(number=6, older=True)
    with pytest.raises(Refused, match="another release 7"):
        operator.offer("other content", number=7)


def test_a_board_keeps_its_name_and_its_signer(board: FakeBoard) -> None:
    given = {"name": "rover_1", "signer": "swarm key\n", "unit": "", "journal": ""}
    with pytest.raises(Refused, match="this board is rover_0"):
        board.keeper.install(given)
    with pytest.raises(Refused, match="signed by another key"):
        board.keeper.install({**given, "name": "rover_0", "signer": "a stranger's\n"})


def test_two_operators_do_not_change_a_board_at_once(board: FakeBoard) -> None:
    with locked(board.places), pytest.raises(Refused, match="another push"), locked(board.places):
        pass


# --- files and trees ---


def test_what_came_before_a_transfer_broke_off_is_not_sent_again(board: FakeBoard, operator: Operator) -> None:
    operator.send(operator.offer()["missing"])
    missing = operator.offer(number=1)["missing"]
    whole = sum(len(block) for block in operator.files.stream(missing))
    with pytest.raises(Refused, match="broke off"):
        operator.send(missing, most=whole // 2)
    rest = operator.offer(number=1)["missing"]
    assert 0 < sum(have for _, have in rest) < len(LARGE)
    operator.send(rest)
    assert operator.offer(number=1)["missing"] == []
    board.keeper.stage({"release": 1})
    assert (board.places.trees / operator.files.tree({"share/program": LARGE, "share/small": b"small"})
            / "share/program").read_bytes() == LARGE


@pytest.mark.parametrize("damage", [b"", b"not compressed", b"\x78\x9c\x00"])
def test_a_damaged_stream_is_refused_in_words(board: FakeBoard, damage: bytes) -> None:
    import io

    if damage:
        with pytest.raises(Refused, match=r"damaged|broke off"):
            board.keeper.receive(io.BytesIO(damage))
    else:
        assert board.keeper.receive(io.BytesIO(damage)) == {"files": 0}


def test_a_file_that_was_altered_on_its_way_is_refused(operator: Operator) -> None:
    missing = operator.offer()["missing"]
    path = operator.files.path(missing[0][0])
    path.write_bytes(path.read_bytes()[::-1])
    with pytest.raises(Refused, match="altered on its way"):
        operator.send(missing)


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", ""])
def test_no_path_leads_out_of_a_tree(path: str) -> None:
    with pytest.raises(Refused, match="damaged"):
        trees.parse(json.dumps({"files": [[path, "0" * 64, 1]]}).encode())


def test_a_file_that_was_altered_on_the_board_comes_anew(board: FakeBoard, operator: Operator) -> None:
    operator.staged()
    altered = next(board.places.trees.glob("*/share/small"))
    altered.write_bytes(b"SMALL")
    board.keeper.sweep({"keep": 1})
    operator.staged("another")
    assert altered.read_bytes() == b"small"


def test_all_of_a_tree_is_on_the_disk_before_it_has_its_name(board: FakeBoard, operator: Operator) -> None:
    seen: list[bool] = []

    def sync(path: Path) -> None:
        if path.name.startswith("."):
            seen.append((board.places.trees / path.name[1:].removesuffix(".new")).exists())

    board.system.sync = sync                         # type: ignore[method-assign]
    operator.staged()
    assert seen == [False, False]


def test_current_and_previous_stay_and_older_ones_go(board: FakeBoard, operator: Operator) -> None:
    for note in ("well 1", "well 2", "well 3"):
        operator.tried(note)
        board.keeper.sweep({"keep": operator.number})
    assert sorted(path.name for path in board.places.releases.iterdir()) == ["2", "3"]
    assert len(list(board.places.trees.iterdir())) == 3          # one of the runtime, two configurations
    assert not any(board.places.partial.iterdir())


# --- trials ---


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
    operator.tried()
    board.keeper.switch({"release": operator.staged("another")})
    board.system.boots += 1
    assert board.keeper.trial.watch() == "release 2 was never switched to"
    assert board.places.number(board.places.current) == 1
    assert not board.places.trial.exists()


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


def test_a_power_cut_on_the_way_back_changes_nothing(board: FakeBoard, operator: Operator) -> None:
    operator.tried()
    number = operator.staged("crashes")
    board.keeper.switch({"release": number})
    kept = board.places.trial.read_bytes()
    board.keeper.trial.watch()
    board.places.trial.write_bytes(kept)
    board.system.boots += 1
    board.system.start()
    assert board.keeper.trial.watch() == "release 2 was put back"
    assert read_json(board.places.last)["gate"] == "restart"


def cut_off(board: FakeBoard, number: int) -> None:
    """The power is cut right after the switch to a release, and comes back."""
    board.keeper.switch({"release": number})
    trial = board.trial()
    trial._wait = lambda for_s: False
    trial.watch()
    board.system.boots += 1
    board.system.start()


# --- the archive ---


def test_the_keeper_runs_on_the_standard_library_alone(tmp_path: Path) -> None:
    path = tmp_path / "keeper.pyz"
    path.write_bytes(keeper_archive.content())
    assert keeper_archive.content() == path.read_bytes()
    done = subprocess.run([sys.executable, "-I", "-S", str(path), "status"], input="{}", capture_output=True, text=True,
                          env={"SWARM_KEEPER_ROOT": str(tmp_path / "root"), "PATH": os.environ["PATH"]}, check=False,
                          timeout=HANG_S)
    assert done.stderr == ""
    assert json.loads(done.stdout)["refused"].startswith(str(tmp_path)) or done.returncode == 0
    (tmp_path / "root").mkdir()
    done = subprocess.run([sys.executable, "-I", "-S", str(path), "fly"], input="{}", capture_output=True, text=True,
                          env={"SWARM_KEEPER_ROOT": str(tmp_path / "root"), "PATH": os.environ["PATH"]}, check=False,
                          timeout=HANG_S)
    assert (done.returncode, json.loads(done.stdout)) == (2, {"refused": "the keeper has no command 'fly'"})


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
