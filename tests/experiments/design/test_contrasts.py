"""Further axes that are compared over the same runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from swarm.core.settings.errors import BadInput
from swarm.experiments.design import analysis
from swarm.experiments.design.contrasts import Contrast, comparisons, contrasts, size, turned
from swarm.experiments.design.points import combinations
from swarm.experiments.experiment import Experiment
from swarm.experiments.statistics.stopping import StopWhen
from tests.experiments.files import TINY, file_of, row, write

AXES = {"policy": ["local", "greedy"], "robots": [2, 3, 4], "x": [0, 1]}
ROBOTS = Contrast("robots", ["3", "2", "4"])


def found(**keys: Any) -> Sequence[Contrast]:
    file = file_of(axes=AXES, **keys)
    return contrasts(file, combinations(file, "e.yaml"), "e.yaml")


def test_the_values_of_each_further_axis_and_the_one_that_the_others_are_compared_with() -> None:
    assert found() == []
    assert found(also=[{"axis": "robots", "to": 3}, {"axis": "x"}]) == [ROBOTS, Contrast("x", ["0", "1"])]


@pytest.mark.parametrize(("keys", "told"), [
    ({"also": [{"axis": "robot"}]}, "also[0].axis: 'robot' is no axis of this file; one of policy, robots, x"),
    ({"also": [{"axis": "x"}, {"axis": "policy"}]}, "also[1].axis: 'policy' is compared already; each axis once"),
    ({"also": [{"axis": "x"}, {"axis": "x"}]}, "also[1].axis: 'x' is compared already"),
    ({"also": [{"axis": "robots", "to": 5}]}, "also[0].to: no point has robots=5; one of 2, 3, 4"),
    ({"also": [{"axis": "y"}], "zip": [{"y": [1, 2], "z": [1, 2]}]}, "also[0].axis: no two points differ in 'y' alone"),
])
def test_an_axis_that_cannot_be_compared_is_refused(keys: dict[str, Any], told: str) -> None:
    with pytest.raises(BadInput) as caught:
        found(**keys)
    assert str(caught.value).startswith(f"e.yaml: {told}")


def test_the_control_is_no_point_that_differs_from_its_own() -> None:
    with pytest.raises(BadInput, match="no two points differ"):
        found(control=True, zip=[{"y": [1, 2], "z": [1, 2]}], also=[{"axis": "y"}])


def test_rows_turned_to_another_axis_by_hand() -> None:
    rows = [row("local", 1, 5.0, cell={"robots": 2, "x": 0}), row("greedy", 1, 6.0, cell={"robots": 2, "x": 0}),
            row("local (again)", 1, 7.0, cell={"robots": 2, "x": 0})]
    made = turned(rows, "policy", "robots")
    assert [(one.cell, one.arm, one.values["m"]) for one in made] == [
        ({"policy": "local", "x": 0}, "2", 5.0), ({"policy": "greedy", "x": 0}, "2", 6.0)]
    assert [one.cell for one in rows[:1]] == [{"robots": 2, "x": 0}]             # as it was
    alone = turned([row("", 1, 5.0, cell={"robots": 2, "x": 0})], "", "x")
    assert (alone[0].cell, alone[0].arm) == ({"robots": 2}, "0")


def rows_of(seeds: int) -> list[Any]:
    """The second policy is better by 10, each robot by the seed."""
    return [row(policy, seed, 10.0 * (policy == "greedy") + seed * robots, cell={"robots": robots})
            for robots in (2, 3, 4) for seed in range(1, seeds + 1) for policy in ("local", "greedy")]


def test_a_further_comparison_by_hand() -> None:
    """Four robots against three: differences 1 to 6, as in the test of the analysis; two robots: -1 to -6."""
    made = comparisons(rows_of(6), "policy", [ROBOTS], {"m": "higher"})
    assert [(one.cell, one.arm, one.against, one.n, one.difference) for one in made] == [
        ({"policy": "local"}, "2", "3", 6, -3.5), ({"policy": "local"}, "4", "3", 6, 3.5),
        ({"policy": "greedy"}, "2", "3", 6, -3.5), ({"policy": "greedy"}, "4", "3", 6, 3.5)]
    assert made[1].interval == (1.0, 6.0)
    assert {one.p for one in made} == {2 / 2**6}
    assert {one.p_adjusted for one in made} == {4 * 2 / 2**6}                    # four comparisons are its family
    assert len(made) == size(ROBOTS, combinations(file_of(axes={k: AXES[k] for k in ("policy", "robots")}), "e"))


def test_a_further_axis_changes_nothing_about_the_compared_one() -> None:
    rows = rows_of(7)
    alone = analysis.comparisons(rows, ["local", "greedy"], {"m": "higher"})
    comparisons(rows, "policy", [ROBOTS], {"m": "higher"})
    assert analysis.comparisons(rows, ["local", "greedy"], {"m": "higher"}) == alone


def test_where_seeds_were_added_by_a_rule_the_intervals_of_further_axes_are_wider_too() -> None:
    more, rule = [Contrast("robots", ["3", "4"])], {"m": StopWhen(half_width=0.5, first=6, batch=4, most=30)}
    plain = comparisons(rows_of(20), "policy", more, {"m": "higher"})[0]
    looked = comparisons(rows_of(20), "policy", more, {"m": "higher"}, rule)[0]
    assert plain.interval is not None
    assert looked.interval is not None
    assert looked.interval[1] - looked.interval[0] > plain.interval[1] - plain.interval[0]


def test_in_real_time_further_axes_are_refused(tmp_path: Path) -> None:
    keys: dict[str, Any] = {"axes": {"policy": ["local", "greedy"], "robots": [2, 3]}, "also": [{"axis": "robots"}]}
    Experiment(write(tmp_path, **keys, set={"duration_s": 1, "clock": "virtual"})).check(lambda text: None)
    with pytest.raises(BadInput, match=r"also: in real time runs that differ .* clock: virtual, or"):
        Experiment(write(tmp_path, **keys, set={"duration_s": 1, "clock": "real"})).check(lambda text: None)


def test_too_few_seeds_for_a_further_axis_are_told(tmp_path: Path) -> None:
    """Two policies in one cell need six seeds; three fleets in two cells are four comparisons, and need eight."""
    axes = {"policy": ["local", "greedy"], "robots": [2, 3, 4]}
    assert Experiment(write(tmp_path, axes={"policy": AXES["policy"]}, seeds=6, set=TINY)).too_few_seeds() == ""
    told = Experiment(write(tmp_path, axes=axes, seeds=6, set={"duration_s": 1, "clock": "virtual"},
                            also=[{"axis": "robots"}])).too_few_seeds()
    assert told == "6 seeds may not show a difference in any of 4 comparisons: at least 8 can, or fewer comparisons"
