"""Splits one request's time into consecutive segments, from capture to end; a chain leg by leg."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from swarm.telemetry.figures.request_paths import breakdown
from swarm.telemetry.table import Columns

LEAST_MS = 1e-3                      # shorter ones are left out


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """A time segment of one part of `breakdown.PARTS`, in milliseconds since capture."""

    part: str
    start_ms: float
    end_ms: float
    agent: str                       # where the request was; for a link, the destination
    leg: int = 0                     # number of the leg of a chain, from 1; 0: no leg


def segments(c: Columns, i: int) -> list[Segment]:
    """The segments of request i in order; segments too short to see are left out.

    The moment of a preemption is not recorded, so its segment is placed in the middle of the run.
    """
    one: Columns = {name: values[i:i + 1] for name, values in c.items()}
    home, legs = str(one["agent"][0]), list(one["legs"][0])
    if not one["on_peer"][0]:
        return _placed((part, ms, home, 0) for part, ms in
                       _around(zip(breakdown.HOME, breakdown.home_ms(one)[0].tolist(), strict=True)))
    widths = breakdown.away_ms(one)[0].tolist()
    peer = str(one["offloaded_to"][0])
    here = [(part, ms, home, 1 if part == "run" else 0)
            for part, ms in _around(zip(breakdown.AWAY[:4], widths[:4], strict=True))]
    there = _chain(legs, home, widths[4]) if legs else [
        (part, ms, peer, 0) for part, ms in zip(breakdown.AWAY[4:8], widths[4:8], strict=True)]
    return _placed([*here, *there, ("link back", widths[8], home, 0), ("delivery", widths[9], home, 0)])


_Piece = tuple[str, float, str, int]     # part, milliseconds, agent, leg


def _chain(legs: list[Mapping[str, Any]], home: str, links_ms: float) -> list[_Piece]:
    """The pieces of a chain's legs on peers. All links to peers are assumed to take equally long."""
    peers = [(number, leg) for number, leg in enumerate(legs, 1) if leg["agent"] != home]
    pieces: list[_Piece] = []
    for number, leg in peers:
        waited_s, run_s, agent = leg["waited_s"], leg["run_s"], str(leg["agent"])
        rest_s = max(leg["held_s"] - waited_s - run_s, 0.0)
        pieces += [("link out", links_ms / len(peers), agent, number), ("at the peer", waited_s * 1e3, agent, number),
                   ("run", run_s * 1e3, agent, number), ("at the peer", rest_s * 1e3, agent, number)]
    return pieces


def _around(parts: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
    """Place a preemption in the middle of its run."""
    placed: list[tuple[str, float]] = []
    for part, ms in parts:
        if part == "preempted" and ms > LEAST_MS and placed and placed[-1][0] == "run":
            run_ms = placed.pop()[1]
            placed += [("run", run_ms / 2), (part, ms), ("run", run_ms / 2)]
        else:
            placed.append((part, ms))
    return placed


def _placed(pieces: Iterable[_Piece]) -> list[Segment]:
    found: list[Segment] = []
    at = 0.0
    for part, ms, agent, leg in pieces:
        if ms > LEAST_MS:
            found.append(Segment(part=part, start_ms=at, end_ms=at + ms, agent=agent, leg=leg))
        at += ms
    return found
