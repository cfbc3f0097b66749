"""Types of the other files of a run folder. docs/run_folder.md is made from these types and their comments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from swarm.core.policy.plan import Placement, Plan
from swarm.core.protocol.world import Pose
from swarm.core.settings.boards import Board
from swarm.core.settings.launch_file import LaunchFile
from swarm.telemetry.ledger import Row

# --- manifest.json ---


class Host(msgspec.Struct, kw_only=True):
    """The machine."""

    cores: int                       # cores that the launcher may use
    processor: str                   # model of the processor
    machine: str                     # its architecture
    memory_mb: int                   # total memory
    system: str                      # kernel and C library


class Manifest(msgspec.Struct, kw_only=True):
    """The run's settings, versions and machine."""

    swarm_run: int                   # version of the format of run folders
    launch: LaunchFile               # the launch file with all defaults and overrides
    boards: dict[str, Board]         # boards of the fleet, by name
    seed: int                        # seed of all random draws
    renderer: str                    # renderer of the camera frames
    command: list[str]               # the command as typed
    started_unix_s: float            # start of the command
    versions: dict[str, str]         # versions of Python and of the packages that can change a result
    host: Host                       # the machine that ran it
    revision: str                    # commit of the checkout; with `+changes` if edited; `unknown` outside a checkout


# --- the histories, and processes.json ---


class ProcessRecord(msgspec.Struct, kw_only=True):
    """One process of the run."""

    role: str                        # launcher, supervisor, world, agent or planner
    name: str                        # name of the process
    pid: int                         # process id
    returncode: int | None           # exit code; negative: number of a signal; null: still running, as the launcher


class EventRecord(msgspec.Struct, kw_only=True):
    """One event."""

    at_s: float                      # time since the streams began; negative: before
    who: str                         # process that reports it
    what: str                        # kind of event, see below
    detail: dict[str, Any] = {}      # depends on the kind


class PlanRecord(msgspec.Struct, kw_only=True):
    """One plan. A renewal of its lease is not written."""

    at_s: float                      # when the launcher received it, since the streams began
    epoch: int                       # number of the plan; grows with each plan
    lease_s: float                   # how long agents follow the plan without a renewal
    placements: list[Placement]      # placement of each stream
    solver: str                      # solver that made the plan
    solve_s: float                   # time to make the plan
    why: str                         # the event that changed it


class Poses(msgspec.Struct, kw_only=True):
    """Poses of the robots, without the noise of their sensors where the world knows them; at most five lines a second.
    """

    time_s: float                    # simulated time
    robots: dict[str, list[float]]   # by name: [x_m, y_m, heading_rad]; in the air also z_m, roll_rad, pitch_rad


class LinkPoint(msgspec.Struct, kw_only=True):
    """A measured link to a peer."""

    rtt_ms: float                    # round trip
    mbit_s: float                    # megabits per second


class AgentPoint(msgspec.Struct, kw_only=True):
    """The last report of an agent in this second."""

    busy: float | None               # share of its executors' time that was busy since its report in an earlier line
    queue: int                       # runs that waited or ran
    links: dict[str, LinkPoint]      # links that changed by more than a quarter, by peer; every ten seconds all


class StreamPoint(msgspec.Struct, kw_only=True):
    """One stream of one robot: the requests that ended in this second, beside the plan that held at its end."""

    due: int                         # frames that fell due, by rate x time
    ended: int                       # requests that ended, by a result or without
    on_time: int                     # those with a result by the deadline
    mean_ms: float | None            # latency of the results, mean
    p95_ms: float | None             # of all that ended in the last 10 s; without a result: infinite; null: under 20
    predicted_ms: float | None       # the plan's prediction of the mean; null: no plan places this stream
    predicted_p95_ms: float | None   # the plan's prediction of the 95th percentile
    predicted_on_time: float | None  # the plan's prediction of the share on time


class SeriesRecord(msgspec.Struct, kw_only=True):
    """One second of the streams."""

    at_s: float                      # its end, since the streams began
    agents: dict[str, AgentPoint]    # agents that reported in this second, by name
    streams: dict[str, StreamPoint]  # by `robot/stream`


Detail = Mapping[str, str | float | int]


class Record(Protocol):
    """The output of a collector: a run folder, see `recorder.RunFolder`. No method raises; it counts failed writes."""

    full: bool                       # an injected fault: while true, nothing can be written

    @property
    def unwritten(self) -> Mapping[str, int]:
        """How many lines and documents could not be written, by file."""
        ...

    def manifest(self, facts: Mapping[str, Any]) -> None: ...

    def event(self, at_s: float, who: str, what: str, detail: Detail | None = None) -> None: ...

    def plan(self, at_s: float, plan: Plan, boot: int = 0) -> None: ...

    def pose(self, time_s: float, robots: Mapping[str, Pose | Sequence[float]]) -> None: ...

    def scene(self, scene: bytes) -> None: ...

    def series(self, line: SeriesRecord) -> None: ...

    def requests(self, rows: Sequence[Row]) -> None: ...

    def summary(self, summary: Mapping[str, Any]) -> None: ...


# --- kinds of events ---

EVENTS: dict[str, str] = {
    "started": "launcher: the streams began",
    "fault": "launcher: a fault began (`fault`: its kind, target and sensor)",
    "fault_over": "launcher: a fault ended (`fault`: its kind, target and sensor)",
    "held_up": "any process: it did not run for a while (`for_s`): it was stopped, or the host was busy",
    "killed": "launcher: a process ended because of a fault or an empty battery (`process`, `how`)",
    "battery_empty": "launcher: the battery of a robot is empty, so the robot and its process end (`robot`)",
    "crashed": "launcher: a process ended by itself (`process`, `how`)",
    "joined": "launcher: a robot joined (`robot`)",
    "left": "launcher: a robot that was to leave has left (`robot`)",
    "not_started": "launcher: a process could not be restarted (`process`, `why`)",
    "respawned": "launcher: a process that crashed is started again (`process`, `crashes` so far)",
    "world": "world: the simulation began (`renderer`)",
    "drawn": "world: what `randomise` drew, for the place (`floor_friction`, `brightness`, `lamp_x`, ..., `colour`, "
             "`texture`) or a robot (`robot`, factors on `mass` and `noise`)",
    "cannot_act": "world: a robot was told what its kind cannot do, as to fly where it drives (`robot`; `acts`: "
                  "how many; `why`, the first time); told again at the end",
    "judged": "world: a robot's report was judged (`robot`, `kind`, `verdict`, and the values of the report)",
    "nonsense": "agent: an output of its behaviour was dropped, since it is none or has wrong values (`kind`: output, "
                "act, report, note or receiver; `output`: what it was; `why`); told once of each kind",
    "peer_lost": "agent: a peer is considered lost (`peer`)",
    "reports_dropped": "agent: reports that it kept for a collector were dropped or torn (`count`)",
    "peer_back": "agent: a lost peer answers again (`peer`)",
    "degraded": "agent: the set of shed streams changed (`given_up`: what is shed to meet deadlines; empty: nothing)",
    "executor_replaced": "agent: runs that could not be ended hold their executors; others took over (`stuck`: so far)",
    "task_stuck": "agent: a task did not end when it prepared an input, so peers get no more of it (`model`)",
    "not_loaded": "agent: its memory is full, and it cannot run this now (`model`, `variant`), at most 8 of them are "
                  "told at the start; or it could not be loaded (also `stages`, `rss_mb`)",
    "other_provider": "agent: a `node` of a model (`model`, `variant`, `stage`; its `operator`) runs on another "
                      "`provider` than wanted, with this `share` of the run time; at most 8 of each file are told",
    "loaded": "agent: a variant, or its stages (`stages` 1), came into memory (`model`, `variant`, `took_s`, "
              "`kept_mb`, and of the process `rss_mb`)",
    "unloaded": "agent: a variant, or its stages (`stages` 1), left the memory (`model`, `variant`, `rss_mb`)",
    "agent_joined": "planner: an agent joined (`agent`)",
    "agent_lost": "planner: an agent is considered lost (`agent`)",
    "agent_strained": "planner: a plan is due since an agent is throttled or its battery is low (`agent`, `why`)",
    "policy_failed": "planner: a placing policy failed (`policy`, `error`); all streams stay at home",
    "search_failed": "planner: its own search failed (`error`); the plan stands",
    "stands_by": "planner: another planner leads (`leads`)",
    "leads": "planner: it leads from now on (`instead_of`: who did)",
    "planned": "planner: a new plan (`epoch`, `moved` streams, `solver`, predicted `on_time`, `unplaced` streams, "
               "`why`)",
    "ray_up": "planner: Ray is ready (`took_s`)",
    "ray_absent": "planner: Ray is not used (`reason`)",
    "portfolio_lost": "planner: a search on Ray failed (`reason`, `in_a_row`: failures in a row)",
    "shards_lost": "planner: of a large team, shards whose streams stay where they are (`lost`, `of`, `reason`)",
}
