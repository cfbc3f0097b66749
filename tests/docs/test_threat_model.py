"""Each line of the threat model names a test that there is."""

from __future__ import annotations

import ast
import re

import pytest

from tests.docs.folder import HOUSE

LINES = [line for line in (HOUSE / "ARCHITECTURE.md").read_text().splitlines()
         if re.match(r"\| (stranger|member|haste|launcher) \|", line)]


def test_there_are_strangers_members_and_peers_in_haste() -> None:
    assert len(LINES) >= 20
    assert {line.split()[1] for line in LINES} == {"stranger", "member", "haste", "launcher"}


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.rsplit("::", 1)[-1].rstrip("` |"))
def test_what_is_defended_is_shown_by_a_test(line: str) -> None:
    found = re.search(r"`([\w/]+\.py)::(\w+)` \|$", line)
    assert found, f"no test in {line}"
    tree = ast.parse((HOUSE / "tests" / found[1]).read_text())
    assert found[2] in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
