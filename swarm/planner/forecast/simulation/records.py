"""The arrays of a simulation: the team, which stays as it is, and its state. Times are in seconds, flags 0 or 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Records = Any
"""A structured array. Compiled code has the fields of a row as attributes, which NumPy's types do not know."""

NONE = -1
MOST_WAITING = 128                   # runs of one agent; more are refused
MOST_PROMISES = 64                   # of one agent at a time
MOST_STEPS = 16                      # of load shedding
MOST_BATCH = 8

STREAM = np.dtype([
    ("key", "i8"), ("owner", "i8"), ("priority", "i8"),          # key: of its name; what is drawn depends on it alone
    ("level", "i8"),                                             # rank of its priority among its owner's
    ("period_s", "f8"), ("camera_s", "f8"), ("deadline_s", "f8"),
    ("first", "i8"), ("last", "i8"),                             # its planned legs [first, last)
    ("cheap", "i8"),                                             # the same agent's fastest variant; NONE: a chain
    ("others", "i8"), ("others_end", "i8"),                      # legs on peers, one of them instead of the plan's
    ("home", "i8"),                                              # its fastest run at home; NONE: there is none
    ("stays", "i8"),                                             # whether it leaves its plan for home only
    ("above_s", "f8"),                                           # most time of more urgent streams before its fallback
    ("source", "i8"), ("root", "i8"),                            # whose outcomes it looks at; the first of its chain
    ("closer", "i8"), ("next_closer", "i8"),                     # who looks at its own; the next one of its source
    ("can_hold", "i8"),                                          # whether a run at home alone holds the deadline
])
LEG = np.dtype([
    ("agent", "i8"), ("variant", "i8"),                          # number of the variant among all of all agents
    ("step", "i8"), ("steps", "i8"), ("whole", "i8"),            # its steps [step, step + steps)
    ("p50_s", "f8"), ("p95_s", "f8"), ("guard_s", "f8"),         # guard_s: by p95, whole or in steps
    ("longest_s", "f8"),                                         # of its steps, by p95
    ("link", "i8"), ("send_s", "f8"), ("delay_s", "f8"), ("back_s", "f8"),
])
STEP = np.dtype([("p50_s", "f8"), ("p95_s", "f8")])
AGENT = np.dtype([
    ("key", "i8"), ("executors", "i8"), ("reserved_s", "f8"), ("ladder", "i8"), ("ladder_end", "i8"), ("levels", "i8"),
])
SHED = np.dtype([("kind", "i8"), ("level", "i8"), ("every", "i8")])
CHEAPER, THIN, DROP = 0, 1, 2

REQUEST = np.dtype([
    ("stream", "i8"), ("number", "i8"), ("captured_s", "f8"), ("deadline_s", "f8"), ("open", "i8"), ("ended_s", "f8"),
    ("leg", "i8"), ("last", "i8"), ("awaited", "i8"), ("sent", "i8"), ("promised", "i8"), ("fired", "i8"),
    ("away", "i8"), ("left", "i8"),                              # left: it did not go as planned
    ("timer_s", "f8"),                                           # when its guard is looked at next
])
RUN = np.dtype([                                                 # two of each request: 2 n at home, 2 n + 1 on a peer
    ("state", "i8"), ("leg", "i8"), ("priority", "i8"), ("deadline_s", "f8"), ("guard", "i8"), ("asker", "i8"),
    ("key", "i8"), ("since_s", "f8"), ("step", "i8"), ("begun", "i8"), ("started_s", "f8"), ("slot", "i8"),
    ("p50_s", "f8"), ("p95_s", "f8"), ("leaving", "i8"), ("aborts", "i8"), ("epoch", "i8"), ("next", "i8"),
])
GONE, WAITING, RUNNING = 0, 1, 2
STAYS, LEAVES, IS_CUT, IS_DROPPED = 0, 1, 2, 3                   # how a run leaves its executor

NOW = np.dtype([                                                 # of an agent
    ("waiting", "i8"), ("promises", "i8"), ("spare_s", "f8"), ("spare_at_s", "f8"), ("told_s", "f8"),
    ("told_at_s", "f8"), ("steps", "i8"), ("window_s", "f8"), ("changed_s", "f8"), ("undone_s", "f8"), ("calm_s", "f8"),
    ("booked", "i8"),                                            # whether a peer has sent it work since its last report
    ("beat_s", "f8"), ("beating", "i8"),                         # its first report; whether it has work, so reports
])
EVENT = np.dtype([("at_s", "f8"), ("what", "i8")])               # what: see `events.py`
STREAM_NOW = np.dtype([("number", "i8"), ("frames", "i8"), ("waited_s", "f8"), ("waited_there_s", "f8"),
                       ("active", "i8")])


def rows_of(values: Sequence[tuple[float, ...]], kind: np.dtype[np.void]) -> NDArray[np.void]:
    """An array of these rows."""
    return np.array([tuple(row) for row in values], kind) if values else np.zeros(0, kind)


class Team(NamedTuple):
    """What does not change."""

    streams: Records
    legs: Records
    steps: Records
    agents: Records
    ladders: Records
    batches_s: NDArray[np.float64]           # [variant, inputs - 1]; 0: no such batch


class State(NamedTuple):
    """What changes."""

    events: Records                          # a heap, by time
    counts: NDArray[np.int64]                # see below
    requests: Records
    runs: Records
    streams: Records
    agents: Records
    waiting: NDArray[np.int64]               # [agent, place]: runs
    order: NDArray[np.int64]                 # the same of one agent, by rank
    slots: NDArray[np.int64]                 # [agent, executor]: runs
    promises: NDArray[np.int64]              # [agent, place]: requests
    shed: NDArray[np.int64]                  # [agent, place]: rows of the ladder
    ended: NDArray[np.int64]                 # [agent, level, all and missed]
    backoff_s: NDArray[np.float64]           # [agent, peer]: until when
    booked_s: NDArray[np.float64]            # [agent, peer]: work sent since the peer's last report
    free_s: NDArray[np.float64]              # [link]: when its last transfer is over


EVENTS, REQUESTS, KEYS, FULL = 0, 1, 2, 3    # rows of State.counts; FULL: what found no place


def new_state(streams: int, agents: int, executors: int, links: int, requests: int) -> State:
    """The state of a simulation with at most so many requests."""
    events = 8 * requests + 4 * streams + 4 * agents + 64
    return State(
        events=np.zeros(events, EVENT), counts=np.zeros(4, np.int64),
        requests=np.zeros(requests, REQUEST), runs=np.zeros(2 * requests, RUN), streams=np.zeros(streams, STREAM_NOW),
        agents=np.zeros(agents, NOW), waiting=np.zeros((agents, MOST_WAITING), np.int64),
        order=np.zeros(MOST_WAITING, np.int64), slots=np.zeros((agents, executors), np.int64),
        promises=np.zeros((agents, MOST_PROMISES), np.int64), shed=np.zeros((agents, MOST_STEPS), np.int64),
        ended=np.zeros((agents, max(1, streams), 2), np.int64), backoff_s=np.zeros((agents, agents)),
        booked_s=np.zeros((agents, agents)), free_s=np.zeros(max(1, links)),
    )


def example() -> tuple[Team, State]:
    """Of the right types."""
    team = Team(np.zeros(1, STREAM), np.zeros(1, LEG), np.zeros(1, STEP), np.zeros(1, AGENT), np.zeros(1, SHED),
                np.zeros((1, MOST_BATCH)))
    return team, new_state(1, 1, 1, 1, 1)
