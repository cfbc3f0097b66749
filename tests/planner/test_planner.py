"""The planner's policy on fake ports, in one thread: from adverts to plans, and who is told what."""

from __future__ import annotations

from swarm.core.policy.plan import Plan
from swarm.core.protocol.messages import Happened, PlannerNews, PlanNews, Ready, Roster, Shutdown, Start
from swarm.core.settings.process_files import PlannerFile
from swarm.planner.planner import Planner
from swarm.planner.ports import Refined
from swarm.planner.solvers.place import place
from tests.planner.builders import team
from tests.planner.fakes import FakeHost, FakeRefiner, SolverAtOnce, member


class Scene:
    """A planner with a launcher, and the agents of a problem."""

    def __init__(self, weak: int, strong: int, refiner: FakeRefiner | None = None) -> None:
        self.fake = FakeHost(team(weak, strong))
        settings = PlannerFile(version=1, swarm="t", launcher=member("launcher", "launcher"))
        self.planner = Planner(self.fake.host, settings, SolverAtOnce(), refiner)
        self.planner.begin()

    def start(self) -> None:
        self.fake.net.deliver("launcher", Roster(members=self.fake.members()))
        self.fake.net.deliver("launcher", Start())

    def told(self, to: str, kind: type) -> list:
        return [body for name, body in self.fake.net.sent if name == to and isinstance(body, kind)]

    def happened(self) -> list[str]:
        return [body.what for body in self.told("launcher", Happened)]

    def plan(self, to: str = "launcher") -> Plan:
        return self.told(to, PlanNews)[-1].plan


def test_two_adverts_make_a_plan_and_a_lost_agent_makes_a_new_one() -> None:
    scene = Scene(1, 1)
    scene.fake.timers.run(0.25)
    assert len(scene.told("launcher", Ready)) == 3       # at once and every 0.1 s, until the roster comes
    scene.start()
    scene.fake.timers.run(2.0)
    assert len(scene.told("launcher", Ready)) == 3
    first = scene.plan()
    assert {(p.agent, p.stream): p.where for p in first.placements} == {
        ("rover_0", "detect"): ["rover_0"], ("rover_0", "segment"): ["carrier_0"],
        ("carrier_0", "detect"): ["carrier_0"]}
    assert [p.agent for p in scene.plan("carrier_0").placements] == ["carrier_0"]        # each its own part
    assert {p.agent for p in scene.plan("rover_0").placements} == {"rover_0"}
    scene.fake.alive.remove("carrier_0")
    scene.fake.timers.run(5.0)
    second = scene.plan("rover_0")
    assert second.epoch > first.epoch
    assert [p.where for p in second.placements] == [["rover_0"], ["rover_0"]]
    assert scene.happened() == ["ray_absent", "agent_joined", "planned", "agent_joined", "planned", "agent_lost",
                                "planned"]
    news = scene.told("launcher", PlannerNews)
    assert len(news) == scene.planner.statistics().solves
    assert (news[-1].epoch, news[-1].ray) == (second.epoch, False)


def test_a_refined_plan_is_published_and_told_as_such() -> None:
    refiner = FakeRefiner()
    scene = Scene(2, 2, refiner)
    scene.start()
    scene.fake.timers.run(2.5)
    assert refiner.connected is not None
    refiner.connected("", 1.0)
    problem, _ = refiner.asked[0]
    solution = place(problem)
    home = [type(p)(agent=p.agent, stream=p.stream, variant=p.variant, where=[p.agent]) for p in solution.placements]
    before = scene.plan().epoch
    refiner.answer(Refined(type(solution)(
        placements=home, cost=0.0, on_time=1.0, solver="test", evaluations=0, baselines={}, changed=True)))
    assert scene.plan().epoch == before + 1
    assert all(p.where == [p.agent] for p in scene.plan().placements)
    assert scene.told("launcher", PlannerNews)[-1].ray
    assert scene.planner.statistics().refined == 1


def test_it_ends_when_the_launcher_says_so() -> None:
    scene = Scene(1, 1)
    scene.start()
    scene.fake.net.deliver("rover_0", Shutdown())        # may not say it
    assert not scene.fake.machine.stopped
    scene.fake.net.deliver("launcher", Shutdown())
    assert scene.fake.machine.stopped
