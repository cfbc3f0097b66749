"""One process's part in a swarm, on a stage: who is told what, who may say what, and what ends it."""

from __future__ import annotations

import pytest

from swarm.core.ports import Received
from swarm.core.protocol import messages as msg
from swarm.core.protocol.messages import Member
from swarm.core.settings.process_files import ProcessFile
from swarm.core.units import ns
from swarm.membership.participant import READY_FIRST_NS, Participant
from tests.one_thread.hosts import Stage


def member(name: str, role: str = "agent", boot: int = 1, host: str = "127.0.0.1") -> Member:
    port = 7000 + sum(map(ord, name)) % 500 * 2
    return Member(name=name, role=role, boot=boot, urgent=f"tcp://{host}:{port}", bulk=f"tcp://{host}:{port + 1}")


OWN, MATE, LAUNCHER = member("rover_0", boot=7), member("rover_1"), member("launcher", "launcher")
PLANNER, WORLD, NEWCOMER = member("planner", "planner"), member("world", "world"), member("rover_9")
EVERY_S = READY_FIRST_NS / 1e9


class Process:
    """A participant, what its handler gets, and the members that it met."""

    def __init__(
        self, launcher: Member | None = LAUNCHER, roster: tuple[Member, ...] = (), keys: str = "", faults: bool = True,
        reach: bool = False,
    ) -> None:
        self.stage = Stage()
        self.host = self.stage.host_of(OWN, zero_ns=ns(100.0))
        for other in (MATE, LAUNCHER, PLANNER, WORLD, NEWCOMER):
            self.stage.host_of(other)
        self.net, self.machine = self.host.transport, self.host.machine
        self.got: list[Received] = []
        self.met: list[str] = []
        self.participant = Participant(
            self.host,
            ProcessFile(version=1, swarm="s", name=OWN.name, launcher=launcher, roster=list(roster), keys=keys,
                        faults=faults, reach=reach),
            self.got.append, busy_s=lambda: 0.25, advert_of=lambda peer: 3 if peer == MATE.name else 0,
            met=self.met.extend,
        )

    def bodies(self) -> list[msg.Body]:
        return [message.body for message in self.got]


@pytest.fixture
def process() -> Process:
    return Process(roster=(MATE, PLANNER, WORLD))


def test_it_announces_itself_until_the_roster_comes(process: Process) -> None:
    process.participant.begin()
    assert process.host.sent(msg.Ready) == [("launcher", msg.Ready(member=OWN, pid=process.machine.pid))]
    process.stage.end("launcher")                            # it cannot be reached for a while
    process.stage.wait(3 * EVERY_S)
    process.stage.host_of(LAUNCHER)
    process.stage.wait(2 * EVERY_S)
    assert len(process.host.sent(msg.Ready)) == 3
    process.net.receive("launcher", msg.Roster(members=[OWN, NEWCOMER]))
    process.stage.wait(10 * EVERY_S)
    assert len(process.host.sent(msg.Ready)) == 3
    assert process.net.where(NEWCOMER.name) == NEWCOMER
    assert process.met.count(NEWCOMER.name) == 1
    assert process.got == []


def test_it_announces_itself_ever_less_often(process: Process) -> None:
    process.participant.begin()
    process.stage.wait(9.4)
    assert len(process.host.sent(msg.Ready)) == 7            # at 0, 0.1, 0.3, 0.7, 1.5, 3.1, 6.3 s
    process.stage.wait(0.2)
    assert len(process.host.sent(msg.Ready)) == 8            # and from now on every 3.2 s
    process.stage.wait(3.2)
    assert len(process.host.sent(msg.Ready)) == 9


def test_without_a_launcher_it_announces_itself_to_nobody_and_meets_the_members_of_its_file() -> None:
    process = Process(launcher=None, roster=(MATE,))
    process.participant.begin()
    process.stage.wait(10 * EVERY_S)
    assert (process.net.sent, process.met) == ([], [MATE.name])
    assert process.participant.report(msg.Drained())


def test_a_heartbeat_is_answered_with_the_time_that_it_was_held(process: Process) -> None:
    process.net.receive(MATE.name, msg.Heartbeat(sequence=5, advert=1), waited_s=0.004)
    assert process.net.sent == [
        (MATE.name, msg.HeartbeatAck(sequence=5, held_s=0.004, busy_s=0.25, advert=3))]
    assert process.bodies() == [msg.Heartbeat(sequence=5, advert=1)]


def test_the_answer_to_a_heartbeat_measures_the_link_less_the_time_that_it_was_held(process: Process) -> None:
    process.participant.send_heartbeats([MATE.name, "nobody"])
    assert process.net.sent == [(MATE.name, msg.Heartbeat(sequence=1, busy_s=0.25, advert=3))]
    process.stage.wait(0.010)
    process.net.receive(MATE.name, msg.HeartbeatAck(sequence=1, held_s=0.004))
    assert process.net.link(MATE.name).quality.rtt_s == pytest.approx(0.006)
    process.net.join([member(MATE.name, boot=2)])                 # connected anew: measured anew
    process.net.receive(MATE.name, msg.HeartbeatAck(sequence=1, held_s=0.004), boot=2)
    assert process.net.link(MATE.name).quality.samples == 0


@pytest.mark.parametrize(("sender", "body"), [
    (MATE.name, msg.Shutdown()), (MATE.name, msg.Roster(members=[NEWCOMER])), (MATE.name, msg.InjectedFaults(slow=9.0)),
    ("planner", msg.Drain()), ("world", msg.Heartbeat(sequence=1)), ("launcher", msg.Heartbeat(sequence=1)),
    ("stranger", msg.Heartbeat(sequence=1)), ("world", msg.Introduction(members=[WORLD, NEWCOMER])),
])
def test_a_message_that_its_sender_may_not_send_is_refused(process: Process, sender: str, body: msg.Body) -> None:
    process.net.receive(sender, body)
    assert process.participant.refused == 1
    assert (process.got, process.net.sent, process.net.injected) == ([], [], [])
    assert not process.machine.stopped
    assert process.net.where(NEWCOMER.name) is None


def test_a_newcomer_is_joined_told_to_the_others_and_hears_of_all(process: Process) -> None:
    process.net.receive(NEWCOMER.name, msg.Introduction(members=[NEWCOMER]))
    assert process.net.where(NEWCOMER.name) == NEWCOMER
    assert process.met == [NEWCOMER.name]
    assert process.net.sent == [
        (MATE.name, msg.Introduction(members=[NEWCOMER])), ("planner", msg.Introduction(members=[NEWCOMER]))]
    assert process.participant.introduces_itself_to(NEWCOMER.name)
    assert not process.participant.introduces_itself_to(MATE.name)         # the launcher tells it of us
    assert process.participant.introduce(NEWCOMER.name)
    assert process.net.sent[-1] == (NEWCOMER.name, msg.Introduction(members=[OWN, MATE, PLANNER]))
    process.stage.end(NEWCOMER.name)
    assert not process.participant.introduce(NEWCOMER.name)


@pytest.mark.parametrize("claim", [
    member(NEWCOMER.name, "planner"),                        # a role with more to say
    MATE,                                                    # another member's address
    member(NEWCOMER.name, host="10.0.0.9"),                  # beyond this machine, without keys
])
def test_a_newcomer_may_not_claim_everything(process: Process, claim: Member) -> None:
    process.net.receive(NEWCOMER.name, msg.Introduction(members=[claim]))
    assert process.net.where(NEWCOMER.name) is None
    assert process.net.where(MATE.name) == MATE
    assert process.net.sent == []


def test_with_keys_a_newcomer_may_be_beyond_this_machine() -> None:
    process, far = Process(keys="keys"), member(NEWCOMER.name, host="10.0.0.9")
    process.net.receive(NEWCOMER.name, msg.Introduction(members=[far]))
    assert process.net.where(NEWCOMER.name) == far


def test_a_member_may_tell_only_of_members_that_are_new(process: Process) -> None:
    moved = member("planner", host="127.0.0.9")
    process.net.receive(MATE.name, msg.Introduction(members=[MATE, moved, NEWCOMER, member("planner_2", "planner")]))
    assert process.net.where("planner") == PLANNER
    assert process.net.where("planner_2") is None
    assert process.net.where(NEWCOMER.name) == NEWCOMER


def test_shutdown_stops_the_machine(process: Process) -> None:
    process.net.receive("launcher", msg.Shutdown())
    assert process.machine.stopped
    assert process.got == []


def test_injected_faults_reach_transport_wall_clock_and_handler(process: Process) -> None:
    faults = msg.InjectedFaults(lose=0.5, clock_step_s=-2.0, slow=3.0)
    process.net.receive("launcher", faults)
    assert process.net.injected == process.bodies() == [faults]
    assert process.machine.step_s == -2.0


def test_faults_are_refused_where_the_run_asks_for_none() -> None:
    process = Process(faults=False)
    process.net.receive("launcher", msg.InjectedFaults(lose=1.0, clock_step_s=-2.0, slow=3.0))
    assert process.net.injected == process.bodies() == []
    assert process.participant.refused == 1


def test_whom_it_hears_is_the_worlds_word_and_only_where_the_run_has_a_radio_reach() -> None:
    process = Process(roster=(MATE, PLANNER, WORLD), reach=True)
    for sender in ("world", MATE.name, "launcher"):
        process.net.receive(sender, msg.InReach(members=[sender]))
    assert process.net.heard_only == [["world"]]
    assert process.participant.refused == 2
    assert process.bodies() == []
    everywhere = Process(roster=(WORLD,))
    everywhere.net.receive("world", msg.InReach())
    assert (everywhere.net.heard_only, everywhere.participant.refused) == ([], 1)


def test_a_process_that_did_not_run_for_a_while_reports_it_once_it_can() -> None:
    process = Process()
    process.stage.end("launcher")
    process.machine.held_up(8.0004)
    process.stage.wait(0.1)
    assert process.net.sent == []
    process.stage.host_of(LAUNCHER)
    process.stage.wait(0.1)
    assert process.host.sent(msg.Happened) == [("launcher", msg.Happened(what="held_up", detail={"for_s": 8.0}))]


def test_a_process_with_a_queue_of_reports_puts_its_own_there() -> None:
    process, queue = Process(), list[msg.Body]()
    process.participant.tell_through(queue.append)
    process.machine.held_up(2.0)
    assert (queue, process.net.sent) == ([msg.Happened(what="held_up", detail={"for_s": 2.0})], [])


def test_of_others_only_those_are_remembered_who_could_join(process: Process) -> None:
    process.participant.begin()
    process.net.admitted = {NEWCOMER.name}
    process.net.receive(MATE.name, msg.Introduction(members=[member(f"stranger_{k}") for k in range(50)] + [NEWCOMER]))
    assert NEWCOMER.name in process.net.peers()
    assert not any(name.startswith("stranger") for name in process.net.peers())


def test_only_the_first_refusal_is_logged(process: Process, caplog: pytest.LogCaptureFixture) -> None:
    for k in range(100):
        process.net.receive(MATE.name, msg.Shutdown() if k % 2 else msg.Gone(name="launcher", boot=1))
    assert process.participant.refused == 100
    assert len(caplog.records) == 1
