"""Placing policies: what each does by hand, and what becomes of a user's own that fails."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from swarm.core.policy.link import LinkQuality
from swarm.core.policy.plan import Placement, StageProfile
from swarm.planner import policies
from swarm.planner.events import Solve
from swarm.planner.problem import AgentInfo, Problem
from swarm.planner.solvers.budget import CountedBudget
from swarm.planner.solvers.solve import solved
from tests.planner.builders import profile, stream, team

OWN = ["dads", "edgeshard", "nearest", "neurosurgeon", "oracle", "static", "strongest"]


def where(name: str, problem: Problem, previous: list[Placement] | None = None) -> dict[tuple[str, str], list[str]]:
    placed = policies.load(name)(problem, previous or [], CountedBudget(0.02))
    return {(p.agent, p.stream): p.where for p in placed}


def link(rtt_ms: float, megabytes_per_s: float) -> LinkQuality:
    return LinkQuality(rtt_s=rtt_ms / 1e3, bytes_per_s=megabytes_per_s * 1e6, samples=10)


def staged(model: str, *ms: float, sizes: tuple[int, ...]) -> AgentInfo:
    whole = profile(model, sum(ms), input_bytes=sizes[0])
    return AgentInfo(name="", profiles=(msgspec.structs.replace(
        whole, stages=[StageProfile(m / 1e3, m / 1e3, size) for m, size in zip(ms, sizes, strict=True)]),))


def named(info: AgentInfo, name: str) -> AgentInfo:
    return msgspec.structs.replace(info, name=name)


def chain(*infos: AgentInfo, rate_hz: float = 1.0, **links: LinkQuality) -> Problem:
    """Agents a, b, ... and a stream of a; links by `ab` and so on."""
    names = "abcd"[:len(infos)]
    return Problem(agents=tuple(named(info, name) for info, name in zip(infos, names, strict=True)),
                   streams=(stream("a", "s", "m", rate_hz, 2.0, 0),),
                   links={(pair[0], pair[1]): quality for pair, quality in links.items()})


def test_the_registry_is_the_folder() -> None:
    files = {path.stem for path in Path(policies.__file__).parent.glob("*.py")} - {"__init__"}
    assert policies.available() == sorted(files) == OWN
    with pytest.raises(ValueError, match="the placing policies are dads, edgeshard, "):
        policies.load("best")


def test_strongest_is_the_fastest_board_whatever_the_link() -> None:
    problem = Problem(
        agents=tuple(AgentInfo(name=n, profiles=(profile("m", ms),)) for n, ms in (("a", 50), ("b", 40), ("c", 20))),
        streams=(stream("a", "s", "m", 1.0, 0.1, 0), stream("c", "s", "m", 1.0, 0.1, 0)),
        links={("a", "b"): link(1, 10), ("a", "c"): link(500, 0.01), ("c", "a"): link(1, 10)})
    assert where("strongest", problem) == {("a", "s"): ["c"], ("c", "s"): ["c"]}


def test_nearest_is_the_shortest_round_trip_among_faster_boards() -> None:
    problem = Problem(
        agents=tuple(AgentInfo(name=n, profiles=(profile("m", ms),))
                     for n, ms in (("a", 50), ("b", 40), ("c", 20), ("d", 90))),
        streams=(stream("a", "s", "m", 1.0, 0.1, 0), stream("c", "s", "m", 1.0, 0.1, 0)),
        links={("a", "b"): link(5, 10), ("a", "c"): link(9, 10), ("a", "d"): link(1, 10), ("c", "a"): link(1, 10)})
    assert where("nearest", problem) == {("a", "s"): ["b"], ("c", "s"): ["c"]}


WEAK = staged("m", 100, 100, 100, sizes=(1_000_000, 10_000, 500_000))
STRONG = staged("m", 10, 10, 10, sizes=(1_000_000, 10_000, 500_000))


@pytest.mark.parametrize("name", ["neurosurgeon", "dads", "edgeshard"])
@pytest.mark.parametrize(("rtt_ms", "megabytes_per_s", "expected"), [
    (10, 100.0, ["b"]),                      # 30 + 10 + 10 = 50 ms on the peer, 132 with a cut, 300 at home
    (10, 1.0, ["a", "b", "b"]),              # 100 + 10 + 10 + 20 = 140 with the small cut; 1,040 on the peer
    (400, 1.0, ["a"]),                       # 300 at home, 530 with the cut
])
def test_one_cut_is_where_the_latency_is_least(
    name: str, rtt_ms: float, megabytes_per_s: float, expected: list[str]
) -> None:
    problem = chain(WEAK, STRONG, ab=link(rtt_ms, megabytes_per_s), ba=link(rtt_ms, megabytes_per_s))
    assert where(name, problem) == {("a", "s"): expected}


def test_dads_lets_more_requests_through_under_load() -> None:
    """At 9 a second a request comes each 111 ms: 140 ms in a row are too long only by part, of which 100 ms is one."""
    slow = link(10, 1.0)
    assert where("dads", chain(WEAK, STRONG, rate_hz=9.0, ab=slow, ba=slow)) == {("a", "s"): ["a", "b", "b"]}
    even = staged("m", 120, 60, 60, sizes=(100_000, 50_000, 50_000))
    helper = staged("m", 90, 90, 90, sizes=(100_000, 50_000, 50_000))
    calm, busy = (chain(even, helper, rate_hz=rate, ab=link(10, 10), ba=link(10, 10)) for rate in (1.0, 8.0))
    assert where("dads", calm) == {("a", "s"): ["a"]}                  # 240 ms, against 315 with a cut
    assert where("dads", busy) == {("a", "s"): ["a", "b", "b"]} or where("dads", busy) == {("a", "s"): ["a", "a", "b"]}


def test_edgeshard_goes_over_two_peers_where_that_is_soonest() -> None:
    sizes = (1_000_000, 10_000, 10_000)
    home, first, last = (staged("m", *ms, sizes=sizes) for ms in ((50, 400, 400), (900, 20, 400), (900, 400, 20)))
    fast = link(2, 10)
    problem = chain(home, first, last, ab=fast, ba=fast, ac=fast, ca=fast, bc=fast, cb=fast)
    assert where("edgeshard", problem) == {("a", "s"): ["a", "b", "c"]}
    assert where("neurosurgeon", problem) != {("a", "s"): ["a", "b", "c"]}


def test_static_keeps_its_first_plan_and_places_newcomers() -> None:
    problem = team(2, 1)
    first = policies.load("static")(problem, [], CountedBudget(0.02))
    slow = msgspec.structs.replace(problem, links={pair: link(900, 0.1) for pair in problem.links})
    assert policies.load("static")(slow, first, CountedBudget(0.02)) == first
    larger = team(3, 1)
    second = {(p.agent, p.stream): p for p in policies.load("static")(larger, first, CountedBudget(0.02))}
    assert all(second[p.agent, p.stream] == p for p in first)
    assert ("rover_2", "detect") in second


@pytest.mark.parametrize("name", OWN)
def test_every_policy_places_any_team_and_its_placements_are_forecast(name: str) -> None:
    for problem in (team(3, 2), team(1, 0), Problem(agents=(), streams=(), links={})):
        solution = solved(Solve(problem, [], (1, 0)), CountedBudget(0.1), 0, name)
        assert not solution.failed
        assert solution.solver == name
        assert {(p.agent, p.stream) for p in solution.placements} <= {s.key for s in problem.streams}
        assert all(0.0 <= p.predicted_on_time <= 1.0 for p in solution.placements)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a user's own policy."""
    monkeypatch.setattr(policies, "__path__", [*policies.__path__, str(tmp_path)])
    return tmp_path / "mine.py"


HEAD = "from swarm.core.policy.plan import Placement\ndef place(problem, previous, budget):\n    "


@pytest.mark.parametrize(("body", "error"), [
    ("raise RuntimeError('no idea')", "RuntimeError: no idea"),
    ("return None", "TypeError: "),
    ("return ['home']", "TypeError: a placement is a Placement, not str"),
    ("return problem.nothing", "AttributeError: "),
])
def test_a_policy_that_fails_is_told_and_everything_stays_at_home(own: Path, body: str, error: str) -> None:
    own.write_text(HEAD + body)
    own.rename(own.with_name(name := f"failing_{abs(hash(body))}.py"))
    solution = solved(Solve(team(2, 1), [], (1, 0)), CountedBudget(0.1), 0, name.removesuffix(".py"))
    assert solution.failed.startswith(error)
    assert all(p.where == [p.agent] for p in solution.placements)
    assert len(solution.placements) == len(team(2, 1).streams)


def test_placements_of_strangers_are_left_out(own: Path) -> None:
    own.write_text(HEAD + """return [
        Placement(agent='rover_0', stream='detect', variant='fp32', where=['moon']),
        Placement(agent='moon', stream='detect', variant='fp32', where=['rover_0']),
        Placement(agent='rover_1', stream='detect', variant='fp32', where=['carrier_0'])]""")
    solution = solved(Solve(team(2, 1), [], (1, 0)), CountedBudget(0.1), 0, "mine")
    assert [(p.agent, p.where) for p in solution.placements] == [("rover_1", ["carrier_0"])]
    assert len(solution.unplaced) == len(team(2, 1).streams) - 1


def family(ms: float, student_ms: float) -> AgentInfo:
    """A teacher of three stages, and a student of it."""
    teacher, student = (
        msgspec.structs.replace(profile("m", of_ms, variant, accuracy, stages=3), network_accuracy=accuracy)
        for of_ms, variant, accuracy in ((ms, "int8", 0.94), (student_ms, "student", 0.93)))
    return AgentInfo(name="", profiles=(teacher, student))


@pytest.mark.parametrize("name", ["dads", "edgeshard", "nearest", "neurosurgeon", "strongest"])
@pytest.mark.parametrize(("deadline_s", "variant", "agent"), [
    (1.0, "int8", "b"),                      # 200 ms on the peer, 400 at home
    (0.15, "student", "b"),                  # the teacher is late everywhere, the student is not
])
def test_rivals_take_a_student_only_where_its_teacher_would_be_late(
    name: str, deadline_s: float, variant: str, agent: str
) -> None:
    problem = chain(family(400, 100), family(200, 20), ab=link(10, 10), ba=link(10, 10))
    short = msgspec.structs.replace(problem, streams=(stream("a", "s", "m", 1.0, deadline_s, 0),))
    (placed,) = policies.load(name)(short, [], CountedBudget(0.02))
    assert (placed.variant, placed.where) == (variant, [agent])


def test_a_network_that_only_a_peer_runs_in_time_goes_there(own: Path) -> None:
    problem = chain(family(400, 100), family(50, 20), ab=link(10, 10), ba=link(10, 10))
    short = msgspec.structs.replace(problem, streams=(stream("a", "s", "m", 1.0, 0.15, 0),))
    for name in ("dads", "edgeshard", "neurosurgeon"):
        (placed,) = policies.load(name)(short, [], CountedBudget(0.02))
        assert (placed.variant, placed.where) == ("int8", ["b"])
    own.write_text(HEAD + "raise RuntimeError")
    own.rename(own.with_name("fails_on_a_family.py"))
    (home,) = solved(Solve(short, [], (1, 0)), CountedBudget(0.1), 0, "fails_on_a_family").placements
    assert (home.variant, home.where) == ("student", ["a"])
