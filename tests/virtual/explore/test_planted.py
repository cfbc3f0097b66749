"""The planted faults still fit the code, and one of them is found; `make planted` finds all."""

from __future__ import annotations

import pytest

from tests.virtual.explore.planted.__main__ import line, searched
from tests.virtual.explore.planted.copies import changed
from tests.virtual.explore.planted.faults import FAULTS, Change, Planted


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_fits_the_code(fault: Planted) -> None:
    for file, text in changed(fault).items():
        compile(text, file, "exec")


def test_a_fault_that_does_not_fit_the_code_is_refused() -> None:
    for old, times in (("    no such text", 0), ("self", "[1-9][0-9]+")):
        with pytest.raises(ValueError, match=f"misfit: agents/robot.py has {times} times"):
            changed(Planted("misfit", "", [Change("agents/robot.py", old, "")]))


def test_the_faults_have_names_of_their_own() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 18


@pytest.mark.long
def test_a_planted_fault_is_found_in_a_copy_of_the_code_and_shrunk() -> None:
    row = searched(next(fault for fault in FAULTS if fault.name == "a partition leaks"), most=20)
    assert row["good"], row
    assert (row["size"], row["faults"]) == ("small", 1)
    assert "a partition holds" in line(row)
