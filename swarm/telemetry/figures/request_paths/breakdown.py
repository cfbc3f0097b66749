"""Splits the time of a request, from capture to end, into parts that add up to its latency."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarm.telemetry.table import Columns

Milliseconds = NDArray[np.float64]

MEANING = (
    ("frame", "from capture to receipt, as the body reports it: the latency of its sensors; transport is not measured"),
    ("queued here", "from receipt until the request was sent or its run began, with the wait for an executor"),
    ("link out", "sending and the network transfer to the peer; in a chain, also between peers"),
    ("at the peer", "at the peer, but not running: waiting before the run, handling after it"),
    ("failed offload", "the request fell back: time at peers that gave no result, until it was queued here again"),
    ("run", "the run that counted, with repeated work; in a chain, the runs of all legs, also at home"),
    ("preempted", "started at home, then stopped while a more urgent request ran"),
    ("link back", "network transfer of the answer"),
    ("delivery", "from the end of the run, or the arrival of the peer's answer, to the end of the request"),
)
PARTS = tuple(part for part, _ in MEANING)
AWAY = ("frame", "queued here", "run", "preempted", "link out", "at the peer", "run", "at the peer", "link back",
        "delivery")
"""Order of the parts of a result from a peer. The first `run` is a chain's leg at home."""
HOME = ("frame", "queued here", "failed offload", "queued here", "run", "preempted", "delivery")
"""Order of the parts of all other requests. The moment of a preemption within the run is not recorded."""
ROUTES = ("at home", "on a peer", "fell back")


def routes(c: Columns) -> NDArray[np.object_]:
    """Per request, one of ROUTES: the origin of its result. `fell back`: at home, after a peer was asked."""
    asked = c["offloaded_to"] != ""
    return np.where(c["on_peer"], "on a peer", np.where(asked, "fell back", "at home")).astype(object)


def parts_ms(c: Columns) -> Milliseconds:
    """[requests, PARTS]; zeros for requests without a result. Time stamps that are out of order are clipped."""
    away, home = _by_part(AWAY, away_ms(c)), _by_part(HOME, home_ms(c))
    parts = np.where(c["on_peer"][:, None].astype(bool), away, home)
    return np.where(np.isnan(c["latency_ms"])[:, None], 0.0, parts)


def _by_part(order: tuple[str, ...], widths: Milliseconds) -> Milliseconds:
    return np.stack([widths[:, [name == part for name in order]].sum(axis=1) for part in PARTS], axis=1)


def away_ms(c: Columns) -> Milliseconds:
    """[requests, AWAY]; valid for requests whose result came from a peer."""
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
    between = finished - received - held                     # in a chain: transfers between peers
    here = np.minimum(_ran_here_ms(c), sent - submitted)
    aside = np.where(here > 0, np.minimum(c["aside_s"] * 1e3, sent - submitted - here), 0.0)
    return np.stack([submitted, sent - submitted - here - aside, here, aside, received - sent + between, waited, ran,
                     held - ran - waited, returned - finished, at.end - returned], axis=1)


def home_ms(c: Columns) -> Milliseconds:
    """[requests, HOME]; valid for results from home and for failures. A failure's last part ends with the request."""
    at = _Stamps(c)
    submitted = at.within("submitted_ns", np.zeros_like(at.end), at.end)
    sent = at.within("sent_ns", submitted, at.end)
    came_home = np.where(c["queued_ns"] >= c["sent_ns"], at.within("queued_ns", sent, at.end), at.end)
    again = np.where(c["sent_ns"] > 0, came_home, submitted)
    started = at.within("started_ns", again, at.end, absent=at.end)
    finished = at.within("finished_ns", started, at.end, absent=at.end)
    here = np.minimum(_ran_here_ms(c), sent - submitted)     # a chain's leg at home; its result was not used
    aside = np.minimum(c["aside_s"] * 1e3, finished - started)
    return np.stack([submitted, sent - submitted - here, here + again - sent, started - again,
                     finished - started - aside, aside, at.end - finished], axis=1)


class _Stamps:
    """Time stamps as milliseconds since capture, each clipped between its neighbours."""

    def __init__(self, c: Columns) -> None:
        self._c = c
        self.end = np.maximum(np.nan_to_num(self._since_capture("ended_ns")), 0.0)

    def within(self, name: str, low: Milliseconds, high: Milliseconds, absent: Milliseconds | None = None
               ) -> Milliseconds:
        """The stamp, clipped to [low, high]; `absent` where it was never set (None: low)."""
        at = self._since_capture(name)
        return np.clip(np.where(np.isnan(at), low if absent is None else absent, at), low, high)

    def _since_capture(self, name: str) -> Milliseconds:
        return np.where(self._c[name] > 0, (self._c[name] - self._c["captured_ns"]) / 1e6, np.nan)


def _ran_here_ms(c: Columns) -> Milliseconds:
    """[requests] run time of the legs that ran on the request's own robot."""
    return np.array([sum(leg["run_s"] for leg in legs if leg["agent"] == agent) * 1e3
                     for legs, agent in zip(c["legs"], c["agent"], strict=True)], float)
