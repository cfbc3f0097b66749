"""What the other choice was expected to take is told as an expectation, and set right by how ours erred."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from swarm.telemetry.figures import counterfactual
from swarm.telemetry.report.request_sections import expectations, runners_up
from swarm.telemetry.runfiles import Run
from tests.telemetry import paths


def run_of(*spans: paths.Span) -> Run:
    return Run(folder=Path(), manifest={}, requests=paths.columns(*spans), scene={}, plans=[], events=[], paths=[],
               summary={"agents": {"carrier_0": {"role": "carrier"}}})


# latency 61 ms, expected 51: ten ms slower than expected, and so would the other be, expected at 90 or 40
BETTER = paths.span(1, predicted_s=0.051, other="carrier_0", other_s=0.09)
WORSE = paths.span(2, predicted_s=0.051, other="carrier_0", other_s=0.04)
PLAIN = paths.span(3, predicted_s=0.051)
FAILED = paths.expired(away=False)
FAILED.predicted_s, FAILED.other, FAILED.other_s = 0.05, "carrier_0", 0.06


def test_gain_is_what_the_other_was_expected_to_take_less_what_it_took() -> None:
    c = paths.columns(BETTER, WORSE, PLAIN, FAILED)
    np.testing.assert_allclose(counterfactual.gain_ms(c), [29, -21, np.nan, np.nan])
    np.testing.assert_allclose(counterfactual.corrected_ms(c), [39, -11, np.nan, np.nan])
    np.testing.assert_allclose(counterfactual.errors_ms(c), [10, 10, 10, np.nan])
    assert counterfactual.expected_sooner(c).tolist() == [True, False, True]
    assert counterfactual.figures(c) == {
        "sampled": 3, "sooner_than_other_ratio": 0.666667, "gain_ms_p50": 4.0, "gain_corrected_ms_p50": 14.0,
        "prediction_error_ms_p50": 10.0, "prediction_error_ms_p95": 10.0}


def test_each_stream_is_set_right_by_its_own_error() -> None:
    slow = paths.span(4, stream="segment", predicted_s=0.091, other="carrier_0", other_s=0.09)
    np.testing.assert_allclose(counterfactual.corrected_ms(paths.columns(BETTER, slow)), [39, -1])


def test_without_an_expectation_there_is_no_error() -> None:
    c = paths.columns(paths.span())
    assert np.isnan(counterfactual.errors_ms(c)).all()
    assert np.isnan(counterfactual.ratios(c)).all()
    assert (expectations(run_of(paths.span())), runners_up(run_of(paths.span()))) == ("", "")


def test_the_table_tells_kinds_of_agents_apart() -> None:
    peer = paths.on_a_peer()
    peer.predicted_s, peer.other, peer.other_s = 0.07, "rover_0", 0.08
    chain = paths.chain()
    chain.predicted_s, chain.other, chain.other_s = 0.06, "carrier_0", 0.08
    drawn = runners_up(run_of(BETTER, WORSE, PLAIN, peer, chain))
    rows = [[cell.partition("</td>")[0].rpartition(">")[2] for cell in row.split("<td")[1:]]
            for row in drawn.split("<tr>")[2:]]
    assert [row[1:6] for row in rows] == [
        ["at home", "carrier", "2", "50.0 %", "4.0 ms"], ["carrier", "at home", "1", "100.0 %", "6.0 ms"],
        ["carrier_1 in a chain", "carrier", "1", "100.0 %", "14.0 ms"]]


@pytest.mark.parametrize(("spans", "words"), [
    ((BETTER, WORSE, PLAIN, FAILED), ("3 requests, 2 of them with a result", "66.7 % of the sample", "1.20 x (p50)")),
    ((PLAIN,), ("none: no request has a recorded runner-up", "10.0 ms (p50)")),
])
def test_predictions_are_summarised(spans: tuple[paths.Span, ...], words: tuple[str, ...]) -> None:
    told = expectations(run_of(*spans))
    assert [w for w in words if w not in told] == []
