"""The benches of deployment: without the privilege they say so, and their figures are counted right."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from swarm.bench.deploy import bad, cuts
from swarm.bench.deploy.watch import Watch
from swarm.bench.deploy_waves import has_served
from swarm.cli.main import main


@pytest.mark.parametrize("name", ["deploy", "deploy-cuts", "deploy-faults", "deploy-waves"])
def test_without_root_it_is_said_in_one_line(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert main(["bench", name, "--json"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "need root" in err


def watched(**samples: list[tuple[float, int, int, int, int]]) -> Watch:
    """samples: seconds, pid, in time, total and open, by board."""
    watch = Watch.__new__(Watch)
    watch.samples = {name: [(round(at_s * 1e9), {"pid": pid, "in_time": in_time, "total": total, "open": open_})
                            for at_s, pid, in_time, total, open_ in rows] for name, rows in samples.items()}
    return watch


def test_a_restart_is_an_outage_and_its_open_requests_are_lost() -> None:
    watch = watched(a=[(1.0, 7, 10, 10, 0), (2.0, 7, 12, 12, 0), (3.0, 7, 12, 13, 2), (4.0, 8, 0, 0, 0),
                       (5.5, 8, 1, 1, 0)])
    assert watch.outages_s() == {"a": [3.5]}
    assert watch.lost() == 2


def test_requests_of_a_board_in_its_own_wave_do_not_count() -> None:
    rows: list[Any] = [(1.0, 7, 10, 10, 0), (2.0, 7, 12, 12, 0), (3.0, 7, 12, 14, 0), (4.0, 7, 14, 16, 0)]
    watch = watched(a=rows, b=rows)
    assert watch.on_time(0, 10**10) == (8, 12)
    assert watch.on_time(0, 10**10, {"b": (round(2.5e9), round(3.5e9))}) == (8, 10)


def test_a_disk_is_copied_with_its_holes(tmp_path: Path) -> None:
    with open(tmp_path / "disk", "wb") as file:
        file.truncate(1 << 26)
        for at in (0, 1 << 24, (1 << 26) - 4096):
            file.seek(at)
            file.write(os.urandom(4096))
    cuts.copied(tmp_path / "disk", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == (tmp_path / "disk").read_bytes()
    assert (tmp_path / "copy").stat().st_blocks * 512 < 1 << 20


def test_a_bad_release_replaces_the_agent_and_nothing_else() -> None:
    files = {bad.AGENT: b"[Service]\nWatchdogSec=10\nExecStart=/opt/good agent\n\n[Install]\n", "agent.yaml": b"- cpu"}
    for name in bad.SCRIPTS:
        edited = dict(files)
        bad.named(name)(edited)
        assert b"config/bad.py\n" in edited[bad.AGENT]
        assert edited[bad.AGENT].endswith(b"\n\n[Install]\n")
        compile(edited["bad.py"], "bad.py", "exec")


def test_a_board_serves_once_its_agent_has_ended_one_more_request_or_a_new_agent_its_first() -> None:
    old, new = {"pid": 7, "in_time": 9}, {"pid": 8, "in_time": 0}
    assert not has_served(old, old)
    assert has_served(old, {"pid": 7, "in_time": 10})
    assert not has_served(old, new)
    assert has_served(old, {"pid": 8, "in_time": 1})
    assert not has_served(old, {})
