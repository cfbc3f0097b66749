"""What the pages tell a reader to type is understood; `make test-long` types all of docs/simulate.md."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from swarm.cli.main import main, parser
from swarm.core.settings.cards import RunTime
from tests.docs.folder import HOUSE, assert_as_described
from tests.docs.pages import PAGES, blocks, commands, typed
from tests.models import networks
from tests.patience import HANG_S

NAMED = {page.name: page for page in PAGES}
SHOWN = [pytest.param(page, words, id=f"{page.name}: {' '.join(words)[:60]}") for page in PAGES
         for words in commands(page)]


MEASURED = "orin_nano_15w: {speed: {fp32: 0.2, int8: 0.2}, power_w: 15, source: in place of a measurement}"


def saved(page: Path, folder: Path) -> None:
    """The files that a page asks its reader to save, and the one that a board of the reader's has written."""
    if page.name == "boards.md":
        (folder / "my_orin.yaml").write_text(MEASURED)
    for block in blocks(page):
        if block.file:
            (folder / block.file).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.file).write_text(block.text)


def import_models(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The models that a page has its reader import, from files that its reader is to have. Nothing is measured."""
    if not any(words[:2] == ["models", "import"] for words in commands(page)) or page.name != "models.md":
        return
    monkeypatch.setenv("SWARM_MODELS", str(folder / "models"))
    monkeypatch.setattr("models.build.importing.memory_bytes", lambda path: 1)
    monkeypatch.setattr("models.build.importing.run_times", lambda paths: dict.fromkeys(
        paths, RunTime(quantiles_ms=[1.0] * 21, runs=1)))
    readers_files(folder)
    saved(page, folder)
    for words in commands(page):
        if words[:2] == ["models", "import"]:
            assert main(words) == 0


def readers_files(folder: Path) -> None:
    """The networks that the reader of docs/models.md has, and their labels."""
    for name, network, labels in (("yolo", networks.yolo8(), networks.LABELS),
                                  ("kinds", networks.classifier(), networks.KINDS),
                                  ("corridor", networks.of_a_row("ranges"), ())):
        networks.saved(network, folder / f"{name}.onnx", labels)


def test_there_is_something_to_type() -> None:
    assert {"README.md", "simulate.md", "run_folder.md"} <= NAMED.keys()
    assert len(commands(NAMED["simulate.md"])) >= 8
    assert len(commands(NAMED["README.md"])) >= 8


@pytest.mark.parametrize(("page", "words"), SHOWN)
def test_a_command_is_understood(
    page: Path, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parser().parse_args(words)
    if words[0] == "launch":
        monkeypatch.chdir(tmp_path)
        import_models(page, tmp_path, monkeypatch)
        saved(page, tmp_path)
        assert main([*words, *([] if "--dry-run" in words else ["--dry-run"])]) == 0
        assert "scenario: " in capsys.readouterr().out


def test_what_make_is_told_to_make_is_in_the_makefile() -> None:
    told = {word for page in PAGES for words in typed(page) if words[0] == "make" for word in words if "=" not in word}
    told.remove("make")
    assert len(told) > 3
    text = (HOUSE / "Makefile").read_text()
    assert [target for target in told if not re.search(f"^{target}:", text, re.MULTILINE)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


@pytest.mark.long
def test_the_page_on_simulation_can_be_typed_from_top_to_bottom(tmp_path: Path) -> None:
    page = NAMED["simulate.md"]
    saved(page, tmp_path)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                   "PYTHONPATH": str(HOUSE)}
    lines = [["swarm", *words] for words in commands(page)]
    lines += [[sys.executable, "-c", block.text] for block in blocks(page) if block.language == "python"]
    for words in lines:
        done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
                              timeout=HANG_S)
        assert done.returncode == 0, (words, done.stderr)
    runs = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert {"first", "local", "small", "easier", "pair", "faults", "cut"} <= set(runs)
    for run in runs:
        assert_as_described(tmp_path / "runs" / run)
    assert (tmp_path / "building.svg").exists()


@pytest.mark.long
def test_the_page_on_models_can_be_typed_from_top_to_bottom(tmp_path: Path) -> None:
    page = NAMED["models.md"]
    readers_files(tmp_path)
    saved(page, tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(HOUSE), "SWARM_MODELS": str(tmp_path / "models")}
    for words in commands(page):
        done = subprocess.run([sys.executable, "-m", "swarm.cli.main", *words], cwd=tmp_path, env=environment,
                              capture_output=True, text=True, check=False, timeout=HANG_S)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
    for run in ("things", "closer"):
        assert json.loads((tmp_path / "runs" / run / "summary.json").read_text())["requests"]["lost"] == 0
