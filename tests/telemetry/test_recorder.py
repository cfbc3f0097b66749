"""Run folders: nothing foreign is overwritten, what is written can be read, a full disk costs no figures."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import msgspec
import numpy as np
import pytest

from swarm.core.policy.plan import Plan
from swarm.core.protocol.spans import LegRun, Span
from swarm.core.protocol.world import Pose
from swarm.core.settings.errors import BadInput
from swarm.telemetry import table
from swarm.telemetry.provenance import manifest
from swarm.telemetry.recorder import FILES, RunFolder, new_folder
from tests.telemetry import fakes


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_folder_with_other_things_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(BadInput, match="is not a run folder"):
        RunFolder(tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "mine"


def test_an_earlier_run_is_replaced_unless_it_holds_something_else(tmp_path: Path) -> None:
    out = tmp_path / "runs" / "a"
    earlier = RunFolder(out)
    earlier.event(0.0, "x", "y")
    earlier.summary({"a": 1})
    (earlier.folder("logs") / "rover_0.log").write_text("hello")
    earlier.close()
    RunFolder(out)
    assert [p.name for p in out.iterdir()] == ["manifest.json"]
    (out / "notes.md").write_text("mine")
    with pytest.raises(BadInput, match=r"notes\.md"):
        RunFolder(out)
    assert (out / "notes.md").exists()


def test_a_path_that_cannot_be_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="--out"):
        RunFolder(tmp_path / "file")
    with pytest.raises(BadInput, match="--out"):
        RunFolder(tmp_path / "file" / "below")


def test_a_complete_run_leaves_every_file_and_nothing_temporary(tmp_path: Path) -> None:
    fakes.write_run(tmp_path, fakes.launch(duration_s=10))
    assert {p.name for p in tmp_path.iterdir()} == set(FILES) - {"report.html"}
    assert [e["what"] for e in lines(tmp_path / "events.jsonl")] == ["start", "killed", "killed"]
    assert len(lines(tmp_path / "paths.jsonl")) == 50


def test_plans_are_written_once_per_epoch_and_poses_at_most_five_times_a_second(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for epoch in (1, 1, 2, 2):
        folder.plan(0.5, Plan(epoch=epoch, lease_s=3.0, placements=[]))
    folder.plan(9.0, Plan(epoch=1, lease_s=3.0, placements=[]), boot=2)
    for k in range(21):
        folder.pose(k / 20, {"rover_0": Pose(1.0, 2.0, 0.5), "quad_0": Pose(1.0, 2.0, 0.5, 1.5)})
    folder.close()
    assert [p["epoch"] for p in lines(tmp_path / "plans.jsonl")] == [1, 2, 1]
    assert [p["time_s"] for p in lines(tmp_path / "paths.jsonl")] == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert lines(tmp_path / "paths.jsonl")[0]["robots"] == {
        "rover_0": [1.0, 2.0, 0.5], "quad_0": [1.0, 2.0, 0.5, 1.5, 0.0, 0.0]}


def test_requests_come_back_from_parquet_as_they_were(tmp_path: Path) -> None:
    rows = fakes.ledger(fakes.launch(duration_s=5)).close()
    rows[3].ended_at_s = None
    rows[4].span.legs = [LegRun(agent="rover_0", first=0, last=2, run_s=0.5),
                         LegRun(agent="carrier_0", first=2, last=4)]
    RunFolder(tmp_path).requests(rows)
    back = table.read(tmp_path / "requests.parquet")
    for field in msgspec.structs.fields(Span):
        if field.name != "request":
            there = [msgspec.to_builtins(getattr(r.span, field.name)) for r in rows]
            assert back[field.name].tolist() == there, field.name
    assert back["agent"].tolist() == [r.span.request.agent for r in rows]
    assert back["at_s"].tolist() == [r.at_s for r in rows]
    assert np.isnan(back["ended_at_s"][3])
    result = np.isin(back["ending"].astype(str), ["completed", "late"])
    assert (np.isnan(back["latency_ms"]) == ~result).all()
    assert {n: c.dtype for n, c in table.empty().items()} == {n: c.dtype for n, c in back.items()}


def test_a_full_disk_is_told_once_and_costs_the_caller_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder(tmp_path)
    folder.summary({"on_time_ratio": 0.9})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(Path, "write_bytes", full)
    folder.summary({"on_time_ratio": 1.0})
    folder.manifest({"seed": 1})
    assert folder.trouble == f"cannot write {tmp_path / 'summary.json'}: No space left on device"
    assert json.loads((tmp_path / "summary.json").read_text()) == {"on_time_ratio": 0.9}
    monkeypatch.setattr(table, "write", full)
    folder.requests([])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["manifest.json", "summary.json"]


def test_what_a_full_disk_did_not_take_is_counted_and_the_rest_goes_on(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.event(1.0, "a", "before")
    folder.full = True
    for at_s in (2.0, 3.0):
        folder.event(at_s, "a", "while")
    folder.summary({"x": 1})
    folder.full = False
    folder.event(4.0, "a", "after")
    folder.summary({"x": 2})
    folder.close()
    assert folder.unwritten == {"events.jsonl": 2, "summary.json": 1}
    assert folder.trouble == ""                              # it was meant
    assert [json.loads(line)["what"] for line in (tmp_path / "events.jsonl").read_text().splitlines()] == [
        "before", "after"]
    assert json.loads((tmp_path / "summary.json").read_text()) == {"x": 2}


def test_a_line_that_a_full_disk_cut_off_does_not_spoil_the_next_one(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.event(1.0, "a", "before")
    real = folder._lines["events.jsonl"]

    class Filling:
        """Takes five bytes, then has no room."""

        left = 5

        def write(self, data: bytes) -> int:
            if not self.left:
                raise OSError(28, "No space left on device")
            self.left -= (taken := real.write(data[:self.left]))
            return taken

        def fileno(self) -> int:
            return real.fileno()

    folder._lines["events.jsonl"] = Filling()
    folder.event(2.0, "a", "cut off")
    folder.event(3.0, "a", "none of it")
    folder._lines["events.jsonl"] = real
    folder.event(4.0, "a", "after")
    folder.close()
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    assert [lines[1], json.loads(lines[2])["what"]] == ['{"at_', "after"]
    assert folder.unwritten == {"events.jsonl": 2}
    assert "No space left" in folder.trouble


def test_a_number_that_no_table_holds_costs_the_table_only(tmp_path: Path) -> None:
    rows = fakes.ledger(fakes.launch(duration_s=5)).close()
    rows[3].span.captured_ns = 2**63
    folder = RunFolder(tmp_path)
    folder.requests(rows)
    folder.summary({"on_time_ratio": 0.9})
    assert folder.trouble.startswith(f"cannot write {tmp_path / 'requests.parquet'}: ")
    assert "\n" not in folder.trouble
    assert sorted(p.name for p in tmp_path.iterdir()) == ["manifest.json", "summary.json"]


def test_a_folder_that_vanishes_is_trouble_and_not_a_crash(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    (tmp_path / "run" / "manifest.json").unlink()
    (tmp_path / "run").rmdir()
    folder.event(1.0, "a", "b")
    folder.event(2.0, "a", "c")
    folder.scene(b"{}")
    folder.requests([])
    folder.close()
    assert folder.unwritten == {"events.jsonl": 2, "scene.json": 1, "requests.parquet": 1}
    assert folder.trouble.startswith(f"cannot write {tmp_path / 'run' / 'events.jsonl'}: No such file")


def test_the_manifest_says_what_was_run_and_on_what(tmp_path: Path) -> None:
    facts = manifest(fakes.launch(boards=fakes.BOARDS), ["swarm", "launch", "x"], 1.5, "1a2b", "tiny")
    RunFolder(tmp_path).manifest(facts)
    back = json.loads((tmp_path / "manifest.json").read_text())
    assert back["launch"]["fleet"][0]["name"] == "rover"
    assert back["boards"]["orin_nano"]["speed"] == {"fp32": 0.15, "int8": 0.15}
    assert back["versions"]["numpy"] == np.__version__
    assert back["host"]["cores"] >= 1
    assert back["revision"] == "1a2b"


# --- the folder is one run's ---


def test_a_second_run_into_the_same_folder_is_refused_until_the_first_gives_it_up(tmp_path: Path) -> None:
    first = RunFolder(tmp_path / "run")
    first.event(0.0, "a", "kept")
    with pytest.raises(BadInput, match="another run writes into this folder"):
        RunFolder(tmp_path / "run")
    assert [e["what"] for e in lines(tmp_path / "run" / "events.jsonl")] == ["kept"]
    first.close()
    second = RunFolder(tmp_path / "run")
    with pytest.raises(BadInput, match="another run writes"):
        RunFolder(tmp_path / "run")
    del second                                               # as at the end of its process, however it ends
    RunFolder(tmp_path / "run")


def test_whoever_inherits_the_lock_holds_it(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[folder.lock]):       # it ends when we leave
        folder.close()
        with pytest.raises(BadInput, match="another run writes"):
            RunFolder(tmp_path / "run")
    RunFolder(tmp_path / "run")


def test_new_folders_never_have_the_same_name(tmp_path: Path) -> None:
    names = [new_folder(tmp_path / "runs" / "patrol-20260101-120000").name for _ in range(3)]
    assert names == ["patrol-20260101-120000", "patrol-20260101-120000-2", "patrol-20260101-120000-3"]
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="--out"):
        new_folder(tmp_path / "file" / "run")


# --- what lies outside fails ---


def test_a_folder_whose_name_is_not_utf_8_is_refused_and_other_names_that_are_not_are_written(tmp_path: Path) -> None:
    odd = os.fsdecode(b"caf\xe9")
    with pytest.raises(BadInput, match="the path is not UTF-8"):
        RunFolder(tmp_path / odd)
    folder = RunFolder(tmp_path / "run")
    folder.manifest({"command": ["swarm", "launch", odd]})
    folder.event(0.0, "a", "b", {"file": odd})
    assert json.loads((tmp_path / "run" / "manifest.json").read_text(encoding="utf-8"))["command"][2] == odd
    assert (folder.trouble, lines(tmp_path / "run" / "events.jsonl")[0]["detail"]) == ("", {"file": odd})


def test_a_folder_that_is_moved_takes_what_comes_and_is_found(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.event(0.0, "a", "before")
    (tmp_path / "run").rename(tmp_path / "moved")
    RunFolder(tmp_path / "run")                              # another one in its place
    folder.event(0.0, "a", "after")
    folder.summary({"x": 1})
    assert (folder.trouble, folder.path) == ("", tmp_path / "moved")
    assert [e["what"] for e in lines(tmp_path / "moved" / "events.jsonl")] == ["before", "after"]
    assert json.loads((tmp_path / "moved" / "summary.json").read_text()) == {"x": 1}
    assert not (tmp_path / "run" / "summary.json").exists()


def test_a_history_that_is_removed_begins_again_and_what_it_had_is_counted(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for what in ("lost", "lost too"):
        folder.event(0.0, "a", what)
    (tmp_path / "events.jsonl").unlink()
    folder.event(0.0, "a", "kept")
    assert [e["what"] for e in lines(tmp_path / "events.jsonl")] == ["kept"]
    assert folder.unwritten == {"events.jsonl": 2}


def test_a_report_that_cannot_be_written_is_said_and_not_raised(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    shutil.rmtree(tmp_path / "run")
    assert folder.report() is None
    assert folder.trouble.startswith("cannot write the report: ")


def test_the_facts_of_the_manifest_ask_no_other_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are gathered within the run, where git could hold up the loop for seconds."""
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("a program was started"))
    manifest(fakes.launch(boards=fakes.BOARDS), ["swarm"], 1.5, "1a2b", "tiny")
