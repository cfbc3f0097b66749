"""A board loads what fits into its memory: each model first, then more variants, then stages; by priority and speed."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from agents.runtime.memory import MB, RESERVE_BYTES, Candidate, fitting
from agents.runtime.sessions import offer_of, read_offer
from models import store
from models.store import ARTEFACTS
from swarm.core.policy.plan import StreamSpec
from swarm.core.settings.boards import Board
from swarm.core.settings.cards import Gate
from swarm.core.settings.errors import BadInput
from swarm.core.settings.process_files import AgentFile
from swarm.launcher.load import load_boards

BOARD = Board(speed={"fp32": 0.2, "int8": 0.2}, power_w=5.0, source="test")
RESERVE_MB = RESERVE_BYTES // MB
MODELS = ["urgent", "other"]
CANDIDATES = [
    Candidate("other", "fp32", 0.2, 30 * MB, staged=True), Candidate("other", "int8", 0.1, 20 * MB, staged=True),
    Candidate("urgent", "fp32", 0.02, 10 * MB, staged=True), Candidate("urgent", "int8", 0.01, 15 * MB, staged=False)]
LAUNCH = Path(__file__).parents[3] / "launch"


def test_memory_that_is_not_known_holds_all() -> None:
    found = fitting(CANDIDATES, MODELS, 0)
    assert set(found.whole) == {candidate.key for candidate in CANDIDATES}
    assert (found.left_out, found.unstaged, found.free_bytes) == ([], [], None)


@pytest.mark.parametrize(("free_mb", "whole", "stages", "left_mb"), [
    (0, [], [], 0),
    (12, [("urgent", "fp32")], [], 2),                       # the faster one is too large
    (15, [("urgent", "int8")], [], 0),
    (36, [("urgent", "int8"), ("other", "int8")], [], 1),    # every model, before a second variant of the urgent one
    (45, [("urgent", "int8"), ("other", "int8"), ("urgent", "fp32")], [], 0),
    (75, [("urgent", "int8"), ("other", "int8"), ("urgent", "fp32"), ("other", "fp32")], [], 0),
    (95, [("urgent", "int8"), ("other", "int8"), ("urgent", "fp32"), ("other", "fp32")], [("other", "int8")], 0),
    (106, [("urgent", "int8"), ("other", "int8"), ("urgent", "fp32"), ("other", "fp32")],
     [("other", "int8"), ("urgent", "fp32")], 1),
])
def test_the_most_useful_variants_that_fit_are_loaded(
    free_mb: int, whole: list[tuple[str, str]], stages: list[tuple[str, str]], left_mb: int
) -> None:
    found = fitting(CANDIDATES, MODELS, RESERVE_MB + free_mb)
    assert (found.whole, found.stages, found.free_bytes) == (whole, stages, left_mb * MB)
    assert {c.key for c in found.left_out} == {c.key for c in CANDIDATES} - set(whole)
    assert set(found.unstaged) == {c.key for c in CANDIDATES if c.staged and c.key in whole} - set(stages)


def test_what_may_come_later_has_its_stages_then_if_they_fit_beside_it() -> None:
    found = fitting(CANDIDATES, MODELS, RESERVE_MB + 45)
    assert found.later == [("urgent", "fp32"), ("other", "int8")]
    offer = offer_of(agent("greedy", RESERVE_MB + 40))
    residency = offer.residency()
    assert residency is not None
    assert not residency.fits_all()
    staged = {(one.model, one.variant) for one in offer.all() if one.stages}
    assert ("detector", "int8") in staged
    assert ("segmenter", "fp32") not in staged
    assert {part[:2] for part in offer.sizes() if part.stages} == staged


def test_what_is_left_out_is_told_in_the_order_of_its_use() -> None:
    left_out = fitting(CANDIDATES, MODELS, 1).left_out
    assert [one.key for one in left_out] == [
        ("urgent", "int8"), ("urgent", "fp32"), ("other", "int8"), ("other", "fp32")]


def agent(policy: str, memory_mb: int) -> AgentFile:
    """An agent with a stream of each shipped model; segments are more important."""
    streams = [StreamSpec(name=name, model=model, rate_hz=1.0, deadline_s=1.0, priority=priority)
               for name, model, priority in (("detect", "detector", 0), ("segment", "segmenter", 5))]
    return AgentFile(version=1, name="rover_0", swarm="s", board_name="tiny", policy=policy, streams=streams,
                     board=msgspec.structs.replace(BOARD, memory_mb=memory_mb), models=str(ARTEFACTS))


def test_the_model_of_the_most_important_stream_is_loaded_and_the_rest_is_in_no_advert() -> None:
    offer = offer_of(agent("greedy", RESERVE_MB + 25))
    assert [(one.model, one.variant, one.stages) for one in offer.announce()] == [("segmenter", "small_int8", [])]
    assert [(one.model, one.variant) for one in offer.left_out] == [
        ("segmenter", "student_int8"), ("segmenter", "int8"), ("segmenter", "fp32"), ("detector", "small_int8"),
        ("detector", "student_int8"), ("detector", "int8"), ("detector", "fp32")]
    told = offer.not_loaded()
    assert "segmenter fp32 (too large), detector small_int8, " in told
    assert told.endswith("detector int8, detector fp32, the stages of segmenter small_int8")


def test_a_stream_that_only_peers_could_serve_needs_a_policy_that_uses_peers() -> None:
    with pytest.raises(BadInput, match=r"board tiny: memory_mb: 130: no variant of segmenter for stream segment fits"):
        offer_of(agent("local", 130))
    assert offer_of(agent("planner", 130)).announce() == []


@pytest.mark.parametrize("memory_mb", [0, 4096])
def test_a_choice_of_variants_of_which_none_passed_its_gate_names_the_gate(tmp_path: Path, memory_mb: int) -> None:
    card = store.load_card("segmenter", ARTEFACTS)
    failed = msgspec.structs.replace(card.variants["int8"], gate=Gate(metric="miou", value=0.4, floor=0.6))
    store.save_card(msgspec.structs.replace(card, variants=card.variants | {"int8": failed}), tmp_path)
    store.save_card(store.load_card("detector", ARTEFACTS), tmp_path)
    only = msgspec.structs.replace(agent("planner", memory_mb), variants={"segmenter": ["int8"]}, models=str(tmp_path))
    with pytest.raises(BadInput, match=r"variants: segmenter: int8 has miou 0.4, and its gate is 0.6; one of fp32"):
        offer_of(only)


def test_models_of_equal_priority_take_turns_and_so_need_not_fit_together() -> None:
    settings = agent("local", RESERVE_MB + 25)
    with pytest.raises(BadInput, match="which stays"):
        offer_of(settings)
    alike = [msgspec.structs.replace(stream, priority=1) for stream in settings.streams]
    assert offer_of(msgspec.structs.replace(settings, streams=alike)).left_out != []


def test_the_boards_that_we_ship_hold_all_models_that_we_ship_with_their_stages() -> None:
    for name, board in load_boards(LAUNCH / "boards.yaml").items():
        unknown = read_offer(["detector", "segmenter"], msgspec.structs.replace(board, memory_mb=0), ARTEFACTS)
        offer = read_offer(["detector", "segmenter"], board, ARTEFACTS)
        assert offer.not_loaded() == "", name
        assert offer.announce() == unknown.announce()
