"""Every message that travels between processes. Arrays travel beside them as raw tensors."""

from __future__ import annotations

import msgspec

from swarm.core.plan import Plan, Profile, StreamSpec
from swarm.core.spans import RequestId, Span
from swarm.core.world import Act, Claim, Outcome, Pose


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag=str.lower):
    """Base of all messages; the tag is the class's name in lower case."""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach a process of the swarm."""

    name: str
    role: str                        # agent | planner | world | launcher
    urgent: str                      # endpoint of the lane for control and small messages
    bulk: str                        # endpoint of the lane for tensors
    public_key: str = ""             # CURVE key, Z85; empty on plaintext loopback


# --- starting and stopping ---


class Ready(Message, frozen=True, kw_only=True):
    """A process has bound its lanes and loaded what it needs."""

    member: Member
    pid: int


class Roster(Message, frozen=True, kw_only=True):
    """Everybody's address."""

    members: list[Member]


class Start(Message, frozen=True, kw_only=True):
    """Streams and simulated time begin."""


class Drain(Message, frozen=True, kw_only=True):
    """Streams stop; open requests run to their end."""


class Shutdown(Message, frozen=True, kw_only=True):
    """End the process."""


# --- presence ---


class Heartbeat(Message, frozen=True, kw_only=True):
    """A sign of life and load; answered, so that it measures the round trip too."""

    sequence: int
    sent_ns: int                     # the sender's clock; comes back in the answer
    busy_s: float = 0.0              # work in hand on the executor
    served: int = 0                  # results given to peers so far


class HeartbeatAck(Message, frozen=True, kw_only=True):
    """Echo of a heartbeat."""

    sequence: int
    sent_ns: int
    held_s: float                    # receipt to answer


class Gone(Message, frozen=True, kw_only=True):
    """The launcher saw this process end."""

    name: str
    boot: int


class Advert(Message, frozen=True, kw_only=True):
    """What an agent is and wants: sent to all when it changes."""

    board: str
    executors: int
    profiles: list[Profile]
    streams: list[StreamSpec]


class LinkNews(Message, frozen=True, kw_only=True):
    """An agent's measured links, for the planner."""

    links: dict[str, tuple[float, float]]    # peer -> (round trip in s, bytes per s)
    busy_s: float


class PlanNews(Message, frozen=True, kw_only=True):
    """A plan, or the renewal of its lease (the same epoch again)."""

    plan: Plan


# --- one request's path ---


class StageAsk(Message, frozen=True, kw_only=True):
    """Run this for me; the input tensors travel beside it. The budget is in the envelope."""

    request: RequestId
    model: str
    variant: str
    priority: int


class StageAnswer(Message, frozen=True, kw_only=True):
    """The outcome of a stage that was asked for."""

    request: RequestId
    outcome: Outcome
    run_s: float
    waited_s: float                  # in the peer's queue
    held_s: float                    # receipt to answer
    overrun: bool = False


class StageRefusal(Message, frozen=True, kw_only=True):
    """The peer will not run it."""

    request: RequestId
    reason: str                      # full | too_late | unknown_model | draining | failed


class StageCancel(Message, frozen=True, kw_only=True):
    """The answer is no longer wanted."""

    request: RequestId


# --- the body ---


class Sensed(Message, frozen=True, kw_only=True):
    """An observation; tensors: scan float32 [beams], and frame uint8 [h, w, 3] if there is one."""

    sequence: int
    age_s: float
    pose: Pose
    v_mps: float
    w_radps: float
    bumped: bool
    frame: bool


class Acted(Message, frozen=True, kw_only=True):
    """A velocity command."""

    act: Act


class Claimed(Message, frozen=True, kw_only=True):
    """A confirmed target."""

    claim: Claim


class Judged(Message, frozen=True, kw_only=True):
    """What the world says of a claim."""

    claim: Claim
    verdict: str                     # found | duplicate | wrong


class Shared(Message, frozen=True, kw_only=True):
    """What behaviours tell each other."""

    topic: str
    data: bytes


# --- telemetry ---


class Submitted(Message, frozen=True, kw_only=True):
    """A request exists."""

    request: RequestId
    stream: str


class Ended(Message, frozen=True, kw_only=True):
    """A request has ended, with its path."""

    span: Span


class Happened(Message, frozen=True, kw_only=True):
    """Something worth a line in `events.jsonl`."""

    what: str
    detail: dict[str, str | float | int] = {}


class AgentNews(Message, frozen=True, kw_only=True):
    """An agent's own figures, once a second."""

    rss_bytes: int
    runs: int
    overruns: int
    busy_share: float                # of the executor, since the last one
    refused_in: int                  # messages refused
    duplicates: int                  # answers after the end of their request
    control_bytes: int               # sent on the urgent lane so far


class WorldNews(Message, frozen=True, kw_only=True):
    """The world's figures, several times a second."""

    time_s: float
    steps: int
    real_time_factor: float
    lag_ms_p99: float
    targets: int
    found: int
    coverage: float
    collisions: int
    poses: dict[str, Pose]


class Scene(Message, frozen=True, kw_only=True):
    """The map, for the report: JSON text."""

    json: bytes


class PlannerNews(Message, frozen=True, kw_only=True):
    """A plan was made."""

    epoch: int
    solve_s: float
    solver: str
    ray: bool


Body = (
    Ready | Roster | Start | Drain | Shutdown
    | Heartbeat | HeartbeatAck | Gone | Advert | LinkNews | PlanNews
    | StageAsk | StageAnswer | StageRefusal | StageCancel
    | Sensed | Acted | Claimed | Judged | Shared
    | Submitted | Ended | Happened | AgentNews | WorldNews | Scene | PlannerNews
)
