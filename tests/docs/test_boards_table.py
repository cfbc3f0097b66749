"""The table of docs/boards.md has the run times of the cards on the boards of launch/boards.yaml."""

from __future__ import annotations

import re

import pytest

from models.store import ARTEFACTS, load_card
from swarm.launcher.load import load_boards
from tests.docs.folder import HOUSE

BOARDS = load_boards(HOUSE / "launch" / "boards.yaml")
COLUMNS = [("detector", "int8"), ("detector", "student_int8"), ("segmenter", "int8"), ("segmenter", "student_int8")]
ROW = re.compile(r"^\| `(\w+)` \|[^|]+\|([^|]+)\|([^|]+)\|([^|]+)\|([^|]+)\| (\d+) \|", re.MULTILINE)
ROWS = ROW.findall((HOUSE / "docs" / "boards.md").read_text())


def test_the_table_has_every_class_of_a_jetson() -> None:
    jetsons = {name for name in BOARDS if re.match("orin_n|agx_orin_|thor", name)}
    assert {row[0] for row in ROWS} == jetsons - {"orin_nano"}


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_row_has_what_the_cards_say(row: tuple[str, ...]) -> None:
    board = BOARDS[row[0]]
    assert int(row[5]) == board.power_w
    for cell, (model, variant) in zip(row[1:5], COLUMNS, strict=True):
        run_ms = board.overhead_ms + load_card(model, ARTEFACTS).variants[variant].run_time.p50_ms / board.speed["int8"]
        assert float(cell) == pytest.approx(run_ms, abs=0.5 if run_ms >= 100 else 0.05)
