"""Robots that users bring as URDF files: what is read from them, how they move, and what is refused and why."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from sim_worlds.engine import Engine, mission_of
from sim_worlds.robots.brought.body import brought, kind_for
from swarm.cli.main import main
from swarm.core.protocol.scene import Mission
from swarm.core.protocol.world import Drive, Pose
from swarm.core.settings.errors import BadInput
from swarm.core.settings.process_files import RobotSpec
from tests.sim_worlds.rooms import room

MULE = (Path(__file__).parents[3] / "launch" / "robots" / "mule.urdf").read_text()
WHEEL = '<collision><geometry><cylinder radius="0.06" length="0.03"/></geometry></collision>'
LEFT = ('<inertial><mass value="0.3"/><inertia ixx="0.0004" ixy="0" ixz="0" iyy="0.0004" iyz="0" izz="0.0005"/>'
        "</inertial>")
CASTER = MULE[MULE.index('  <link name="caster">'):MULE.index("</robot>")]


class Room(Engine):
    """Some robots in a room."""

    def mission(self) -> Mission:
        return mission_of("nothing", {}, {})


def world(physics: Literal["dynamic", "kinematic"], text: str = MULE) -> Room:
    mule = RobotSpec(name="mule_0", kind="rover", physics=physics, urdf=text)
    return Room(room([Pose(-2.0, -1.0, 0.3)]), [mule], scenario="room", seed=1, render=False)


def run(of: Room, for_s: float) -> None:
    for _ in range(round(for_s / of.dt_s)):
        of.step()


def test_the_figures_are_those_of_the_file() -> None:
    kind = brought(MULE)
    assert (kind.wheel_radius_m, kind.track_m, kind.torque_nm) == pytest.approx((0.06, 0.26, 0.6))
    assert kind.mass_kg == pytest.approx(4.0 + 2 * 0.3 + 0.1)
    assert kind.height_m == pytest.approx(0.06 + 0.1)
    assert kind.radius_m == pytest.approx(math.hypot(0.2, 0.11), rel=1e-3)       # the far corners of its box
    assert kind.v_max_mps == pytest.approx(8.0 * 0.06)
    assert kind.battery_wh is None
    assert kind_for(RobotSpec(name="a", kind="rover")).name == "rover"


def test_without_limits_it_drives_as_a_turtlebot_and_a_weak_motor_makes_it_slow() -> None:
    free = brought(re.sub(r"<limit [^>]*>", "", MULE))
    assert (free.v_max_mps, free.v_ramp_mps2) == (0.46, 0.9)
    weak = brought(MULE.replace('effort="0.6"', 'effort="0.05"'))
    assert weak.v_ramp_mps2 == pytest.approx(0.05 / (4.7 * 0.06))


def test_its_form_has_the_masses_of_the_file_and_stands_on_its_wheels() -> None:
    form = ET.fromstring(brought(MULE).urdf)
    masses = [float(mass.attrib["value"]) for mass in form.iter("mass")]
    assert sum(masses) == pytest.approx(4.7)
    assert [joint.attrib["type"] for joint in form.iter("joint")] == ["continuous", "continuous", "fixed"]
    base = form.find("link/inertial/origin")
    assert base is not None
    ahead, left, up = map(float, base.attrib["xyz"].split())
    assert (ahead, left) == pytest.approx(((4.0 * -0.04 + 0.1 * -0.16) / 4.1, 0.0), abs=1e-5)
    assert up == pytest.approx((4.0 * 0.1 + 0.1 * 0.025) / 4.1, abs=1e-5)


@pytest.mark.parametrize("physics", ["kinematic", "dynamic"])
def test_it_drives_and_turns_about_the_middle_of_its_axle(physics: Literal["dynamic", "kinematic"]) -> None:
    w = world(physics)
    w.act("mule_0", Drive(v_mps=0.4, w_radps=0.0, ttl_s=99.0))
    run(w, 2.0)
    driven_m = 0.4 * 2.0 - 0.4 ** 2 / (2 * 0.9)
    x, y, heading = w.motion.at[0].tolist()
    assert math.hypot(x + 2.0, y + 1.0) == pytest.approx(driven_m, rel=0.03)
    assert math.atan2(y + 1.0, x + 2.0) == pytest.approx(0.3, abs=0.02)
    w.act("mule_0", Drive(v_mps=0.0, w_radps=0.0, ttl_s=99.0))
    run(w, 1.0)
    at = w.motion.at[0].copy()
    w.act("mule_0", Drive(v_mps=0.0, w_radps=1.0, ttl_s=99.0))
    run(w, 2.0)
    assert w.motion.at[0, 2] - heading == pytest.approx(1.9, abs=0.1)
    assert math.dist(w.motion.at[0, :2], at[:2]) < 0.01          # its centre of mass went round it
    if w.motion.bullet is not None:
        assert w.motion.bullet.upright(0) > 0.999
    w.close()


def test_where_a_body_is_put_is_where_it_is() -> None:
    w = world("dynamic")
    assert w.motion.bullet is not None
    w.motion.bullet.teleport(0, Pose(1.0, 2.0, 0.7))
    seen = w.motion.bullet.pose(0)
    assert (seen.x_m, seen.y_m, seen.heading_rad) == pytest.approx((1.0, 2.0, 0.7))
    run(w, 0.5)
    assert w.motion.bullet.upright(0) > 0.999                    # it was neither in the floor nor above it
    w.close()


@pytest.mark.parametrize("text", ["", MULE], ids=["rover", "mule"])
def test_a_kinematic_robot_that_has_moved_is_drawn_where_a_dynamic_one_is(text: str) -> None:
    """PyBullet loads a body by its origin, and moves it by its centre of mass."""
    drawn = []
    for physics in ("kinematic", "dynamic"):
        fleet = [RobotSpec(name="eye", kind="rover", physics="kinematic"),
                 RobotSpec(name="seen", kind="rover", physics=physics, urdf=text)]
        w = Room(room([Pose(0.0, 0.0, 0.0), Pose(1.2, 0.1, 0.9)]), fleet, scenario="room", seed=1)
        w.act("seen", Drive(v_mps=0.1, w_radps=0.0, ttl_s=99.0))
        run(w, 0.2)
        frame = w.observe("eye", frame=True).frame
        assert frame is not None
        drawn.append(frame.astype(int))
        w.close()
    assert (np.abs(drawn[0] - drawn[1]).max(axis=2) > 30).mean() < 0.01


def test_meshes_for_the_looks_alone_are_left_out_and_joints_that_are_no_wheels_stay() -> None:
    mesh = '<visual><geometry><mesh filename="a.stl"/></geometry></visual>'
    kind = brought(MULE.replace('<link name="caster">', f'<link name="caster">{mesh}'))
    assert "mesh" not in kind.urdf
    assert kind.urdf.count("continuous") == 2                    # the swivel of the caster is none of them
    assert brought(MULE, ("left_wheel_joint", "right_wheel_joint")) == brought(MULE)


def test_what_xacro_has_made_is_a_urdf_file() -> None:
    made = MULE.replace('<?xml version="1.0"?>', """<?xml version="1.0"?>
<!-- |    This document was autogenerated by xacro from mule.urdf.xacro    | -->
<!-- <xacro:wheel side="${left}"/> -->""")
    assert made != MULE
    assert brought(made.replace('<robot name="mule">', f'<robot name="mule" {XACRO}>')) == brought(MULE)


def test_a_velocity_of_zero_states_no_limit() -> None:
    assert brought(MULE.replace('velocity="8.0"', 'velocity="0"')).v_max_mps == 0.46


XACRO = 'xmlns:xacro="http://www.ros.org/wiki/xacro"'
REFUSED = [
    (MULE, "<robt/>", "it begins with <robt>; <robot>"),
    (MULE, "<robot/>", "the file: 0 links; 1 to 64"),
    ('<?xml version="1.0"?>', '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]>', "it defines entities"),
    ("</robot>", "", "line 58: it is no XML"),
    ('<robot name="mule">', f'<robot name="mule" {XACRO}><xacro:wheel side="left"/>', "it is a xacro file"),
    ('<mass value="4.0"/>', '<mass value="${mass}"/>', "it is a xacro file"),
    ('<robot name="mule">', '<robot name="$(arg name)">', "it is a xacro file"),
    (LEFT, "", "link left_wheel: it has a shape and no <inertial>; <inertial> with its mass and inertia"),
    ('<mass value="4.0"/>', "", "link base_link: its mass is missing, or not above 0"),
    ('<mass value="4.0"/>', '<mass value="-4.0"/>', "link base_link: its mass is missing, or not above 0"),
    ('<inertia ixx="0.02" ixy="0" ixz="0" iyy="0.03" iyz="0" izz="0.04"/>', "",
     "link base_link: its inertia is missing"),
    ('ixx="0.02"', 'ixx="0"', "link base_link: no body has the inertia ixx 0, iyy 0.03, izz 0.04"),
    ('ixx="0.02"', 'ixx="9"', "link base_link: no body has the inertia ixx 9"),
    ('iyy="0.03"', 'iyy="x"', "link base_link: iyy of <inertia> is 'x'; a finite number"),
    ('izz="0.04"', 'izz="nan"', "link base_link: izz of <inertia> is 'nan'"),
    (WHEEL, '<collision><geometry><mesh filename="w.stl"/></geometry></collision>',
     "link left_wheel: a collision of the kind mesh; a box, cylinder or sphere"),
    (WHEEL, "<collision/>", "link left_wheel: a shape without a geometry"),
    (WHEEL, '<collision><geometry><box size="0.1 0.1 0.1"/></geometry></collision>',
     "link left_wheel: it is a wheel without a round shape about its joint"),
    (WHEEL, WHEEL.replace("0.06", "0.05"),
     "joint right_wheel_joint: its wheel has a radius of 0.06 m, the left one 0.05"),
    (WHEEL, WHEEL.replace("0.06", "-1"), "link left_wheel: a cylinder of -1, 0.03 m; sizes above 0"),
    ('<joint name="left_wheel_joint" type="continuous">', '<joint name="left_wheel_joint" type="fixed">',
     "1 continuous joints about the axis from right to left: right_wheel_joint; two, which are the wheels"),
    ('<joint name="left_wheel_joint" type="continuous">', '<joint name="left_wheel_joint" type="floating">',
     "joint left_wheel_joint: its type is floating; one of fixed, continuous"),
    ('<child link="left_wheel"/>', '<child link="wheel"/>', "joint left_wheel_joint: there is no link 'wheel'"),
    ('<child link="left_wheel"/>', "", "joint left_wheel_joint: its parent or child is missing"),
    ('<link name="caster">', '<link name="left_wheel">', "two links share a name"),
    ('<parent link="base_footprint"/>', '<parent link="caster"/>', "its links are not one tree"),
    ('<origin xyz="0 0.13 0"', '<origin xyz="0.05 0.13 0"',
     "joint left_wheel_joint: it is not beside right_wheel_joint"),
    ('<origin xyz="0 0.13 0"', '<origin xyz="0 99 0"', "joint left_wheel_joint: an origin 99 m away; at most 10 m"),
    ('<link name="left_wheel">', "<link>", "a link without a name, or with an odd one"),
    ('rgba="0.2 0.45 0.25 1"', 'rgba="green"', "link base_link: the rgba of a colour is 'green'; 4 finite numbers"),
    ('<axis xyz="0 0 1"/>', '<axis xyz="0 0 0"/>', "joint left_wheel_joint: its axis has no direction"),
    (CASTER, "", "the robot falls over: its centre of mass, (-0.035, 0.000) m from the middle of the axle"),
    ('<origin xyz="-0.16 0 -0.035"/>', '<origin xyz="0.16 0 -0.035"/>', "the robot falls over"),
    ('<origin xyz="-0.16 0 -0.035"/>', '<origin xyz="-0.16 0 -0.06"/>',
     "link caster: it reaches 25 mm below the wheels"),
    ('<mass value="4.0"/>', '<mass value="400"/>', "the file: its mass is 401 kg; 0.2 to 60 kg"),
    ('size="0.32 0.22 0.1"/></geometry>\n    </collision>', 'size="0.6 0.22 0.1"/></geometry>\n    </collision>',
     "its radius around the middle of the axle is 0.357 m; 0.05 to 0.29 m"),
    ('size="0.32 0.22 0.1"/></geometry>\n    </collision>', 'size="0.32 0.22 4"/></geometry>\n    </collision>',
     "below the wheels"),
    ('velocity="8.0"', 'velocity="-8.0"',
     "joint left_wheel_joint: its <limit> has effort 0.6 and velocity -8; numbers above 0, or 0 for no "),
    ('velocity="8.0"', 'velocity="800"', "the file: its top speed is 48 m/s; 0.05 to 3 m/s"),
]


@pytest.mark.parametrize(("old", "new", "said"), REFUSED, ids=[said[:50] for _, _, said in REFUSED])
def test_what_makes_no_robot_is_refused_by_link_or_joint(old: str, new: str, said: str) -> None:
    assert old in MULE
    count = 2 if "velocity" in old else 1
    with pytest.raises(BadInput) as refused:
        brought(MULE.replace(old, new, count))
    line = str(refused.value)
    assert "\n" not in line
    assert said in line, line


@pytest.mark.parametrize(("wheels", "said"), [
    (("left_wheel_joint", "elbow"), "wheels: no continuous joint is called 'elbow'; two of these: left_wheel_joint, "),
    (("left_wheel_joint", "caster_joint"), "joint caster_joint: it does not turn about the axis from right to left"),
    (("right_wheel_joint", "left_wheel_joint"),
     "joint right_wheel_joint: it is not beside left_wheel_joint, on its left"),
])
def test_wheels_that_are_named_wrongly_are_refused(wheels: tuple[str, str], said: str) -> None:
    with pytest.raises(BadInput, match=re.escape(said)):
        brought(MULE, wheels)


LAUNCH = """version: 1
scenario: patrol
duration_s: 3
clock: virtual
policy: local
fleet: [{name: mule, count: 2, board: orin_nano, urdf: my.urdf%s}]
streams: [{name: detect, on: [mule], model: detector, rate_hz: 5, deadline_s: 0.5}]
"""


@pytest.mark.parametrize(("text", "more", "said"), [
    (None, "", "fleet[0].urdf: {folder}/my.urdf: No such file or directory; a readable URDF file"),
    (MULE.replace(LEFT, ""), "",
     "fleet[0].urdf: my.urdf: link left_wheel: it has a shape and no <inertial>; <inertial>"),
    (MULE + " " * 70_000, "", "fleet[0].urdf: my.urdf: the file: "),
    (MULE, ", wheels: [left_wheel_joint, elbow]",
     "fleet[0].wheels: my.urdf: wheels: no continuous joint is called 'elbow'"),
    (MULE, ", wheels: [left_wheel_joint]", "fleet[0].wheels: one joint; the joints of the left and the right wheel"),
    (MULE, ", kind: carrier", "fleet[0].kind: carrier, and a urdf beside it; one of the two"),
    (MULE, ", battery_wh: platform",
     "fleet[0].battery_wh: platform, and a URDF file does not tell its battery; its energy in Wh"),
])
def test_a_launch_with_a_bad_body_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, more: str, said: str
) -> None:
    (tmp_path / "mine.yaml").write_text(LAUNCH % more)
    if text is not None:
        (tmp_path / "my.urdf").write_text(text)
    assert main(["launch", str(tmp_path / "mine.yaml"), "--dry-run"]) == 2
    err = capsys.readouterr().err.strip()
    assert said.format(folder=tmp_path) in err
    assert "\n" not in err


def test_the_place_of_a_start_is_checked_for_the_body_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wall is 0.23 m away: that is too near for a rover, and for the mule with a longer base."""
    text = (LAUNCH % ", spawn: [[-6.73, 0.5], [0, 0.5]]").replace("patrol", "search_rescue\nseed: 7")
    (tmp_path / "mine.yaml").write_text(text)
    for length_m, code in ((0.28, 0), (0.36, 2)):
        (tmp_path / "my.urdf").write_text(MULE.replace('size="0.32', f'size="{length_m}'))
        assert main(["launch", str(tmp_path / "mine.yaml"), "--dry-run"]) == code
    said = "a robot cannot start at (-6.73, 0.5): a wall is 0.23 m away and the robot's radius"
    assert said in capsys.readouterr().err


def test_a_launch_carries_the_body_and_needs_no_file_from_then_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.yaml").write_text(LAUNCH % "")
    (tmp_path / "my.urdf").write_text(MULE)
    assert main(["launch", str(tmp_path / "mine.yaml"), "--dry-run"]) == 0
    whole = capsys.readouterr().out
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "whole.yaml").write_text(whole)
    assert main(["launch", str(tmp_path / "elsewhere" / "whole.yaml"), "--dry-run"]) == 0
    assert capsys.readouterr().out == whole
