"""Links of a launch file: a mistake is one line that names the key; a trace is beside the file and holds everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarm import settings_files
from swarm.core.policy.trace import PacketTrace, RateTrace
from swarm.core.protocol.messages import Member
from swarm.core.settings import rules, validation, yaml_text
from swarm.core.settings.errors import BadInput
from swarm.core.settings.links import LinkSpec
from swarm.core.settings.process_files import AgentFile
from swarm.launcher.load import load_launch
from swarm.run.settings.process_specs import process_specs
from swarm.run.settings.resolve import Options, Resolved, dry_run
from tests.launcher.world import LAUNCH, write_launch

LAUNCHER = Member(name="launcher", role="launcher", urgent="tcp://127.0.0.1:1", bulk="tcp://127.0.0.1:2")


def resolved(folder: Path, links: str) -> Resolved:
    return load_launch(Options(launch=str(write_launch(folder, f"{LAUNCH}links: {links}\n"))))


@pytest.mark.parametrize(("links", "told"), [
    ("{rover:carier: {}}", "links.rover:carier: no fleet or robot is called 'carier'; did you mean 'carrier'?"),
    ("{rover:planner: {}}", "links.rover:planner: no fleet or robot is called 'planner'"),
    ("{rover_2:carrier: {}}", "links.rover_2:carrier: no fleet or robot is called 'rover_2'"),
    ("{rover_1:rover_1: {}}", "links.rover_1:rover_1: a robot has no link to itself"),
    ("{rover: {}}", "links.rover: it names no pair"),
    ("{rover:carrier: {rate_mbps: 5, airtime: hall}}", "links.rover:carrier.airtime: agents do not take turns in real"),
    ("{rover:carrier: {rate_mbps: 5, airtime: a b}}", "links.rover:carrier.airtime: "),
    ("{rover:carrier: {}, carrier:rover: {}}", "links.carrier:rover: it is the pair rover:carrier, which is there"),
    ("{rover:carrier_0: {}, rover_0:carrier: {}}",
     "links.rover_0:carrier: rover:carrier_0 is the link of carrier_0 and rover_0, too; carrier_0:rover_0 in place of"),
    ("{rover:rover_0: {}, rover:rover_1: {}}", "links.rover:rover_1: rover:rover_0 is the link of rover_0 and rover_1"),
    ("{rover:carrier: {rate_mbps: 0}}", "links.rover:carrier.rate_mbps: 0 is too small; above 0"),
    ("{rover:carrier: {rate_mbps: -1}}", "links.rover:carrier.rate_mbps: -1 is too small"),
    ("{rover:carrier: {rate_mbps: .nan}}", "links.rover:carrier.rate_mbps: nan"),
    ("{rover:carrier: {rate_mbs: 10}}", "links.rover:carrier: unknown key 'rate_mbs'; did you mean 'rate_mbps'?"),
    ("{rover:carrier: {loss: 0.6}}", "links.rover:carrier.loss: 0.6 is too large; at most 0.5"),
    ("{rover:carrier: {loss: -0.1}}", "links.rover:carrier.loss: -0.1 is too small; at least 0"),
    ("{rover:carrier: {delay_ms: -1}}", "links.rover:carrier.delay_ms: -1 is too small"),
    ("{rover:carrier: {trace: t.csv, rate_mbps: 1}}", "links.rover:carrier: it has both rate_mbps and trace"),
    ("{rover:carrier: {scale: [1, 2]}}", "links.rover:carrier.scale: there is no trace to scale"),
    ("{rover:carrier: {trace: t.csv, scale: [2]}}", "links.rover:carrier.scale: "),
    ("{rover:carrier: {trace: t.csv, scale: [0, 2]}}", "links.rover:carrier.scale[0]: 0 is too small; at least 0.01"),
    ("{rover:carrier: {trace: none.csv}}", "/none.csv: No such file or directory; a readable trace"),
    ("{rover:carrier: {trace: .}}", ": Is a directory; a readable trace"),
    ("{rover:carrier: {trace: zero.csv}}", "/zero.csv: it carries nothing: every line ends in 0"),
    ("{rover:carrier: {trace: back.csv}}", "/back.csv: line 2: 1 comes after 3; ascending times"),
    ("{rover:carrier: {trace: raw.csv}}", "/raw.csv: line 1: byte 0xff is not UTF-8"),
    ("[rover:carrier]", "links: "),
])
def test_a_bad_link_is_refused_by_key(tmp_path: Path, links: str, told: str) -> None:
    (tmp_path / "t.csv").write_text("0 8\n1 4\n")
    (tmp_path / "zero.csv").write_text("0 0\n")
    (tmp_path / "back.csv").write_text("3 1\n1 2\n")
    (tmp_path / "raw.csv").write_bytes(b"\xff")
    with pytest.raises(BadInput) as caught:
        resolved(tmp_path, links)
    assert told in str(caught.value)
    assert f"patrol.yaml: links{'.rover:carrier.trace: ' if '.csv: ' in told else ''}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_mistake_on_the_command_line_is_named_there(tmp_path: Path) -> None:
    for assignment, told in (
        ("links={rover:carrier: {trace: no.csv}}", ": links.rover:carrier.trace: "), ("links.rover:carrier.loss=1", ""),
    ):
        with pytest.raises(BadInput) as caught:
            load_launch(Options(launch=str(write_launch(tmp_path)), assignments=[assignment]))
        assert str(caught.value).startswith(f"--set {assignment}{told}")


def test_traces_are_beside_the_launch_file_and_the_resolved_one_works_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, away = tmp_path / "home", tmp_path / "away"
    (home / "traces").mkdir(parents=True)
    away.mkdir()
    (home / "traces" / "rate.csv").write_text("0 8\n1 4\n")
    (home / "packets").write_text("10\n10\n30\n")
    monkeypatch.chdir(tmp_path)
    run = resolved(Path("home"), "{rover:carrier: {trace: traces/rate.csv, loss: 0.1, scale: [0.8, 1.25]}, "
                                 "carrier_0:rover_1: {trace: packets, delay_ms: 3}, rover:rover: {rate_mbps: 5}}")
    rate, packets = str(home / "traces" / "rate.csv"), str(home / "packets")
    assert run.traces == {rate: RateTrace.of([(0, 8), (1, 4)]), packets: PacketTrace.of([10, 10, 30])}
    assert run.launch.links == {
        "rover:carrier": LinkSpec(trace=rate, loss=0.1, scale=(0.8, 1.25)),
        "carrier_0:rover_1": LinkSpec(trace=packets, delay_ms=3.0), "rover:rover": LinkSpec(rate_mbps=5.0)}
    (away / "again.yaml").write_text(dry_run(run))
    monkeypatch.chdir(away)
    assert load_launch(Options(launch="again.yaml")) == run


def test_agents_get_the_links_and_check_them_themselves(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("0 8\n1 4\n")
    run = resolved(tmp_path, "{rover:carrier: {trace: t.csv, loss: 0.1}}")
    agents = [spec.settings for spec in process_specs(run, "s-1", LAUNCHER, "") if isinstance(spec.settings, AgentFile)]
    assert [agent.links for agent in agents] == [run.launch.links] * 3
    read = validation.check(yaml_text.parse(yaml_text.dump(agents[0]), "file"), AgentFile, "file")
    assert read == agents[0]
    assert settings_files.load_trace(Path(read.links["rover:carrier"].trace or "")) in run.traces.values()
    text = yaml_text.dump(agents[0]).replace("rover:carrier", "rover")
    bad = validation.check(yaml_text.parse(text, "f"), AgentFile, "f")
    with pytest.raises(BadInput, match=r"f: links\.rover: it names no pair"):
        rules.agent_file(bad, "f", ["search_rescue"])
