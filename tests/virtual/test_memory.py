"""A run in which a board has no memory for the model of its stream: a peer serves it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from agents.runtime.memory import MB, RESERVE_BYTES
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
