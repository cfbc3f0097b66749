"""Types of the other files of a run folder. docs/run_folder.md is made from these types and their comments."""

from __future__ import annotations

from typing import Any

import msgspec

from swarm.core.policy.plan import Placement
from swarm.core.settings.boards import Board
from swarm.core.settings.launch_file import LaunchFile

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


class Poses(msgspec.Struct, kw_only=True):
    """Poses of the robots; at most five lines per second."""

    time_s: float                    # simulated time
    robots: dict[str, list[float]]   # by name: [x_m, y_m, heading_rad] in the world's frame


class LinkSecond(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The link to one peer, as the agent measured it."""

    rtt_ms: float | None = None      # round trip
    mbit_s: float | None = None      # throughput


class AgentSecond(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One agent."""

    busy: float | None = None        # share of time that its executors were busy
    queue: float | None = None       # runs that wait
    links: dict[str, LinkSecond] = {}        # by peer


class StreamSecond(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One stream of one robot: the plan beside what was observed."""

    due: int = 0                     # frames that fell due
    on_time: int = 0                 # those with a result by the deadline
    mean_ms: float | None = None     # mean latency of the results
    p95_ms: float | None = None      # their 95th percentile
    predicted_ms: float | None = None        # mean latency that the plan predicts
    predicted_on_time: float | None = None   # share on time that the plan predicts


class Second(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One second of the run; what is unknown is left out."""

    at_s: float                      # end of the second, since the streams began
    agents: dict[str, AgentSecond] = {}      # by name
    streams: dict[str, StreamSecond] = {}    # by `ROBOT/STREAM`


# --- kinds of events ---

EVENTS: dict[str, str] = {
    "started": "launcher: the streams began",
    "fault": "launcher: a fault began (`fault`: its kind and target)",
    "fault_over": "launcher: a fault ended (`fault`: its kind and target)",
    "killed": "launcher: a process ended because of a fault (`process`, `how`)",
    "crashed": "launcher: a process ended by itself (`process`, `how`)",
    "not_started": "launcher: a process could not be restarted (`process`, `why`)",
    "world": "world: the simulation began (`renderer`)",
    "judged": "world: a robot's report was judged (`robot`, `kind`, `verdict`, and the values of the report)",
    "peer_lost": "agent: a peer is considered lost (`peer`)",
    "peer_back": "agent: a lost peer answers again (`peer`)",
    "degraded": "agent: the set of shed streams changed (`given_up`: what is shed to meet deadlines; empty: nothing)",
    "agent_joined": "planner: an agent joined (`agent`)",
    "agent_lost": "planner: an agent is considered lost (`agent`)",
    "planned": "planner: a new plan (`epoch`, `moved` streams, `solver`, predicted `on_time`, `unplaced` streams)",
    "ray_up": "planner: Ray is ready (`took_s`)",
    "ray_absent": "planner: Ray is not used (`reason`)",
    "portfolio_lost": "planner: a search on Ray failed (`reason`, `in_a_row`: failures in a row)",
}
