"""The planner's policy on a stage: from adverts to plans, and who is told what."""

from __future__ import annotations

from swarm.core.policy.plan import Plan
from swarm.core.protocol.messages import Feedback, Happened, PlannerNews, PlanNews, Ready, Roster, Shutdown, Start
from swarm.core.protocol.messages.presence import StreamSeen
from swarm.core.settings.process_files import PlannerFile
from swarm.core.units import ns
from swarm.planner.planner import Planner
from swarm.planner.ports import Refined
from swarm.planner.solvers.place import place
from tests.planner.builders import team
from tests.planner.fakes import FakeRefiner, PlannersStage, SolverAtOnce


class Scene:
    """A planner with a launcher, and the agents of a problem."""

    def __init__(self, weak: int, strong: int, refiner: FakeRefiner | None = None) -> None:
        self.stage = PlannersStage(team(weak, strong))
        launcher, host = self.stage.launcher.transport, self.stage.planner
        settings = PlannerFile(version=1, swarm="t", launcher=launcher.member)
        self.planner = Planner(host, settings, SolverAtOnce(), refiner)
        self.planner.begin()

    def start(self) -> None:
        members = [host.transport.member for host in self.stage.agents.values()]
        self.stage.launcher.transport.send("planner", Roster(members=members))
        self.stage.launcher.transport.send("planner", Start())

    def told(self, to: str, kind: type) -> list:
        return [body for name, body in self.stage.planner.sent(kind) if name == to]

    def happened(self) -> list[str]:
        return [body.what for body in self.told("launcher", Happened)]

    def plan(self, to: str = "launcher") -> Plan:
        return self.told(to, PlanNews)[-1].plan


def test_two_adverts_make_a_plan_and_a_lost_agent_makes_a_new_one() -> None:
    scene = Scene(1, 1)
    scene.stage.wait(0.25)
    assert len(scene.told("launcher", Ready)) == 2       # at once and after 0.1 s, then ever later
    scene.start()
    scene.stage.wait(2.0)
    assert len(scene.told("launcher", Ready)) == 2       # the roster came
    first = scene.plan()
    assert {(p.agent, p.stream): p.where for p in first.placements} == {
        ("rover_0", "detect"): ["rover_0"], ("rover_0", "segment"): ["carrier_0"],
        ("carrier_0", "detect"): ["carrier_0"]}
    assert [p.agent for p in scene.plan("carrier_0").placements] == ["carrier_0"]        # each its own part
    assert {p.agent for p in scene.plan("rover_0").placements} == {"rover_0"}
    scene.stage.silent.add("carrier_0")
    scene.stage.wait(5.0)
    second = scene.plan("rover_0")
    assert second.epoch > first.epoch
    assert [p.where for p in second.placements] == [["rover_0"], ["rover_0"]]
    assert scene.happened() == ["ray_absent", "agent_joined", "planned", "agent_joined", "planned", "agent_lost",
                                "planned"]
    news = scene.told("launcher", PlannerNews)
    assert len(news) == scene.planner.statistics().solves
    assert (news[-1].epoch, news[-1].refined) == (second.epoch, False)
    adopted = [one for one in news if one.end == "adopted"]
    assert [one.epoch for one in adopted] == [1, 2, 4]       # 3 is the second plan without the placements on carrier_0
    assert {one.end for one in news if one not in adopted} == {"kept"}
    assert scene.planner.statistics().adopted == scene.happened().count("planned") == len(adopted)


def test_a_refined_plan_is_published_and_told_as_such() -> None:
    refiner = FakeRefiner()
    scene = Scene(2, 2, refiner)
    scene.start()
    scene.stage.wait(2.5)
    assert refiner.connected is not None
    refiner.connected("", 1.0)
    problem, _ = refiner.asked[0]
    solution = place(problem)
    home = [type(p)(agent=p.agent, stream=p.stream, variant=p.variant, where=[p.agent]) for p in solution.placements]
    before = scene.plan().epoch
    refiner.answer(Refined(type(solution)(
        placements=home, score=(), on_time=1.0, solver="test", worked_s=0.0, changed=True)))
    assert scene.plan().epoch == before + 1
    assert all(p.where == [p.agent] for p in scene.plan().placements)
    news = scene.told("launcher", PlannerNews)[-1]
    assert (news.refined, news.end, news.took_s, news.epoch) == (True, "adopted", 0.3, before + 1)
    assert scene.planner.statistics().refined == 1


def test_how_late_its_loop_is_counts_from_start_and_is_told_with_each_solve() -> None:
    scene = Scene(1, 1)
    late = scene.stage.planner.timers.lateness
    late.add(ns(0.5))                                        # before the streams
    scene.start()
    scene.stage.wait(0.5)
    late.add(ns(0.02))
    scene.stage.wait(2.0)
    news = scene.told("launcher", PlannerNews)[-1]
    assert 0.0 < news.loop_late_ms_p99 <= news.loop_late_ms_max == 20.0


def test_it_ends_when_the_launcher_says_so() -> None:
    scene = Scene(1, 1)
    scene.start()
    scene.stage.agents["rover_0"].transport.send("planner", Shutdown())
    scene.stage.wait(1.0)
    assert not scene.stage.planner.machine.stopped           # an agent may not say it
    scene.stage.launcher.transport.send("planner", Shutdown())
    scene.stage.until(lambda: scene.stage.planner.machine.stopped)


def test_links_and_streams_of_nobody_are_not_remembered() -> None:
    scene = Scene(1, 1)
    scene.start()
    scene.stage.wait(2.0)
    agent = scene.stage.agents["rover_0"].transport
    invented = {f"robot_{k}": (0.001, 1e6) for k in range(500)}
    seen = [StreamSeen(stream=f"s{k}", variant="int8", where=["x"], ended=1, on_time=1) for k in range(200)]
    agent.send("planner", Feedback(links={**invented, "carrier_0": (0.002, 1e6)}, streams=seen))
    scene.stage.wait(0.5)
    state = scene.planner._state
    assert set(state._links._trends["rover_0"]) == {"carrier_0"}
    assert {stream for _, stream in state._records._seen} <= {"detect", "segment"}
