"""The processes of a run in virtual time: the same policy as in real ones, on ports of this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from agents.robot import Robot
from agents.runtime.offer import Offer
from agents.runtime.sessions import offer_of
from sim_worlds import scenarios
from sim_worlds.maps import FloorPlan
from sim_worlds.world_server import WorldServer
from swarm.core.policy import policies
from swarm.core.policy.draw import from_quantiles, uniform
from swarm.core.ports import Host
from swarm.core.settings.launch_file import Quality
from swarm.core.settings.links import fleet_of
from swarm.core.settings.process_files import AgentFile, PlannerFile, WorldFile
from swarm.core.units import ns
from swarm.planner.planner import Planner
from swarm.planner.ports import Solver
from swarm.run import events as ev
from swarm.run.settings.process_specs import ProcessSpec
from swarm.transport.endpoint import Endpoint
from swarm.virtual.costs import FRAME_MS, START_NS
from swarm.virtual.network import Network
from swarm.virtual.perception import Perception
from swarm.virtual.planning.foresight import Foresight
from swarm.virtual.planning.solver import VirtualSolver
from swarm.virtual.process import VirtualProcess
from swarm.virtual.runner import AT_ONCE, VirtualRunner
from swarm.virtual.stamps import Views, stamped
from swarm.virtual.timeline import Timeline

KILLED = -9
Policy = Robot | Planner | WorldServer


class NoFiles:
    """The files port of a robot that records nothing: virtual time has no pictures to record."""

    def write(self, name: str, content: bytes) -> None:
        raise OSError("virtual time records no frames")


class VirtualProcesses:
    """The port `Processes`. ended: called with the event when a process has ended.

    solver: makes the planner's, from its process and its file. quality: of what models find.
    """

    def __init__(
        self, timeline: Timeline, network: Network, ended: Callable[[ev.ProcessEnded], None], *,
        solver: Callable[[VirtualProcess, PlannerFile], Solver] = VirtualSolver, quality: Quality = "model",
    ) -> None:
        self._timeline, self._network, self._on_ended = timeline, network, ended
        self._solver = solver
        self._quality: Quality = quality
        self._specs: dict[str, ProcessSpec] = {}
        self._floor: FloorPlan | None = None
        self._present: dict[str, VirtualProcess] = {}        # the newest of each name
        self._launcher: VirtualProcess | None = None
        self._offers: dict[str, Offer] = {}
        self._views = Views()
        self._close: list[Callable[[], None]] = []
        self._pids = 0
        self.started: list[VirtualProcess] = []
        self.hosts: dict[str, Host] = {}             # of the newest process of each name
        self.policies: dict[str, Policy] = {}        # the same, once it has begun
        self.made: Callable[[VirtualProcess, Host], None] = lambda process, host: None       # of each new process
        self.began: Callable[[VirtualProcess, Policy], None] = lambda process, policy: None  # of each new policy

    def specify(self, specs: Sequence[ProcessSpec], floor: FloorPlan | None = None) -> None:
        """What may be started. floor: of the world's map, if it has one."""
        self._specs, self._floor = {spec.name: spec for spec in specs}, floor

    def host(self, name: str, role: str, swarm: str, clock_step_s: float = 0.0) -> tuple[VirtualProcess, Host]:
        """A new process with its ports."""
        self._pids += 1
        process = VirtualProcess(self._timeline, name, role, self._pids, self._stopped, clock_step_s)
        self.started.append(process)
        net = Endpoint(process, process, self._network.lanes(process), swarm=swarm, name=name, role=role,
                       boot=process.new_boot())
        host = self.hosts[name] = Host(process, process, net, process)
        self.made(process, host)
        return process, host

    def is_alive(self, name: str) -> bool:
        """Whether the newest process of this name runs."""
        return name in self._present and self._present[name].alive

    def close(self) -> None:
        """Free what the worlds hold outside Python."""
        for close in self._close:
            close()

    # --- the port ---

    def start(self, name: str, incarnation: int, clock_step_s: float) -> None:
        spec = self._specs[name].start(incarnation)
        process, host = self.host(name, spec.role, spec.settings.swarm, clock_step_s)
        self._present[name] = process
        process.after(START_NS[spec.role], partial(self._begin, spec, process, host))

    def kill(self, name: str) -> None:
        process = self._present[name]
        if process.alive:
            process.end()
            self._tell_end(process, KILLED, "ended by SIGKILL")

    def pause(self, name: str) -> None:
        self._present[name].pause()

    def resume(self, name: str) -> None:
        self._present[name].resume()

    def is_running(self, name: str, pid: int) -> bool:
        process = self._present.get(name)
        return process is not None and process.pid == pid and process.alive

    def table(self) -> list[dict[str, object]]:
        """For `processes.json`: role, name and number of each."""
        return [{"role": p.role, "name": p.name, "pid": p.pid, "returncode": None if p.alive else p.returncode}
                for p in self.started]

    # --- beginnings and ends ---

    def _begin(self, spec: ProcessSpec, process: VirtualProcess, host: Host) -> None:
        match spec.settings:
            case WorldFile() as settings:
                world = scenarios.build(settings.scenario, settings.robots, settings.seed, self._floor, render=False,
                                        surroundings=settings.surroundings)
                self._close.append(world.close)
                take = partial(_take_a_frame, process, settings.seed)
                policy = WorldServer(host, settings, stamped(world, self._views, take))
            case PlannerFile() as settings:
                foresees = settings.places and policies.load(settings.places).foresees
                foresight = Foresight(self._network, settings.every_s) if foresees else None
                policy = Planner(host, settings, self._solver(process, settings), None, foresight)
            case AgentFile() as settings:
                offer = self._offer(settings)
                perception = Perception(offer, self._views, settings.seed, self._quality)
                runner = VirtualRunner(process, process, offer, settings.seed, perception.made)
                policy = Robot(settings, host, runner, AT_ONCE, offer, NoFiles())
        self.policies[spec.name] = policy
        self.began(process, policy)
        policy.begin()

    def _offer(self, settings: AgentFile) -> Offer:
        """The offer of a board; robots of one fleet share it."""
        key = fleet_of(settings.name)
        if key not in self._offers:
            self._offers[key] = offer_of(settings)
        return self._offers[key]

    def _stopped(self, process: VirtualProcess) -> None:
        self._tell_end(process, 0, "ended with exit code 0")

    def _tell_end(self, process: VirtualProcess, returncode: int, how: str) -> None:
        """The launcher learns of it after the present event, as from the operating system."""
        process.returncode = returncode
        assert self._launcher is not None
        self._launcher.after(0, partial(self._on_ended, ev.ProcessEnded(process.name, returncode, how)))

    def launcher(self, name: str, swarm: str) -> tuple[VirtualProcess, Host]:
        """The process that is told of all ends."""
        self._launcher, host = self.host(name, "launcher", swarm)
        return self._launcher, host


def _take_a_frame(world: VirtualProcess, seed: int, robot: str, number: int) -> None:
    world.take(ns(from_quantiles(FRAME_MS, uniform(seed, "frame", robot, number)) / 1e3))
