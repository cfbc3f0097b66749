"""The experiments on worlds that come with the package: every point can fly, and what is compared is what is said."""

from __future__ import annotations

import pytest

from swarm.experiments.experiment import Experiment
from swarm.launcher import find


@pytest.mark.parametrize(("name", "axes"), [
    ("perception", ["perception"]), ("worlds", ["behaviour", "perception", "fleet.*.physics"])])
def test_the_experiments_on_worlds_can_fly_and_have_seeds_enough(name: str, axes: list[str]) -> None:
    made = Experiment(find.experiment_file(name))
    made.check(lambda text: None)
    assert [made.compared, *(one.axis for one in made.contrasts)] == axes
    assert made.clock == "virtual"
    assert made.keys == {"mission.headline": "mission.headline"}
    assert made.too_few_seeds() == ""


def test_each_arm_of_worlds_is_what_it_is_called() -> None:
    made = Experiment(find.experiment_file("worlds"))
    for one in made.combinations:
        resolved = made.launches.resolved(one)
        physics = {fleet.physics for fleet in resolved.launch.fleet}
        assert (resolved.behaviour, resolved.launch.perception, physics) == (
            one.values["behaviour"], one.values["perception"], {one.values["fleet.*.physics"]})
