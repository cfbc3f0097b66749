"""Which boards are updated together."""

from __future__ import annotations

from swarm.deploy.rollout.waves import waves

SHARES = (0.25, 1.0)


def of(names: str, leaned_on: dict[str, int] | None = None, numbers: dict[str, int | None] | None = None) -> list[str]:
    return ["".join(wave) for wave in waves(list(names), leaned_on or {}, numbers or {}, SHARES)]


def test_one_board_goes_first_then_shares_of_the_rest() -> None:
    assert of("abcdefghi") == ["a", "bc", "defghi"]
    assert of("a") == ["a"]
    assert of("") == []


def test_a_board_that_others_lean_on_is_not_the_first() -> None:
    assert of("abc", {"a": 50}) == ["b", "c", "a"]


def test_boards_that_others_lean_on_never_go_together() -> None:
    made = of("abcdef", {"a": 9, "b": 9, "c": 9})
    assert sorted("".join(made)) == list("abcdef")
    assert all(sum(one in "abc" for one in wave) <= 1 for wave in made)


def test_lower_waves_of_the_inventory_come_first() -> None:
    assert of("abcd", {}, {"c": 1, "d": 1, "a": 2}) == ["c", "d", "a", "b"]
