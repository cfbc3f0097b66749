"""Reads a URDF file: links with masses and shapes of primitives, and joints, as the file states them.

Source of the format: wiki.ros.org/urdf/XML. Lengths in metres, angles in radians.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarm.core.settings.errors import BadInput

MOST_LINKS = 64
LARGEST_M = 10.0                     # of any length in the file
JOINTS = ("fixed", "continuous", "revolute", "prismatic")
PRIMITIVES = "a box, cylinder or sphere"
GREY = "0.5 0.5 0.5 1"

Reals = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Frame:
    """Where something is in another frame: first it is turned, then moved."""

    at: Reals                        # [3]
    turn: Reals                      # [3, 3]

    def of(self, inner: Frame) -> Frame:
        """The frame `inner`, given in this one, in the frame that this one is given in."""
        return Frame(self.at + self.turn @ inner.at, self.turn @ inner.turn)


@dataclass(frozen=True, slots=True)
class Shape:
    """sizes: of a box its three sides; of a cylinder radius and length, along z; of a sphere the radius."""

    kind: str
    sizes: tuple[float, ...]
    frame: Frame
    colour: str = GREY               # red, green, blue and opacity


@dataclass(frozen=True, slots=True)
class Link:
    """A rigid part. mass_kg: 0 for one that is a mere frame. inertia: about the centre of mass, in the link's axes."""

    name: str
    mass_kg: float
    centre: Reals
    inertia: Reals
    collisions: tuple[Shape, ...]
    visuals: tuple[Shape, ...]       # one that is a mesh looks as the link collides


@dataclass(frozen=True, slots=True)
class Joint:
    """frame: of the child in the parent. Limits are None where the file has none."""

    name: str
    kind: str
    parent: str
    child: str
    frame: Frame
    axis: Reals                      # in the child's frame, of length 1
    torque_nm: float | None
    speed_radps: float | None


def read_urdf(text: str) -> tuple[list[Link], list[Joint]]:
    """The links, root first, and the joints, each after that of its parent. Raises: BadInput."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise BadInput("the file", "it defines entities", "a URDF file without a document type")
    try:
        root = ET.fromstring(text)
    except ET.ParseError as error:
        raise BadInput(f"line {error.position[0]}", "it is no XML", "a URDF file") from None
    if any(_is_xacro(element) for element in root.iter()):
        raise BadInput("the file", "it is a xacro file", "what `xacro my_robot.urdf.xacro > my_robot.urdf` makes of it")
    if root.tag != "robot":
        raise BadInput("the file", f"it begins with <{root.tag}>", "<robot>")
    colours = {_name(one, "material"): str(colour.get("rgba")) for one in root.findall("material")
               if (colour := one.find("color")) is not None}
    links = [_link(one, colours) for one in root.findall("link")]
    joints = [_joint(one) for one in root.findall("joint")]
    if not 1 <= len(links) <= MOST_LINKS:
        raise BadInput("the file", f"{len(links)} links", f"1 to {MOST_LINKS}")
    return _as_tree({link.name: link for link in links}, links, joints)


def _is_xacro(element: ET.Element) -> bool:
    """Whether xacro would still replace this element, or a value of its attributes."""
    return (any("xacro}" in name for name in (element.tag, *element.attrib))
            or any("${" in value or "$(" in value for value in element.attrib.values()))


def _as_tree(named: dict[str, Link], links: list[Link], joints: list[Joint]) -> tuple[list[Link], list[Joint]]:
    """Links and joints from the root on. Raises: BadInput unless they are one tree."""
    if len(named) < len(links):
        raise BadInput("the file", "two links share a name", "a name for each link")
    for joint in joints:
        for end in (joint.parent, joint.child):
            if end not in named:
                raise BadInput(f"joint {joint.name}", f"there is no link {end!r}", "a link of the file")
    children = [joint.child for joint in joints]
    roots = [name for name in named if name not in children]
    found, ordered = roots[:1], list[Joint]()
    for name in found:                               # grows while it is gone through
        for joint in joints:
            if joint.parent == name and joint.child not in found:
                found.append(joint.child)
                ordered.append(joint)
    if len(roots) != 1 or len(found) < len(named) or len(ordered) < len(joints):
        raise BadInput("the file", "its links are not one tree", "one root, and a joint from its parent to each other")
    return [named[name] for name in found], ordered


def _link(element: ET.Element, colours: dict[str, str]) -> Link:
    name = _name(element, "link")
    where = f"link {name}"
    collisions = tuple(_shape(one, where, colours) for one in element.findall("collision"))
    drawn = [one for one in element.findall("visual") if one.find("geometry/mesh") is None]
    visuals = tuple(_shape(one, where, colours) for one in drawn)
    if len(drawn) < len(element.findall("visual")):
        visuals += collisions
    inertial = element.find("inertial")
    if inertial is None:
        if collisions or visuals:
            raise BadInput(where, "it has a shape and no <inertial>", "<inertial> with its mass and inertia")
        return Link(name, 0.0, np.zeros(3), np.zeros((3, 3)), (), ())
    frame = _frame(inertial, where)
    mass, tensor = inertial.find("mass"), inertial.find("inertia")
    mass_kg = _number(mass, "value", where) if mass is not None else 0.0
    if mass_kg <= 0.0:
        raise BadInput(where, "its mass is missing, or not above 0", '<mass value="1.5"/> in kg')
    if tensor is None:
        raise BadInput(where, "its inertia is missing", "<inertia ixx= iyy= izz= .../> in kg m2")
    xx, xy, xz, yy, yz, zz = (_number(tensor, f"i{axes}", where, 0.0 if axes[0] != axes[1] else None)
                              for axes in ("xx", "xy", "xz", "yy", "yz", "zz"))
    inertia = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    first, second, third = np.linalg.eigvalsh(inertia)
    if first <= 0.0 or third > 1.001 * (first + second):
        raise BadInput(where, f"no body has the inertia ixx {xx:g}, iyy {yy:g}, izz {zz:g}",
                       "each principal one above 0, and none above the sum of the others")
    return Link(name, mass_kg, frame.at, frame.turn @ inertia @ frame.turn.T, collisions, visuals)


def _shape(element: ET.Element, where: str, colours: dict[str, str]) -> Shape:
    geometry = element.find("geometry")
    shape = next(iter(geometry), None) if geometry is not None else None
    if shape is None or shape.tag not in ("box", "cylinder", "sphere"):
        what = "a shape without a geometry" if shape is None else f"a {element.tag} of the kind {shape.tag}"
        raise BadInput(where, what, f"{PRIMITIVES} (a visual may be a mesh: the link then looks as it collides)")
    match shape.tag:
        case "box":
            sizes = _numbers(shape.get("size"), 3, where, "the size of a box")
        case "cylinder":
            sizes = _number(shape, "radius", where), _number(shape, "length", where)
        case _:
            sizes = (_number(shape, "radius", where),)
    if not all(0.0 < size <= LARGEST_M for size in sizes):
        raise BadInput(where, f"a {shape.tag} of {', '.join(f'{size:g}' for size in sizes)} m",
                       f"sizes above 0, up to {LARGEST_M:g} m")
    return Shape(shape.tag, sizes, _frame(element, where), _colour(element, where, colours))


def _colour(element: ET.Element, where: str, colours: dict[str, str]) -> str:
    material = element.find("material")
    if material is None:
        return GREY
    colour = material.find("color")
    text = str(colour.get("rgba")) if colour is not None else colours.get(str(material.get("name")), GREY)
    return " ".join(f"{min(max(one, 0.0), 1.0):g}" for one in _numbers(text, 4, where, "the rgba of a colour"))


def _joint(element: ET.Element) -> Joint:
    name = _name(element, "joint")
    where, kind = f"joint {name}", str(element.get("type"))
    if kind not in JOINTS:
        raise BadInput(where, f"its type is {kind}", f"one of {', '.join(JOINTS)}")
    ends = [one.get("link") if (one := element.find(tag)) is not None else None for tag in ("parent", "child")]
    if ends[0] is None or ends[1] is None:
        raise BadInput(where, "its parent or child is missing", '<parent link="base"/> and <child link="wheel"/>')
    given, limit = element.find("axis"), element.find("limit")
    axis = np.array(_numbers(given.get("xyz"), 3, where, "its axis") if given is not None else (1.0, 0.0, 0.0))
    length = float(np.linalg.norm(axis))
    if length < 1e-6:
        raise BadInput(where, "its axis has no direction", '<axis xyz="0 1 0"/>')
    limits = [_number(limit, key, where, 0.0) if limit is not None else 0.0 for key in ("effort", "velocity")]
    if min(limits) < 0.0:
        raise BadInput(where, f"its <limit> has effort {limits[0]:g} and velocity {limits[1]:g}",
                       "numbers above 0, or 0 for no limit of its own")
    torque_nm, speed_radps = (value or None for value in limits)
    return Joint(name, kind, ends[0], ends[1], _frame(element, where), axis / length, torque_nm, speed_radps)


def _name(element: ET.Element, what: str) -> str:
    name = element.get("name", "")
    if not name or len(name) > 64 or not name.isprintable():
        raise BadInput("the file", f"a {what} without a name, or with an odd one", "1 to 64 printable characters")
    return name


def _frame(element: ET.Element, where: str) -> Frame:
    """The <origin> of an element: none is at the origin."""
    origin = element.find("origin")
    if origin is None:
        return Frame(np.zeros(3), np.eye(3))
    at = np.array(_numbers(origin.get("xyz", "0 0 0"), 3, where, "the xyz of an origin"))
    if np.abs(at).max() > LARGEST_M:
        raise BadInput(where, f"an origin {np.abs(at).max():g} m away", f"at most {LARGEST_M:g} m")
    roll, pitch, yaw = _numbers(origin.get("rpy", "0 0 0"), 3, where, "the rpy of an origin")
    (sr, cr), (sp, cp), (sy, cy) = ((math.sin(angle), math.cos(angle)) for angle in (roll, pitch, yaw))
    return Frame(at, np.array([[cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
                               [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
                               [-sp, cp * sr, cp * cr]]))


def _number(element: ET.Element | None, key: str, where: str, default: float | None = None) -> float:
    text = element.get(key) if element is not None else None
    if text is None and default is not None:
        return default
    return _numbers(text, 1, where, f"{key} of <{element.tag if element is not None else '?'}>")[0]


def _numbers(text: str | None, count: int, where: str, what: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(word) for word in (text or "").split())
    except ValueError:
        numbers = ()
    if len(numbers) != count or not all(math.isfinite(number) for number in numbers):
        said = "is missing" if text is None else f"is {text[:40]!r}"
        raise BadInput(where, f"{what} {said}", f"{count} finite numbers" if count > 1 else "a finite number")
    return numbers
