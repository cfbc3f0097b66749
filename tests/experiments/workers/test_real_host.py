"""What a real run that has ended is taken for."""

from __future__ import annotations

import json

import pytest

from swarm.experiments.workers.real_host import crash_of, last_line, this_host


def events(*kinds: str) -> bytes:
    return b"".join(json.dumps({
        "at_s": 3.21, "who": "launcher", "what": kind,
        "detail": {"process": "rover_1", "how": "ended with exit code 1"}}).encode() + b"\n" for kind in kinds)


def test_a_process_that_ended_by_itself_is_told_with_the_last_line_of_its_log() -> None:
    log = b'Traceback\n  File "/a.py", line 3, in f\n    g()\n  File "/b c.py", line 11, in g\n    no\nE: no\n\n'
    files = {"events.jsonl": events("started", "crashed", "crashed"), "logs/rover_1.log": log}
    told = "rover_1, 3.2 s after the streams began, ended with exit code 1"
    assert crash_of(files) == f"{told}: E: no at /b c.py:11"
    files["events.jsonl"] = files["events.jsonl"].replace(b"code 1", b"code 1: E: no")
    assert crash_of(files) == f"{told}: E: no at /b c.py:11"             # the launcher may have told the line, too
    files |= {"events.jsonl": events("crashed"), "logs/rover_1.log": b""}
    assert crash_of(files) == told


@pytest.mark.parametrize("files", [
    {}, {"events.jsonl": events("killed", "respawned")}, {"events.jsonl": b'{"at_s": 1'}])
def test_a_fault_of_the_launch_file_is_no_crash(files: dict[str, bytes]) -> None:
    assert crash_of(files) == ""


def test_the_last_line_that_says_something() -> None:
    assert last_line(b"a\n b \n \n") == "b"
    assert last_line(b"\n") == last_line(b"") == ""
    assert last_line(b"\xff") == "\ufffd"


def test_a_host_has_one_name() -> None:
    assert this_host() == this_host() != ""
