"""What `make` says when it cannot go on: one sentence. The folder's name has blanks, the programs are the test's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import HANG_S

HOUSE = Path(__file__).parent.parent
VERSION = "{}.{}".format(*sys.version_info)
NO_NETWORK = """\
Obtaining file:///somewhere
  pip subprocess to install build dependencies did not run successfully.
      WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError(...)': /simple/setuptools/
      ERROR: Could not find a version that satisfies the requirement setuptools>=77 (from versions: none)
      ERROR: No matching distribution found for setuptools>=77
  note: This error originates from a subprocess, and is likely not a problem with pip.
error: subprocess-exited-with-error
"""
CONFLICT = """\
ERROR: Cannot install swarm-edge-runtime because these package versions have conflicting dependencies.
    swarm-edge-runtime 0.1.0 depends on msgpack>=1.1
    The user requested (constraint) msgpack==1.2.4
ERROR: ResolutionImpossible: for help visit the documentation
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the Makefile and nothing else of the checkout."""
    folder = tmp_path / "a b" / "the check out"
    folder.mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(HOUSE / name, folder)
    return folder


def program(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return path


def make(folder: Path, *arguments: str | Path, path: str = os.environ["PATH"]) -> tuple[int, str]:
    """Exit code and what it said on standard error, without make's own last line.

    It knows nothing of the `make test` that runs this: its variables travel in the environment.
    """
    done = subprocess.run(["make", *map(str, arguments)], cwd=folder, env={"PATH": path}, text=True,
                          capture_output=True, check=False, timeout=HANG_S)
    return done.returncode, "\n".join(line for line in done.stderr.splitlines() if not line.startswith("make: "))


def test_a_python_that_is_supported_will_do(folder: Path) -> None:
    assert make(folder, "check-python", f"PYTHON={sys.executable}") == (0, "")
    assert make(folder, "check-python") == (0, "")


@pytest.mark.parametrize("version", ["3.9.2", "3.14.0"])
def test_another_python_is_refused(folder: Path, version: str) -> None:
    python = program(folder / "python of old", f'[ "$1" = --version ] && echo Python {version} && exit', "exit 1")
    code, said = make(folder, "check-python", f"PYTHON={python}")
    assert (code, said) == (2, f"{python} is Python {version}; this project needs Python 3.10 to 3.13")


def test_an_absent_python_is_named(folder: Path) -> None:
    assert make(folder, "check-python", "PYTHON=/no/python") == (
        2, "/no/python is absent; this project needs Python 3.10 to 3.13")


def test_where_there_is_no_python_it_is_said_what_to_do(folder: Path) -> None:
    tools = folder / "tools"
    tools.mkdir()
    for tool in ("make", "sh"):
        (tools / tool).symlink_to(shutil.which(tool) or "")
    program(tools / "python3", '[ "$1" = --version ] && echo Python 3.9.2 && exit', "exit 1")
    code, said = make(folder, "check-python", path=str(tools))
    assert code == 2
    assert said == ("There is no Python 3.10 to 3.13 here (python3 is Python 3.9.2): install one, or name it: "
                    "make PYTHON=/path/to/python3.12")


def test_a_python_without_environments_is_told_before_anything_is_removed(folder: Path) -> None:
    python = program(folder / "bare python", f'case "$2" in *ensurepip*) exit 1;; esac; exec "{sys.executable}" "$@"')
    kept = program(folder / ".venv" / "bin" / "python", "exit 0")
    assert make(folder, "demo", f"PYTHON={python}") == (
        2, f"{python} cannot make virtual environments: apt install python{VERSION}-venv")
    assert kept.exists()


@pytest.mark.parametrize(("log", "told"), [
    (NO_NETWORK, "Cannot install setuptools>=77: no such version can be had; is there a network?"),
    (CONFLICT, "Cannot install msgpack==1.2.4: no such version can be had; is there a network?"),
    ("ERROR: No space left on device\n", "Cannot install this project: No space left on device"),
    ("Killed\n", "Cannot install this project: pip failed"),
], ids=["no network", "conflict", "disk full", "killed"])
def test_a_package_that_cannot_be_had_is_named(folder: Path, log: str, told: str) -> None:
    (folder / "log").write_text(log)
    program(folder / ".venv" / "bin" / "pip", "cat log; exit 1")
    (folder / ".venv" / f".python-{VERSION}").touch()
    code, said = make(folder, ".venv/.installed-run", f"PYTHON={sys.executable}")
    assert code == 2
    assert said.splitlines() == ["installing the runtime and its simulator into .venv, for about a minute",
                                 f"{told} (all that pip said is in .venv/install.log)"]


def test_what_was_interrupted_is_installed_again(folder: Path) -> None:
    program(folder / ".venv" / "bin" / "pip", "echo installed >> log")
    (folder / ".venv" / f".python-{VERSION}").touch()
    for _ in range(2):
        assert make(folder, ".venv/.installed-run", f"PYTHON={sys.executable}")[0] == 0
    assert (folder / "log").read_text() == "installed\n"             # once
    (folder / ".venv" / ".installed-run").unlink()
    assert make(folder, ".venv/.installed-run", f"PYTHON={sys.executable}")[0] == 0
    assert (folder / "log").read_text() == "installed\n" * 2
