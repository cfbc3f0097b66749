"""What a user can get wrong in a launch file or on the command line: one line, that names where and what."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from models import store
from models.store import ModelError
from sim_worlds import scenarios
from sim_worlds.sensors.suite import CAMERA
from swarm import settings_files
from swarm.core.protocol.messages import Member
from swarm.core.protocol.sensors import SensorSuite
from swarm.core.settings import yaml_text
from swarm.core.settings.cards import ImageForm
from swarm.core.settings.errors import BadInput
from swarm.core.settings.launch_file import FaultSpec, LaunchFile
from swarm.core.settings.process_files import AgentFile
from swarm.launcher import find
from swarm.launcher.load import load_launch
from swarm.run.settings import overrides
from swarm.run.settings.overrides import shares
from swarm.run.settings.process_specs import process_specs
from swarm.run.settings.resolve import Options, Resolved, dry_run
from tests.launcher.world import LAUNCH, write_launch

LAUNCHER = Member(name="launcher", role="launcher", urgent="tcp://127.0.0.1:1", bulk="tcp://127.0.0.1:2")

BAD_SETS = [
    ("streams.0.rate=3", "streams[0]: unknown key 'rate'; did you mean 'rate_hz'?"),
    ("streamz=3", "did you mean 'streams'?"),
    ("fleet.0.count=two", "fleet[0].count: 'two' is text, not a whole number"),
    ("fleet.0.count=0", "fleet[0].count: 0 is too small; at least 1"),
    ("fleet.0.count=-1", "fleet[0].count: -1 is too small"),
    ("fleet.1.name=rover", "fleet[1].name: 'rover' is there already"),
    ("fleet.0.name=world", "'world' is reserved"),
    ("fleet.0.name=../x", "is no name"),
    ("fleet.0.board=orin_nono", "no board is called 'orin_nono'; did you mean 'orin_nano'?"),
    ("fleet.0.kind=rovr", "did you mean 'rover'?"),
    ("fleet.0.physics=magic", "fleet[0].physics: 'magic' is not a choice; one of dynamic, kinematic"),
    ("fleet=[]", "fleet: no fleet"),
    ("fleet.0.battery_wh=0", "fleet[0].battery_wh: 0 is too small; at least 0.001"),
    ("fleet.0.battery_wh=full", "fleet[0].battery_wh: 'full' is not a choice; only platform"),
    ("fleet.0.charge=1.5", "fleet[0].charge: 1.5 is too large; at most 1"),
    ("fleet.0.charge=0.5", "fleet[0].charge: 0.5, but its robots have no battery; battery_wh: platform, or so many Wh"),
    ("fleet.0.spawn=[[0, 0]]", "fleet[0].spawn: 1 places for 2 robots"),
    ("fleet.0.spawn=[[0, 0], [99, 0]]", "fleet[0].spawn"),
    ("streams.0.rate_hz=0", "streams[0].rate_hz: 0 is too small; at least 0.001"),
    ("streams.0.rate_hz=-5", "streams[0].rate_hz: -5 is too small"),
    ("streams.0.rate_hz=.nan", "streams[0].rate_hz: nan is not a number; at least 0.001"),
    ("streams.0.deadline_s=.inf", "streams[0].deadline_s: inf"),
    ("streams.1.deadline_s=-0.1", "streams[1].deadline_s: -0.1"),
    ("streams.0.rate_hz=1000", "streams[0].rate_hz: 1000 is too large; at most 240"),
    ("streams.0.deadline_s=4000", "streams[0].deadline_s: 4000 is too large; at most 3600"),
    (f"streams.0.priority={10**30}", "streams[0].priority"),
    pytest.param(f"streams.0.priority={'9' * 5000}", "a number of 5000 digits", id="thousands of digits"),
    (f"seed={10**30}", "seed: 1e+30 is too large; at most 9223372036854775807"),
    (f"fleet.0.count={10**30}", "fleet[0].count: 1e+30 is too large; at most 1000"),
    ("fleet.0.count=1000", "fleet: 1001 robots; at most 1000"),
    ("fleet.0.name=any", "fleet[0].name: 'any' is reserved"),
    ("fleet.0.name=random", "'random' is reserved"),
    ("fleet.0.name=launcher", "'launcher' is reserved"),
    ("fleet.1.name=rover_1", "fleet[1].name: a robot of fleet 'rover' is called 'rover_1', too; a name of its own"),
    ("fleet.0.spawn=[[0, 0], [0.1, 0]]", "fleet: rover_0 and rover_1 would start in the same place, (0.1, 0)"),
    ("streams.0.on=[]", "streams[0].on: no fleet; at least one of rover, carrier"),
    ("streams.0.on=[rover, rover]", "streams[0].on: 'rover' is there already; each fleet once"),
    ("duration_s=0.05", "duration_s: 0.05 is too small; at least 0.1"),
    ("faults=[{at_s: 5, restart: rover_0, after_s: 25}]", "faults[0].after_s: after 25 s the run is over; below 25"),
    ("faults=[{per_minute: 5, restart: any, after_s: 30}]", "faults[0].after_s: after 30 s the run is over; below 30"),
    ("boards.wide={speed: {fp32: 0.1, int8: 0.1}, power_w: 1, source: x, executors: 65}",
     "boards.wide.executors: 65 is too large; at most 64"),
    ("streams.1.name=detect", "streams[1].name: 'detect' is there already"),
    ("streams.0.on=[drone]", "streams[0].on: no fleet is called 'drone'"),
    ("streams.0.model=detectr", "no model is called 'detectr'; did you mean 'detector'?"),
    ("scenario=search_rescu", "no scenario is called 'search_rescu'; did you mean 'search_rescue'?"),
    ("behaviour=patroll", "behaviour: no behaviour is called 'patroll'; did you mean 'patrol'? known: "),
    ("behaviour=search", "behaviour: no behaviour is called 'search'"),      # a folder of parts
    ("behaviour=3", "behaviour: 3 is a whole number, not text"),
    ("perception=perfect", "perception: perfect, but in real time the models run; clock: virtual, or perception: mod"),
    ("perception=halved", "perception: halved, but in real time the models run; clock: virtual, or perception: model"),
    ("perception=best", "perception: 'best' is not a choice; one of perfect, model, halved"),
    ("policy=plan", "no policy is called 'plan'"),
    ("network=ether", "ether is not available yet; network: loopback"),
    ("warmup_s=60", "warmup_s: 60 leaves nothing of the run; below duration_s"),
    ("clock=fast", "clock: 'fast' is not a choice; one of real, virtual"),
    ("seed=-1", "seed: -1 is too small; at least 0"),
    ("seed=1.5", "seed: 1.5 is a number, not a whole number"),
    ("duration_s=0", "duration_s: 0 is too small; at least 0.1"),
    ("duration_s=1e9", "duration_s: 1e+09 is too large; at most 86400"),
    ("version=2", "version: 2 is not a choice; only 1"),
    ("faults=[{at_s: 5, kill: rover_9}]", "faults[0].kill: no process is called 'rover_9'"),
    ("faults=[{at_s: 5, kill: planner}]", "no process is called 'planner'"),
    ("faults=[{at_s: 30, kill: rover_0}]", "faults[0].at_s: 30 is not within the run"),
    ("faults=[{at_s: 5}]", "faults[0]: no kind of fault is given; exactly one of kill, stop,"),
    ("faults=[{at_s: 5, kill: rover_0, stop: rover_1, for_s: 1}]", "faults[0]: kill and stop in one entry"),
    ("faults=[{kill: rover_0}]", "faults[0]: it does not say when; either at_s, once, or per_minute"),
    ("faults=[{at_s: 5, per_minute: 2, kill: rover_0}]", "faults[0]: it says both at_s and per_minute"),
    ("faults=[{per_minute: 0, kill: any}]", "faults[0].per_minute: 0 is too small; above 0"),
    ("faults=[{per_minute: .inf, kill: any}]", "faults[0].per_minute: inf"),
    ("faults=[{at_s: 5, stop: rover_0}]", "faults[0]: stop without for_s"),
    ("faults=[{at_s: 5, stop: rover_0, for_s: 0}]", "faults[0].for_s: 0 is too small; above 0"),
    ("faults=[{at_s: 5, kill: rover_0, for_s: 1}]", "faults[0].for_s: means nothing to kill; leave it out"),
    ("faults=[{at_s: 5, restart: rover_0, after_s: -1}]", "faults[0].after_s: -1 is too small"),
    ("faults=[{at_s: 5, restart: world}]", "faults[0].restart: the world is no victim of restart"),
    ("faults=[{at_s: 5, slow: rover_0, for_s: 1}]", "faults[0]: slow without factor; slow needs factor and for_s"),
    ("faults=[{at_s: 5, slow: rover_0, factor: 0.5, for_s: 1}]", "faults[0].factor: 0.5 is too small; at least 1"),
    ("faults=[{at_s: 5, slow: planner, factor: 2, for_s: 1}]", "faults[0].slow: no robot is called 'planner'"),
    ("faults=[{at_s: 5, lose: rover_0, share: 1.5, for_s: 1}]", "faults[0].share: 1.5 is too large; at most 1"),
    ("faults=[{at_s: 5, corrupt: rover, share: .nan, for_s: 1}]", "faults[0].share: nan"),
    ("faults=[{at_s: 5, lose: rovr, share: 0.5, for_s: 1}]", "no process is called 'rovr'; did you mean 'rover'?"),
    ("faults=[{at_s: 5, clock: rover_0}]", "faults[0]: clock without by_s"),
    ("faults=[{at_s: 5, clock: rover_0, by_s: 1e12}]", "faults[0].by_s: 1e+12 is too large"),
    ("faults=[{at_s: 5, disk_full: true}]", "faults[0]: disk_full without for_s"),
    ("faults=[{at_s: 5, dropout: rover_0, for_s: 1}]", "faults[0]: dropout without sensor; dropout needs sensor"),
    ("faults=[{at_s: 5, dropout: rover_0, sensor: lidar}]", "faults[0]: dropout without for_s"),
    ("faults=[{at_s: 5, dropout: rover_9, sensor: lidar, for_s: 1}]", "no robot is called 'rover_9'"),
    ("faults=[{at_s: 5, freeze: planner, sensor: lidar, for_s: 1}]", "faults[0].freeze: no robot is called 'planner'"),
    ("faults=[{at_s: 5, freeze: world, sensor: lidar, for_s: 1}]",
     "the world is no victim of freeze; a robot, a fleet or any"),
    ("faults=[{at_s: 5, dropout: any, sensor: lidr, for_s: 1}]",
     "faults[0].sensor: rover_0 has no sensor 'lidr'; one of camera, lidar"),
    ("faults=[{at_s: 5, bias: rover_0, sensor: lidar, for_s: 1}]", "faults[0]: a bias without its size; by_m, by_"),
    ("faults=[{at_s: 5, bias: rover_0, sensor: lidar, by_rad: 1, for_s: 1}]",
     "faults[0].by_rad: lidar is a lidar, which has no such bias; by_m"),
    ("faults=[{at_s: 5, bias: rover_0, sensor: camera, by_m: 1, for_s: 1}]",
     "faults[0].by_m: camera is a camera, which has no such bias; a dropout or a freeze"),
    ("faults=[{at_s: 5, bias: rover_0, sensor: lidar, by_m: .nan, for_s: 1}]", "faults[0].by_m: nan"),
    ("faults=[{at_s: 5, bias: rover_0, sensor: lidar, scale: 0, for_s: 1}]", "faults[0].scale: 0 is too small"),
    ("faults=[{at_s: 5, dropout: rover_0, sensor: lidar, by_m: 1, for_s: 1}]",
     "faults[0].by_m: means nothing to dropout; leave it out"),
    ("faults=[{at_s: 5, stop: rover_0, sensor: lidar, for_s: 1}]", "faults[0].sensor: means nothing to stop"),
    ("faults=[{at_s: 5, disk_full: false, for_s: 1}]", "faults[0].disk_full: False is not a choice; only true"),
    ("faults=[{at_s: 5, partition: halves, for_s: 1}]", "faults[0].partition: "),
    ("faults=[{at_s: 5, partition: [[rover_0]], for_s: 1}]", "faults[0].partition: it names fewer than two groups"),
    ("faults=[{at_s: 5, partition: [[rover_0], []], for_s: 1}]", "faults[0].partition: it names fewer than two groups"),
    ("faults=[{at_s: 5, partition: [[rover_0], [world]], for_s: 1}]", "no robot, fleet or planner is called 'world'"),
    ("faults=[{at_s: 5, partition: [[rover_0], [rover]], for_s: 1}]", "rover_0 is in two groups"),
    ("faults=[{at_s: 5, partition: [[rover, carrier], [any]], for_s: 1}]", "no robot is left for any"),
    ("faults=[{at_s: 5, stop: rover_0, for_s: 1, till: 3}]", "unknown key 'till'"),
    ("faults=[{at_s: -1, kill: rover_0}]", "faults[0].at_s: -1 is not within the run"),
    ("randomise.mas=0.2", "randomise: unknown key 'mas'; did you mean 'mass'?"),
    ("randomise.mass=1", "randomise.mass: 1 is too large; at most 0.9"),
    ("randomise.noise=-0.1", "randomise.noise: -0.1 is too small; at least 0"),
    ("randomise.light=.nan", "randomise.light: nan is not a number"),
    ("randomise.friction=0.5", "randomise.friction: 0.5 is a number, not a list"),
    ("randomise.friction=[0.5]", "randomise.friction: it has 1 entry; exactly 2"),
    ("randomise.friction=[1.0, 0.5]", "randomise.friction: from 1 to 0.5; the lower end first, like [0.5, 1.0]"),
    ("randomise.colour=true", "randomise.colour: True is true or false, not a number"),
    ("accept.on_time=>= 0.9", "accept: on_time"),
    ("accept.lost=none", "'none' is not a rule"),
    ("fleet.0.board=thor_maxn", "fleet[0].board: thor_maxn runs models at 1 times the speed of a core of a host"),
    ("fleet.0.board=thor_maxn", "at most 0.5; clock: virtual, or a slower class"),
    ("fleet.1.board=agx_orin_maxn_gpu", "agx_orin_maxn_gpu runs models on its GPU at 23.7 times the speed of a core"),
    ("fleet.1.board=agx_orin_maxn_gpu", "clock: virtual, or a slower class, like agx_orin_maxn"),
    ("boards.slow={speed: {fp32: 0.1, int8: 0.1}, power_w: 1, source: x, figures: {speed: {origin: seen, source: x}}}",
     "boards.slow.figures.speed.origin"),
    ("boards.slow={speed: {fp32: 0.1}, power_w: 1, source: x}", "boards.slow.speed.int8: it is missing"),
    ("fleet.0.joins_at_s=30", "fleet[0].joins_at_s: 30 is not within the run; from 0 to below duration_s, 30"),
    ("fleet.0.leaves_at_s=30", "fleet[0].leaves_at_s: 30 is not within the run; below duration_s, 30, or nothing"),
    ("fleet.0={name: rover, count: 2, board: orin_nano, joins_at_s: 9, leaves_at_s: 9}",
     "fleet[0].leaves_at_s: at 9 s the fleet has not joined; above joins_at_s, 9"),
    ("fleet.0.leaves_at_s=0", "fleet[0].leaves_at_s: 0 is too small; above 0"),
    ("fleet.0.joins_at_s=-1", "fleet[0].joins_at_s: -1 is too small; at least 0"),
    ("fleet.0.joins_at_s=.nan", "fleet[0].joins_at_s: nan"),
    ("fleet=[{name: rover, count: 2, board: orin_nano, joins_at_s: 1}]",
     "fleet: no robot is there at the start; one fleet at least without joins_at_s"),
    ("streams.7.rate_hz=1", "'7' is no place in a list of 2"),
    ("seed.x=1", "which has no parts"),
    ("fleet.*.physics=magic", "fleet[0].physics: 'magic' is not a choice; one of dynamic, kinematic"),
    ("fleet.*.phys=kinematic", "fleet[0]: unknown key 'phys'"),
    ("faults.*.at_s=3", "* in a list of 0; a list with entries"),
    ("boards.*.speed=3", "boards.*.speed=3: * in a list of 0; a list with entries"),
    ("seed", "not an assignment"),
    ("=1", "not an assignment"),
    ("fleet={", "--set fleet={: line 1: expected "),
]


def refused(folder: Path, **options: object) -> str:
    with pytest.raises(BadInput) as caught:
        load_launch(Options(launch=str(write_launch(folder)), **options))       # pyright: ignore[reportArgumentType]
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("assignment", "told"), BAD_SETS)
def test_a_bad_assignment_is_refused_by_name(tmp_path: Path, assignment: str, told: str) -> None:
    line = refused(tmp_path, assignments=[assignment])
    assert told in line
    assert "--set" in line


def test_fleets_have_noisy_sensors_and_a_localisation_unless_they_are_exact(tmp_path: Path) -> None:
    fault = "faults=[{at_s: 5, bias: rover, sensor: place, by_m: 1, for_s: 1}]"
    assert resolved(tmp_path, assignments=[fault]).launch.faults[0].sensor == "place"
    told = refused(tmp_path, assignments=["fleet.*.sensors=exact", fault])
    assert "one of camera, lidar; a fleet has `place`, its localisation, unless it has `sensors: exact`" in told


@pytest.mark.parametrize(("old", "new", "told"), [
    ("rate_hz: 5", "rate_hz: -5", "patrol.yaml: streams[0].rate_hz: -5 is too small"),
    ("seed: 7", "sed: 7", "patrol.yaml: unknown key 'sed'; did you mean 'seed'?"),
    ("scenario: search_rescue\n", "", "patrol.yaml: the key 'scenario' is missing"),
    ("version: 1", "version: [", "patrol.yaml: line 4: version[1]: "),
    ("seed: 7", "seed: 7\nreach_m: 0", "patrol.yaml: reach_m: 0 is too small; at least 0.1"),
    ("seed: 7", "seed: 7\nreach_m: 1.0e-300", "patrol.yaml: reach_m: 1e-300 is too small; at least 0.1"),
    ("seed: 7", "seed: 7\nreach_m: .inf", "patrol.yaml: reach_m: "),
    ("seed: 7", "seed: 7\nreach_m: .nan", "patrol.yaml: reach_m: "),
    ("seed: 7", "seed: 7\nreach_m: 8\nbase: {x_m: .inf, y_m: 0}", "patrol.yaml: base.x_m: "),
    ("seed: 7", "seed: 7\nbase: {x_m: 0, y_m: 0}", "patrol.yaml: base: without reach_m all hear each other"),
    ("model: detector, rate_hz: 1", "model: lost, rate_hz: 1", "patrol.yaml: streams[1].model: no model"),
])
def test_a_mistake_in_the_file_names_file_and_key(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in LAUNCH
    path = write_launch(tmp_path, LAUNCH.replace(old, new, 1))
    with pytest.raises(BadInput) as caught:
        load_launch(Options(launch=str(path)))
    assert told in str(caught.value)


@pytest.mark.parametrize(("options", "told"), [
    ({"duration_s": -1.0}, "--duration: -1 is too small; at least 0.1"),
    ({"seed": -3}, "--seed: -3 is too small; at least 0"),
    ({"policy": "best"}, "--policy: no policy is called 'best'"),
    ({"policy": "split:1"}, "--policy: 'split:1' is no policy"),
    ({"policy": "oracle"}, "--policy: oracle knows the links' future"),
    ({"clock": "virtual", "record": True}, "--record: virtual time draws no pictures"),
    ({"network": "radio"}, "--network: radio is not available yet"),
    ({"robots": 1}, "--robots: 1 robots for 2 fleets; at least 2"),
    ({"robots": 0}, "--robots: 0 is too small; at least 1"),
    ({"ray": "somewhere"}, "--ray: 'somewhere' is no address of a cluster"),
    ({"robots": 5000}, "--robots: 5000 is too large; at most 1000"),
])
def test_a_bad_option_is_named_as_it_was_typed(tmp_path: Path, options: dict[str, object], told: str) -> None:
    assert refused(tmp_path, **options).startswith(told)


def test_a_fault_of_a_robot_that_is_not_there(tmp_path: Path) -> None:
    visit = ["fleet.1.joins_at_s=5", "fleet.1.leaves_at_s=10"]
    for fault, told in (
            ("at_s: 4, kill: carrier_0", "kill: carrier_0 is not there at 4 s"),
            ("at_s: 10, kill: carrier_0", "kill: carrier_0 is not there at 10 s"),
            ("at_s: 2, kill: carrier", "kill: carrier is not there at 2 s"),
            ("at_s: 6, restart: carrier_0, after_s: 4", "restart: carrier_0 is not there at 10 s")):
        line = refused(tmp_path, assignments=[*visit, f"faults=[{{{fault}}}]"])
        assert f"faults[0].{told}; from 5 to below 10" in line
    for fault in ("at_s: 5, kill: carrier_0", "at_s: 6, restart: carrier_0, after_s: 3", "at_s: 2, kill: any",
                  "per_minute: 1, kill: carrier_0"):
        assert load_launch(Options(launch=str(write_launch(tmp_path)), assignments=[*visit, f"faults=[{{{fault}}}]"]))


def test_a_launch_file_that_is_not_there() -> None:
    with pytest.raises(BadInput, match=r"nowhere: no launch file of this name; known names: .*search_rescue"):
        load_launch(Options(launch="nowhere"))
    with pytest.raises(BadInput, match=r"nowhere\.yaml: No such file"):
        load_launch(Options(launch="nowhere.yaml"))


def _altered(card: object, folder: object = None) -> None:
    raise ModelError("artefacts/detector/int8.onnx", "its sha256 is 4567...", "0123... as the card says")


def test_a_model_that_is_not_what_its_card_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "check", _altered)
    assert "patrol.yaml: streams[0].model: artefacts/detector/int8.onnx: its sha256 is 4567" in refused(tmp_path)


def test_a_camera_with_other_pixels_than_a_model_takes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    large = SensorSuite({"camera": replace(CAMERA, width_px=640, height_px=480)})
    monkeypatch.setattr("sim_worlds.scenarios.patrol.Patrol.suite", large)
    with pytest.raises(BadInput) as caught:
        load_launch(Options(launch="patrol"))
    assert str(caught.value).endswith(
        "streams[0].model: detector takes frames of 96 x 72 pixels, and the camera of rover_0 has "
        "640 x 480; a model whose card has an `image`, or another camera")
    scaled = replace(store.load_card("detector"), image=ImageForm(layout="NHWC"))
    monkeypatch.setattr(store, "load_card", lambda *_: scaled)
    load_launch(Options(launch="patrol", assignments=["streams.1.model=detector", "variants={}"]))


def resolved(folder: Path, **options: object) -> Resolved:
    return load_launch(Options(launch=str(write_launch(folder)), **options))    # pyright: ignore[reportArgumentType]


def test_what_is_printed_dry_can_be_launched_and_is_the_same(tmp_path: Path) -> None:
    first = resolved(tmp_path, assignments=["streams.0.rate_hz=1e1", "accept.streams.patrol.lost='== 0'",
                                            "faults=[{per_minute: 2, stop: any, for_s: 1}]"], robots=5, seed=11)
    again = tmp_path / "again.yaml"
    again.write_text(dry_run(first))
    assert load_launch(Options(launch=str(again))) == first
    plain = yaml_text.parse(dry_run(first), "dry run")
    assert (plain["seed"], plain["policy"], plain["streams"][0]["rate_hz"]) == (11, "local", 10.0)
    assert plain["faults"] == [{"per_minute": 2, "stop": "any", "for_s": 1}]
    assert set(plain["boards"]) == {"orin_nano", "agx_orin"}


def test_a_behaviour_and_a_perception_go_round_by_the_file_that_is_printed_dry(tmp_path: Path) -> None:
    usual = resolved(tmp_path)
    assert (usual.behaviour, usual.launch.behaviour, usual.launch.perception) == ("search_rescue", "", "model")
    first = resolved(tmp_path, clock="virtual", assignments=["behaviour=patrol", "perception=halved"])
    assert first.behaviour == "patrol"
    again = tmp_path / "again.yaml"
    again.write_text(dry_run(first))
    assert load_launch(Options(launch=str(again))) == first
    plain = yaml_text.parse(dry_run(first), "dry run")
    assert (plain["behaviour"], plain["perception"]) == ("patrol", "halved")
    agents = [spec.settings for spec in process_specs(first, "s-1", LAUNCHER, "keys")
              if isinstance(spec.settings, AgentFile)]
    assert [agent.behaviour for agent in agents] == ["patrol"] * 3


def test_a_behaviour_that_needs_a_sensor_which_the_robots_lack_is_refused_before_the_start() -> None:
    with pytest.raises(BadInput) as caught:
        load_launch(Options(launch="patrol", assignments=["behaviour=search_rescue"]))
    assert str(caught.value) == ("--set behaviour=search_rescue: behaviour: behaviour 'search_rescue': needs a lidar, "
                                 "and the robot has none; a body with a lidar")


def test_a_behaviour_is_named_in_real_time_too(tmp_path: Path) -> None:
    assert resolved(tmp_path, clock="real", assignments=["behaviour=patrol"]).behaviour == "patrol"


def test_a_star_is_each_entry_of_a_list(tmp_path: Path) -> None:
    run = resolved(tmp_path, assignments=["fleet.*.physics=dynamic", "fleet.0.physics=kinematic",
                                          "streams.*.on=[rover]", "streams.0.on.1=carrier"])
    assert [fleet.physics for fleet in run.launch.fleet] == ["kinematic", "dynamic"]
    assert [stream.on for stream in run.launch.streams] == [["rover", "carrier"], ["rover"]]     # each has its own list


@pytest.mark.parametrize(("path", "other", "inside"), [
    ("a", "a.b", True), ("a.b", "a", True), ("a.b", "a.b", True), ("a", "ab", False), ("a.*.c", "a.12.c", True),
    ("a.*.c", "a.12", True), ("a.*.c", "a.12.d", False), ("a.*", "a.b", False), ("a.1", "a.10", False),
    ("", "a", False)])
def test_a_path_is_in_another_one_by_whole_keys(path: str, other: str, inside: bool) -> None:
    assert overrides.is_in(path, other) == overrides.is_in(other, path) == inside


def test_a_list_may_grow_by_assignments(tmp_path: Path) -> None:
    launch = resolved(tmp_path, assignments=["faults.0.kill=rover_1", "faults.0.at_s=3"]).launch
    assert launch.faults == [FaultSpec(at_s=3.0, kill="rover_1")]


@given(st.lists(st.integers(1, 50), min_size=1, max_size=6), st.integers(0, 200))
def test_shares_keep_the_total_the_minimum_and_the_proportions(counts: list[int], extra: int) -> None:
    total = len(counts) + extra
    given_ = shares(counts, total)
    assert sum(given_) == total
    assert min(given_) >= 1
    assert shares(counts, sum(counts)) == counts
    exact = [c * total / sum(counts) for c in counts]
    if min(exact) >= 1:
        assert all(abs(g - x) < 1 for g, x in zip(given_, exact, strict=True))


def test_robots_keep_the_fleets_proportions(tmp_path: Path) -> None:
    assert [fleet.count for fleet in resolved(tmp_path, robots=9).launch.fleet] == [6, 3]


def test_a_fleet_of_any_name_is_made_of_rovers_unless_it_says_otherwise(tmp_path: Path) -> None:
    run = resolved(tmp_path, assignments=["fleet.0.name=scout", "streams.0.on=[scout]", "streams.1.on=[scout]",
                                          "fleet.1.kind=rover"])
    assert run.kinds == {"scout": "rover", "carrier": "rover"}


@pytest.mark.parametrize("name", find.names())
def test_every_launch_file_resolves_and_names_its_scenario(name: str) -> None:
    launch = settings_files.read(find.launch_file(name), LaunchFile)
    if {stream.model for stream in launch.streams} <= set(store.names()):
        assert dry_run(load_launch(Options(launch=name)))
    assert launch.scenario in scenarios.available()
