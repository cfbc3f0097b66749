"""What the other files of a run folder hold, as types. docs/run_folder.md is made from them and their comments."""

from __future__ import annotations

from typing import Any

import msgspec

from swarm.core.policy.plan import Placement
from swarm.core.settings.boards import Board
from swarm.core.settings.launch_file import LaunchFile

# --- manifest.json ---


class Host(msgspec.Struct, kw_only=True):
    """The machine."""

    cores: int                       # that the launcher may use
    processor: str                   # its model
    machine: str                     # architecture
    memory_mb: int                   # in all
    system: str                      # kernel and C library


class Manifest(msgspec.Struct, kw_only=True):
    """What was run, with what and where."""

    swarm_run: int                   # version of the folder's format
    launch: LaunchFile               # resolved: with all defaults and overrides
    boards: dict[str, Board]         # by name: those that the fleet uses
    seed: int                        # of everything that is drawn
    renderer: str                    # that drew the cameras' frames
    command: list[str]               # as typed
    started_unix_s: float            # when the launcher was called
    versions: dict[str, str]         # of Python and of the packages that can change a result
    host: Host                       # the machine
    revision: str                    # commit of the checkout; `+changes`: edited; `unknown`: not a checkout


# --- the histories, and processes.json ---


class ProcessRecord(msgspec.Struct, kw_only=True):
    """One process of the run."""

    role: str                        # launcher, supervisor, world, agent or planner
    name: str                        # of the process
    pid: int                         # process id
    returncode: int | None           # exit code; negative: the signal; null: still running, as the launcher itself


class EventRecord(msgspec.Struct, kw_only=True):
    """Something that happened."""

    at_s: float                      # since the streams began; negative: before
    who: str                         # process that tells
    what: str                        # kind, see below
    detail: dict[str, Any] = {}      # by kind


class PlanRecord(msgspec.Struct, kw_only=True):
    """One plan; the renewal of its lease writes nothing."""

    at_s: float                      # when the launcher heard of it, since the streams began
    epoch: int                       # grows with each plan
    lease_s: float                   # how long agents follow it without hearing of it again
    placements: list[Placement]      # where each stream runs
    solver: str                      # that made it
    solve_s: float                   # how long that took


class Poses(msgspec.Struct, kw_only=True):
    """Where the robots were; at most five lines a second."""

    time_s: float                    # simulated
    robots: dict[str, list[float]]   # by name: x_m, y_m, heading_rad in the world's frame


# --- kinds of events ---

EVENTS: dict[str, str] = {
    "started": "launcher: the streams began",
    "fault": "launcher: a fault began (`fault`: its kind and target)",
    "fault_over": "launcher: a fault ended (`fault`)",
    "killed": "launcher: a process ended by a fault (`process`, `how`)",
    "crashed": "launcher: a process ended by itself (`process`, `how`)",
    "not_started": "launcher: a process could not be started again (`process`, `why`)",
    "world": "world: it began (`renderer`)",
    "judged": "world: its verdict on a robot's report (`robot`, `kind`, `verdict`, and the values of the report)",
    "peer_lost": "agent: it counts a peer as lost (`peer`)",
    "peer_back": "agent: a lost peer answers again (`peer`)",
    "degraded": "agent: it gave up some work to meet deadlines (`given_up`; empty: nothing any more)",
    "agent_joined": "planner: it knows an agent (`agent`)",
    "agent_lost": "planner: it counts an agent as lost (`agent`)",
    "planned": "planner: a new plan (`epoch`, `moved` streams, `solver`, `on_time` expected, `unplaced` streams)",
    "ray_up": "planner: Ray takes part (`took_s`)",
    "ray_absent": "planner: Ray does not take part (`reason`)",
    "portfolio_lost": "planner: a search by Ray gave nothing (`reason`, `in_a_row`)",
}
