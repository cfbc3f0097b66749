"""Where a request's time went: capture to end, cut into parts that add up to its latency."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarm.telemetry.table import Columns

Milliseconds = NDArray[np.float64]

MEANING = (
    ("frame", "from sensor reading to receipt, as the body states it: rendering; transport is not measured"),
    ("queued here", "from receipt until it was sent or its run began, waiting for the own executor included"),
    ("link out", "sending, and the network on the way there; of a chain, between peers too"),
    ("at the peer", "the peer had it and did not run it: waiting before the run, handling after it"),
    ("in vain", "of a request that fell back: out at peers that gave no result, until it was queued here again"),
    ("run", "the run that counted, with what it had to do anew; of a chain, the runs of all its legs, at home too"),
    ("set aside", "begun at home, and stopped while a more urgent request ran"),
    ("link back", "the network on the way back"),
    ("delivery", "from the end of the run, or the peer's answer, to the end of the request"),
)
PARTS = tuple(part for part, _ in MEANING)
AWAY = ("frame", "queued here", "run", "set aside", "link out", "at the peer", "run", "at the peer", "link back",
        "delivery")
"""The parts of a result from a peer in their order; the first run is that of a chain's leg at home."""
HOME = ("frame", "queued here", "in vain", "queued here", "run", "set aside", "delivery")
"""The parts in their order of all else; when within its run a request was set aside is not known."""
ROUTES = ("at home", "on a peer", "fell back")


def routes(c: Columns) -> NDArray[np.object_]:
    """Per request, one of ROUTES: where the result came from; at home after a peer was asked is `fell back`."""
    asked = c["offloaded_to"] != ""
    return np.where(c["on_peer"], "on a peer", np.where(asked, "fell back", "at home")).astype(object)


def parts_ms(c: Columns) -> Milliseconds:
    """[requests, PARTS]; zeros for what gave no result. Stamps out of order are clipped to the order."""
    away, home = _by_part(AWAY, away_ms(c)), _by_part(HOME, home_ms(c))
    parts = np.where(c["on_peer"][:, None].astype(bool), away, home)
    return np.where(np.isnan(c["latency_ms"])[:, None], 0.0, parts)


def _by_part(order: tuple[str, ...], widths: Milliseconds) -> Milliseconds:
    return np.stack([widths[:, [name == part for name in order]].sum(axis=1) for part in PARTS], axis=1)


def away_ms(c: Columns) -> Milliseconds:
    """[requests, AWAY], for those whose result came from a peer."""
    at = _Stamps(c)
    submitted = at.within("submitted_ns", np.zeros_like(at.end), at.end)
    sent = at.within("sent_ns", submitted, at.end)
    returned = at.within("returned_ns", sent, at.end)
    received = at.within("received_ns", sent, returned)
    finished = at.within("finished_ns", received, returned)
    started = at.within("started_ns", received, finished)
    held = np.minimum(c["peer_held_s"] * 1e3, finished - received)
    ran = np.minimum(c["run_s"] * 1e3, held)
    waited = np.minimum(started - received, held - ran)
    between = finished - received - held                     # of a chain: from peer to peer
    here = np.minimum(_ran_here_ms(c), sent - submitted)
    aside = np.where(here > 0, np.minimum(c["aside_s"] * 1e3, sent - submitted - here), 0.0)
    return np.stack([submitted, sent - submitted - here - aside, here, aside, received - sent + between, waited, ran,
                     held - ran - waited, returned - finished, at.end - returned], axis=1)


def home_ms(c: Columns) -> Milliseconds:
    """[requests, HOME], for results from home and for failures, whose last part lasts until their end."""
    at = _Stamps(c)
    submitted = at.within("submitted_ns", np.zeros_like(at.end), at.end)
    sent = at.within("sent_ns", submitted, at.end)
    came_home = np.where(c["queued_ns"] >= c["sent_ns"], at.within("queued_ns", sent, at.end), at.end)
    again = np.where(c["sent_ns"] > 0, came_home, submitted)
    started = at.within("started_ns", again, at.end, absent=at.end)
    finished = at.within("finished_ns", started, at.end, absent=at.end)
    here = np.minimum(_ran_here_ms(c), sent - submitted)     # a chain's leg at home, whose result nobody used
    aside = np.minimum(c["aside_s"] * 1e3, finished - started)
    return np.stack([submitted, sent - submitted - here, here + again - sent, started - again,
                     finished - started - aside, aside, at.end - finished], axis=1)


class _Stamps:
    """Stamps as milliseconds since capture, each forced into its place in the order."""

    def __init__(self, c: Columns) -> None:
        self._c = c
        self.end = np.maximum(np.nan_to_num(self._since_capture("ended_ns")), 0.0)

    def within(self, name: str, low: Milliseconds, high: Milliseconds, absent: Milliseconds | None = None
               ) -> Milliseconds:
        """The stamp, in [low, high]; where it was never set, `absent` (None: low)."""
        at = self._since_capture(name)
        return np.clip(np.where(np.isnan(at), low if absent is None else absent, at), low, high)

    def _since_capture(self, name: str) -> Milliseconds:
        return np.where(self._c[name] > 0, (self._c[name] - self._c["captured_ns"]) / 1e6, np.nan)


def _ran_here_ms(c: Columns) -> Milliseconds:
    """Run time of those legs of a chain that a request's own robot ran."""
    return np.array([sum(leg["run_s"] for leg in legs if leg["agent"] == agent) * 1e3
                     for legs, agent in zip(c["legs"], c["agent"], strict=True)], float)
