"""Scenarios as learning environments: PettingZoo's own tests, rewards, seeds, and what is refused."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("pettingzoo", reason="pip install 'swarm-edge-runtime[gym]'")
from pettingzoo.test import parallel_api_test, parallel_seed_test

from sim_worlds import parallel_env, scenarios
from sim_worlds.learning.world_env import WorldEnv
from swarm.core.protocol.world import Report
from swarm.core.settings.errors import BadInput
from swarm.core.settings.process_files import RobotSpec

EACH = pytest.mark.parametrize("name", scenarios.available())
FORWARD = np.array([1.0, 0.0], np.float32)


@pytest.fixture
def patrol() -> Iterator[WorldEnv]:
    env = parallel_env("patrol", duration_s=0.5)
    env.reset(seed=3)
    yield env
    env.close()


@EACH
def test_pettingzoos_own_tests_pass(name: str) -> None:
    env = parallel_env(name, duration_s=1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parallel_api_test(env, num_cycles=30)
    parallel_seed_test(lambda: parallel_env(name, duration_s=1.0), num_cycles=15)
    env.close()


@pytest.mark.long
@EACH
def test_a_thousand_random_steps_end_without_an_exception(name: str) -> None:
    env = parallel_env(name, duration_s=30.0)
    env.reset(seed=1)
    for agent in env.possible_agents:
        env.action_space(agent).seed(1)
    for _ in range(1000):
        if not env.agents:
            env.reset()
        observed, rewards, *_ = env.step({a: env.action_space(a).sample() for a in env.agents})
        assert all(env.observation_space(a).contains(seen) for a, seen in observed.items())
        assert np.isfinite(list(rewards.values())).all()
    env.close()


def test_an_action_of_one_is_the_top_speed_and_an_episode_ends_after_its_duration(patrol: WorldEnv) -> None:
    ended = []
    for _ in range(5):
        observed, _, terminated, truncated, _ = patrol.step({"rover_0": FORWARD})
        ended.append(truncated["rover_0"])
        assert terminated == {"rover_0": False, "rover_1": False}
    assert ended == [False, False, False, False, True]
    assert observed["rover_0"]["speeds"][0] == pytest.approx(0.46 * 0.97, rel=0.05)      # 0.5 s at 0.9 m/s2
    assert observed["rover_1"]["speeds"][0] == 0.0
    assert patrol.agents == []
    assert patrol.world.time_s == pytest.approx(0.5)


def test_the_reward_is_the_gain_of_the_headline(patrol: WorldEnv) -> None:
    at = patrol.world.scene().robots[0]
    here = Report(kind="corner", values={"x_m": at.x_m, "y_m": at.y_m})
    away = Report(kind="corner", values={"x_m": 99.0, "y_m": 0.0})
    assert (patrol.report("rover_0", here), patrol.report("rover_1", away)) == ("reached", "wrong")
    assert patrol.step({})[1] == {"rover_0": 0.5, "rover_1": 0.5}        # one visit, two robots
    assert patrol.step({})[1] == {"rover_0": 0.0, "rover_1": 0.0}


def test_a_reward_of_ones_own_is_given_the_agent_and_both_missions() -> None:
    env = parallel_env("patrol", reward=lambda agent, before, after: len(agent) + (before is not after))
    env.reset(seed=1)
    assert env.step({})[1] == {"rover_0": 8.0, "rover_1": 8.0}
    env.close()


def test_the_name_of_a_measure_is_a_reward() -> None:
    env = parallel_env("patrol", robots=1, reward="collisions")
    env.reset(seed=1)
    for _ in range(100):
        _, rewards, _, _, infos = env.step({"rover_0": FORWARD})
        if infos["rover_0"]["collisions"]:
            break
    assert rewards == {"rover_0": 1.0}                       # it has met the wall
    env.close()


def starts(env: WorldEnv, *seeds: int | None) -> list[int]:
    return [env.reset(seed=seed)[1]["rover_0"]["seed"] for seed in seeds]


def test_later_worlds_follow_from_the_seed() -> None:
    one, other = (parallel_env("patrol", seed=7) for _ in range(2))
    drawn = starts(one, None, None, None)
    assert drawn[0] == 7
    assert len(set(drawn)) == 3
    assert starts(other, 5, 7, None, None)[1:] == drawn
    one.close()
    other.close()


def test_observations_have_scans_and_true_boxes_where_they_are_asked_for() -> None:
    env = parallel_env("search_rescue", boxes=4)
    observed, _ = env.reset(seed=2)
    assert observed["rover_0"]["scan"].shape == (64,)
    assert observed["rover_0"]["boxes"].shape == (4, 5)
    boxes = env.world.view("rover_0").boxes()
    assert (observed["rover_0"]["boxes"][:, 0] > 0).sum() == min(4, len(boxes))
    env.close()


def test_noisy_scans_stay_in_their_space() -> None:
    fleet = [RobotSpec(name="rover_0", kind="rover", physics="kinematic", sensors="noisy")]
    env = parallel_env("search_rescue", robots=fleet)
    for seed in range(3):
        observed, _ = env.reset(seed=seed)
        assert env.observation_space("rover_0").contains(observed["rover_0"])
    env.close()


def test_a_picture_shows_where_the_robots_are(patrol: WorldEnv) -> None:
    assert patrol.render() is None
    patrol.render_mode = "rgb_array"
    first = patrol.render()
    for _ in range(4):
        patrol.step({"rover_0": FORWARD})
    later = patrol.render()
    assert first is not None
    assert later is not None
    assert first.dtype == np.uint8
    assert first.shape == later.shape
    assert first.shape[2] == 3
    assert (first != later).any()


ROVER = RobotSpec(name="r", kind="rover", physics="kinematic")
WRONG: list[tuple[dict[str, object], str]] = [
    ({"name": "patrl"}, r"name: no scenario is called 'patrl'; did you mean 'patrol'\?"),
    ({"name": 7}, "name: 7 is a whole number, not text"), ({"name": None}, "name: it is empty; text"),
    ({"seed": -1}, "seed: -1 is too small"), ({"seed": "one"}, "seed: 'one' is text, not a whole number"),
    ({"seed": True}, "seed: True is true or false, not a whole number"), ({"seed": 1.5}, "seed: 1.5 is a number"),
    ({"robots": 0}, "robots: 0 is too small"), ({"robots": 100_000}, "robots: .* is too large; at most 1000"),
    ({"robots": "four"}, "robots: 'four' is text"), ({"robots": 2.5}, "robots: 2.5 is a number"),
    ({"robots": []}, "robots: .*robot"), ({"robots": [ROVER, "r2"]}, r"robots\[1\]: 'r2' is no robot; a RobotSpec"),
    ({"robots": [ROVER, ROVER]}, "robots: "),
    ({"physics": "magic"}, "physics: 'magic' is not a choice; one of dynamic"), ({"physics": 1}, "physics: "),
    ({"render_mode": "human"}, "render_mode: 'human' is not a choice; .*rgb_array"),
    ({"duration_s": float("nan")}, "duration_s: nan is not a number"),
    ({"duration_s": "10"}, "duration_s: '10' is text"), ({"duration_s": [1]}, "duration_s: .* is a list"),
    ({"period_s": 0.0}, "period_s: 0 is too small; above 0"),
    ({"period_s": 11.0}, "period_s: 11 s; at most 10"), ({"boxes": -1}, "boxes: -1; 0 to 256"),
    ({"boxes": 1.5}, "boxes: 1.5 is a number"), ({"frames": "yes"}, "frames: 'yes' is text, not true or false"),
    ({"reports": 1}, "reports: 1 is a whole number"), ({"reward": 3.0}, "reward: 3.0 is no reward"),
    ({"reward": "visit"}, r"reward: no measure of patrol is called 'visit'; did you mean 'visits'\?"),
]


@pytest.mark.parametrize(("wrong", "told"), WRONG, ids=str)
def test_what_makes_no_world_is_refused_with_one_line(wrong: dict[str, object], told: str) -> None:
    with pytest.raises(BadInput, match=told) as refused:
        parallel_env(**{"name": "patrol", **wrong})
    assert "\n" not in str(refused.value)


def test_an_option_that_there_is_not_is_an_error_of_type() -> None:
    with pytest.raises(TypeError, match="'robot'"):
        parallel_env("patrol", robot=2)                      # pyright: ignore[reportCallIssue]


def test_numbers_of_numpy_are_numbers() -> None:
    env = parallel_env("patrol", seed=np.int64(3), robots=np.int32(1), duration_s=np.float32(2.0), boxes=np.uint8(1))
    assert env.reset(seed=np.int64(4))[1]["rover_0"]["seed"] == 4     # pyright: ignore[reportArgumentType]
    with pytest.raises(BadInput, match="seed: 'x' is text"):
        env.reset(seed="x")                                  # pyright: ignore[reportArgumentType]
    env.close()


@pytest.mark.parametrize("action", [[0.0], [0.0, float("nan")], [[0.0, 0.0]], ["a", "b"], None, {}], ids=str)
def test_an_action_that_is_none_is_refused(patrol: WorldEnv, action: object) -> None:
    with pytest.raises(BadInput, match="two finite numbers"):
        patrol.step({"rover_0": action})                     # pyright: ignore[reportArgumentType]
    with pytest.raises(BadInput, match="a dict: agent -> its action"):
        patrol.step([FORWARD, FORWARD])                      # pyright: ignore[reportArgumentType]
    with pytest.raises(BadInput, match="nobody"):
        patrol.step({"nobody": FORWARD})
    with pytest.raises(BadInput, match="no agent 'nobody'"):
        patrol.report("nobody", Report(kind="corner", values={}))


def test_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "sim_worlds.learning.world_env")
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(BadInput, match=r"gymnasium is not installed; pip install 'swarm-edge-runtime\[gym\]'$"):
        parallel_env("patrol")


def test_a_quadrotor_is_an_agent_with_four_actions() -> None:
    fleet = [RobotSpec(name="q", kind="quadrotor", physics="kinematic"),
             RobotSpec(name="r", kind="rover", physics="kinematic")]
    env = parallel_env("patrol", robots=fleet, duration_s=1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parallel_api_test(env, num_cycles=15)
    env.reset(seed=1)
    assert (env.action_space("q").shape, env.action_space("r").shape) == ((4,), (2,))
    for _ in range(5):
        seen, *_ = env.step({"q": np.array([0.0, 0.0, -1.0, 0.0], np.float32)})
    assert seen["q"]["speeds"][3] == pytest.approx(-1.0)     # it sinks at its top speed
    assert seen["q"]["pose"][3] == pytest.approx(env.world.scene().robots[0].z_m)
    assert seen["r"]["pose"].shape == (3,)
    with pytest.raises(BadInput, match="four finite numbers"):
        env.step({"q": FORWARD})
    env.close()


def test_a_scenario_for_another_kind_of_robot_has_agents_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenarios.load("patrol"), "KIND", "quadrotor", raising=False)
    env = parallel_env("patrol", duration_s=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parallel_api_test(env, num_cycles=5)
    assert env.possible_agents == ["quadrotor_0", "quadrotor_1"]
    assert env.action_space("quadrotor_0").shape == (4,)
    env.close()
