"""Files that people write: launch files, boards, and the file of one process. Unknown keys are refused by name."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import yaml

from swarm.core.policy.plan import StreamSpec
from swarm.core.protocol.bounds import Share
from swarm.core.protocol.messages import Member
from swarm.core.settings.cards import Precision, Provider
from swarm.core.settings.errors import BadInput

T = TypeVar("T")
RESERVED = ("world", "planner", "launcher", "collector")
Security = Literal["", "plaintext"]
"""Empty: without keys, loopback alone. `plaintext`: without keys, wherever the others are, in words."""


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all settings."""


class Board(Strict, frozen=True, kw_only=True):
    """A computer class. `speed` is relative to the host that profiled the cards: run times are theirs divided by it."""

    speed: dict[Precision, float]    # of fp32 and int8
    memory_mb: int                   # in all
    power_w: float                   # at most
    source: str                      # where the figures come from
    executors: int = 1               # runs that go on at once
    threads: int = 1                 # of ONNX Runtime's, within each run
    own_share: Share = 0.25          # of its executors, kept for the robot's own streams as far as these need it
    busy_poll_s: float = 0.0         # messages are looked for this long before sleeping: for a core that is to spare
    providers: Annotated[tuple[Provider, ...], msgspec.Meta(min_length=1)] = ("cpu",)     # what runs models, best first
    emulated: bool = True            # False: the machine as it is


class FleetSpec(Strict, frozen=True, kw_only=True):
    """`count` robots of one kind, named NAME_0 to NAME_(count-1)."""

    name: str                        # of the fleet
    count: int                       # robots
    board: str                       # their class of computer
    kind: str = ""                   # of robot; empty: what the fleet is called if that is a kind, else rover
    physics: Literal["dynamic", "kinematic"] = "dynamic"     # kinematic: moved without forces
    spawn: list[tuple[float, float]] = []    # x and y of each, metres; empty: the scenario chooses

    def robots(self) -> list[str]:
        return [f"{self.name}_{i}" for i in range(self.count)]


class StreamOn(Strict, frozen=True, kw_only=True):
    """A stream of a launch file: a StreamSpec and the fleets that have it."""

    name: str                        # of the stream
    on: list[str]                    # fleets
    model: str                       # that each request asks for
    rate_hz: float                   # requests per second of each robot
    deadline_s: float                # from capture to result
    priority: int = 0                # larger runs first

    def spec(self) -> StreamSpec:
        return StreamSpec(
            name=self.name, model=self.model, rate_hz=self.rate_hz, deadline_s=self.deadline_s, priority=self.priority
        )


class FaultSpec(Strict, frozen=True, kw_only=True, omit_defaults=True):
    """Something that breaks, once or at a rate: exactly one kind; `core/policy/faults.py` says what it needs.

    A name is a process's; a fleet's name, or `any`, stands for one of its robots, drawn by the launch's seed, and in a
    partition for all of them.
    """

    at_s: float | None = None        # either: since the streams began
    per_minute: float | None = None  # or: on average, at times that are drawn (Poisson)
    for_s: float | None = None       # how long it lasts
    kill: str | None = None          # SIGKILL, for good
    stop: str | None = None          # SIGSTOP, and SIGCONT after `for_s`
    restart: str | None = None       # SIGKILL, and a new process of the same name after `after_s`
    after_s: float | None = None     # from a restart's kill to the new process
    partition: Literal["random"] | list[list[str]] | None = None     # groups that do not hear each other
    slow: str | None = None          # its models run `factor` times slower
    factor: float | None = None      # of `slow`
    corrupt: str | None = None       # a `share` of the messages from peers has flipped bits
    lose: str | None = None          # a `share` of the messages from peers vanishes
    share: float | None = None       # of `corrupt` and `lose`
    clock: str | None = None         # its wall clock steps by `by_s`, for good
    by_s: float | None = None        # of `clock`; negative: back
    disk_full: Literal[True] | None = None   # nothing can be written into the run folder


class LaunchFile(Strict, frozen=True, kw_only=True):
    """One run: `launch/search_rescue.yaml` is the example to start from."""

    version: Literal[1]              # of this format
    scenario: str                    # see `swarm worlds list`
    fleet: list[FleetSpec]           # the robots
    streams: list[StreamOn]          # what they ask for
    seed: int = 0                    # of everything that is drawn
    duration_s: float = 60.0         # of the streams
    clock: Literal["real", "virtual"] = "real"       # only `real` exists today
    network: Literal["loopback", "ether", "radio"] = "loopback"      # only `loopback` exists today
    policy: str = "planner"          # that places the streams
    record: bool = False             # robots keep what they saw and were told: `swarm models replay`
    faults: list[FaultSpec] = []     # what breaks
    accept: dict[str, str] = {}      # rules that the run must meet: key of summary.json -> ">= 0.9"
    boards: dict[str, Board] = {}            # of its own, beside those of boards.yaml

    def processes(self) -> list[str]:
        """World, agents in the fleet's order, then the planner if the policy has one."""
        robots = [robot for fleet in self.fleet for robot in fleet.robots()]
        return ["world", *robots, *(["planner"] if self.policy == "planner" else [])]


class ProcessFile(Strict, frozen=True, kw_only=True):
    """What the file of each process says: who it is and how it finds the others."""

    version: Literal[1]
    swarm: str                       # its name: members of another are refused
    name: str                        # of this process
    seed: int = 0
    bind: str = "127.0.0.1"          # an address, and a port if it must be a fixed one
    keys: str = ""                   # a key folder (swarm keys) with NAME.key and enrolled/; empty: plaintext
    security: Security = ""
    launcher: Member | None = None   # who starts and collects; None: the roster below
    roster: list[Member] = []


class AgentFile(ProcessFile, frozen=True, kw_only=True):
    """What `swarm agent FILE` reads."""

    board_name: str
    board: Board
    streams: list[StreamSpec]
    policy: str = "planner"
    behaviour: str = ""              # empty: acts on nothing
    body: str = "world"              # the member that is the body, or empty
    team: list[str] = []             # all robots, in order: behaviours divide work by it
    models: str = ""                 # folder of artefacts; empty: those of the package
    load: list[str] = []             # models to hold ready beside those of its own streams
    record: str = ""                 # folder for NAME.npz: every frame with its outcome, written when it has drained


class PlannerFile(ProcessFile, frozen=True, kw_only=True):
    """What `swarm planner FILE` reads."""

    name: str = "planner"
    ray: str = "local"               # local | none | the address of a cluster
    lease_s: float = 3.0
    every_s: float = 1.0


class RobotSpec(Strict, frozen=True, kw_only=True):
    """One robot as the world sees it."""

    name: str
    kind: str
    physics: Literal["dynamic", "kinematic"] = "dynamic"
    spawn: tuple[float, float] | None = None


class WorldFile(ProcessFile, frozen=True, kw_only=True):
    """What `swarm world FILE` reads."""

    name: str = "world"
    scenario: str
    robots: list[RobotSpec]
    frame_hz: float = 5.0
    sense_hz: float = 10.0


class CollectorFile(ProcessFile, frozen=True, kw_only=True):
    """What `swarm collector FILE` reads. What is run is said by a launch file, or by fleet, streams and boards here."""

    name: str = "collector"
    out: str                         # the run folder
    launch: str = ""                 # a launch file with all its boards, as `swarm launch NAME --dry-run` prints it
    fleet: list[FleetSpec] = []      # the robots; their agents must be in the roster
    streams: list[StreamOn] = []     # what they ask for
    boards: dict[str, Board] = {}    # those of the fleet
    drain_s: float | None = None     # how long open requests are awaited at the end; None: longer than any deadline


def read(path: Path, kind: type[T]) -> T:
    """A settings file as a checked structure. Raises: BadInput."""
    return check(load(path), kind, str(path))


class _Loader(yaml.SafeLoader):
    """YAML 1.2's scalars: `on` is a word, not true, and 1e3 is a number, not a word."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in pairs if not tag.endswith((":bool", ":float"))]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_SCALARS = (
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("float", r"(?:[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
     "-+.0123456789"),
)
for _kind, _pattern, _first in _SCALARS:
    _Loader.add_implicit_resolver(  # pyright: ignore[reportUnknownMemberType]
        f"tag:yaml.org,2002:{_kind}", re.compile(_pattern, re.ASCII), list(_first))


def parse(text: str) -> Any:
    """Plain data from YAML. Raises: yaml.YAMLError."""
    return yaml.load(text, _Loader)


def load(path: Path) -> Any:
    """The YAML of a file. Raises: BadInput when it is absent or not YAML."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(str(path), error.strerror or str(error), "a readable YAML file") from None
    except (yaml.YAMLError, ValueError) as error:
        raise BadInput(str(path), " ".join(str(error).split()), "valid YAML") from None


def check(raw: Any, kind: type[T], where: str) -> T:
    """Plain data as a checked structure; the error names file, key, and the keys that exist. Raises: BadInput."""
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        text, _, path = str(error).partition(" - at `$")
        path = path.rstrip("`").lstrip(".") or "top level"
        want = ""
        if "unknown field" in text:
            want = _nearest(text, _keys_at(kind, path))
        raise BadInput(f"{where}: {path}", text[0].lower() + text[1:], want) from None


def _nearest(text: str, keys: list[str]) -> str:
    """The keys that exist, and the one that was probably meant."""
    near = difflib.get_close_matches(text.partition("`")[2].rstrip("`"), keys, n=1)
    return (f"did you mean `{near[0]}`? " if near else "") + "known keys: " + ", ".join(keys)


def _keys_at(kind: Any, path: str) -> list[str]:
    """Names of the fields of the structure found at a msgspec error path."""
    if path != "top level":
        for name in re.findall(r"\w+", re.sub(r"\[[^]]*\]", "", path)):
            field = next((f for f in msgspec.structs.fields(kind) if f.name == name), None)
            if field is None:
                return []
            kind = _struct_in(field.type)
    return [f.name for f in msgspec.structs.fields(kind)]


def _struct_in(kind: Any) -> Any:
    """The structure inside list[...] or an optional."""
    for inner in getattr(kind, "__args__", ()):
        if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            return inner
    return kind


def dump(settings: msgspec.Struct) -> str:
    """Settings as YAML that `read` takes back."""
    return yaml.safe_dump(msgspec.to_builtins(settings), sort_keys=False, allow_unicode=True)
