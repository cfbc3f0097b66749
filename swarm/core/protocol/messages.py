"""Every message that travels between processes. Arrays travel beside them as raw tensors."""

from __future__ import annotations

import msgspec

from swarm.core.policy.plan import Plan, Profile, Route, StageNumber, StreamSpec
from swarm.core.protocol.bounds import Count, Factor, Finite, Priority, Rate, Seconds, Share
from swarm.core.protocol.spans import AtOnce, LegsDone, RequestId, Span
from swarm.core.protocol.world import Act, Claim, Outcome, Pose


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag=str.lower):
    """Base of all messages; the tag is the class's name in lower case."""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach a process of the swarm."""

    name: str
    role: str                        # agent | planner | world | launcher | collector
    urgent: str                      # endpoint of the lane for control and small messages
    bulk: str                        # endpoint of the lane for tensors
    public_key: str = ""             # CURVE key, Z85; empty on plaintext loopback
    boot: Count = 0                  # which start of it is there; 0: whichever, as in a file that people write


# --- the bulk lane's own ---


class Credit(Message, frozen=True, kw_only=True):
    """Nothing but the receipt in its envelope."""


class Chunk(Message, frozen=True, kw_only=True):
    """A piece of a tensor whose message was announced as a transfer; its bytes travel beside it."""

    transfer: Count
    tensor: Count                    # index among the announced ones
    offset: Count                    # bytes


class TransferEnded(Message, frozen=True, kw_only=True):
    """A transfer stops before its end: its sender does not want it sent any more."""

    transfer: Count


class TransferRefused(Message, frozen=True, kw_only=True):
    """A transfer stops before its end: its receiver will not have it."""

    transfer: Count
    reason: str


# --- starting and stopping ---


class Ready(Message, frozen=True, kw_only=True):
    """A process has bound its lanes and loaded what it needs."""

    member: Member
    pid: Count


class Roster(Message, frozen=True, kw_only=True):
    """Everybody's address."""

    members: list[Member]


class Start(Message, frozen=True, kw_only=True):
    """Streams and simulated time begin."""


class Drain(Message, frozen=True, kw_only=True):
    """Streams stop; open requests run to their end."""


class Drained(Message, frozen=True, kw_only=True):
    """Streams have stopped, every request of this agent has ended, and everyone has been told."""


class Shutdown(Message, frozen=True, kw_only=True):
    """End the process."""


# --- presence ---


class Heartbeat(Message, frozen=True, kw_only=True):
    """A sign of life and load; answered, so that it measures the round trip too."""

    sequence: Count
    busy_s: Seconds = 0.0            # work in hand on the executor
    advert: Count = 0                # number of the receiver's advert that is known here; 0: none


class HeartbeatAck(Message, frozen=True, kw_only=True):
    """Echo of a heartbeat: who sent it is heard, and knows how busy the other is."""

    sequence: Count
    held_s: Seconds                    # receipt to answer
    busy_s: Seconds = 0.0              # work in hand on the executor
    advert: Count = 0                  # as in the heartbeat


class Joined(Message, frozen=True, kw_only=True):
    """Members that the sender knows of. A newcomer says it of itself, to any member, which passes it on."""

    members: list[Member]


class Rumour(Message, frozen=True, kw_only=True):
    """A member has been silent, or has been heard again: worth a look, and no more."""

    about: str
    boot: Count
    silent: bool


class Gone(Message, frozen=True, kw_only=True):
    """The launcher saw this agent's process end: its body stops."""

    name: str
    boot: Count


class Advert(Message, frozen=True, kw_only=True):
    """What an agent is and wants: sent when it changes, until each has it."""

    number: Count = 1                  # grows with each change
    battery: Share | None = None       # what is left; None: it has none, or none that can be read
    board: str
    executors: Count
    profiles: list[Profile]
    streams: list[StreamSpec]


class LinkNews(Message, frozen=True, kw_only=True):
    """What has changed of an agent's measured links, for the planner."""

    links: dict[str, tuple[Seconds, Rate]]    # peer -> (round trip in s, bytes per s)


class PlanNews(Message, frozen=True, kw_only=True):
    """A plan, or the renewal of its lease (the same epoch again)."""

    plan: Plan


# --- faults that a launcher injects ---


class Back(Message, frozen=True, kw_only=True):
    """The launcher started this agent's process anew: its body moves again."""

    name: str
    boot: Count


class Afflicted(Message, frozen=True, kw_only=True):
    """All that ails a process from now on; with nothing in it, the process is well. Shares are of what comes."""

    deaf_to: list[str] = []          # of these nothing is heard
    lose: Share = 0.0                # of what agents and planner send vanishes
    corrupt: Share = 0.0             # and has flipped bits
    slow: Factor = 1.0               # runs of models take so many times as long
    clock_step_s: Finite = 0.0       # its wall clock is off by so much
    seed: Count = 0


# --- one request's path ---


class StageAsk(Message, frozen=True, kw_only=True):
    """Run this for me, or for `request.agent`; what crosses before stage `first` travels beside it, in that order.

    The budget is in the envelope. With a route behind it, the result goes on to the next leg's agent, without it to
    `request.agent`, which every leg also tells if it will not run.
    """

    request: RequestId
    model: str
    variant: str
    priority: Priority
    first: StageNumber = 0           # stages [first, last); 0, 0: the whole model
    last: StageNumber = 0
    route: Route = []                # the legs after this one
    done: LegsDone = []              # what the legs of other peers before this one took


class StageAnswer(Message, frozen=True, kw_only=True):
    """The outcome of a stage that was asked for."""

    request: RequestId
    outcome: Outcome
    run_s: Seconds
    waited_s: Seconds                  # in the peer's queue
    held_s: Seconds                    # receipt to answer
    overrun: bool = False
    batch: AtOnce = 1                # inputs that ran at once, this one among them
    done: LegsDone = []              # what the legs of other peers before this one took


class StageRefusal(Message, frozen=True, kw_only=True):
    """The peer will not run it, or could not pass it on."""

    request: RequestId
    reason: str          # full | too_late | unknown_model | loading | malformed | duplicate | failed | chain_broken


class StageCancel(Message, frozen=True, kw_only=True):
    """The answer is no longer wanted."""

    request: RequestId


# --- the body ---


class Sensed(Message, frozen=True, kw_only=True):
    """An observation; tensors: scan float32 [beams], and frame uint8 [h, w, 3] if there is one."""

    sequence: Count
    age_s: Seconds
    pose: Pose
    v_mps: Finite
    w_radps: Finite
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

    rss_bytes: Count
    runs: Count
    overruns: Count
    busy_share: Finite                # of the executors' time, since the last one
    refused_in: Count                  # messages and handshakes refused
    duplicates: Count                  # answers after the end of their request
    control_bytes: Count               # sent on the urgent lane so far
    carried: Count = 0                 # messages sent and received so far, on both lanes
    carried_bytes: Count = 0
    broken_off: Count = 0              # connections that ended before their handshake was complete


class WorldNews(Message, frozen=True, kw_only=True):
    """The world's figures, several times a second."""

    time_s: Seconds
    steps: Count
    real_time_factor: Finite
    lag_ms_p99: Finite
    targets: Count
    found: Count
    coverage: Finite
    collisions: Count
    poses: dict[str, Pose]


class Scene(Message, frozen=True, kw_only=True):
    """The map, for the report: JSON text."""

    json: bytes


class PlannerNews(Message, frozen=True, kw_only=True):
    """A plan was made."""

    epoch: Count
    solve_s: Seconds
    solver: str
    ray: bool


_LAUNCHER, _AGENT, _PLANNER, _WORLD, _COLLECTOR = "launcher", "agent", "planner", "world", "collector"
_MAY_SAY: dict[type[Message], tuple[str, ...]] = {
    **dict.fromkeys((Roster, Start, Drain, Shutdown, Gone, Back, Afflicted), (_LAUNCHER,)),
    **dict.fromkeys((Heartbeat, HeartbeatAck, Joined, Rumour), (_AGENT, _PLANNER)),
    **dict.fromkeys((StageAsk, StageAnswer, StageRefusal, StageCancel, Shared, Advert, LinkNews), (_AGENT,)),
    **dict.fromkeys((Acted, Claimed, Submitted, Ended, AgentNews, Drained), (_AGENT,)),
    **dict.fromkeys((Sensed, Judged, WorldNews, Scene), (_WORLD,)),
    **dict.fromkeys((PlanNews, PlannerNews), (_PLANNER,)),
    **dict.fromkeys((Ready, Happened), (_AGENT, _PLANNER, _WORLD)),
    **dict.fromkeys((Credit, Chunk, TransferEnded, TransferRefused), (_AGENT, _PLANNER, _WORLD, _LAUNCHER, _COLLECTOR)),
}


def may_say(role: str, body: Message) -> bool:
    """Whether a member of this role may send this message; a stranger, whose role is empty, may say nothing."""
    return role in _MAY_SAY[type(body)]


Body = (
    Credit | Chunk | TransferEnded | TransferRefused
    | Ready | Roster | Start | Drain | Drained | Shutdown | Back | Afflicted
    | Heartbeat | HeartbeatAck | Joined | Rumour | Gone | Advert | LinkNews | PlanNews
    | StageAsk | StageAnswer | StageRefusal | StageCancel
    | Sensed | Acted | Claimed | Judged | Shared
    | Submitted | Ended | Happened | AgentNews | WorldNews | Scene | PlannerNews
)
