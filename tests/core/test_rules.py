"""Rules for settings: what is refused, where it is said to be, and that nothing but BadInput ever comes of it."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import to_builtins
from msgspec.structs import replace

from swarm.core.policy.plan import StreamSpec
from swarm.core.protocol.messages import Member
from swarm.core.settings import rules
from swarm.core.settings.boards import Board
from swarm.core.settings.errors import BadInput
from swarm.core.settings.process_files import AgentFile, PlannerFile, RobotSpec, WorldFile
from swarm.core.settings.validation import check

BOARD = Board(speed={"fp32": 0.3, "int8": 0.3}, memory_mb=4096, power_w=10.0, source="test")
STREAM = StreamSpec(name="detect", model="detector", rate_hz=5.0, deadline_s=0.1)
MATE = Member(name="rover_1", role="agent", urgent="tcp://10.0.0.2:7000", bulk="tcp://10.0.0.2:7001")
AGENT = AgentFile(version=1, name="rover_0", swarm="s", board_name="b", board=BOARD, streams=[STREAM], roster=[MATE],
                  behaviour="search", team=["rover_0", "rover_1"], bind="10.0.0.1:7000", keys="/etc/swarm/keys")
PLANNER = PlannerFile(version=1, swarm="s", roster=[MATE], keys="keys")
File = TypeVar("File", AgentFile, PlannerFile, WorldFile)
WORLD = WorldFile(version=1, swarm="s", scenario="maze", robots=[RobotSpec(name="rover_0", kind="rover")])


def agent(**changes: Any) -> None:
    rules.agent_file(checked(AGENT, "a.yaml", changes), "a.yaml", ["search"])


def planner(**changes: Any) -> None:
    rules.planner_file(checked(PLANNER, "p.yaml", changes), "p.yaml")


def world(**changes: Any) -> None:
    rules.world_file(checked(WORLD, "w.yaml", changes), "w.yaml", ["maze"], ["rover"])


def checked(file: File, where: str, changes: dict[str, Any]) -> File:
    """The file with these changes, as it is when it has been read."""
    return check(to_builtins(replace(file, **changes)), type(file), where)


def test_good_files_are_let_through() -> None:
    agent()
    agent(name="r" + "x" * 63, behaviour="", team=[], streams=[], board=replace(BOARD, emulated=False,
          speed={"fp32": 1.0, "int8": 1.0}), launcher=replace(MATE, name="launcher", role="launcher"), bind="127.0.0.1")
    planner(ray="none", bind="*:7000")
    planner(bind="[fe80::1%eth0]:7000", roster=[replace(MATE, urgent="tcp://[2001:db8::7]:7000")])
    world(frame_hz=3.0, sense_hz=12.0)
    world(frame_hz=240.0, sense_hz=240.0)
    world(frame_hz=1 / 3, sense_hz=10.0)


@pytest.mark.parametrize(("changes", "told"), [
    ({"name": "world"}, "a.yaml: name: 'world' is reserved"),
    ({"name": "../etc"}, "a.yaml: name: '../etc' is no name; a letter, then up to 63"),
    ({"name": "x" * 65}, "is no name"),
    ({"swarm": ""}, "a.yaml: swarm: ''; 1 to 128 printable"),
    ({"seed": -1}, "a.yaml: seed: -1 is too small; at least 0"),
    ({"seed": 10**30}, "a.yaml: seed: 1e+30 is too large"),
    ({"seed": 10**400}, "a.yaml: seed: a number of over 300 digits is too large"),
    ({"policy": "planer"}, "a.yaml: policy: no policy is called 'planer'; did you mean 'planner'?"),
    ({"policy": "split:1"}, "a.yaml: policy: 'split:1' is no policy; split:N, with N from 2 to 8 agents"),
    ({"policy": "split"}, "a.yaml: policy: 'split' is no policy; split:N, with N"),
    ({"policy": "split:x"}, "a.yaml: policy: 'split:x' is no policy"),
    ({"policy": "local:2"}, "a.yaml: policy: 'local:2' is no policy; local takes no argument"),
    ({"policy": "split:9"}, "a.yaml: policy: 'split:9' is no policy"),
    ({"behaviour": "serch"}, "a.yaml: behaviour: no behaviour is called 'serch'; did you mean 'search'?"),
    ({"board": replace(BOARD, speed={"fp32": 0.3})}, "a.yaml: board.speed.int8: it is missing"),
    ({"board": replace(BOARD, speed={"fp32": math.nan, "int8": 1.0})}, "a.yaml: board.speed.fp32: nan is not"),
    ({"board": replace(BOARD, speed={"fp32": 1e-200, "int8": 1.0})}, "a.yaml: board.speed.fp32: 1e-200 is too small"),
    ({"board": replace(BOARD, executors=0)}, "a.yaml: board.executors: 0 is too small; at least 1"),
    ({"board": replace(BOARD, executors=65)}, "a.yaml: board.executors: 65 is too large; at most 64"),
    ({"board": replace(BOARD, threads=0)}, "a.yaml: board.threads: 0 is too small; at least 1"),
    ({"board": replace(BOARD, memory_mb=10**30)}, "a.yaml: board.memory_mb: 1e+30 is too large"),
    ({"board": replace(BOARD, power_w=math.inf)}, "a.yaml: board.power_w: inf is too large; at most 1000000"),
    ({"streams": [STREAM, STREAM]}, "a.yaml: streams[1].name: 'detect' is there already"),
    ({"streams": [replace(STREAM, name="a b")]}, "a.yaml: streams[0].name: 'a b' is no name"),
    ({"streams": [replace(STREAM, rate_hz=0.0)]}, "a.yaml: streams[0].rate_hz: 0 is too small; at least 0.001"),
    ({"streams": [replace(STREAM, rate_hz=241.0)]}, "a.yaml: streams[0].rate_hz: 241 is too large; at most 240"),
    ({"streams": [replace(STREAM, rate_hz=1e-300)]}, "a.yaml: streams[0].rate_hz: 1e-300 is too small"),
    ({"streams": [replace(STREAM, deadline_s=math.nan)]}, "a.yaml: streams[0].deadline_s: nan is not"),
    ({"streams": [replace(STREAM, deadline_s=3601.0)]}, "a.yaml: streams[0].deadline_s: 3601 is too large"),
    ({"streams": [replace(STREAM, priority=10**30)]}, "a.yaml: streams[0].priority: 1e+30 is too large; at most 1000"),
    ({"streams": [replace(STREAM, priority=-1001)]}, "a.yaml: streams[0].priority: -1001 is too small"),
    ({"bind": ""}, "a.yaml: bind: '' is no address; HOST, or HOST:PORT"),
    ({"bind": "127.0.0.1:"}, "a.yaml: bind: '127.0.0.1:' is no address"),
    ({"bind": "127.0.0.1:zmq"}, "is no address"),
    ({"bind": "127.0.0.1:0"}, "is no address"),
    ({"bind": "127.0.0.1:65535"}, "is no address"),
    ({"bind": "999.0.0.1"}, "a.yaml: bind: '999.0.0.1' is no address"),
    ({"bind": "::1"}, "HOST is a name, IPv4, or IPv6 in brackets"),
    ({"roster": [replace(MATE, urgent="tcp://[10.0.0.2]:7000")]},
     "a.yaml: roster[0].urgent: 'tcp://[10.0.0.2]:7000' is no address"),
    ({"roster": [replace(MATE, bulk="tcp://*:7000")]}, "a.yaml: roster[0].bulk: 'tcp://*:7000' is no address"),
    ({"bind": "127.0.0.1:\u0661\u0662"}, "is no address"),
    ({"bind": "tcp://127.0.0.1:7000"}, "is no address"),
    ({"roster": [MATE, MATE]}, "a.yaml: roster[1].name: 'rover_1' is there already"),
    ({"roster": [replace(MATE, urgent="10.0.0.2:7000")]}, "a.yaml: roster[0].urgent: '10.0.0.2:7000' is no address"),
    ({"roster": [replace(MATE, bulk="tcp://10.0.0.2:*")]}, "a.yaml: roster[0].bulk: 'tcp://10.0.0.2:*' is no address"),
    ({"roster": [replace(MATE, bulk="tcp://10.0.0.2:65536")]}, "is no address"),
    ({"roster": [replace(MATE, bulk="ipc:///tmp/x")]}, "is no address"),
    ({"roster": [replace(MATE, role="agnt")]}, "a.yaml: roster[0].role: no role is called 'agnt'"),
    ({"launcher": replace(MATE, urgent="tcp://:1")}, "a.yaml: launcher.urgent: 'tcp://:1' is no address"),
])
def test_a_mistake_in_an_agents_file_names_file_and_key(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(BadInput) as caught:
        agent(**changes)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("changes", "told"), [
    ({"ray": "somewhere"}, "p.yaml: ray: 'somewhere' is no address of a cluster"),
    ({"every_s": 0.0}, "p.yaml: every_s: 0 is too small; at least 0.05"),
    ({"lease_s": math.inf}, "p.yaml: lease_s: inf is too large; at most 3600"),
    ({"lease_s": 1e-9}, "p.yaml: lease_s: 1e-09 is too small"),
    ({"bind": "a b"}, "p.yaml: bind: 'a b' is no address"),
    ({"airtimes": {"rover": "hall"}}, "p.yaml: airtimes.rover: it names no pair; two fleets or robots, like rover:"),
])
def test_a_mistake_in_a_planners_file(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(BadInput) as caught:
        planner(**changes)
    assert told in str(caught.value)


@pytest.mark.parametrize(("changes", "told"), [
    ({"scenario": "mace"}, "w.yaml: scenario: no scenario is called 'mace'; did you mean 'maze'?"),
    ({"robots": [*WORLD.robots, *WORLD.robots]}, "w.yaml: robots[1].name: 'rover_0' is there already"),
    ({"robots": [RobotSpec(name="r", kind="drone")]}, "w.yaml: robots[0].kind: no kind of robot is called 'drone'"),
    ({"frame_hz": 0.0}, "w.yaml: frame_hz: 0 is too small; at least 0.001"),
    ({"frame_hz": 4.0}, "w.yaml: sense_hz: 10 is no whole multiple of frame_hz, 4; a whole multiple"),
    ({"frame_hz": 20.0}, "w.yaml: sense_hz: 10 is no whole multiple of frame_hz, 20"),
    ({"frame_hz": math.nan}, "w.yaml: frame_hz: nan is not a number; at least 0.001"),
    ({"sense_hz": -1.0}, "w.yaml: sense_hz: -1 is too small; at least 0.001"),
    ({"sense_hz": 1e9}, "w.yaml: sense_hz: 1e+09 is too large; at most 240"),
    ({"sense_hz": 10.0, "frame_hz": 4.0}, "w.yaml: sense_hz: 10 is no whole multiple of frame_hz, 4; a whole multiple"),
    ({"sense_hz": 5.0, "frame_hz": 10.0}, "w.yaml: sense_hz: 5 is no whole multiple of frame_hz, 10"),
    ({"sense_hz": 1.0, "frame_hz": 240.0}, "w.yaml: sense_hz: 1 is no whole multiple of frame_hz, 240"),
])
def test_a_mistake_in_a_worlds_file(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(BadInput) as caught:
        world(**changes)
    assert told in str(caught.value)


@given(st.one_of(st.floats(), st.integers(), st.integers(min_value=10**300, max_value=10**320)))
def test_any_number_is_good_or_bad_input(value: float) -> None:
    for changes in ({"rate_hz": value}, {"deadline_s": value}, {"priority": value}):
        try:
            agent(streams=[replace(STREAM, **changes)])
        except BadInput:
            continue
        assert math.isfinite(value)
        assert abs(value) <= 3600


@given(st.text(max_size=30))
def test_any_text_is_an_address_or_bad_input(text: str) -> None:
    for rule in (lambda: rules.bind(text, "f: bind"), lambda: rules.named(text, "f: name"),
                 lambda: rules.member(replace(MATE, urgent=text), "f: roster[0]")):
        try:
            rule()
        except BadInput:
            continue
        assert text.isascii()


# --- plaintext ---

HERE = replace(MATE, urgent="tcp://127.0.0.1:7000", bulk="tcp://localhost:7001")


@pytest.mark.parametrize("bind", ["127.0.0.1", "127.0.0.1:7000", "127.3.2.1", "localhost"])
def test_plaintext_stays_on_this_machine(bind: str) -> None:
    agent(keys="", bind=bind, roster=[HERE], launcher=replace(HERE, name="launcher", role="launcher"))


@pytest.mark.parametrize(("changes", "told"), [
    ({"bind": "10.0.0.1:7000"}, "a.yaml: bind: 10.0.0.1:7000 is beyond this machine, and there are no keys; keys: "),
    ({"bind": "*"}, "a.yaml: bind: * is beyond"),
    ({"bind": "0.0.0.0"}, "a.yaml: bind: 0.0.0.0 is beyond"),
    ({"bind": "127.evil.example"}, "a.yaml: bind: 127.evil.example is beyond"),
    ({"roster": [HERE, replace(HERE, name="x", bulk="tcp://10.0.0.2:1")]}, "a.yaml: roster[1]: x is beyond"),
    ({"launcher": replace(MATE, name="launcher", role="launcher")}, "a.yaml: launcher: launcher is beyond"),
])
def test_beyond_it_there_are_keys_or_the_file_says_so(changes: dict[str, Any], told: str) -> None:
    whole: dict[str, Any] = {"bind": "127.0.0.1", "roster": [HERE], "keys": "", **changes}
    with pytest.raises(BadInput) as caught:
        agent(**whole)
    assert told in str(caught.value)
    agent(**{**whole, "keys": "/etc/swarm/keys"})
    agent(**{**whole, "security": "plaintext"})


def test_keys_and_plaintext_are_one_too_many() -> None:
    with pytest.raises(BadInput, match=r"a\.yaml: security: plaintext, and keys beside it; one of the two"):
        agent(security="plaintext")
