"""What a process of a run would refuse at its start is refused before anything is started, dry runs included."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarm.cli.main import main
from swarm.core.settings.errors import BadInput
from swarm.launcher.load import Installed, load_launch
from swarm.run.settings import process_checks
from swarm.run.settings.resolve import Options
from tests.launcher.world import ALONE, write_launch

BOARD = "{speed: {fp32: 0.2, int8: 0.2}, power_w: 1, source: test"


@pytest.mark.parametrize(("more", "told"), [
    (", memory_mb: 130}", "board odd: memory_mb: 130: no variant of detector for stream detect fits, and policy local"),
    (", threads: 2}",
     "small_int8 was not profiled with as many on this machine; `swarm models profile detector"),
    (", providers: [cuda], emulated: false}", "detector fp32: provider CUDAExecutionProvider is not available"),
])
def test_a_board_that_cannot_run_the_models(
    tmp_path: Path, more: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["launch", str(write_launch(tmp_path)), "--out", str(tmp_path / "out"), "--set", "fleet.1.board=odd",
             "--set", f"boards.odd={BOARD}{more}"]
    lines = []
    for dry in ([], ["--dry-run"]):
        assert main([*words, *dry]) == 2
        lines.append(capsys.readouterr().err)
    assert lines[0] == lines[1]
    assert told in lines[0]
    assert not (tmp_path / "out").exists()


def test_a_model_that_no_board_of_the_team_can_hold_is_refused(tmp_path: Path) -> None:
    small = ["fleet.0.board=odd", f"boards.odd={BOARD}, memory_mb: 130}}", "policy=greedy"]
    with pytest.raises(BadInput, match=r"streams\[0\].model: no robot's board has the memory for .* of detector"):
        load_launch(Options(launch=str(write_launch(tmp_path, ALONE)), assignments=small))
    load_launch(Options(launch=str(write_launch(tmp_path)), assignments=small))      # the carriers hold it


def test_a_variant_that_no_card_has_is_told_with_the_launch_file(tmp_path: Path) -> None:
    launch = write_launch(tmp_path)
    with pytest.raises(BadInput) as caught:
        load_launch(Options(launch=str(launch), assignments=["variants={detector: [int7]}"]))
    assert str(caught.value).startswith(f"{launch}: variants: detector: there is no int7; one of fp32, ")


def test_the_behaviour_that_a_scenario_names_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Installed, "behaviour", lambda *_: "juggle")
    with pytest.raises(BadInput, match=r"patrol\.yaml: rover_0: behaviour: no behaviour is called 'juggle'"):
        load_launch(Options(launch=str(write_launch(tmp_path))))


def test_a_scenarios_name_fits_into_the_swarms_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_checks, "LONGEST_BOOT", "f" * 128)
    with pytest.raises(BadInput, match=r"patrol\.yaml: world: swarm: 'search_rescue-f+'; 1 to 128 printable"):
        load_launch(Options(launch=str(write_launch(tmp_path))))
