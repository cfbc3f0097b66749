"""One real board: systemd in namespaces with sshd, the commands as a person types them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from swarm.bench.deploy import bad, fleets, root
from swarm.bench.deploy.fleets import Rig
from swarm.cli.main import main
from swarm.core.settings.errors import BadInput
from swarm.deploy.rollout.push import Push

pytestmark = pytest.mark.long


@pytest.fixture
def rig() -> Iterator[Rig]:
    try:
        root.check_privilege("this test")
    except BadInput as error:
        pytest.skip(str(error))
    with fleets.rig("this test", lambda text: None) as made:
        board = made.add("rover_0")
        board.power_on()
        board.up()
        made.write()
        yield made


def test_a_board_is_set_up_updated_and_goes_back_by_itself(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(rig.path)
    assert main(["deploy", "plan", path, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["boards"]
    assert (row["target"], row["change"]) == ("debian", "install")
    assert main(["deploy", "push", path, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["updated"] == 1
    assert main(["deploy", "push", path, "--json"]) == 0
    pushed = json.loads(capsys.readouterr().out)
    assert (pushed["unchanged"], pushed["boards"][0]["sent_bytes"] < 65_536) == (1, True)
    fleet = rig.write()
    (end,) = Push(fleet, lambda text: None, made=bad.Edited(fleet, bad.runs("crash at start"))).run().boards
    assert (end.outcome, end.gate) == ("put back", "restart")
    assert main(["deploy", "status", path, "--json"]) in (0, 1)
    (state,) = json.loads(capsys.readouterr().out)["boards"]
    assert (state["release"], state["providers"]) == (1, ["cpu"])
    assert main(["deploy", "logs", path, "rover_0", "--lines", "5"]) == 0
    assert len(capsys.readouterr().out.splitlines()) >= 1


def test_no_cut_of_the_power_breaks_a_board(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        root.check_privilege("this test")
    except BadInput as error:
        pytest.skip(str(error))
    assert main(["bench", "deploy-cuts", "--cuts", "200", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["cuts"], figures["broken"]) == (200, 0)
    assert min(figures["ran_old"], figures["ran_new"]) > 10


def test_cuts_break_a_board_that_does_not_sync(capsys: pytest.CaptureFixture[str]) -> None:
    """The bench above can fail."""
    try:
        root.check_privilege("this test")
    except BadInput as error:
        pytest.skip(str(error))
    assert main(["bench", "deploy-cuts", "--cuts", "5", "--no-sync", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["broken"] > 0
