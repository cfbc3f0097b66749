"""Machine code is kept for each content of a package, where the user's cache is or can be."""

from __future__ import annotations

import importlib
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from swarm.compiled.cache import alone, folder_of, is_complete, mark_complete
from swarm.launcher.machine_code import LOOPS, compile_loops


def package(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "loops.py").write_text(text)
    return folder


def test_another_content_has_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWARM_CACHE", str(tmp_path / "cache"))
    first = folder_of(package(tmp_path / "one", "a = 1"))
    assert first.parent == tmp_path / "cache" / "code"
    assert folder_of(tmp_path / "one") == first
    assert folder_of(package(tmp_path / "one", "a = 2")) != first
    assert folder_of(package(tmp_path / "two", "a = 1")) != first


def test_only_one_process_at_a_time_has_a_folder(tmp_path: Path) -> None:
    program = (f"import pathlib, fcntl\nlock = open({str(tmp_path / 'lock')!r}, 'w')\n"
               "try: fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)\nexcept OSError: print('taken')")
    with alone(tmp_path) as kept:
        assert kept
        assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "taken\n"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == ""


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with alone(tmp_path / "file" / "code") as kept:
        assert not kept


def test_code_that_is_there_is_not_compiled_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        asked.append(command)
        return subprocess.CompletedProcess(command, 1)

    monkeypatch.setattr(subprocess, "run", run)
    compile_loops()                                  # `conftest.py` has compiled it
    assert asked == []
    monkeypatch.setenv("SWARM_CACHE", str(tmp_path))
    for _ in range(2):                               # the first time it failed
        compile_loops()
    assert asked == [[sys.executable, "-c", f"import {', '.join(LOOPS)}"]] * 2


@pytest.mark.parametrize("module", LOOPS)
def test_who_imports_loops_marks_their_folder(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """Else each launch in virtual time would say that it compiles them once."""
    file, marked = str(importlib.import_module(module).__file__), list[str]()
    monkeypatch.setattr("swarm.compiled.compiler.entry", lambda *_: lambda call: call)
    monkeypatch.setattr("swarm.compiled.cache.mark_loops_complete", marked.append)
    runpy.run_path(file, run_name=module)
    assert marked == [module]


def test_a_folder_is_complete_when_it_is_marked(tmp_path: Path) -> None:
    assert not is_complete(tmp_path)
    mark_complete(tmp_path / "absent")
    assert not is_complete(tmp_path / "absent")
    mark_complete(tmp_path)
    assert is_complete(tmp_path)
