"""The folder of an experiment: its journal outlives everything, and one command at a time writes."""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from swarm.core.settings.errors import BadInput
from swarm.experiments.store import FILE, JOURNAL, POINTS, Folder, Store, summary_of
from tests.experiments.files import ran


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def store(out: Path) -> Iterator[Store]:
    made = Store(out, "version: 1\n", resume=False)
    yield made
    made.close()


WHOLE = b"PAR1" + b"x" * 20 + (10).to_bytes(4, "little") + b"PAR1"
"""Requests, as far as a look at their ends can tell."""


def repr_of(line: bytes) -> str:
    return repr(line[:20])


def reopened(out: Path) -> list[str]:
    """The ids of the runs that a resumed command finds."""
    store = Store(out, "", resume=True)
    store.close()
    return [one.id for one in store.ran]


def test_what_was_recorded_is_there_again(store: Store, out: Path) -> None:
    runs = [ran("a"), ran("b", "busy"), ran("c", error="böse\nzwei")]
    for one in runs:
        store.record(one)
    store.close()
    assert Folder(out).runs() == runs
    assert Folder(out / "nowhere").runs() == []
    assert (out / FILE).read_text() == "version: 1\n"


@pytest.mark.parametrize("cut", [1, 10, 40])
def test_a_torn_last_line_is_dropped_and_the_journal_goes_on(store: Store, out: Path, cut: int) -> None:
    store.record(ran("a"))
    store.record(ran("b"))
    store.close()
    content = (out / JOURNAL).read_bytes()
    (out / JOURNAL).write_bytes(content[:-cut])
    again = Store(out, "", resume=True)
    assert [one.id for one in again.ran] == ["a"]
    again.record(ran("c"))
    again.close()
    assert reopened(out) == ["a", "c"]


@pytest.mark.parametrize("damage", [
    b"{}\n", b"\x00\x00\n", b"[1]\n", b'{"id": 3, "took_s": 1}\n', b"\xff\n", b"\n", b"[" * 200_000 + b"\n",
    b'{"id": "a", "took_s": 1.0, "values": {"m": NaN}}\n', b"\xff\xfe\n"], ids=repr_of)
def test_a_damaged_line_is_refused_with_its_number(store: Store, out: Path, damage: bytes) -> None:
    store.record(ran("a"))
    store.close()
    line = (out / JOURNAL).read_bytes()
    (out / JOURNAL).write_bytes(line + damage + line)
    with pytest.raises(BadInput, match=r"journal.jsonl: line 2: ") as told:
        Store(out, "", resume=True)
    assert "utf-16" not in str(told.value)           # which nobody wrote
    assert (out / JOURNAL).read_bytes() == line + damage + line
    (out / JOURNAL).write_bytes(line)
    assert reopened(out) == ["a"]                            # the refusal gave up the folder


def test_a_figure_may_be_infinite(store: Store, out: Path) -> None:
    one = msgspec.structs.replace(ran("a"), values={"m": math.inf, "n": -math.inf, "o": None})
    store.record(one)
    store.close()
    assert Folder(out).runs() == [one]


def test_a_journal_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / JOURNAL).mkdir()
    with pytest.raises(BadInput, match=r"journal\.jsonl: Is a directory"):
        Folder(tmp_path).runs()
    with pytest.raises(BadInput, match=r"journal\.jsonl: Is a directory"):
        Store(tmp_path, "", resume=True)


def test_a_file_is_no_folder_to_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match=r"file: it is a file; the folder of an experiment"):
        Folder(tmp_path / "file").runs()


def test_a_second_command_on_the_folder_is_refused(store: Store, out: Path) -> None:
    with pytest.raises(BadInput, match="another command runs this experiment"):
        Store(out, "", resume=True)
    store.close()
    assert reopened(out) == []


def test_a_folder_with_runs_is_only_resumed(store: Store, out: Path) -> None:
    store.record(ran("a"))
    store.close()
    with pytest.raises(BadInput, match="1 runs are there; --resume to go on"):
        Store(out, "", resume=False)
    assert reopened(out) == ["a"]


def test_a_folder_of_other_things_is_not_touched(out: Path) -> None:
    out.mkdir()
    (out / "thesis.tex").write_text("years of work")
    for resume in (True, False):
        with pytest.raises(BadInput, match="the folder holds other things"):
            Store(out, "", resume=resume)
    assert os.listdir(out) == ["thesis.tex"]


def test_a_folder_with_an_experiment_file_of_the_users_is_not_touched(out: Path) -> None:
    """Unless it is this very file: then a command was killed before it had a journal."""
    out.mkdir()
    (out / FILE).write_text("version: 1  # mine")
    for resume in (True, False):
        with pytest.raises(BadInput, match="the folder holds other things"):
            Store(out, "version: 1\n", resume=resume)
    assert (out / FILE).read_text() == "version: 1  # mine"
    Store(out, "version: 1  # mine", resume=False).close()
    assert (out / JOURNAL).exists()


def test_a_file_in_the_place_of_the_folder_is_refused(out: Path) -> None:
    out.write_text("")
    with pytest.raises(BadInput, match="--out"):
        Store(out, "", resume=False)


def test_a_newer_run_takes_the_place_of_the_older_one(store: Store) -> None:
    store.keep("a", {"summary.json": b'{"n": 1}', "logs/x.log": b"x", "old.jsonl": b""})
    assert summary_of(store.folder("a")) == {"n": 1}
    store.keep("a", {"summary.json": b'{"n": 2}'})
    assert summary_of(store.folder("a")) == {"n": 2}
    assert os.listdir(store.folder("a")) == ["summary.json"]
    assert os.listdir(store.path / POINTS) == ["a"]


@pytest.mark.parametrize("content", [None, b"", b"[]", b"\xff", b"[" * 200_000], ids=lambda given: str(given)[:20])
def test_a_summary_that_cannot_be_read_is_none(store: Store, content: bytes | None) -> None:
    store.keep("a", {} if content is None else {"summary.json": content})
    assert summary_of(store.folder("a")) is None


@pytest.mark.parametrize(("name", "content"), [
    ("summary.json", b"{"), ("summary.json", b""), ("requests.parquet", b""), ("requests.parquet", b"PAR1PAR1"),
    ("requests.parquet", b"garbage, and much of it"), ("requests.parquet", WHOLE[:-1]),
    ("requests.parquet", WHOLE[1:]), ("requests.parquet", b"PAR1" + b"\xff" * 20 + b"PAR1")])
def test_a_damaged_run_folder_is_none(store: Store, name: str, content: bytes) -> None:
    whole = {"summary.json": b"{}", "requests.parquet": WHOLE}
    store.keep("a", whole)
    assert store.has(ran("a"))
    store.keep("a", {**whole, name: content})
    assert not store.has(ran("a"))
    assert store.has(ran("a", error="it failed"))


def test_a_line_is_written_as_a_whole_whatever_a_write_takes(
    store: Store, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow:
        """A file that takes three bytes at a time, until the disk is full."""

        def __init__(self, most: int) -> None:
            self.file, self.most = open(out / JOURNAL, "ab", buffering=0), most  # noqa: SIM115 - closed below

        def write(self, content: bytes) -> int:
            if self.most <= 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), JOURNAL)
            self.most -= 3
            return self.file.write(content[:3])

        def close(self) -> None:
            self.file.close()

    monkeypatch.setattr(store, "_file", Slow(1000))
    store.record(ran("a"))
    store._file.close()
    monkeypatch.setattr(store, "_file", Slow(30))
    with pytest.raises(OSError, match="No space left"):
        store.record(ran("b"))
    store.close()
    assert reopened(out) == ["a"]
