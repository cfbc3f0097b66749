"""The experiments on worlds that come with the package: every point can fly, and what is compared is what is said."""

from __future__ import annotations

import pytest

from swarm.experiments.experiment import Experiment
from swarm.launcher import find

GRIDS = ("worlds", "warehouse", "formation", "convoy", "coverage")
"""The grid of each scenario: its behaviour beside the baseline, perception and physics."""
MOST_POINTS = 200                    # of a grid: rigid bodies are slow


@pytest.mark.parametrize(("name", "axes"), [
    ("perception", ["perception"]), *((name, ["behaviour", "perception", "fleet.*.physics"]) for name in GRIDS)])
def test_the_experiments_on_worlds_can_fly_and_have_seeds_enough(name: str, axes: list[str]) -> None:
    made = Experiment(find.experiment_file(name))
    made.check(lambda text: None)
    assert [made.compared, *(one.axis for one in made.contrasts)] == axes
    assert made.clock == "virtual"
    assert made.keys == {"mission.headline": "mission.headline"}
    assert made.too_few_seeds() == ""
    assert len(made.combinations) * made.file.seeds <= MOST_POINTS


@pytest.mark.parametrize("name", GRIDS)
def test_each_arm_of_a_grid_is_what_it_is_called(name: str) -> None:
    made = Experiment(find.experiment_file(name))
    launch = made.launches.resolved(made.combinations[0]).launch
    assert (launch.scenario, made.file.compare.to) == (
        ("search_rescue", "search_baseline") if name == "worlds" else (name, f"{name}_baseline"))
    for one in made.combinations:
        resolved = made.launches.resolved(one)
        physics = {fleet.physics for fleet in resolved.launch.fleet}
        assert (resolved.behaviour, resolved.launch.perception, physics) == (
            one.values["behaviour"], one.values["perception"], {one.values["fleet.*.physics"]})
