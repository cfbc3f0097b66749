"""What a peer claims of its variants, beside the own cards."""

from __future__ import annotations

from pathlib import Path

import msgspec

from agents.peers.claims import Accuracy, OwnCards
from agents.peers.table import PeerTable
from agents.runtime.sessions import read_offer
from models.store import ARTEFACTS
from swarm.core.policy.plan import Profile
from swarm.core.protocol.messages import Advert
from swarm.core.settings.boards import Board
from tests.agents.builders import profile

CARDS = OwnCards({"detector": {"int8": Accuracy(0.93, 0.94), "student": Accuracy(0.9, 0.91)}})


def claimed(model: str, variant: str, accuracy: float = 1.0) -> Profile:
    return msgspec.structs.replace(profile(model, variant=variant), accuracy=accuracy, network_accuracy=accuracy)


def heard(*profiles: Profile) -> dict[str, list[tuple[str, float, float]]]:
    known = PeerTable(cards=CARDS)
    known.update("liar", 1, 0.0, 0)
    known.advertised("liar", 1, Advert(board="b", executors=1, profiles=list(profiles), streams=[]))
    return {model: [(one.variant, one.accuracy, one.network_accuracy) for one in some]
            for model, some in known.views(0)["liar"].profiles.items()}


def test_the_accuracy_of_a_variant_is_that_of_the_own_card_whatever_a_peer_claims() -> None:
    assert heard(claimed("detector", "int8")) == {"detector": [("int8", 0.93, 0.94)]}


def test_a_variant_that_the_own_card_lacks_or_that_may_not_run_gets_no_work() -> None:
    assert heard(claimed("detector", "made_up"), claimed("detector", "student")) == {
        "detector": [("student", 0.9, 0.91)]}


def test_of_a_model_without_an_own_card_a_peer_is_believed() -> None:
    assert heard(claimed("segmenter", "int8", 0.8)) == {"segmenter": [("int8", 0.8, 0.8)]}


def test_a_launch_that_names_variants_believes_no_other_of_that_model() -> None:
    board = Board(speed={"fp32": 0.5, "int8": 0.5}, power_w=1, source="test")
    offer = read_offer(["detector"], board, Path(ARTEFACTS))
    cards, every = offer.own_cards({"detector": ["int8"]}), offer.own_cards({"segmenter": ["int8"]})
    (int8,) = [one for one in offer.all() if one.variant == "int8"]
    assert cards.believed(claimed("detector", "fp32")) is None
    for known, variant in ((cards, "int8"), (every, "fp32")):
        believed = known.believed(claimed("detector", variant))
        assert believed is not None
        assert believed.network_accuracy == int8.network_accuracy
