"""A run in which a board has no memory for the model of its stream: a peer serves it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from agents.runtime.memory import MB, RESERVE_BYTES
from models.store import ARTEFACTS, load_card, save_card
from swarm.core.settings.launch_file import StreamOn
from tests.virtual.flights import FAST, LAUNCH, SLOW, events, flown


@pytest.mark.parametrize("policy", ["planner", "greedy"])
def test_a_stream_whose_model_does_not_fit_is_served_by_a_peer(tmp_path: Path, policy: str) -> None:
    full = msgspec.structs.replace(SLOW, memory_mb=RESERVE_BYTES // MB)
    outcome = flown(tmp_path, policy=policy, boards={"slow": full, "fast": FAST},
                    streams=[msgspec.structs.replace(LAUNCH.streams[0], deadline_s=0.4)])
    requests = outcome.summary["requests"]
    assert requests["lost"] == 0
    assert requests["completed"] > 0.9 * requests["due"]
    told = [(event["who"], event["detail"]) for event in events(tmp_path) if event["what"] == "not_loaded"]
    assert told == [("rover_0", {"model": "detector", "variant": variant}) for variant in ("int8", "fp32")]


def test_models_that_do_not_fit_together_take_turns_and_the_most_urgent_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, card = tmp_path / "store", load_card("detector", ARTEFACTS)
    monkeypatch.setenv("SWARM_MODELS", str(store))
    for name in ("one", "two", "three"):
        only = {"int8": msgspec.structs.replace(card.variants["int8"], stages=[], parent="")}
        save_card(msgspec.structs.replace(card, name=name, variants=only), store)
    room_mb = 2 * card.variants["int8"].memory_bytes // MB + 3
    board = msgspec.structs.replace(FAST, memory_mb=RESERVE_BYTES // MB + room_mb)
    streams = [StreamOn(name=name, on=["rover"], model=name, rate_hz=4.0, deadline_s=0.5, priority=int(name == "one"))
               for name in ("one", "two", "three")]

    def fly(out: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        outcome = flown(out, policy="local", duration_s=12.0, boards={"slow": board, "fast": FAST}, streams=streams)
        assert outcome.summary is not None
        return outcome.summary, events(out)

    summary, told = fly(tmp_path / "a")
    by_stream = summary["streams"]
    assert summary["requests"]["lost"] == 0
    assert by_stream["one"]["completed"] == by_stream["one"]["due"]
    for name in ("two", "three"):
        assert by_stream[name]["completed"] > 0.3 * by_stream[name]["due"]
        assert set(by_stream[name]["failed_by"]) <= {"not_loaded"}
    loads = [event["detail"]["model"] for event in told if event["what"] == "loaded"]
    assert loads[:4] == ["three", "two", "three", "two"]
    assert len(loads) == summary["agents"]["rover_0"]["loads"] <= 10
    again, told_again = fly(tmp_path / "b")
    assert (again["streams"], told_again) == (summary["streams"], told)
