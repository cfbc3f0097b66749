"""Reports on the disk of a board: what is found after restarts, kills and reboots."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path
from typing import Any

import pytest

from agents.runtime import report_files
from agents.runtime.report_files import ReportFiles
from swarm.core.ports import KeptRecord


def record(number: int, boot: int = 1, at_ns: int = 0) -> KeptRecord:
    return KeptRecord(boot, number, at_ns or number, b"report %d" % number)


def numbers(files: ReportFiles) -> list[int]:
    return [one.number for one in files.found]


def written(folder: Path, count: int, era: str = "now", **more: int) -> ReportFiles:
    """Reports 1, 2, ... of a start that has ended."""
    files = ReportFiles(folder, 1000, era)
    for number in range(1, count + 1):
        files.keep(record(number, **more))
    files.close()
    return files


def test_what_was_kept_is_found_and_what_was_forgotten_is_not(tmp_path: Path) -> None:
    first = ReportFiles(tmp_path, 1000, "now")
    for number in range(1, 6):
        first.keep(record(number))
    first.forget(2, record(2), lost=7)
    first.close()
    again = ReportFiles(tmp_path, 1000, "now")
    assert (again.found, again.lost) == ([record(3), record(4), record(5)], 7)
    again.forget(3, record(5), lost=0)
    again.close()
    assert list(tmp_path.iterdir()) == []


def test_a_torn_tail_is_dropped_and_counted_once(tmp_path: Path) -> None:
    written(tmp_path, 3)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    for cut in range(1, 20):
        path.write_bytes(whole[:-cut])
        torn = ReportFiles(tmp_path, 1000, "now")
        torn.close()
        assert (numbers(torn), torn.lost) == ([1, 2], 1)
    torn = ReportFiles(tmp_path, 1000, "now")
    torn.keep(record(1, boot=2))
    torn.close()
    again = ReportFiles(tmp_path, 1000, "now")
    again.close()
    assert (numbers(again), again.lost) == ([1, 2, 1], 1)


def test_a_flipped_bit_costs_the_rest_of_its_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_files, "FILE_BYTES", 60)
    written(tmp_path, 6)
    first, *others = sorted(tmp_path.iterdir())
    assert others
    damaged = bytearray(first.read_bytes())
    damaged[-1] ^= 1
    first.write_bytes(damaged)
    again = ReportFiles(tmp_path, 1000, "now")
    again.close()
    assert 2 <= len(numbers(again)) < 6
    assert numbers(again)[-1] == 6


def test_files_go_as_their_reports_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_files, "FILE_BYTES", 60)
    files = ReportFiles(tmp_path, 1000, "now")
    for number in range(1, 21):
        files.keep(record(number))
    for number in range(1, 20):
        files.forget(1, record(number), lost=0)
    files.close()
    assert len(list(tmp_path.iterdir())) <= 2
    again = ReportFiles(tmp_path, 1000, "now")
    again.close()
    assert numbers(again) == [20]


def test_many_short_starts_keep_few_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_files, "MOST_FILES", 3)
    for boot in range(1, 7):
        written(tmp_path, 1, boot=boot)
    last = ReportFiles(tmp_path, 1000, "now")
    last.close()
    assert [one.boot for one in last.found] == [4, 5, 6]
    assert last.lost == 3


def test_times_of_earlier_boots_of_the_board_lie_before_this_one(tmp_path: Path) -> None:
    written(tmp_path, 2, era="first", at_ns=500)
    written(tmp_path, 2, era="second", boot=2, at_ns=90)
    written(tmp_path, 1, era="third", boot=3, at_ns=40)
    found = ReportFiles(tmp_path, 1000, "third")
    found.close()
    assert [(one.boot, one.at_ns) for one in found.found] == [(1, 0), (1, 0), (2, 0), (2, 0), (3, 40)]


def test_a_disk_that_takes_nothing_is_told_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "reports"
    files = ReportFiles(folder, 1000, "now")
    folder.rmdir()
    for number in range(1, 4):
        files.keep(record(number))
    files.close()
    assert [one.getMessage() for one in caplog.records] == [
        f"reports cannot be kept on the disk: [Errno 2] No such file or directory: '{folder}/00000001.log'"]


class Full(io.FileIO):
    """The disk takes a part of the third record, and nothing of the rest of it; then it has space again."""

    writes = 0

    def write(self, data: Any, /) -> int:
        Full.writes += 1
        if Full.writes == 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data[:5] if Full.writes == 3 else data)


def test_what_a_full_disk_does_not_take_costs_no_later_report_and_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Full, "writes", 0)
    monkeypatch.setattr(report_files, "open", lambda path, mode, buffering=0: Full(path, mode), raising=False)
    written(tmp_path, 4)
    monkeypatch.undo()
    again = ReportFiles(tmp_path, 1000, "now")
    again.close()
    assert (numbers(again), again.lost) == ([1, 3, 4], 1)
