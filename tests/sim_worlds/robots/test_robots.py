"""The URDF file of each kind of robot agrees with the figures that drive it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from sim_worlds import robots
from sim_worlds.robots import KINDS, QUADROTOR, DrivingKind
from sim_worlds.sensors.suite import CAMERA

FOLDER = Path(robots.__file__).parent


def numbers(text: str | None) -> list[float]:
    assert text is not None
    return [float(word) for word in text.split()]


def value(element: ET.Element, path: str, name: str) -> list[float]:
    found = element.find(path)
    assert found is not None, f"{element.attrib} has no {path}"
    return numbers(found.get(name))


def test_each_kind_has_its_file() -> None:
    assert {file.stem for file in FOLDER.glob("*.urdf")} == set(KINDS)


@pytest.mark.parametrize("kind", [k for k in KINDS.values() if isinstance(k, DrivingKind)], ids=str)
def test_the_file_of_a_kind_agrees_with_its_figures(kind: DrivingKind) -> None:
    robot = ET.parse(FOLDER / f"{kind.name}.urdf").getroot()
    links = {str(link.get("name")): link for link in robot.findall("link")}
    joints = {str(joint.get("name")): joint for joint in robot.findall("joint")}
    assert list(links) == ["base", "left", "right", "front", "rear"]
    assert [(name, joint.get("type")) for name, joint in joints.items()] == [
        ("left_wheel", "continuous"), ("right_wheel", "continuous"),
        ("front_caster", "fixed"), ("rear_caster", "fixed")]
    masses = [value(link, "inertial/mass", "value") for link in links.values()]
    assert masses == [[kind.mass_kg], [0.4], [0.4], [0.05], [0.05]]
    for link, mass, radius_m in zip(links.values(), masses, (
            kind.radius_m, kind.wheel_radius_m, kind.wheel_radius_m, 0.025, 0.025), strict=True):
        inertia = link.find("inertial/inertia")
        assert inertia is not None
        sphere = pytest.approx(0.4 * mass[0] * radius_m ** 2, abs=1e-6)
        assert [float(inertia.attrib[axis]) for axis in ("ixx", "iyy", "izz")] == [sphere] * 3
    bumper = links["base"].find("collision")
    assert bumper is not None
    assert value(bumper, "geometry/cylinder", "radius") == [kind.radius_m]
    assert value(bumper, "geometry/cylinder", "length") == pytest.approx([kind.height_m - 0.03])
    for side, y_m in (("left", kind.track_m / 2), ("right", -kind.track_m / 2)):
        assert value(links[side], "collision/geometry/sphere", "radius") == [kind.wheel_radius_m]
        assert value(joints[f"{side}_wheel"], "origin", "xyz") == [0.0, y_m, kind.wheel_radius_m]
        assert value(joints[f"{side}_wheel"], "axis", "xyz") == [0.0, 1.0, 0.0]
    for end, x_m in (("front", 0.72 * kind.radius_m), ("rear", -0.72 * kind.radius_m)):
        assert value(links[end], "collision/geometry/sphere", "radius") == [0.025]
        assert value(joints[f"{end}_caster"], "origin", "xyz") == pytest.approx([x_m, 0.0, 0.026])
    assert any(numbers(origin.get("xyz"))[0] == pytest.approx(CAMERA.mount_x_m - 0.05)
               for origin in links["base"].findall("visual/origin"))     # the mast of the camera


def test_the_file_of_the_quadrotor_agrees_with_its_figures() -> None:
    robot, kind = ET.parse(FOLDER / "quadrotor.urdf").getroot(), QUADROTOR
    base = robot.find("link")
    assert base is not None
    assert len(robot.findall("link")) == 1
    assert value(base, "inertial/mass", "value") == [kind.mass_kg]
    inertia = base.find("inertial/inertia")
    assert inertia is not None
    assert tuple(float(inertia.attrib[axis]) for axis in ("ixx", "iyy", "izz")) == kind.inertia_kgm2
    assert value(base, "collision/geometry/cylinder", "radius") == [kind.radius_m]
    assert value(base, "collision/geometry/cylinder", "length") == [kind.height_m]
    assert base.find("collision/origin") is None             # the base is in the middle
    rotors = [numbers(visual.get("xyz"))[:2] for visual in base.findall("visual/origin")]
    assert sorted(rotors) == sorted([[kind.arm_m, 0.0], [0.0, kind.arm_m], [-kind.arm_m, 0.0], [0.0, -kind.arm_m]])
    assert kind.radius_m == pytest.approx(kind.arm_m + 0.1)  # with the rotor
    assert 4 * kind.thrust_n > 2 * kind.mass_kg * 9.81
