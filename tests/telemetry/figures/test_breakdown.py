"""A request's parts are what its stamps say, and add up to its latency; its segments follow each other."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from swarm.core.protocol.spans import Span
from swarm.telemetry import table
from swarm.telemetry.figures.request_paths import breakdown
from swarm.telemetry.figures.request_paths.segments import Segment, segments
from tests.telemetry import fakes, paths

PARTS = {
    "at home, preempted": (paths.at_home_preempted(), {
        "frame": 5, "queued here": 15, "run": 40, "preempted": 30, "delivery": 2}),
    "on a peer": (paths.on_a_peer(), {
        "frame": 5, "queued here": 1, "link out": 4, "at the peer": 17, "run": 40, "link back": 6, "delivery": 1}),
    "fell back": (paths.fell_back(guard=True), {
        "frame": 5, "queued here": 3, "failed offload": 44, "run": 40, "delivery": 1}),
    "chain": (paths.chain(), {
        "frame": 5, "queued here": 3, "run": 35, "preempted": 6, "link out": 8, "at the peer": 4, "link back": 4,
        "delivery": 1}),
}
EXPIRED = {True: {"frame": 5, "queued here": 1, "failed offload": 94}, False: {"frame": 5, "queued here": 95}}


def spent(found: list[Segment]) -> dict[str, float]:
    parts: dict[str, float] = {}
    for s in found:
        parts[s.part] = parts.get(s.part, 0.0) + s.end_ms - s.start_ms
    return parts


@pytest.mark.parametrize(("span", "parts"), PARTS.values(), ids=PARTS)
def test_a_request_has_the_parts_of_its_path(span: Span, parts: dict[str, float]) -> None:
    found = dict(zip(breakdown.PARTS, breakdown.parts_ms(paths.columns(span))[0].tolist(), strict=True))
    assert {name: ms for name, ms in found.items() if abs(ms) > 1e-9} == pytest.approx(parts)
    assert spent(segments(paths.columns(span), 0)) == pytest.approx(parts)


@pytest.mark.parametrize("away", [True, False])
def test_what_expired_has_no_parts_but_segments_until_its_end(away: bool) -> None:
    c = paths.columns(paths.on_a_peer(), paths.expired(away=away))
    assert not breakdown.parts_ms(c)[1].any()
    assert spent(segments(c, 1)) == pytest.approx(EXPIRED[away])


def test_a_run_set_aside_is_drawn_around_the_time_in_which_it_stood_still() -> None:
    found = segments(paths.columns(paths.at_home_preempted()), 0)
    assert [(s.part, round(s.start_ms), round(s.end_ms)) for s in found] == [
        ("frame", 0, 5), ("queued here", 5, 20), ("run", 20, 40), ("preempted", 40, 70), ("run", 70, 90),
        ("delivery", 90, 92)]


def test_a_chain_is_drawn_leg_by_leg() -> None:
    found = segments(paths.columns(paths.chain()), 0)
    assert [(s.part, s.agent, s.leg, round(s.end_ms)) for s in found] == [
        ("frame", "rover_0", 0, 5), ("queued here", "rover_0", 0, 8),
        ("run", "rover_0", 1, 13), ("preempted", "rover_0", 0, 19), ("run", "rover_0", 1, 24),
        ("link out", "carrier_0", 2, 28), ("at the peer", "carrier_0", 2, 31), ("run", "carrier_0", 2, 51),
        ("at the peer", "carrier_0", 2, 52), ("link out", "carrier_1", 3, 56), ("run", "carrier_1", 3, 61),
        ("link back", "rover_0", 0, 65), ("delivery", "rover_0", 0, 66)]


def test_parts_and_segments_of_a_whole_run_add_up_to_the_latencies() -> None:
    c = table.arrays(fakes.ledger(fakes.launch()).close(), table.empty())
    parts, routes = breakdown.parts_ms(c), breakdown.routes(c)
    result = ~np.isnan(c["latency_ms"])
    assert (parts >= -1e-9).all()
    np.testing.assert_allclose(parts.sum(axis=1)[result], c["latency_ms"][result], atol=1e-6)
    assert not parts[~result].any()
    whole = result & np.array([not legs for legs in c["legs"]])
    run = parts[:, breakdown.PARTS.index("run")]
    np.testing.assert_allclose(run[whole], c["run_s"][whole] * 1e3, atol=1e-3)
    assert set(routes[result]) == set(breakdown.ROUTES)
    away = [breakdown.PARTS.index(part) for part in ("link out", "at the peer", "failed offload", "link back")]
    assert not parts[routes == "at home"][:, away].any()
    chains = result & ~whole & (routes == "on a peer")
    assert chains.any()
    for i in [*np.flatnonzero(chains)[:20], *np.flatnonzero(result)[:50]]:
        found = segments(c, int(i))
        assert found[0].start_ms == 0.0
        assert found[-1].end_ms == pytest.approx(c["latency_ms"][i], abs=0.01)
        assert all(after.start_ms == pytest.approx(s.end_ms, abs=0.01)
                   for s, after in itertools.pairwise(found))


def test_stamps_out_of_order_are_clipped_to_it() -> None:
    wild = paths.span(submitted=5, sent=80, received=200, started=3, finished=900, returned=70, ended=60, queued=None,
                      run_s=5.0, peer_held_s=9.0, aside_s=7.0, offloaded_to="carrier_0", ran_on="carrier_0")
    late = paths.span(queued=90, started=30, finished=10, ended=60, aside_s=7.0)
    parts = breakdown.parts_ms(paths.columns(wild, late))
    assert (parts >= 0).all()
    np.testing.assert_allclose(parts.sum(axis=1), [60.0, 60.0])
