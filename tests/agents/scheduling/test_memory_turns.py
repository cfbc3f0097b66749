"""Requests whose model is not in memory: own ones wait for it or fail by name, peers' are refused and remembered."""

from __future__ import annotations

import msgspec

from agents.peers.table import PeerTable
from agents.ports import Measured, MemoryEnd, Part
from agents.scheduling import events as ev
from agents.scheduling.memory.residency import Residency, Size
from agents.scheduling.scheduler import Scheduler
from swarm.core.policy.plan import Leg, Profile, StageProfile
from swarm.core.units import ns
from tests.agents.builders import peer_table, profile, request, stream
from tests.agents.scheduler_events import arrived, of

A, B = Part("a", "int8"), Part("b", "int8")
MB = 1 << 20
LOAD_S = 0.05
STREAM_A, STREAM_B = stream("watch", "a", priority=2), stream("look", "b", deadline_s=0.5)


def agent(known: dict[str, list[Profile]] | None = None, policy: str = "local") -> Scheduler:
    """A robot that has room for a and b, and only a is in memory."""
    residency = Residency({part: Size(10 * MB, 10 * MB, LOAD_S) for part in (A, B)}, [A], {"a": "int8", "b": "int8"},
                          100 * MB, 50 * MB)
    own = {name: [Profile(model=name, variant="int8", p50_s=0.02, p95_s=0.03, memory_bytes=10 * MB, accuracy=0.9,
                          input_bytes=1000, load_s=LOAD_S)] for name in "ab"}
    return Scheduler(name="me", policy=policy, profiles=own, peers=peer_table(**(known or {"asker": []})),
                     streams=[STREAM_A, STREAM_B], residency=residency)


def came(part: Part, present: bool = True) -> ev.MemoryMoved:
    return ev.MemoryMoved(end=MemoryEnd(
        part=part, present=present, rss_bytes=60 * MB, kept_bytes=10 * MB, took_s=LOAD_S))


def test_a_request_waits_until_its_model_is_in_memory_and_then_runs() -> None:
    robot = agent()
    commands = robot.handle(arrived(1, STREAM_B), 0)
    assert of(ev.MovePart, commands) == [ev.MovePart(part=B, load=True)]
    assert of(ev.RunStage, commands) == []
    (run,) = of(ev.RunStage, robot.handle(came(B), ns(LOAD_S)))
    assert (run.model, run.request) == ("b", request(1))


def test_one_that_cannot_wait_so_long_fails_by_name_and_a_newer_one_takes_the_place_of_an_older() -> None:
    robot = agent()
    hasty = stream("look", "b", deadline_s=0.06)
    (end,) = of(ev.Deliver, robot.handle(arrived(1, hasty), 0))
    assert (end.span.ending, end.span.reason) == ("failed", "not_loaded")
    assert of(ev.Deliver, robot.handle(arrived(2, STREAM_B), 1)) == []
    (end,) = of(ev.Deliver, robot.handle(arrived(3, STREAM_B), 2))
    assert (end.span.request, end.span.reason) == (request(2), "not_loaded")
    (end,) = of(ev.Deliver, robot.handle(ev.BudgetSpent(request=request(3)), ns(0.5) + 2))
    assert (end.span.request, end.span.reason) == (request(3), "not_loaded")
    assert robot.open_requests() == 0
    assert of(ev.RunStage, robot.handle(came(B), ns(0.6))) == []


def test_a_peer_runs_it_meanwhile_if_it_can() -> None:
    robot = agent({"mule": [profile("b", 0.02)]}, "greedy")
    commands = robot.handle(arrived(1, STREAM_B), 0)
    assert [send.peer for send in of(ev.SendStage, commands)] == ["mule"]
    assert of(ev.MovePart, commands) == [ev.MovePart(part=B, load=True)]


def test_a_peer_is_refused_what_is_not_in_memory_and_it_is_loaded() -> None:
    robot = agent()
    ask = ev.StageAsked(request=request(1, "asker"), peer="asker", model="b", variant="int8", priority=0,
                        deadline_ns=ns(0.5), leg=Leg("me"))
    commands = robot.handle(ask, 0)
    assert [refusal.reason for refusal in of(ev.Refuse, commands)] == ["not_loaded"]
    assert of(ev.MovePart, commands) == [ev.MovePart(part=B, load=True)]


def test_what_is_unloaded_runs_no_more_at_once_and_what_runs_is_not_unloaded() -> None:
    robot = agent()
    robot.handle(arrived(1, STREAM_B), 0)
    robot.handle(came(B), ns(0.1))                           # and runs
    over = ev.MemoryMeasured(memory=Measured(rss_bytes=200 * MB, kept_bytes={}))
    assert of(ev.MovePart, robot.handle(over, ns(0.11))) == []
    commands = robot.handle(ev.StageDone(work=1, started_ns=ns(0.1), finished_ns=ns(0.12)), ns(0.12))
    assert of(ev.MovePart, commands) == [ev.MovePart(part=B, load=False)]        # at once
    assert of(ev.RunStage, robot.handle(arrived(2, STREAM_B), ns(0.2))) == []


def staged_agent() -> Scheduler:
    """A robot whose model is in memory, and there is room for its stages, by the card."""
    parts = [A, A._replace(stages=True)]
    residency = Residency({part: Size(10 * MB, 10 * MB, LOAD_S) for part in parts}, [A], {"a": "int8"}, 100 * MB,
                          50 * MB)
    own = {"a": [Profile(model="a", variant="int8", p50_s=0.05, p95_s=0.06, memory_bytes=10 * MB, accuracy=0.9,
                         input_bytes=1000, load_s=LOAD_S, stages=[StageProfile(0.025, 0.03, 1000)] * 2)]}
    return Scheduler(name="me", policy="local", profiles=own, peers=peer_table(asker=[]), residency=residency)


CHAIN_ASK = ev.StageAsked(request=request(1, "asker"), peer="asker", model="a", variant="int8", priority=0,
                          deadline_ns=ns(0.5), leg=Leg("me", 0, 1), route=[Leg("other", 1, 2)])
OVER = ev.MemoryMeasured(memory=Measured(rss_bytes=200 * MB, kept_bytes={}))


def test_a_model_is_not_unloaded_while_its_stages_are_being_loaded() -> None:
    robot = staged_agent()
    assert of(ev.LoadStages, robot.handle(CHAIN_ASK, 0)) == [ev.LoadStages(model="a", variant="int8")]
    assert of(ev.MovePart, robot.handle(OVER, 1)) == []
    (move,) = of(ev.MovePart, robot.handle(ev.StagesLoaded(model="a", variant="int8"), 2))
    assert move == ev.MovePart(part=A._replace(stages=True), load=False)


def test_stages_that_could_not_be_loaded_are_no_longer_under_way() -> None:
    robot = staged_agent()
    robot.handle(CHAIN_ASK, 0)
    failed = MemoryEnd(part=A._replace(stages=True), present=False, failed=True, rss_bytes=200 * MB)
    assert of(ev.MovePart, robot.handle(ev.MemoryMoved(end=failed), 1)) == [ev.MovePart(part=A, load=False)]


def family(present: list[str], room_mb: int, known: PeerTable | None = None) -> Scheduler:
    """Two models less urgent than a third: a teacher of 40 MB, a faster student of 10 MB; these are present."""
    own: dict[str, list[Profile]] = {}
    for name, variant, mb, p50_s in (("a", "teacher", 40, 0.02), ("a", "student", 10, 0.01),
                                     ("b", "teacher", 40, 0.02), ("b", "student", 10, 0.01)):
        own.setdefault(name, []).append(Profile(
            model=name, variant=variant, p50_s=p50_s, p95_s=p50_s, memory_bytes=mb * MB, accuracy=0.9, input_bytes=1000,
            load_s=LOAD_S, network_accuracy=0.9 if variant == "teacher" else 0.8))
    sizes = {Part(one.model, one.variant): Size(one.memory_bytes, one.memory_bytes, LOAD_S)
             for some in own.values() for one in some}
    held = [part for part in sizes if f"{part.model} {part.variant}" in present]
    rss = sum(sizes[part].kept_bytes for part in held)
    residency = Residency(sizes, held, {"a": "student", "b": "student"}, rss + room_mb * MB, rss)
    return Scheduler(name="me", policy="greedy" if known else "local", profiles=own, peers=known or peer_table(),
                     residency=residency, streams=[
                         stream("guard", "c", priority=9), stream("watch", "a"), stream("look", "b")])


def moved_by(robot: Scheduler, rss_mb: int, names: str, seconds: int = 60) -> list[Part]:
    """What is moved while these streams send ten requests a second; each runs at once, and each move is done so."""
    moves = list[Part]()
    for k in range(10 * seconds):
        for name in names:
            now = ns(0.1 * k + 0.03 * names.index(name))
            sequence = 1 + len(names) * k + names.index(name)
            commands = robot.handle(arrived(sequence, stream(f"of {name}", name), now), now)
            while commands:
                command = commands.pop(0)
                if isinstance(command, ev.MovePart):
                    moves.append(command.part)
                    size_mb = 40 if command.part.variant == "teacher" else 10
                    rss_mb += size_mb if command.load else -size_mb
                    commands += robot.handle(ev.MemoryMoved(end=MemoryEnd(
                        part=command.part, present=command.load, rss_bytes=rss_mb * MB, took_s=LOAD_S,
                        kept_bytes=command.load * size_mb * MB)), now)
                elif isinstance(command, ev.RunStage):
                    commands += robot.handle(
                        ev.StageDone(work=command.work, started_ns=now, finished_ns=now + 1), now + 1)
    return moves


def test_a_teacher_comes_back_once_there_is_room() -> None:
    assert moved_by(family(["a student"], 50), 10, "a", 1) == [Part("a", "teacher")]
    assert moved_by(family(["a teacher"], 50), 40, "a", 1) == [Part("a", "student")]


def test_students_kept_for_need_do_not_push_each_other_out() -> None:
    moves = moved_by(family(["a teacher", "b teacher", "b student"], 0), 90, "ab")
    assert moves in ([], [Part("b", "student"), Part("a", "student")])       # nothing was used yet at the first request


def test_a_request_that_comes_back_from_a_peer_waits_for_its_model_too() -> None:
    robot = agent({"mule": [profile("b", 0.02)]}, "greedy")
    robot.handle(arrived(1, STREAM_B), 0)
    commands = robot.handle(ev.Refused(request=request(1), peer="mule", reason="full"), ns(0.01))
    assert of(ev.Deliver, commands) == []
    assert [run.request for run in of(ev.RunStage, robot.handle(came(B), ns(LOAD_S)))] == [request(1)]
    (end,) = of(ev.Deliver, robot.handle(ev.StageDone(work=1, started_ns=ns(LOAD_S), finished_ns=ns(0.1)), ns(0.1)))
    assert (end.span.ending, end.span.reason) == ("completed", "")


def test_stages_for_which_there_is_no_room_beside_all_models_are_not_loaded_at_once() -> None:
    parts = [A, A._replace(stages=True)]
    sizes = {part: Size(10 * MB, 10 * MB, LOAD_S) for part in parts}
    residency = Residency(sizes, [A], {"a": "int8"}, 55 * MB, 50 * MB)
    robot = Scheduler(name="me", policy="local", profiles={"a": [profile("a", stages=2)]}, peers=peer_table(asker=[]),
                      residency=residency)
    commands = robot.handle(CHAIN_ASK, 0)
    assert [refusal.reason for refusal in of(ev.Refuse, commands)] == ["loading"]
    assert (of(ev.LoadStages, commands), of(ev.MovePart, commands)) == ([], [])


def test_a_promise_pins_only_the_fastest_variant_in_memory() -> None:
    robot = guarded(["a student", "a teacher"])
    assert of(ev.MovePart, robot.handle(OVER, 1)) == [ev.MovePart(part=Part("a", "teacher"), load=False)]
    assert of(ev.MovePart, robot.handle(came(Part("a", "teacher"), present=False), 2)) == []
    robot = guarded(["a student"])
    assert of(ev.MovePart, robot.handle(OVER, 1)) == []      # the promise needs it


def guarded(present: list[str]) -> Scheduler:
    """A robot that has sent a request to a faster peer, and has promised to run it itself if need be."""
    known = peer_table(mule=[msgspec.structs.replace(profile("a", 0.001, "teacher"), network_accuracy=0.9)])
    robot = family(present, 0, known)
    (end,) = [one for one in robot.handle(arrived(1, stream("watch", "a", deadline_s=0.5)), 0)
              if isinstance(one, ev.SendStage)]
    assert end.peer == "mule"
    assert robot.statistics().guards.armed == 1
    return robot
