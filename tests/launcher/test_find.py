"""Launch files by name: in ./launch, in the checkout, in the package."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarm.cli.main import main
from swarm.core.settings.errors import BadInput
from swarm.launcher import find
from tests.launcher.world import LAUNCH


@pytest.fixture
def launch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's ./launch, without a boards.yaml."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "launch").mkdir()
    return Path("launch")


@pytest.mark.parametrize("suffix", [".yaml", ".yml"])
def test_a_users_own_file_is_found_without_boards_beside_it(
    launch: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (launch / f"patrol{suffix}").write_text(LAUNCH)
    assert find.launch_file("patrol") == launch / f"patrol{suffix}"
    assert {"patrol", "search_rescue"} <= set(find.names())
    assert main(["launch", "patrol", "--dry-run"]) == 0
    assert "orin_nano" in capsys.readouterr().out            # of the packaged boards


def test_a_users_own_file_hides_the_packaged_one(launch: Path) -> None:
    assert find.launch_file("search_rescue") != launch / "search_rescue.yaml"
    (launch / "search_rescue.yaml").write_text(LAUNCH)
    assert find.launch_file("search_rescue") == launch / "search_rescue.yaml"


def test_boards_beside_the_file_hold_and_are_no_launch_file(launch: Path) -> None:
    assert find.boards_file(launch / "patrol.yaml") != launch / find.BOARDS
    (launch / find.BOARDS).write_text("{}")
    assert find.boards_file(launch / "patrol.yaml") == launch / find.BOARDS
    assert "boards" not in find.names()
    with pytest.raises(BadInput, match="boards: no launch file of this name"):
        find.launch_file("boards")


@pytest.mark.parametrize("name", ["", ".", "..", "\0", "\udcff", "x" * 5000, "*"])
def test_odd_names_are_no_files(launch: Path, name: str) -> None:
    with pytest.raises(BadInput, match="no launch file of this name"):
        find.launch_file(name)
