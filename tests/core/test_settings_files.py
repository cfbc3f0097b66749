"""Settings files as bytes: other encodings, and what is no settings file at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarm.core.settings.errors import BadInput
from swarm.settings_files import MOST_BYTES, load

TEXT = "version: 1\nname: café\n"


def test_utf_8_with_and_without_its_mark(tmp_path: Path) -> None:
    for encoding in ("utf-8", "utf-8-sig"):
        (tmp_path / "x.yaml").write_text(TEXT, encoding=encoding)
        assert load(tmp_path / "x.yaml") == {"version": 1, "name": "café"}


@pytest.mark.parametrize(("content", "told"), [
    (TEXT.encode("latin-1"), "x.yaml: line 2: byte 0xe9 is not UTF-8; a file that was saved as UTF-8"),
    (TEXT.encode("utf-16"), "x.yaml: line 1: byte 0xff is not UTF-8"),
    ("a: 1".encode("utf-16-le"), r"x.yaml: line 1: the character '\x00'"),
    (b"a: 1\n" * (MOST_BYTES // 5 + 1), "x.yaml: over 4 MiB"),
])
def test_other_encodings_are_refused_with_their_line(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    with pytest.raises(BadInput) as refused:
        load(path)
    assert told in str(refused.value)


@pytest.mark.parametrize("name", ["no.yaml", ".", "a\0b", "x" * 5000], ids=["absent", "folder", "nul", "long"])
def test_what_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="a readable YAML file"):
        load(tmp_path / name)
