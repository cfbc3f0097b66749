"""The wheel, installed where no checkout is: it carries all that the commands need."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.patience import HANG_S

HOUSE = Path(__file__).parent.parent
CARRIED = ("swarm/py.typed", "agents/py.typed", "models/py.typed", "sim_worlds/py.typed",
           *(f"swarm/telemetry/report/templates/{name}" for name in ("page.html", "parts.html", "page.css")),
           "swarm/experiments/results/templates/experiment.html",
           "sim_worlds/robots/rover.urdf", "sim_worlds/robots/carrier.urdf",
           "models/artefacts/detector/card.json")
NOT_CARRIED = ("tests/", "docs/", "launch/")


def run(*command: str | Path, cwd: Path, **more: str) -> str:
    """Standard output of a command that goes well. It sees nothing of this checkout but the installed libraries."""
    environment = {**{k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}, **more}
    done = subprocess.run([str(word) for word in command], cwd=cwd, env=environment, capture_output=True, text=True,
                          check=False, timeout=HANG_S)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of what belongs to it: setuptools leaves files in the folder that it builds."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "swarm", "agents", "models", "sim_worlds", "launch"):
        (source / name).symlink_to(HOUSE / name)
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index",
        "--disable-pip-version-check", "--wheel-dir", folder, source, cwd=folder)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the commands of an environment with the wheel, beside the libraries of this one."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder)
    python = folder / "bin" / "python"
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index",
        "--disable-pip-version-check", wheel, cwd=folder)
    return folder / "bin"


def test_it_carries_what_belongs_to_it_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (archive.read(name).decode() for name in names if name.endswith("/METADATA"))
    assert [name for name in CARRIED if name not in names] == []
    assert [name for name in names if name.startswith(NOT_CARRIED)] == []
    assert any(name.endswith("data/share/swarm-edge-runtime/launch/boards.yaml") for name in names)
    assert any(name.endswith("/LICENSE") for name in names)
    for line in ("License-Expression: Apache-2.0", "Requires-Python: <3.14,>=3.10", "Classifier: Typing :: Typed"):
        assert line in metadata


def test_its_commands_work_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    assert str(HOUSE) not in run(installed / "python", "-c", "import swarm; print(swarm.__file__)", cwd=tmp_path)
    assert "detector" in run(installed / "swarm", "models", "list", cwd=tmp_path)
    assert "board: agx_orin_15w" in run(installed / "swarm", "launch", "search_rescue", "--dry-run", cwd=tmp_path)
    assert "MISSING" not in run(installed / "swarm", "doctor", cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_it_flies_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    run(installed / "swarm", "demo", "--duration", "8", cwd=tmp_path)
    run(installed / "swarm", "launch", "search_rescue", "--duration", "3", "--ray", "none", "--out", "mine",
        cwd=tmp_path)
    (tmp_path / "mine" / "report.html").unlink()
    run(installed / "swarm", "report", "mine", cwd=tmp_path)
    assert (tmp_path / "mine" / "report.html").exists()


@pytest.mark.parametrize("version", [(3, 9), (3, 14)])
def test_another_python_is_refused_in_a_sentence(version: tuple[int, int]) -> None:
    code = f"import sys; sys.version_info = ({version[0]}, {version[1]}, 0, 'final', 0); import swarm"
    done = subprocess.run([sys.executable, "-c", code], cwd=HOUSE, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == f"swarm: Python {version[0]}.{version[1]}: the swarm edge runtime needs 3.10 to 3.13\n"
