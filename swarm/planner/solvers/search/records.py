"""The arrays of a search: the problem, which stays as it is, and the assignment. Times are in seconds."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Records = Any
"""A structured array. Compiled code has the fields of a row as attributes, which NumPy's types do not know."""

NONE = -1

STREAM = np.dtype([("first", "i8"), ("end", "i8")])      # its options [first, end)
OPTION = np.dtype([
    ("first", "i8"), ("legs_end", "i8"), ("end", "i8"),      # its sources: its legs, then its guard if it has one
    ("cost", "f8"), ("kept", "f8"),                          # what it costs anywhere; share that no peer or link loses
    ("idle_s", "f8"),                                        # latency when nothing else runs
])
SOURCE = np.dtype([
    ("agent", "i8"), ("level", "i8"),                        # level: rank of its priority, 0 is the least urgent
    ("rate_hz", "f8"), ("p50_s", "f8"), ("p95_s", "f8"), ("step_s", "f8"),
    ("load", "f8"), ("half_square", "f8"), ("half_step", "f8"),
    ("slack_s", "f8"),                                       # deadline less all but the wait and the run of this leg
    ("deadline_s", "f8"), ("weight", "f8"),                  # cost of missing all deadlines, per second
    ("stream", "i8"), ("own", "i8"),                         # own: whether it runs on its own robot
    ("camera_s", "f8"),                                      # period of the robot's camera; 0 of unexplained load
    ("safe_s", "f8"), ("answer_s", "f8"),                    # of a guard, from capture: see `queue.py`; 0 of a leg
    ("back", "f8"),                                          # share of what a peer loses that is in time at home
])
AGENT = np.dtype([
    ("executors", "i8"), ("background", "i8"),               # background: the source of unexplained load
    ("spare", "f8"),                                         # executors that peers can have
    ("stray", "f8"),                                         # cost of a load of one executor that it refuses
])
FORECAST = np.dtype([("on_time", "f8"), ("wait_s", "f8"), ("tail_s", "f8")])


class Tables(NamedTuple):
    """What does not change."""

    streams: Records
    options: Records
    sources: Records
    agents: Records
    order: NDArray[np.int64]                 # streams, the most urgent first


class Work(NamedTuple):
    """What changes."""

    chosen: NDArray[np.int64]                # by stream: its option; NONE: not placed
    best: NDArray[np.int64]                  # the same of the best assignment found
    members: NDArray[np.int64]               # [agent, place]: sources
    count: NDArray[np.int64]                 # by agent: members
    cost: NDArray[np.float64]                # by agent
    forecast: Records                        # by place, of the agent that was looked at last
    classes: NDArray[np.float64]             # [quantity, level]: see `queue.py`
    order: NDArray[np.int64]                 # streams, for one descent
    picked: NDArray[np.int64]                # streams that were taken out
    learnt: NDArray[np.float64]              # by option: its cost beyond the formula, as simulations show it
    wrong: NDArray[np.int64]                 # by stream: whether something new was learnt of its option
    counts: NDArray[np.int64]                # see below


RANDOM, WORKED = 0, 1                        # rows of Work.counts; WORKED: evaluations of a source


def new_work(streams: int, options: int, agents: int, members: int, levels: int) -> Work:
    """Nothing is placed. members: the most sources of one agent."""
    return Work(
        chosen=np.full(streams, NONE), best=np.full(streams, NONE), members=np.zeros((agents, members), np.int64),
        count=np.zeros(agents, np.int64), cost=np.zeros(agents), forecast=np.zeros(members, FORECAST),
        classes=np.zeros((6, max(levels, 1))), order=np.zeros(streams, np.int64), picked=np.zeros(streams, np.int64),
        learnt=np.zeros(options), wrong=np.zeros(streams, np.int64),
        counts=np.zeros(2, np.int64),
    )


def example() -> tuple[Tables, Work]:
    """Of the right types."""
    tables = Tables(np.zeros(1, STREAM), np.zeros(1, OPTION), np.zeros(1, SOURCE), np.zeros(1, AGENT),
                    np.zeros(1, np.int64))
    return tables, new_work(1, 1, 1, 1, 1)
