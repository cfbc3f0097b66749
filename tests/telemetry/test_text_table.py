"""Plain tables: nothing is wrapped, cut, coloured or read as markup."""

from __future__ import annotations

import pytest

from swarm.telemetry.text_table import text_table


def test_columns_are_as_wide_as_their_cells_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "20")
    long = "x" * 200
    drawn = text_table(("name", "ms"), [("a", "1.5"), (f"[bold]{long}", "10"), (":smile:",)], right=(1,))
    assert drawn.splitlines() == [f"{'name':206}   ms", f"{'a':206}  1.5", f"[bold]{long}   10", ":smile:"]


def test_a_rule_stands_under_the_header() -> None:
    lines = text_table(("name", "ms"), [("a", "1.5")], rule=True).splitlines()
    assert len(lines) == 3
    assert set(lines[1]) == {"─"}


def test_without_header_there_are_only_rows() -> None:
    assert text_table((), [("a", "b")]) == "a  b\n"
    assert text_table((), []) == ""
