"""The commands, files and programs that a page of the documentation shows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple

from tests.docs.folder import HOUSE

PAGES = [*sorted(HOUSE.glob("*.md")), *sorted((HOUSE / "docs").glob("*.md"))]
BLOCK = re.compile(r"(?:Save this as `(?P<file>[^`]+)`:\n\n)?```(?P<language>\w*)\n(?P<text>.*?)```", re.DOTALL)
SWARM = ("swarm", ".venv/bin/swarm")


class Block(NamedTuple):
    """A fenced block: its language, its text, and the file that it is to be saved as."""

    language: str
    text: str
    file: str


def blocks(page: Path) -> list[Block]:
    return [Block(found["language"], found["text"], found["file"] or "") for found in BLOCK.finditer(page.read_text())]


def commands(page: Path) -> list[list[str]]:
    """The words after `swarm` of each command in a `sh` block."""
    return [words[1:] for words in typed(page) if words[0] in SWARM]


def typed(page: Path) -> list[list[str]]:
    """The words of each line of its `sh` blocks."""
    lines = [shlex.split(line, comments=True) for block in blocks(page) if block.language == "sh"
             for line in block.text.splitlines()]
    return [words for words in lines if words]
