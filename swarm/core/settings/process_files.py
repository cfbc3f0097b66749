"""The settings file of one process: `swarm agent FILE`, `swarm planner FILE`, and so on."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from swarm.core.policy.plan import StreamSpec
from swarm.core.protocol.bounds import Name, RateHz, RayAddress, Seed, WattHours
from swarm.core.protocol.messages import Member
from swarm.core.settings.boards import Board, Strict
from swarm.core.settings.launch_file import Base, FleetSpec, ReachM, StreamOn, Urdf, Wheels
from swarm.core.settings.links import LinkSpec
from swarm.core.settings.randomise import AS_BUILT, Surroundings

Security = Literal["", "plaintext"]
"""Empty: without keys only loopback is allowed. `plaintext`: without keys any address is allowed."""

Scale = Annotated[float, Meta(ge=0.1, le=10.0)]
Period = Annotated[float, Meta(ge=0.05, le=3600.0)]                  # seconds


class ProcessFile(Strict, frozen=True, kw_only=True):
    """The keys of all process files: the name of the process, its address, and the other members."""

    version: Literal[1]
    swarm: str                       # name of the swarm: members of other swarms are refused
    name: Name                       # of this process
    seed: Seed = 0
    bind: str = "127.0.0.1"          # a host, and a port where it must be fixed; IPv6 in brackets: [::1]:7000
    announce: str = ""               # the host by which others reach it, where `bind` is `*`; empty: that of `bind`
    keys: str = ""                   # key folder (swarm keys) with NAME.key and enrolled/; empty: plaintext
    security: Security = ""
    faults: bool = False             # obey the launcher where it injects faults: only for runs that ask for faults
    reach: bool = False              # obey the world where it says who is in radio reach: only for runs with `reach_m`
    launcher: Member | None = None   # it started the process and collects its reports; None: use the roster
    roster: list[Member] = []


class AgentFile(ProcessFile, frozen=True, kw_only=True):
    """The file of `swarm agent FILE`."""

    incarnation: Annotated[int, Meta(ge=1, le=2**31)] = 1    # which start of this robot's process
    board_name: str
    board: Board
    streams: list[StreamSpec]
    policy: str = "planner"
    behaviour: str = ""              # empty: none
    body: str = "world"              # the member that is the body, or empty
    team: list[str] = []             # all robots, in order: behaviours divide the work by this order
    models: str = ""                 # folder of artefacts; empty: those of the package
    load: list[str] = []             # models to keep loaded in addition to those of its own streams
    variants: dict[str, list[str]] = {}      # the variants of a model that may run; of a model that is not named all
    links: dict[str, LinkSpec] = {}  # as in a launch file: what we send to these peers is delayed
    record: str = ""                 # folder for NAME.npz: every frame with its outcome, written after the drain


class PlannerFile(ProcessFile, frozen=True, kw_only=True):
    """The file of `swarm planner FILE`."""

    name: Name = "planner"
    ray: RayAddress = "local"          # local | none | address of a cluster
    lease_s: Period = 3.0            # of a plan
    every_s: Period = 1.0            # from one solve to the next
    places: str = ""                 # the placing policy; empty: the planner's own search
    airtimes: dict[str, Name] = {}    # FLEET:FLEET, as links of a launch file: the airtime that they share


class RobotSpec(Strict, frozen=True, kw_only=True):
    """One robot as the world sees it."""

    name: Name
    kind: str
    urdf: Urdf = ""                  # text of its body; empty: that of `kind`
    wheels: Wheels = []              # as in a launch file
    physics: Literal["dynamic", "kinematic"] = "dynamic"
    sensors: Literal["exact", "noisy"] = "exact"
    spawn: tuple[float, float] | None = None
    mass: Scale = 1.0                # factor on its own, of a dynamic robot
    noise: Scale = 1.0               # factor on the noise of its sensors
    battery_wh: WattHours | Literal["platform"] | None = None    # as in a launch file
    charge: Annotated[float, Meta(gt=0.0, le=1.0)] = 1.0


class RadioSpec(Strict, frozen=True, kw_only=True):
    """How far robots and planners hear each other."""

    reach_m: ReachM
    base: Base | None = None         # where the planners are; None: each robot hears them, wherever it is
    planners: list[Name] = []


class WorldFile(ProcessFile, frozen=True, kw_only=True):
    """The file of `swarm world FILE`."""

    name: Name = "world"
    scenario: str
    map: str = ""                    # the YAML file of a map whose floor takes the place of the scenario's own
    robots: list[RobotSpec]
    frame_hz: RateHz = 5.0
    sense_hz: RateHz = 10.0
    radio: RadioSpec | None = None   # None: all hear each other
    surroundings: Surroundings = AS_BUILT      # what was drawn for the place
    gui: bool = False                # show the world in a window; needs a display


class BodyFile(ProcessFile, frozen=True, kw_only=True):
    """The file of `swarm body FILE`: a body that replays what a robot saw in a run."""

    robot: Name                      # whose body it is; in the roster
    recording: str                   # NAME.npz, as a run with `record: true` writes it
    frame_hz: RateHz = 5.0           # the pace of its frames; they are repeated from the first one on


class CollectorFile(ProcessFile, frozen=True, kw_only=True):
    """The file of `swarm collector FILE`. It describes the run by a launch file, or by fleet, streams and boards."""

    name: Name = "collector"
    out: str                         # the folder of its runs: each is a folder 00000001, 00000002, ...
    launch: str = ""                 # a launch file with all its boards, as `swarm launch NAME --dry-run` prints it
    fleet: list[FleetSpec] = []      # the robots; their agents must be in the roster
    streams: list[StreamOn] = []     # their requests
    boards: dict[str, Board] = {}    # those of the fleet
    drain_s: Annotated[float, Meta(ge=0.0, le=3600.0)] | None = None     # for open requests; None: by their deadlines
