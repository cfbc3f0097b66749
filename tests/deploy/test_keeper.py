"""The keeper of one board: what it accepts, and what it runs on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from swarm.deploy import keeper_archive
from swarm.deploy.keeper import trees
from swarm.deploy.keeper.commands import locked
from swarm.deploy.keeper.errors import Refused
from swarm.deploy.keeper.places import read_json
from tests.deploy.board import LARGE, FakeBoard, Operator
from tests.patience import HANG_S

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
