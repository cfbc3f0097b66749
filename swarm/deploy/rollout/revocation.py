"""Tells all boards of a fleet who is enrolled now, after a key was revoked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from swarm.deploy.boards.answers import Done
from swarm.deploy.boards.ports import NotUsable, Unreachable, keeper
from swarm.deploy.rollout.enrolment import enrolled
from swarm.deploy.rollout.fleet import Fleet

AT_ONCE = 32


def tell(fleet: Fleet) -> dict[str, str]:
    """By board: empty if it follows, else why it could not be told; the next push tells it."""
    keys, robots = enrolled(fleet), fleet.inventory.robots()

    def one(robot: str) -> str:
        try:
            keeper(fleet.board(robot), "enrol", Done, {"keys": keys})
        except (Unreachable, NotUsable) as error:
            return f"not told, the next push does: {error}"
        return ""

    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return dict(zip(robots, pool.map(one, robots), strict=True))
    finally:
        fleet.close()
