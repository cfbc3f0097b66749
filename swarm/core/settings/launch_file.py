"""Launch files: fleet, streams, faults, and rules that the run must meet."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from swarm.core.policy import policies
from swarm.core.policy.plan import StreamSpec
from swarm.core.protocol.bounds import (
    Bias,
    BoxNumber,
    Deadline,
    Finite,
    FleetName,
    Priority,
    RateHz,
    Robots,
    RunSeconds,
    Seed,
    WattHours,
)
from swarm.core.protocol.sensors import SensorName
from swarm.core.settings.boards import Board, Strict
from swarm.core.settings.links import LinkSpec
from swarm.core.settings.randomise import NOTHING, Randomise

MOST_URDF = 65_536                   # characters
Urdf = Annotated[str, Meta(max_length=MOST_URDF)]
Wheels = Annotated[list[str], Meta(max_length=2)]


class FleetSpec(Strict, frozen=True, kw_only=True):
    """`count` robots of one kind, named NAME_0 to NAME_(count-1)."""

    name: FleetName                  # of the fleet
    count: Robots                    # robots
    board: str                       # their class of computer
    kind: str = ""                   # of robot; empty: the fleet's name if that is a kind, else rover
    physics: Literal["dynamic", "kinematic"] = "dynamic"     # kinematic: moved without forces
    sensors: Literal["noisy", "exact"] = "noisy"     # noisy: lidar, place and others have the noise of real ones
    urdf: Urdf = ""                  # its body: a URDF file beside this file, or the text of one; empty: that of `kind`
    wheels: Wheels = []              # of it: the joints of the left and the right wheel; empty: they are found
    battery_wh: WattHours | Literal["platform"] | None = None    # full; platform: that of its kind; null: without end
    charge: Annotated[float, Meta(gt=0.0, le=1.0)] = 1.0     # of the battery, at the start
    spawn: list[tuple[float, float]] = []    # x and y of each, metres; empty: the scenario chooses
    joins_at_s: Annotated[float, Meta(ge=0.0, le=86_400.0)] = 0.0    # seconds since the streams began; 0: at the start
    leaves_at_s: Annotated[float, Meta(gt=0.0, le=86_400.0)] | None = None   # the same; null: it stays

    def robots(self) -> list[str]:
        return [f"{self.name}_{i}" for i in range(self.count)]

    def places(self) -> list[tuple[str, tuple[float, float] | None]]:
        """Each robot with its own place to start, or None."""
        return list(zip(self.robots(), self.spawn or [None] * self.count, strict=True))


class StreamOn(Strict, frozen=True, kw_only=True):
    """A stream of a launch file: a StreamSpec and the fleets that have it."""

    name: FleetName                  # of the stream
    on: list[str]                    # fleets
    model: str                       # the model that each request asks for
    rate_hz: RateHz                  # requests per second of each robot
    deadline_s: Deadline             # from capture to result
    priority: Priority = 0           # larger runs first
    source: FleetName = "camera"     # camera, scan or timer; or a stream above: the crop of a box that it found
    box: BoxNumber = 1               # which one: 1 is the best

    def spec(self) -> StreamSpec:
        return StreamSpec(
            name=self.name, model=self.model, rate_hz=self.rate_hz, deadline_s=self.deadline_s, priority=self.priority,
            source=self.source, box=self.box,
        )


class FaultSpec(Strict, frozen=True, kw_only=True, omit_defaults=True):
    """A fault to inject, once or at a rate: exactly one kind; `core/policy/faults.py` lists the keys that it needs.

    A name is the name of a process. A fleet's name, or `any`, stands for one of the robots, drawn by the launch's seed;
    a fleet's name in a partition stands for all of its robots.
    """

    at_s: float | None = None        # either: seconds since the streams began
    per_minute: Annotated[float, Meta(gt=0.0, le=600.0)] | None = None       # or: mean of a Poisson process
    for_s: RunSeconds | None = None  # how long it lasts
    kill: str | None = None          # SIGKILL, for good
    stop: str | None = None          # SIGSTOP, and SIGCONT after `for_s`
    restart: str | None = None       # SIGKILL, and a new process of the same name after `after_s`
    after_s: Annotated[float, Meta(ge=0.0, le=86_400.0)] | None = None       # from a restart's kill to the new process
    partition: Literal["random"] | list[list[str]] | None = None     # groups that do not hear each other
    slow: str | None = None          # its models run `factor` times slower
    factor: Annotated[float, Meta(ge=1.0, le=1000.0)] | None = None          # of `slow`
    corrupt: str | None = None       # a `share` of the messages from peers has flipped bits
    lose: str | None = None          # a `share` of the messages from peers vanishes
    share: Annotated[float, Meta(gt=0.0, le=1.0)] | None = None              # of `corrupt` and `lose`
    clock: str | None = None         # its wall clock steps by `by_s`, for good
    by_s: Annotated[float, Meta(ge=-1e9, le=1e9)] | None = None              # of `clock`; negative: back
    disk_full: Literal[True] | None = None   # nothing can be written into the run folder
    dropout: str | None = None       # a robot: its `sensor` gives nothing
    freeze: str | None = None        # a robot: its `sensor` repeats one value, as if it were new
    bias: str | None = None          # a robot: its `sensor` is wrong `by_m`, ...: those that its kind can have
    sensor: SensorName | None = None         # of `dropout`, `freeze` and `bias`: its name
    by_m: Bias | None = None         # lidar, range: of each range; localisation: in a direction that is drawn
    by_rad: Bias | None = None       # localisation: of the heading
    by_mps2: Bias | None = None      # IMU
    by_radps: Bias | None = None     # IMU
    scale: Annotated[float, Meta(ge=0.001, le=1000.0)] | None = None          # odometry: metres counted for each metre


PLANNERS = ("planner", "standby")
"""The names of planners. One leads; the other takes over when robots follow its plan no more."""


class PlannerSpec(Strict, frozen=True, kw_only=True):
    """The times of the planner, and whether there are two."""

    lease_s: Annotated[float, Meta(ge=0.1, le=3600.0)] = 3.0         # a plan is valid for so long after its last news
    every_s: Annotated[float, Meta(ge=0.05, le=3600.0)] = 1.0        # from one solve to the next
    standby: bool = False            # a second planner, which leads when the first one does not


Quality = Literal["perfect", "model", "halved"]
"""Of the results of models in virtual time: the truth; with the errors of the models' cards; with half the recall."""

ReachM = Annotated[float, Meta(ge=0.1, le=1e6)]                  # metres


class Base(Strict, frozen=True, kw_only=True):
    """Where the planners' radio is, in the world frame."""

    x_m: Finite                      # east of the world's middle
    y_m: Finite                      # north of it


Variants = dict[str, Annotated[list[str], Meta(min_length=1)]]
"""By model, the variants that may run: what a mission was approved with, and nothing else."""


class LaunchFile(Strict, frozen=True, kw_only=True):
    """One run: the files in `launch/` are examples."""

    version: Literal[1]              # of this format
    scenario: str                    # see `swarm worlds list`
    map: str = ""                    # YAML file of a ROS map, beside this file; empty: the scenario's own floor
    fleet: list[FleetSpec]           # the robots
    streams: list[StreamOn]          # their requests
    seed: Seed = 0                   # of all random draws
    duration_s: Annotated[float, Meta(ge=0.1, le=86_400.0)] = 60.0   # of the streams
    warmup_s: Annotated[float, Meta(ge=0.0, le=86_400.0)] = 0.0      # at their begin, cut from comparisons of runs
    clock: Literal["real", "virtual"] = "real"       # virtual: all in one process, as fast as it goes, repeatable
    network: Literal["loopback", "ether", "radio"] = "loopback"      # only `loopback` exists today
    links: dict[str, LinkSpec] = {}  # FLEET:FLEET, both directions; a robot's name comes before that of its fleet
    behaviour: str = ""              # of the robots; empty: the scenario's
    perception: Quality = "model"    # in virtual time: the truth, as models see, or with half the recall
    randomise: Randomise = NOTHING           # what each seed draws anew: masses, friction, looks, noise
    reach_m: ReachM | None = None    # robots farther apart do not hear each other; null: all do
    base: Base | None = None         # where the planners are; null: each robot hears them, wherever it is
    policy: str = "planner"          # the policy that places the streams
    planner: PlannerSpec = PlannerSpec()     # its times, if the policy has one
    record: bool = False             # robots record frames and outcomes, for `swarm models replay`
    faults: list[FaultSpec] = []     # the faults to inject
    accept: dict[str, str] = {}      # rules that the run must meet: key of summary.json -> ">= 0.9"
    boards: dict[str, Board] = {}            # in addition to those of boards.yaml
    variants: Variants = {}          # the variants of a model that may run; of a model that is not named all

    def processes(self) -> list[str]:
        """World, agents in the fleet's order, then the planner if the policy uses one, and its standby.

        Raises: ValueError for an unknown policy.
        """
        robots = [robot for fleet in self.fleet for robot in fleet.robots()]
        planners = PLANNERS[:1 + self.planner.standby] if policies.load(self.policy).uses_plan else ()
        return ["world", *robots, *planners]
