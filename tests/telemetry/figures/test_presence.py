"""What is due of a robot that is not there all the time: rate x time present, by hand."""

from __future__ import annotations

import msgspec
import pytest

from swarm.telemetry.figures.missed import missed_rows
from swarm.telemetry.figures.presence import Presence
from tests.telemetry.figures.test_missed import LAUNCH, of

VISIT = msgspec.structs.replace(LAUNCH, fleet=[
    msgspec.structs.replace(LAUNCH.fleet[0], count=1, joins_at_s=2.0, leaves_at_s=6.0), LAUNCH.fleet[1]])


def missed(presence: Presence, *numbers: int, ran_s: float = 10.0) -> list[tuple[int, float]]:
    made = missed_rows(VISIT, of("rover_0", *numbers), [], ran_s, presence)
    return [(row.frame.number, round(row.due_s, 6)) for row in made if row.frame]


def there(at_s: float | None) -> Presence:
    presence = Presence(VISIT)
    if at_s is not None:
        presence.joined("rover_0", at_s)
    return presence


def test_all_frames_from_its_joining_to_its_leaving() -> None:
    """It was there from 3 to 6 s, with frames 15 to 29 at 5 Hz."""
    assert missed(there(3.0), *range(15, 30)) == []
    assert missed(there(3.0), *range(16, 29)) == [(15, 3.05), (29, 5.85)]
    assert missed(there(3.0), *range(15, 20), *range(22, 30)) == [(20, 4.05), (21, 4.25)]


def test_one_that_died_while_it_was_there_misses_the_rest_of_its_time() -> None:
    assert len(missed(there(3.0), *range(15, 20))) == 10
    again = there(3.0)
    again.joined("rover_0", 5.0)                     # it was restarted: that changes nothing
    assert len(missed(again, *range(15, 20))) == 10


def test_one_that_was_never_ready_misses_all_of_its_planned_time() -> None:
    frames = missed(there(None))
    assert len(frames) == 20                         # 5 Hz from 2 to 6 s
    assert frames[0] == (10, 2.1)
    assert frames[-1] == (29, 5.9)


@pytest.mark.parametrize(("ran_s", "due"), [(1.0, 0), (2.0, 0), (4.0, 10), (6.0, 20), (10.0, 20)])
def test_a_run_that_ends_early_has_less_of_it(ran_s: float, due: int) -> None:
    assert len(missed(there(None), ran_s=ran_s)) == due


def test_what_is_due_so_far() -> None:
    presence = there(3.0)
    assert [presence.due("rover_0", 5.0, at_s) for at_s in (0.0, 2.9, 3.0, 4.0, 6.0, 9.0)] == [0, 0, 0, 5, 15, 15]
    assert there(None).due("rover_0", 5.0, 5.0) == 0         # not ready yet
    assert [presence.due("mule_0", 5.0, at_s) for at_s in (0.0, 1.0, 9.0)] == [0, 5, 45]
