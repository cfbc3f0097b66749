"""Whole sweeps on real Ray clusters."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import psutil
import pytest

from swarm import cluster
from tests.experiments.files import POINTS, sweep_file
from tests.patience import HANG_S

ROOT = Path(__file__).parents[3]


class Node:
    """`ray start`, in a session of its own. address: of its cluster."""

    def __init__(self, folder: Path, environment: dict[str, str], *arguments: str) -> None:
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", *arguments, "--num-cpus=1", "--block",
                   "--object-store-memory=80000000"]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
            env=environment, cwd=folder)
        self.address = ""
        hung, said = Timer(HANG_S, self.kill), ""
        hung.start()
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said += line
            if "ray start --address=" in line:
                self.address = line.split("'")[1]
            if "--block" in line:
                break
        else:
            raise AssertionError(said)
        hung.cancel()

    def titles(self) -> list[str]:
        return [" ".join(process.cmdline()) for process in _of_session(self.process.pid)]

    def kill(self) -> None:
        for process in _of_session(self.process.pid):
            process.kill()
        self.process.wait()


def _of_session(id: int) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == id and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return found


@pytest.fixture
def folder() -> Iterator[Path]:
    """Of a short name: sockets lie in it."""
    path = Path(tempfile.mkdtemp(prefix="swarm-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def environment() -> dict[str, str]:
    return os.environ | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": os.urandom(32).hex(), "PYTHONPATH": str(ROOT),
                         "RAY_USAGE_STATS_ENABLED": "0"}


def _sweep(folder: Path, environment: dict[str, str], ray: str, out: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.experiments.workers.ray_sweep", str(sweep_file(folder)), str(folder / out), ray],
        stdout=subprocess.PIPE, text=True, start_new_session=True, env=environment, cwd=ROOT)


def _results(out: Path) -> list[tuple[str, str, list[str], dict[str, float]]]:
    """Of all lines of the journal, by id."""
    lines = map(json.loads, (out / "journal.jsonl").read_text(encoding="utf-8").splitlines())
    return sorted((line["id"], line["error"], line["invalid"], line["values"]) for line in lines)


def _files(out: Path) -> dict[str, bytes]:
    """Of all points, but those that tell the time of day."""
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted((out / "points").rglob("*"))
            if path.is_file() and path.name != "manifest.json"}


@pytest.mark.long
@pytest.mark.skipif(not cluster.available(), reason="ray is not installed")
def test_a_node_that_dies_in_mid_sweep_loses_no_point_and_doubles_none(
    folder: Path, environment: dict[str, str]
) -> None:
    head = Node(folder, environment, "--head", "--port=0", "--include-dashboard=false", f"--temp-dir={folder}/tmp")
    other = None
    try:
        other = Node(folder, environment, f"--address={head.address}")
        sweep = _sweep(folder, environment, head.address, "ray")
        lost, dead = 0, False
        assert sweep.stdout is not None
        for line in sweep.stdout:
            lost += line.startswith("lost ")
            if not dead and any(title.startswith("ray::_fly") for title in other.titles()):
                other.kill()
                dead = True
        assert sweep.wait() == 0
        assert dead
        assert lost >= 1
        assert not any("_fly" in title for title in head.titles())
        assert _of_session(sweep.pid) == []
    finally:
        head.kill()
        if other is not None:
            other.kill()
    local = _sweep(folder, environment, "none", "local")
    local.communicate()
    assert local.returncode == 0
    results = _results(folder / "ray")
    assert len(results) == len({id for id, *_ in results}) == POINTS
    assert results == _results(folder / "local")
    assert _files(folder / "ray") == _files(folder / "local")
    tables = [(folder / out / "points.parquet").read_bytes() for out in ("ray", "local")]
    assert tables[0] == tables[1]


@pytest.mark.long
@pytest.mark.skipif(not cluster.available(), reason="ray is not installed")
def test_an_interrupted_sweep_leaves_nothing_of_its_ray_behind(folder: Path, environment: dict[str, str]) -> None:
    sweep = _sweep(folder, environment, "local", "ray")
    assert sweep.stdout is not None
    for line in sweep.stdout:
        if line.startswith("2 of "):
            assert len(_of_session(sweep.pid)) > 1
            os.killpg(sweep.pid, signal.SIGINT)      # as Ctrl-C
            break
    sweep.communicate(timeout=HANG_S)
    assert sweep.returncode == 130
    assert 2 <= len(_results(folder / "ray")) < POINTS
    assert _of_session(sweep.pid) == []
