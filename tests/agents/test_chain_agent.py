"""One agent as its own process in the middle, at the end and at the beginning of a chain, over real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from agents.peers.seals import Seals
from agents.runtime import recording
from agents.runtime.sessions import Sessions
from swarm.core.policy.plan import Leg
from swarm.core.protocol import messages as msg
from swarm.core.protocol.spans import Frame, LegTimes, RequestId
from swarm.core.protocol.world import Detection, Detections
from tests.agents.runtime.test_sessions import BOARD, FRAME
from tests.agents.staged import STAGES, hold, run_leg, store_with_stages
from tests.agents.test_agent import IMAGE, Stage

MULE = Seals("mule", b"known to mule alone")


class Chain(Stage):
    """The agent under test, and two peers that are alive and run the same models."""

    def __init__(self, folder: Path, models: Path, **settings: Any) -> None:
        super().__init__(folder, models=str(models), behaviour="", **{"policy": "split:2", **settings})
        self.ox = self.net.endpoint("ox", boot=7, answers=True)
        self.profiles: list[Any] = []

    def up(self) -> None:
        super().up()
        members = [ready.member for ready in self.got("launcher", msg.Ready)[:1]]
        self.ox.join([*members, self.peer.member])
        self.send(self.launcher, msg.Roster(members=[*members, *(e.member for e in self.net.endpoints)]))
        self.beat()
        self.wait("ox", msg.Heartbeat)                       # its answers reach both
        self.profiles = self.wait("mule", msg.Advert).profiles

    def beat(self, *silent: str) -> None:
        """Peers send heartbeats and adverts; `silent` ones send nothing."""
        self.net.silent = set(silent)
        for endpoint in (self.peer, self.ox):
            if endpoint.member.name not in silent:
                endpoint.send("rover", msg.Heartbeat(sequence=1))
                if self.profiles:
                    endpoint.send("rover", msg.Advert(
                        board="b", executors=1, profiles=self.profiles, streams=[], key=MULE.key_for("rover")))

    def until(self, who: str, kind: type[Any], *silent: str, frames: bool = False) -> Any:
        """The first message of a kind that a member gets, while peers stay alive."""
        def came() -> bool:
            self.beat(*silent)
            if frames:
                self.sense_now()
            return bool(self.got(who, kind))

        self.net.until(came)
        return self.got(who, kind)[0]

    def tensors(self, who: str) -> list[np.ndarray]:
        """The tensors of the first request that a member got."""
        return next(m.tensors for m in self.net.got[who] if isinstance(m.body, msg.StageAsk))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return store_with_stages(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def held(models: Path) -> Sessions:
    """The same model in this process."""
    return hold(["detector"], BOARD, models, staged=True)[1]


@pytest.fixture
def chain(tmp_path: Path, models: Path, request: pytest.FixtureRequest) -> Iterator[Chain]:
    chain = Chain(tmp_path, models, **getattr(request, "param", {}))
    yield chain
    chain.close()


def made(held: Sessions, given: Any, leg: Leg) -> Any:
    return run_leg(held.get("detector", "int8"), given, leg)


def ask(sequence: int, first: int, last: int, *route: Leg, owner: str = "mule", **more: Any) -> msg.StageAsk:
    return msg.StageAsk(
        request=RequestId(owner, 7, sequence), frame=Frame(1, "detect", 0), model="detector", variant="int8",
        priority=0, first=first, last=last, route=list(route), **more)


def sealed(ask: msg.StageAsk, sender: str, owner: Seals = MULE) -> msg.StageAsk:
    """With the owner's seal: the sender is to pass it on to the rover."""
    ours = Leg("rover", ask.first, ask.last)
    seals = owner.of_route(ask.request, ask.model, ask.variant, [Leg(sender, 0, ask.first), ours])
    return msgspec.structs.replace(ask, seals=seals)


def test_in_the_middle_it_passes_on_and_at_the_end_it_answers_the_owner(chain: Chain, held: Sessions) -> None:
    chain.up()
    first, second = made(held, FRAME, Leg("mule", 0, 1)), made(held, FRAME, Leg("mule", 0, 3))

    def passed_on() -> bool:                                 # at first it may not have heard what ox can do
        chain.beat()
        chain.peer.send("rover", ask(1, 1, 3, Leg("ox", 3, STAGES)), first, 5.0)
        return bool(chain.got("ox", msg.StageAsk))

    chain.net.until(passed_on)
    passed = chain.got("ox", msg.StageAsk)[0]
    assert (passed.request, passed.first, passed.last, passed.route) == (RequestId("mule", 7, 1), 3, STAGES, [])
    assert [times.run_s > 0 and times.held_s >= times.run_s for times in passed.done] == [True]
    for mine, right in zip(chain.tensors("ox"), second, strict=True):
        np.testing.assert_array_equal(mine, right)
    before = LegTimes(run_s=0.5)
    chain.send(chain.ox, sealed(ask(2, 3, STAGES, done=[before]), "ox"), second, 5.0)
    answer = chain.until("mule", msg.StageAnswer)
    assert answer.outcome == made(held, FRAME, Leg("mule"))
    assert answer.done == [before]
    assert not chain.got("ox", msg.StageAnswer)
    assert chain.end()[0] == 0


def test_invalid_requests_are_refused_to_their_sender(chain: Chain, held: Sessions) -> None:
    chain.up()
    between = made(held, FRAME, Leg("mule", 0, 1))

    def send(by: Any, what: msg.StageAsk, tensors: Any) -> None:
        chain.send(by, what, tensors, 5.0)

    send(chain.ox, ask(1, 0, 0), [IMAGE])                    # the beginning is the owner's alone to ask for
    send(chain.ox, ask(2, 1, STAGES, owner="planner"), between)  # no agent
    send(chain.ox, ask(3, 1, STAGES, owner="stranger"), between)
    send(chain.ox, ask(4, 1, STAGES, owner="rover"), between)    # in our own name
    send(chain.ox, ask(5, 1, STAGES), [IMAGE])               # not what crosses there
    send(chain.ox, ask(6, STAGES + 1, STAGES + 2), between)
    chain.wait("ox", msg.StageRefusal, 6)
    assert {r.reason for r in chain.got("ox", msg.StageRefusal)} == {"malformed"}
    send(chain.peer, ask(7, 1, 2), between)                  # nobody has the stages behind it
    assert chain.wait("mule", msg.StageRefusal).reason == "malformed"
    assert chain.end()[0] == 0


def test_what_its_owner_has_not_sent_along_this_way_is_refused(chain: Chain, held: Sessions) -> None:
    """One who would have us run his own tensors in another's name: that would answer it as if it had asked."""
    chain.up()
    chain.beat()
    asked = ask(1, 1, STAGES)
    forged = [
        asked,                                               # the next request of mule, whose number all can guess
        sealed(asked, "ox", Seals("mule", b"guessed")),
        sealed(asked, "yak"),                                # the owner has sent it along another way
        msgspec.structs.replace(sealed(asked, "ox"), first=2),
        msgspec.structs.replace(sealed(asked, "ox"), request=RequestId("mule", 7, 2)),
        msgspec.structs.replace(sealed(asked, "ox"), request=RequestId("mule", 6, 1)),
        msgspec.structs.replace(sealed(asked, "ox"), variant="fp32"),
    ]
    for one in forged:
        chain.send(chain.ox, one, made(held, FRAME, Leg("mule", 0, one.first)), 5.0)
    chain.wait("ox", msg.StageRefusal, len(forged))
    assert {refusal.reason for refusal in chain.got("ox", msg.StageRefusal)} == {"malformed"}
    assert not chain.got("mule", msg.StageAnswer)
    chain.send(chain.peer, ask(1, 0, 0), [IMAGE], 5.0)       # the forged ones have not taken its place
    assert chain.until("mule", msg.StageAnswer).request == asked.request
    assert chain.end()[0] == 0


def test_where_the_next_agent_cannot_be_reached_the_owner_is_told(chain: Chain, held: Sessions) -> None:
    chain.up()
    between = made(held, FRAME, Leg("mule", 0, 1))
    chain.send(chain.peer, ask(1, 1, 3, Leg("nobody", 3, STAGES)), between, 5.0)
    assert chain.until("mule", msg.StageRefusal).reason == "chain_broken"
    assert chain.end()[0] == 0


def test_it_begins_chains_and_comes_home_when_an_agent_of_it_falls_silent(chain: Chain, held: Sessions) -> None:
    chain.up()
    sent = chain.until("mule", msg.StageAsk, "ox", frames=True)
    assert sent.request.agent == "rover"
    assert 0 < sent.first < sent.last == STAGES
    for mine, right in zip(chain.tensors("mule"), made(held, np.zeros_like(FRAME), Leg("rover", 0, sent.first)),
                           strict=True):
        np.testing.assert_array_equal(mine, right)
    chain.send(chain.peer, msg.StageAnswer(
        request=sent.request, outcome=Detections(boxes=[]), run_s=0.01, waited_s=0.0, held_s=0.01))
    chain.net.until(lambda: sent.request in [ended.span.request for ended in chain.got("launcher", msg.Ended)])
    span = next(e.span for e in chain.got("launcher", msg.Ended) if e.span.request == sent.request)
    assert (span.ending, span.ran_on, [leg.agent for leg in span.legs]) == ("completed", "mule", ["rover", "mule"])
    assert span.legs[0].run_s > 0

    def on_the_way() -> bool:
        chain.beat("ox")
        chain.sense_now()
        return any(ask.request != sent.request for ask in chain.got("mule", msg.StageAsk))

    def home() -> bool:
        return any(e.span.ran_on == "rover" and e.span.legs for e in chain.got("launcher", msg.Ended))

    chain.net.until(on_the_way)
    chain.net.silent = {"mule", "ox"}
    chain.net.until(home)
    assert chain.end()[0] == 0


def test_all_outcomes_are_recorded_when_it_has_drained(tmp_path: Path, models: Path) -> None:
    chain = Chain(tmp_path, models, record=str(tmp_path / "recordings"))
    try:
        chain.up()
        sent = chain.until("mule", msg.StageAsk, "ox", frames=True)     # else it might be the one that is asked
        box = Detection(1, 0.5, 1.0, 2.0, 3.0, 4.0)
        chain.send(chain.peer, msg.StageAnswer(
            request=sent.request, outcome=Detections(boxes=[box]), run_s=0.01, waited_s=0.0, held_s=0.01))
        chain.wait("launcher", msg.Ended)
        chain.send(chain.launcher, msg.Drain())
        chain.until("launcher", msg.Drained, "mule", "ox")
        records, frames = recording.parse((tmp_path / "recordings" / "rover.npz").read_bytes())
        record = next(record for record in records if record.request == sent.request)
        assert (record.model, record.variant, record.agents) == ("detector", "int8", ["rover", "mule"])
        assert record.outcome == Detections(boxes=[box])
        assert frames[record.frame].shape == FRAME.shape
        assert len(records) == sum(e.span.ending != "failed" for e in chain.got("launcher", msg.Ended))
        assert chain.end()[0] == 0
    finally:
        chain.close()


@pytest.mark.parametrize("chain", [{"policy": "planner"}], indirect=True)
def test_stages_that_are_not_loaded_are_loaded_when_they_are_asked_for(chain: Chain, held: Sessions) -> None:
    chain.up()
    between = made(held, FRAME, Leg("mule", 0, 1))
    sequence = 0

    def answered() -> bool:
        nonlocal sequence
        sequence += 1
        chain.peer.send("rover", ask(sequence, 1, STAGES), between, 5.0)
        return bool(chain.got("mule", msg.StageAnswer))

    chain.net.until(answered)
    assert chain.got("mule", msg.StageRefusal)[0].reason == "loading"
    assert chain.got("mule", msg.StageAnswer)[0].outcome == made(held, FRAME, Leg("mule"))
    assert chain.end()[0] == 0
