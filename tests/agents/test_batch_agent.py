"""One agent as its own process; several robots ask it at the same time, and it answers each, from batches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from agents.runtime.offer import Offer
from agents.runtime.sessions import Sessions, read_offer
from models.session import RunHandle
from models.store import ARTEFACTS
from swarm.core.protocol import messages as msg
from swarm.core.protocol.spans import Frame, RequestId
from swarm.core.settings.boards import Board
from tests.agents.runtime.test_sessions import GOLDEN
from tests.agents.test_agent import Stage
from tests.patience import HANG_S

SLOW = Board(speed={"fp32": 0.01, "int8": 0.01}, power_w=1, source="test")
"""Here the detector takes about 120 ms: requests that arrive meanwhile wait."""

ASKS = 6


@pytest.fixture
def carrier(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path, board=SLOW, streams=[], load=["detector"], behaviour="", policy="local")
    yield stage
    stage.close()


@pytest.fixture(scope="module")
def offer() -> Offer:
    return read_offer(["detector"], SLOW, ARTEFACTS)


@pytest.fixture(scope="module")
def held(offer: Offer) -> Sessions:
    """The same models in this process."""
    return Sessions(offer, SLOW, ARTEFACTS)


def test_requests_of_peers_at_the_same_time_run_as_a_batch(carrier: Stage, held: Sessions) -> None:
    carrier.up()
    images = np.load(GOLDEN)["images"][:ASKS]
    asked = 0
    for _ in range(20):                                  # again where they came too slowly to meet
        for image in images:
            ask = msg.StageAsk(
                request=RequestId("mule", 7, asked), frame=Frame(1, "detect", asked), model="detector", variant="int8",
                priority=0)
            carrier.send(carrier.peer, ask, [image[None]], HANG_S)
            asked += 1
        carrier.wait("mule", msg.StageAnswer, asked)
        if max(answer.batch for answer in carrier.got("mule", msg.StageAnswer)) >= 3:
            break
    answers = carrier.got("mule", msg.StageAnswer)
    assert sorted(answer.request.sequence for answer in answers) == list(range(asked))
    for answer in answers:                               # each has its own outcome
        image = images[answer.request.sequence % ASKS]
        assert answer.outcome == held.get("detector", "int8").run(image, RunHandle())
    sizes = [answer.batch for answer in answers]
    assert max(sizes) >= 3
    for size in set(sizes):
        assert sizes.count(size) % size == 0             # whole runs
    assert carrier.got("mule", msg.StageRefusal) == []
    assert carrier.end() == (0, "")


def test_batch_run_times_of_the_profile_are_advertised(carrier: Stage, offer: Offer) -> None:
    carrier.up()
    carrier.send(carrier.peer, msg.Heartbeat(sequence=1))
    advert = carrier.wait("mule", msg.Advert)
    told = {(p.model, p.variant): p for p in advert.profiles}
    assert told == {(p.model, p.variant): p for p in offer.announce()}
    int8 = told["detector", "int8"]
    assert 2 < len(int8.batch_s) <= 8
    assert int8.batch_s[0] == int8.p50_s
    assert all(together < n * int8.p50_s for n, together in enumerate(int8.batch_s[1:], 2))
    segmenter = read_offer(["segmenter"], SLOW, ARTEFACTS).announce()
    teachers = [profile.batch_s for profile in segmenter if profile.variant in ("fp32", "int8")]
    assert teachers == [[], []]                              # a batch gains nothing there: never
    assert carrier.end() == (0, "")
