"""The picture of a world in README is what the command beside it draws."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib
import pytest

from swarm.cli.main import main
from tests.docs.folder import HOUSE
from tests.docs.pages import PAGES, commands


def test_the_picture_in_readme_is_drawn_by_the_command_beside_it(tmp_path: Path) -> None:
    (page,) = (page for page in PAGES if page.name == "README.md")
    (words,) = (words for words in commands(page) if words[:2] == ["worlds", "render"] and "docs/world.svg" in words)
    assert re.search(r"!\[.+\]\(docs/world\.svg\)", page.read_text(encoding="utf-8"))
    shown = (HOUSE / "docs" / "world.svg").read_text(encoding="utf-8")
    if f"Matplotlib v{matplotlib.__version__}," not in shown:
        pytest.skip("another version of Matplotlib has drawn it")
    assert main([str(tmp_path / "world.svg") if word == "docs/world.svg" else word for word in words]) == 0
    assert (tmp_path / "world.svg").read_text(encoding="utf-8") == shown
