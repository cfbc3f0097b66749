from __future__ import annotations

from agents.behaviours.search.team import IN_TURN, NEAREST, Audience, Mate
from swarm.core.protocol.world import Pose

HERE = Pose(0.0, 0.0, 0.0)


def mate(x_m: float) -> Mate:
    return Mate(sequence=1, heard_at=0, pose=Pose(x_m, 0.0, 0.0), goal=None, confirming=False)


def test_a_small_team_gets_every_note() -> None:
    team = [f"r{k}" for k in range(NEAREST + IN_TURN)]
    assert Audience(team).choose(HERE, {name: mate(1.0) for name in team}) == ()


def test_of_a_large_team_the_nearest_get_every_note_and_all_get_some() -> None:
    team = [f"r{k:02}" for k in range(40)]
    mates = {name: mate(abs(k - 20.3)) for k, name in enumerate(team)}
    audience, heard = Audience(team), set[str]()
    for _ in range(10):
        chosen = audience.choose(HERE, mates)
        assert len(set(chosen)) == NEAREST + IN_TURN
        assert {f"r{k}" for k in range(17, 25)} <= set(chosen)
        heard |= set(chosen)
    assert heard == set(team)


def test_who_has_heard_nobody_tells_all_in_turn() -> None:
    team = [f"r{k:02}" for k in range(30)]
    audience = Audience(team)
    assert {name for _ in range(3) for name in audience.choose(HERE, {})} == set(team)
