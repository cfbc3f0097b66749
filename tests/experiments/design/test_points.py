"""From an experiment file to its points."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from swarm.core.settings.errors import BadInput
from swarm.experiments.design.points import arms_of, axes_of, blocks, combinations, compared_axis
from tests.experiments.files import file_of

POLICIES = ["local", "greedy", "planner"]


def values_of(**keys: Any) -> list[dict[str, Any]]:
    return [one.values for one in combinations(file_of(**keys), "e.yaml")]


def test_axes_are_combined_in_the_order_of_the_file() -> None:
    assert values_of(axes={"policy": ["local", "greedy"], "robots": [2, 3]}) == [
        {"policy": "local", "robots": 2}, {"policy": "local", "robots": 3},
        {"policy": "greedy", "robots": 2}, {"policy": "greedy", "robots": 3}]
    assert values_of() == [{}]


def test_axes_of_a_zip_go_together_and_entries_are_combined() -> None:
    assert values_of(zip=[{"x": [1, 2], "y": [10, 20]}, {"z": [0, 5]}]) == [
        {"x": 1, "y": 10, "z": 0}, {"x": 1, "y": 10, "z": 5}, {"x": 2, "y": 20, "z": 0}, {"x": 2, "y": 20, "z": 5}]


def test_cells_are_written_out_and_combined_with_axes() -> None:
    assert values_of(axes={"policy": ["local"]}, cells=[{"x": 1, "y": 2}, {"x": 3, "y": 4}]) == [
        {"policy": "local", "x": 1, "y": 2}, {"policy": "local", "x": 3, "y": 4}]


def test_the_compared_axis_is_the_arm_and_the_others_are_the_cell() -> None:
    file = file_of(axes={"policy": ["local", "greedy"], "robots": [2, 3]})
    assert [(one.cell, one.arm) for one in combinations(file, "e")][1] == ({"robots": 3}, "local")
    file = file_of(axes={"policy": ["local", "greedy"], "robots": [2, 3]}, compare={"axis": "robots", "to": 3})
    found = combinations(file, "e")
    assert [(one.cell, one.arm) for one in found][:2] == [({"policy": "local"}, "2"), ({"policy": "local"}, "3")]
    assert arms_of(file, found, "e") == ["3", "2"]
    assert compared_axis(file, "e") == "robots"
    assert compared_axis(file_of(axes={"robots": [2, 3]}), "e") == ""


def test_a_control_is_the_compared_arm_once_more_in_each_cell() -> None:
    file = file_of(axes={"policy": ["local", "greedy"], "robots": [2, 3]}, compare={"to": "greedy"}, control=True)
    found = combinations(file, "e")
    assert [(one.arm, one.cell["robots"]) for one in found if one.control] == [
        ("greedy (again)", 2), ("greedy (again)", 3)]
    assert arms_of(file, found, "e") == ["greedy", "local", "greedy (again)"]
    assert all(one.values["policy"] == "greedy" for one in found if one.control)


def test_a_control_where_nothing_is_compared_repeats_all_runs() -> None:
    file = file_of(axes={"robots": [2, 3]}, control=True)
    found = combinations(file, "e")
    assert [(one.arm, one.cell["robots"]) for one in found] == [
        ("all runs", 2), ("all runs", 3), ("all runs (again)", 2), ("all runs (again)", 3)]
    assert arms_of(file, found, "e") == ["all runs", "all runs (again)"]
    assert {one.arm for one in combinations(file_of(axes={"robots": [2, 3]}), "e")} == {""}


@pytest.mark.parametrize(("keys", "told"), [
    ({"axes": {"x": [1]}, "zip": [{"x": [2]}]}, r"e.yaml: zip\[0\]: 'x' is varied in axes, too"),
    ({"zip": [{"x": [2]}, {"x": [3]}]}, r"zip\[1\]: 'x' is varied in zip\[0\], too"),
    ({"axes": {"x": [1]}, "cells": [{"x": 2}]}, "cells: 'x' is varied in axes, too"),
    ({"zip": [{"x": [1, 2], "y": [1, 2, 3]}]}, r"zip\[0\]: its axes have 2 and 3 values"),
    ({"zip": [{}]}, r"zip\[0\]: no axis"),
    ({"cells": [{"x": 1}, {"y": 1}]}, "cells: not all entries have the same axes"),
    ({"axes": {"x": [1, 2, 1]}}, "the point x=1 is there twice"),
    ({"axes": {"x": [[1], {"a": [2]}, [1]]}}, r"the point x=\[1\] is there twice"),
    ({"axes": {"policy": POLICIES}, "compare": {"axis": "robots"}}, "compare.axis: 'robots' is no axis of this file"),
    ({"compare": {}}, "compare.axis: 'policy' is no axis of this file"),
    ({"axes": {"policy": POLICIES}, "compare": {"to": "split:2"}}, "compare.to: no point has policy=split:2;"),
    ({"axes": {"x": list(range(200)), "y": list(range(101))}}, "20200 combinations of values; at most 20000"),
    ({"axes": {"seed": [1, 2]}}, "seed is no axis; seeds and first_seed"),
    ({"set": {"seed": 1}}, "seed is no axis; seeds and first_seed"),
])
def test_what_makes_no_sense_is_refused_with_its_place(keys: dict[str, Any], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        combinations(file_of(**keys), "e.yaml")


def test_every_axis_is_named_once() -> None:
    assert axes_of(file_of(axes={"a": [1]}, zip=[{"b": [1], "c": [1]}], cells=[{"d": 1}, {"d": 2}])) == list("abcd")


def test_a_block_is_all_arms_of_a_cell_and_seed() -> None:
    found = combinations(file_of(axes={"policy": POLICIES, "robots": [2, 3]}), "e")
    made = blocks(found, [1, 2, 3, 4])
    assert len(made) == 8
    assert Counter((block.seed, block.cell["robots"]) for block in made) == {
        (seed, robots): 1 for seed in (1, 2, 3, 4) for robots in (2, 3)}
    assert all(sorted(one.arm for one in block.combinations) == sorted(POLICIES) for block in made)
    assert all(one.cell == block.cell for block in made for one in block.combinations)


def test_the_order_of_blocks_and_arms_is_drawn_and_depends_on_nothing_else() -> None:
    found = combinations(file_of(axes={"policy": POLICIES, "robots": [2, 3]}), "e")
    made = blocks(found, range(1, 21))
    assert made == blocks(found, range(1, 21))
    places = [(block.seed, block.cell["robots"]) for block in made]
    assert places != sorted(places)
    assert places != sorted(places, key=lambda place: (place[1], place[0]))
    firsts = Counter(block.combinations[0].arm for block in made)
    assert set(firsts) == set(POLICIES)                      # no policy has always the fresh host
    assert max(firsts.values()) < 30
    later = {(b.seed, b.cell["robots"]): [one.arm for one in b.combinations] for b in blocks(found, range(11, 31))}
    assert all(later[place] == [one.arm for one in block.combinations] for place, block in zip(
        places, made, strict=True) if place in later)        # more seeds change no block that is there
