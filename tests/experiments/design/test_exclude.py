"""Combinations that are not flown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from swarm.core.settings.errors import BadInput
from swarm.core.settings.experiment_file import Figure
from swarm.experiments.design import analysis, contrasts
from swarm.experiments.design.contrasts import Contrast
from swarm.experiments.design.points import blocks, combinations
from swarm.experiments.experiment import Experiment
from swarm.experiments.results.figures.check import arms_shown, check, facts_of
from tests.experiments.files import TINY, file_of, row, write
from tests.experiments.results import fakes

AXES = {"policy": ["local", "greedy"], "robots": [2, 3, 4], "duration_s": [1, 2]}
FEW = [{"duration_s": 2, "robots": [3, 4]}, {"duration_s": 2, "policy": "local"}]
VIRTUAL = {"clock": "virtual", "duration_s": 1}


def left(**keys: Any) -> list[tuple[Any, ...]]:
    return [tuple(one.values.values()) for one in combinations(file_of(**keys), "e.yaml")]


def test_what_an_entry_names_is_not_flown() -> None:
    assert left(axes=AXES, exclude=FEW) == [
        ("local", 2, 1), ("local", 3, 1), ("local", 4, 1),
        ("greedy", 2, 1), ("greedy", 2, 2), ("greedy", 3, 1), ("greedy", 4, 1)]


def test_an_entry_names_values_of_a_zip_and_of_cells_too() -> None:
    assert left(zip=[{"x": [1, 2], "y": [5, 6]}], exclude=[{"y": 5}]) == [(2, 6)]
    assert left(cells=[{"x": 1, "y": True}, {"x": 1, "y": 1}], exclude=[{"y": 1}]) == [(1, True)]
    assert left(axes={"x": [[1, 2], [3]]}, exclude=[{"x": [[1, 2]]}]) == [([3],)]


@pytest.mark.parametrize(("exclude", "told"), [
    ([{}], "exclude[0]: no axis; axis: value, or axis: [value, value]"),
    ([{"robots": 2}, {"robot": 2}], "exclude[1]: 'robot' is no axis of this file; one of policy, robots, duration_s"),
    ([{"robots": 5}], "exclude[0].robots: 5 is no value of this axis; one of 2, 3, 4"),
    ([{"robots": "2"}], 'exclude[0].robots: "2" is no value of this axis; one of 2, 3, 4'),
    ([{"robots": [2, 7]}], "exclude[0].robots: 7 is no value of this axis; one of 2, 3, 4"),
    ([{"robots": []}], "exclude[0].robots: no value; some of 2, 3, 4"),
    ([{"robots": [2, 3]}, {"robots": 4}], "exclude: it leaves no point; entries that leave some"),
])
def test_an_entry_that_makes_no_sense_is_refused(exclude: list[dict[str, Any]], told: str) -> None:
    with pytest.raises(BadInput) as caught:
        combinations(file_of(axes=AXES, exclude=exclude), "e.yaml")
    assert str(caught.value) == f"e.yaml: {told}"


def test_values_that_never_go_together_are_refused() -> None:
    with pytest.raises(BadInput, match=r"exclude\[0\]: no point has all these values"):
        combinations(file_of(zip=[{"x": [1, 2], "y": [5, 6]}], exclude=[{"x": 1, "y": 6}]), "e.yaml")


@pytest.mark.parametrize(("keys", "told"), [
    ({"compare": {"to": "local"}, "exclude": [{"policy": "local"}]},
     "compare.to: no point has policy=local; one of greedy"),
    ({"also": [{"axis": "robots", "to": 3}], "exclude": [{"robots": 3}]},
     "also[0].to: no point has robots=3; one of 2, 4"),
    ({"exclude": [{"policy": "local", "robots": 2}, {"policy": "greedy", "robots": [3, 4]}]},
     "exclude: it leaves nothing to compare: no two points differ in 'policy' alone, one of them with local"),
    ({"also": [{"axis": "robots"}], "exclude": [{"robots": 2, "duration_s": 1}, {"robots": [3, 4], "duration_s": 2}]},
     "also[0].axis: no two points differ in 'robots' alone, one of them with 2"),
])
def test_a_comparison_that_has_lost_its_points_is_refused(tmp_path: Path, keys: dict[str, Any], told: str) -> None:
    path = write(tmp_path, axes=AXES, set={"clock": "virtual"}, **keys)
    with pytest.raises(BadInput) as caught:
        Experiment(path)
    assert str(caught.value).startswith(f"{path}: {told}")


def test_blocks_have_the_arms_that_are_flown_in_their_cell() -> None:
    made = blocks(combinations(file_of(axes=AXES, exclude=FEW), "e.yaml"), [1])
    assert sorted(len(block.combinations) for block in made) == [1, 2, 2, 2]


def test_only_what_was_flown_is_paired_and_counted() -> None:
    """Two policies in the cells of a second; of two seconds there is one point, which only `also` may compare."""
    found = combinations(file_of(axes=AXES, exclude=FEW), "e.yaml")
    rows = [row(one.arm, seed, float(seed), cell=one.cell) for one in found for seed in range(1, 7)]
    pairs = analysis.paired(rows, ["local", "greedy"], "m")
    assert len(pairs) == 3
    assert all(len(a) == len(b) == 6 for a, b in pairs.values())
    assert contrasts.size(Contrast("policy", ["local", "greedy"]), found) == 3
    longer = Contrast("duration_s", ["1", "2"])
    assert contrasts.size(longer, found) == 1
    made = contrasts.comparisons(rows, "policy", [longer], {"m": "higher"})
    assert [(one.cell, one.arm, one.n) for one in made] == [({"policy": "greedy", "robots": 2}, "2", 6)]


def test_fewer_comparisons_need_fewer_seeds(tmp_path: Path) -> None:
    keys: dict[str, Any] = {"axes": {"policy": ["local", "greedy"], "robots": [2, 3]}, "seeds": 6, "set": VIRTUAL}
    assert "at least 7 can" in Experiment(write(tmp_path, **keys)).too_few_seeds()
    few = Experiment(write(tmp_path, **keys, exclude=[{"robots": 3, "policy": "greedy"}]))
    assert few.too_few_seeds() == ""
    assert len([point for block in few.blocks(few.seeds) for point in block]) == 3 * 6


def test_a_control_follows_its_arm() -> None:
    file = file_of(axes=AXES, exclude=FEW, control=True)
    assert [one.values["robots"] for one in combinations(file, "e.yaml") if one.control] == [2, 3, 4]


def test_a_figure_shows_the_arms_that_are_flown_in_its_cells(tmp_path: Path) -> None:
    made = fakes.results(robots=(4,))
    rows = [one for one in made.rows if one.cell[fakes.DELAY] == 5 or one.arm == "planner"]
    facts = facts_of(fakes.counted(fakes.results(rows=rows)))
    at_50 = Figure(name="f", kind="box", metric="on_time_ratio", where={fakes.DELAY: 50, "robots": 4})
    assert arms_shown(at_50, facts) == ["planner"]
    with pytest.raises(BadInput, match="where: no point has all these values"):
        check([Figure(name="f", kind="box", metric="on_time_ratio",
                      where={fakes.DELAY: 50, "robots": 4, "policy": "local"})], facts)


def test_a_file_with_exclusions_is_checked_and_its_launches_are_those_that_fly(tmp_path: Path) -> None:
    made = Experiment(write(tmp_path, axes={"policy": ["local", "greedy"], "robots": [2, 3]}, set=VIRTUAL | {
        "duration_s": TINY["duration_s"]}, exclude=[{"policy": "greedy", "robots": 3}]))
    made.check(lambda text: None)
    assert made.duration_s == 3.0
