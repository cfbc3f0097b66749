"""The window on a world, here without a display: a client of PyBullet that shows nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import cast

import pytest

from sim_worlds import process, scenarios
from sim_worlds.engine import Engine
from sim_worlds.physics import bullet
from sim_worlds.viewer import Viewer
from swarm.core.protocol.world import Pose
from swarm.core.settings.process_files import RobotSpec, WorldFile
from swarm.core.units import ns
from swarm.net.process import Process

FLEET = [RobotSpec(name="quad", kind="quadrotor", physics="kinematic"),
         RobotSpec(name="rover", kind="rover", physics="dynamic")]


@pytest.fixture(autouse=True)
def no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    """What asks for a window gets a client without one."""
    monkeypatch.setattr(bullet._p, "GUI", bullet._p.DIRECT)


@pytest.fixture
def patrol() -> Iterator[Engine]:
    world = scenarios.build("patrol", FLEET, 1, render=False)
    assert isinstance(world, Engine)
    with world:
        yield world


def window_of(viewer: Viewer) -> bullet.Bullet:
    assert viewer._window is not None
    return viewer._window.bullet


def test_robots_are_shown_where_they_are(patrol: Engine) -> None:
    viewer = Viewer(patrol, FLEET)
    window = window_of(viewer)
    assert [window.pose(i).x_m for i in range(2)] == pytest.approx(patrol.motion.places[:, 0])
    patrol.motion.places[0] = 1.0, 2.0, 0.5, 1.5, 0.0, 0.0
    viewer.show()
    (place, _), = window.states([0])[0]
    assert place == pytest.approx((1.0, 2.0, 1.5))
    assert window.pose(1).x_m == pytest.approx(patrol.motion.places[1, 0])
    assert patrol.motion.bullet is not None
    assert patrol.motion.bullet.states([0])[0][0][0] != place        # that of the world's physics is another one
    viewer.close()
    viewer.close()
    viewer.show()


def test_targets_that_the_world_moves_are_shown_there() -> None:
    fleet = [RobotSpec(name="rover", kind="rover", physics="kinematic")]
    world = scenarios.build("warehouse", fleet, 1, render=False)
    assert isinstance(world, Engine)
    viewer = Viewer(world, fleet)
    moved = list[tuple[int, float, float, float]]()
    window_of(viewer).move_target = lambda k, x, y, yaw: moved.append((k, x, y, yaw))     # pyright: ignore[reportAttributeAccessIssue]
    viewer.show()
    free = next(c for c in world.environment.clutter
                if all(abs(c.x_m - t.x_m) + abs(c.y_m - t.y_m) > 0.3 for t in world.environment.targets))
    yaw_rad = world.environment.targets[2].yaw_rad   # a long thing lies along its shelf
    world.move_target(2, free.x_m, free.y_m, yaw_rad)
    viewer.show()
    viewer.show()
    assert moved == [(2, free.x_m, free.y_m, yaw_rad)]
    viewer.close()


def test_when_somebody_closes_the_window_the_world_goes_on(patrol: Engine, caplog: pytest.LogCaptureFixture) -> None:
    viewer = Viewer(patrol, FLEET)

    def gone(robot: int, pose: Pose) -> None:
        raise bullet.WindowClosed("Not connected to physics server.")

    window_of(viewer).teleport = gone                        # pyright: ignore[reportAttributeAccessIssue]
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            patrol.motion.places[0, 0] += 0.1
            viewer.show()
            patrol.step()
    assert caplog.messages == ["the window was closed; the run goes on"]


class Slow:
    """A host whose clock goes on by 0.1 s each time that it is read; it keeps what it is asked to call, and when."""

    def __init__(self) -> None:
        self.clock = self.timers = self.host = self
        self._now_ns = 0
        self.set = list[tuple[int, Callable[[], None]]]()

    def now_ns(self) -> int:
        self._now_ns += ns(0.1)
        return self._now_ns

    def after(self, delay_ns: int, callback: Callable[[], None]) -> None:
        self.set.append((delay_ns, callback))


def test_a_window_that_draws_slowly_takes_a_fifth_of_the_time_at_most(patrol: Engine) -> None:
    settings, host = WorldFile(version=1, swarm="t", scenario="patrol", robots=FLEET, gui=True), Slow()
    with process._window(patrol, settings, cast(Process, host)):
        for _ in range(3):
            host.set[-1][1]()
    assert [delay_ns for delay_ns, _ in host.set] == [ns(0.4)] * 4
