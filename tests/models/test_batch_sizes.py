"""How many inputs at once pay, from what was measured; and that the shipped models give each its own result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models import store
from models.batch_sizes import MIN_GAIN, SIZES, paying
from models.session import Session
from models.store import ARTEFACTS, artefact, load_card
from models.tasks import task
from swarm.core.settings.cards import RunTime

SHIPPED = [(name, key) for name in store.names(ARTEFACTS)
           for key, variant in load_card(name, ARTEFACTS).variants.items() if variant.batch > 1]


def time(p50_ms: float) -> RunTime:
    return RunTime(quantiles_ms=np.linspace(0.9 * p50_ms, 1.3 * p50_ms, 21).tolist(), runs=10)


@pytest.mark.parametrize(("batches", "expected"), [
    ({}, []),
    ({2: 15.0}, [10, 15]),
    ({2: 15.0, 4: 24.0}, [10, 15, 19.5, 24]),                        # between them a straight line
    ({2: 15.0, 4: 32.0, 8: 40.0}, [10, 15]),                         # it stops where the next gains nothing
    ({2: 20.0, 4: 24.0}, []),
    ({2: 2 * 10.0 * (1 - MIN_GAIN) + 0.1}, []),                          # too little
    ({4: 24.0}, [10, 14.667, 19.333, 24]),
])
def test_as_many_as_pay(batches: dict[int, float], expected: list[float]) -> None:
    made = paying(time(10.0), {inputs: time(ms) for inputs, ms in batches.items()})
    middle = np.median(time(1.0).quantiles_ms)
    assert [run_time.p50_ms / middle for run_time in made] == pytest.approx(expected, abs=0.001)
    for run_time in made:
        assert run_time.quantiles_ms == sorted(run_time.quantiles_ms)


@pytest.fixture(scope="module")
def frames() -> NDArray[np.uint8]:
    with np.load(Path(__file__).parent / "data" / "golden.npz") as file:
        return file["images"]


@pytest.mark.parametrize(("name", "variant"), [
    pytest.param(*key, marks=[] if key[0] == "detector" or key[1].startswith("small") else [pytest.mark.long])
    for key in SHIPPED])
def test_several_at_once_give_what_each_gives_alone(name: str, variant: str, frames: NDArray[np.uint8]) -> None:
    card = load_card(name, ARTEFACTS)
    session, solve = Session(artefact(card, variant, ARTEFACTS)), task(card)
    assert session.batched
    assert session.inputs == card.inputs                             # of one input
    assert card.variants[variant].batch == max(SIZES)
    alone = [session.run(solve.preprocess(frame)) for frame in frames]
    for inputs in range(2, max(SIZES) + 1):
        together = session.run({"image": frames[:inputs]})
        for k in range(inputs):
            mine = [output[k:k + 1] for output in together]
            for one, other in zip(mine, alone[k], strict=True):
                np.testing.assert_allclose(one, other, rtol=0.0, atol=0.0 if variant == "int8" else 1e-5)
            assert solve.postprocess(mine) == solve.postprocess(alone[k]) or variant == "fp32"
