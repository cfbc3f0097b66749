"""The folder of policies is the registry: every file is listed, one more file is one more policy."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from swarm.core.policy import policies
from swarm.core.policy.plan import Profile
from swarm.core.policy.route import Situation
from swarm.core.settings import rules
from swarm.core.settings.errors import BadInput

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


def situation() -> Situation:
    own = [Profile(model="m", variant=variant, p50_s=p50_s, p95_s=p50_s, memory_bytes=0, accuracy=0.9, input_bytes=1)
           for variant, p50_s in (("int8", 0.01), ("fp32", 0.03))]
    return Situation(home="me", model="m", left_s=1.0, own=own, wait_s=0.0, peers={}, placement=None)


def test_every_file_of_the_folder_is_a_policy() -> None:
    files = {path.stem for path in Path(policies.__file__).parent.glob("*.py")} - {"__init__"}
    assert policies.available() == sorted(files) == ["greedy", "local", "planner", "split"]
    assert policies.usages() == ["greedy", "local", "planner", "split:N"]


@pytest.mark.parametrize("written", ["", "loc", "os", "split", "split:1", "split:9", "split:22", "split:x", "split:2 ",
                                     "split:", "split:02", "split:2:2", "local:", "local:2", "__init__", "..route"])
def test_what_names_no_policy_is_refused_with_what_would_be_right(written: str) -> None:
    with pytest.raises(ValueError, match=r"greedy, local, planner, split:N|with N from 2 to 8|takes no argument"):
        policies.load(written)
    with pytest.raises(BadInput, match=r"^a\.yaml: policy: "):
        rules.policy(written, "a.yaml: policy")


@pytest.mark.parametrize(("written", "needs"), [
    ("local", (False, False, False)), ("greedy", (True, False, False)), ("planner", (True, True, False)),
    ("split:2", (True, False, True)), ("split:8", (True, False, True)),
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
        assert policies.usages() == ["frugal:VARIANT", "greedy", "local", "planner", "split:N"]
        rules.policy("frugal:fp32", "a.yaml: policy")
        choice = policies.load("frugal:fp32").route(situation())
        assert choice is not None
        assert (choice.variant, choice.predicted_s, choice.rule) == ("fp32", 0.03, "frugal")
        with pytest.raises(ValueError, match="frugal:VARIANT, with the name of a variant"):
            policies.load("frugal")
    finally:
        sys.modules.pop(f"{policies.__name__}.frugal", None)
        vars(policies).pop("frugal", None)
