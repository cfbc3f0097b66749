"""What a real run that has ended is taken for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from swarm.experiments.workers.real_host import crash_of, this_host


def events(*kinds: str) -> bytes:
    return b"".join(json.dumps({
        "at_s": 3.21, "who": "launcher", "what": kind,
        "detail": {"process": "rover_1", "how": "ended with exit code 1"}}).encode() + b"\n" for kind in kinds)


def write(run: Path, files: Mapping[str, bytes]) -> Path:
    """A run folder."""
    for name, content in files.items():
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_bytes(content)
    return run


def test_a_process_that_ended_by_itself_is_told_with_the_last_line_and_place_of_its_log(tmp_path: Path) -> None:
    log = b'Traceback\n  File "/a.py", line 3, in f\n    g()\n  File "/b c.py", line 11, in g\n    no\nE: no\n\n'
    crashed = events("started", "crashed", "crashed").replace(b"code 1", b"code 1: E: no")       # as the launcher tells
    run = write(tmp_path, {"events.jsonl": crashed, "logs/rover_1.log": log})
    told = "rover_1, 3.2 s after the streams began, ended with exit code 1"
    assert crash_of(run) == f"{told}: E: no at /b c.py:11"
    (run / "logs" / "rover_1.log").unlink()
    assert crash_of(run) == f"{told}: E: no"
    assert crash_of(write(run, {"events.jsonl": events("crashed")})) == told


@pytest.mark.parametrize("files", [
    {}, {"events.jsonl": events("killed", "respawned")}, {"events.jsonl": b'{"at_s": 1'}])
def test_a_fault_of_the_launch_file_is_no_crash(tmp_path: Path, files: dict[str, bytes]) -> None:
    assert crash_of(write(tmp_path, files)) == ""


def test_a_host_has_one_name() -> None:
    assert this_host() == this_host() != ""
