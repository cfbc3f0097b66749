"""Settings files on the disk: the host's side of `swarm/core/settings/`, which knows only what is in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from swarm.core.policy.trace import Trace
from swarm.core.settings import yaml_text
from swarm.core.settings.errors import BadInput
from swarm.core.settings.named_files.map_file import MapSource, parse_map
from swarm.core.settings.named_files.traces import parse_trace
from swarm.core.settings.validation import check

T = TypeVar("T")
MOST_BYTES = 4 << 20                 # of a settings file
MOST_TRACE_BYTES = 16 << 20
MOST_URDF_BYTES = 1 << 20
MOST_IMAGE_BYTES = 64 << 20


def read(path: Path, kind: type[T]) -> T:
    """A settings file as a checked structure. Raises: BadInput."""
    return check(load(path), kind, str(path))


def load(path: Path) -> Any:
    """The YAML of a file as plain data. Raises: BadInput if the file cannot be read or is not YAML in UTF-8."""
    return yaml_text.parse(_text(path, MOST_BYTES, "YAML file"), str(path))


def load_trace(path: Path) -> Trace:
    """The rate of a link over time. Raises: BadInput if the file cannot be read or is no trace."""
    return parse_trace(_text(path, MOST_TRACE_BYTES, "trace"), str(path))


def load_urdf(path: Path) -> str:
    """The text of a robot's URDF file. Raises: BadInput if it cannot be read."""
    return _text(path, MOST_URDF_BYTES, "URDF file")


def load_map(path: Path) -> MapSource:
    """A map of ROS's map_server: its YAML file, and the image that it names. Raises: BadInput."""
    described = parse_map(load(path), str(path))
    image = path.parent / described.image
    return MapSource(path=str(path), described=described, image_path=str(image),
                     image=_bytes(image, MOST_IMAGE_BYTES, "PNG or PGM file"))


def _bytes(path: Path, most_bytes: int, what: str) -> bytes:
    try:
        with open(path, "rb") as file:
            content = file.read(most_bytes + 1)
    except (OSError, ValueError) as error:           # a path with a NUL is a ValueError
        raise BadInput(str(path), getattr(error, "strerror", None) or str(error), f"a readable {what}") from None
    if len(content) > most_bytes:
        raise BadInput(str(path), f"over {most_bytes >> 20} MiB", f"a smaller {what}")
    return content


def _text(path: Path, most_bytes: int, what: str) -> str:
    content = _bytes(path, most_bytes, what)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadInput(f"{path}: line {line}", f"byte 0x{content[error.start]:02x} is not UTF-8",
                       "a file that was saved as UTF-8") from None
