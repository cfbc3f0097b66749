"""Predictions are compared with results, mean with mean."""

from __future__ import annotations

import math

import pytest

from swarm.telemetry.figures.request_paths.prediction import prediction
from tests.telemetry import paths


def test_the_error_is_the_mean_measured_less_the_mean_predicted() -> None:
    skewed = [paths.span(1, ended=50, predicted_s=0.05), paths.span(2, ended=50, predicted_s=0.05),
              paths.span(3, ended=170, ending="late", predicted_s=0.08)]
    p = prediction(paths.columns(*skewed), "detect")
    assert (p.results, p.predicted_ms, p.measured_ms, p.error_ms) == (3, 60.0, 90.0, 30.0)  # the medians agree


def test_what_has_no_result_or_no_prediction_or_is_of_another_stream_counts_nowhere() -> None:
    failed = paths.expired(away=False)
    failed.predicted_s = 9.0
    p = prediction(paths.columns(paths.span(1, predicted_s=0.051), paths.span(2, ended=99), failed,
                                 paths.span(3, stream="segment", ended=99, predicted_s=9.0)), "detect")
    assert (p.results, p.predicted_ms) == (1, 51.0)
    assert p.error_ms == pytest.approx(10.0)


def test_without_results_there_is_no_error() -> None:
    p = prediction(paths.columns(paths.span(1)), "detect")
    assert p.results == 0
    assert math.isnan(p.error_ms)
