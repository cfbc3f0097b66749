"""The folder of policies is the registry: every file is listed, one more file is one more policy."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import msgspec
import pytest

from swarm.core.policy import policies
from swarm.core.policy.cost import PeerView
from swarm.core.policy.link import LinkQuality
from swarm.core.policy.plan import Placement, Profile
from swarm.core.policy.route import Situation
from swarm.core.settings import rules
from swarm.core.settings.errors import BadInput
from swarm.planner import policies as placed

FRUGAL = '''
"""`frugal:VARIANT`: every request stays at home, on one variant."""

from functools import partial

from swarm.core.policy.plan import Leg
from swarm.core.policy.policies import Policy, PolicyFamily
from swarm.core.policy.route import Choice


def route(s, variant):
    own = next(p for p in s.own if p.variant == variant)
    return Choice(route=[Leg(s.home)], variant=variant, predicted_s=own.p50_s, way_s=0.0, rule="frugal")


def make(variant):
    if not variant:
        raise ValueError
    return Policy(partial(route, variant=variant), uses_peers=False)


POLICY = PolicyFamily("VARIANT", "the name of a variant", make)
'''


def situation(peers: int = 0, drawn: tuple[float, float] = (0.0, 0.0)) -> Situation:
    own = [Profile(model="m", variant=variant, p50_s=p50_s, p95_s=p50_s, memory_bytes=0, accuracy=0.9, input_bytes=1)
           for variant, p50_s in (("int8", 0.01), ("fp32", 0.03))]
    return Situation(home="me", model="m", left_s=1.0, own=own, wait_s=0.0, placement=None,
                     drawn=drawn, peers={f"p{k}": PeerView(name=f"p{k}", profiles={"m": own}, link=LinkQuality(),
                                                           wait_s=0.1 * (k + 1)) for k in range(peers)})


def test_every_file_of_the_folder_is_a_policy() -> None:
    files = {path.stem for path in Path(policies.__file__).parent.glob("*.py")} - {"__init__"}
    assert policies.routing() == sorted(files) == [
        "greedy", "least_loaded", "local", "oracle", "planner", "random", "split"]
    placing = {path.stem for path in Path(placed.__file__).parent.glob("*.py")} - {"__init__"}
    assert policies.placing() == placed.available() == sorted(placing)
    assert policies.available() == sorted(files | placing)
    assert files & placing == {"oracle"}                 # it routes otherwise than other placing policies
    assert {"greedy", "split:N", "strongest"} < set(policies.usages())


@pytest.mark.parametrize("written", ["", "loc", "os", "split", "split:1", "split:9", "split:22", "split:x", "split:2 ",
                                     "split:", "split:02", "split:2:2", "local:", "local:2", "__init__", "..route"])
def test_what_names_no_policy_is_refused_with_what_would_be_right(written: str) -> None:
    right = r"greedy, least_loaded, local, .* split:N|with N from 2 to 8|takes no argument"
    with pytest.raises(ValueError, match=right):
        policies.load(written)
    with pytest.raises(BadInput, match=r"^a\.yaml: policy: "):
        rules.policy(written, "a.yaml: policy")


@pytest.mark.parametrize(("written", "needs"), [
    ("local", (False, False, False)), ("greedy", (True, False, False)), ("planner", (True, True, False)),
    ("split:2", (True, False, True)), ("split:8", (True, False, True)), ("strongest", (True, True, False)),
    ("oracle", (True, True, False)), ("random", (True, False, False)), ("least_loaded", (True, False, False)),
])
def test_a_policy_says_what_it_needs(written: str, needs: tuple[bool, bool, bool]) -> None:
    policy = policies.load(written)
    assert (policy.uses_peers, policy.uses_plan, policy.uses_stages) == needs
    rules.policy(written, "a.yaml: policy")


def test_a_file_in_another_folder_is_one_more_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "frugal.py").write_text(FRUGAL)
    monkeypatch.setattr(policies, "__path__", [*policies.__path__, str(tmp_path)])
    importlib.invalidate_caches()
    try:
        assert "frugal:VARIANT" in policies.usages()
        rules.policy("frugal:fp32", "a.yaml: policy")
        choice = policies.load("frugal:fp32").route(situation())
        assert choice is not None
        assert (choice.variant, choice.predicted_s, choice.rule) == ("fp32", 0.03, "frugal")
        with pytest.raises(ValueError, match="frugal:VARIANT, with the name of a variant"):
            policies.load("frugal")
    finally:
        sys.modules.pop(f"{policies.__name__}.frugal", None)
        vars(policies).pop("frugal", None)


def chosen(policy: str, peers: int, first: float, second: float = 0.0) -> str:
    choice = policies.load(policy).route(situation(peers, (first, second)))
    assert choice is not None
    assert choice.variant == "int8"
    return choice.agent


def test_random_takes_home_and_every_peer_as_likely() -> None:
    assert [chosen("random", 3, drawn) for drawn in (0.0, 0.26, 0.51, 0.99)] == ["me", "p0", "p1", "p2"]
    assert chosen("random", 0, 0.99) == "me"


def test_least_loaded_takes_the_less_loaded_of_two_that_are_drawn() -> None:
    """Home waits 0, peers 0.1, 0.2 and 0.3 s: the second draw is among the other three, in order after the first."""
    assert chosen("least_loaded", 3, 0.99, 0.0) == "me"                  # p2, then home
    assert chosen("least_loaded", 3, 0.99, 0.4) == "p0"                  # p2, then p0
    assert chosen("least_loaded", 3, 0.51, 0.4) == "me"                  # p1, then home
    assert chosen("least_loaded", 3, 0.51, 0.0) == "p1"                  # p1, then p2
    assert chosen("least_loaded", 0, 0.5, 0.5) == "me"


def test_a_placing_policy_is_followed_whatever_is_expected_and_home_stands_in() -> None:
    policy = policies.load("strongest")
    assert policy.places == "strongest"
    there = Placement(agent="me", stream="s", variant="int8", where=["p0"])
    late = msgspec.structs.replace(situation(1), placement=there, left_s=0.001)
    assert (choice := policy.route(late)) is not None
    assert (choice.agent, choice.rule) == ("p0", "planned")
    gone = msgspec.structs.replace(situation(0), placement=there)
    assert (choice := policy.route(gone)) is not None
    assert choice.agent == "me"
