"""Which moves count as gains: priorities first, by more than chance."""

from __future__ import annotations

import pytest

from swarm.planner.solvers.by_simulation.polish import REST, SURE, is_gain


@pytest.mark.parametrize(("gained", "rest", "gains"), [
    ({0: [1.0, 1.2, 0.8]}, 0.0, True),
    ({0: [1.0, -1.0, 0.6]}, 0.0, False),             # by chance
    ({0: [-1.0, -1.2, -0.8]}, 9.0, False),           # nothing outweighs a loss
    ({0: [2.0, 2.0, 2.0], 5: [-1.0, -1.1, -0.9]}, 9.0, False),       # nor of a more important priority
    ({0: [-2.0, -2.0, -2.0], 5: [1.0, 1.1, 0.9]}, 0.0, True),
    ({0: [1.0, 1.1, 0.9], 5: [0.01, -0.01, 0.0]}, 0.0, True),        # the more important ones are as they were
    ({0: [0.0, 0.0, 0.0]}, 2 * REST, True),
    ({0: [0.0, 0.0, 0.0]}, REST / 2, False),
])
def test_a_gain_is_of_the_most_important_priority_that_changes(
    gained: dict[int, list[float]], rest: float, gains: bool
) -> None:
    assert is_gain(gained, rest, SURE) is gains
