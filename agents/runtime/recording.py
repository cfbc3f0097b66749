"""The recording of one robot: the frame and the outcome of every request that was delivered.

`NAME.npz` holds `frames`, uint8 [n, height, width, 3], and `records`, MessagePack as uint8: a list of `Record`. What
other streams look at, scans and crops of frames, is in `other_0`, `other_1`, ...
"""

from __future__ import annotations

import io
import logging
import zipfile
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from swarm.core.ports import Files
from swarm.core.protocol.spans import RequestId, Span
from swarm.core.protocol.world import Outcome

log = logging.getLogger(__name__)

MOST_FRAMES = 1000                   # in memory of one robot: 20 MB of 96 x 72 pixels


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One delivered outcome. `frame` is the index of its frame; if `other`, of what else it was made of."""

    request: RequestId
    model: str
    variant: str
    agents: list[str]                # the agents that ran its legs, in order
    outcome: Outcome
    frame: int
    other: bool = False


class Recording:
    """The recording of one robot, in memory until it is written. `left_out` counts the outcomes after it was full."""

    def __init__(self) -> None:
        self._frames: list[NDArray[Any]] = []
        self._others: list[NDArray[Any]] = []
        self._records: list[Record] = []
        self.left_out = 0

    def keep(self, span: Span, outcome: Outcome, frame: NDArray[Any], *, other: bool = False) -> None:
        """Record a delivered outcome. A frame that several streams share is stored once. other: it is none."""
        kept = self._others if other else self._frames
        index = next((i for i in range(len(kept) - 1, -1, -1) if kept[i] is frame), None)
        if index is None:
            if len(kept) >= MOST_FRAMES:
                self.left_out += 1
                return
            index = len(kept)
            kept.append(frame)
        in_chain = bool(span.legs) and span.ran_on == span.legs[-1].agent
        self._records.append(Record(
            request=span.request, model=span.model, variant=span.variant, outcome=outcome, frame=index,
            other=other,
            agents=[leg.agent for leg in span.legs] if in_chain else [span.ran_on],
        ))

    def write(self, files: Files, name: str) -> None:
        """Write the file. What fails is logged."""
        try:
            files.write(name, self.content())
        except OSError as error:
            log.error("the recording cannot be written: %s", error)
        if self.left_out:
            log.warning("%d outcomes were not recorded: at most %d frames are", self.left_out, MOST_FRAMES)

    def content(self) -> bytes:
        """The file `NAME.npz`."""
        content = io.BytesIO()
        frames = np.stack(self._frames) if self._frames else np.empty((0, 0, 0, 3), np.uint8)
        others: dict[str, Any] = {f"other_{k}": other for k, other in enumerate(self._others)}
        np.savez(content, frames=frames, records=np.frombuffer(msgspec.msgpack.encode(self._records), np.uint8),
                 **others)
        return content.getvalue()


def others(content: bytes) -> list[NDArray[Any]]:
    """What else than frames is in a file, by index. Raises: ValueError."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            count = sum(name.startswith("other_") for name in archive.namelist())
            return [np.load(io.BytesIO(archive.read(f"other_{k}.npy")), allow_pickle=False) for k in range(count)]
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(str(error)) from error


def parse(content: bytes) -> tuple[list[Record], NDArray[np.uint8]]:
    """Records and frames of a file. Raises: ValueError."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            frames, records = (np.load(io.BytesIO(archive.read(f"{name}.npy")), allow_pickle=False)
                               for name in ("frames", "records"))
        return msgspec.msgpack.decode(records.tobytes(), type=list[Record]), frames
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile, msgspec.DecodeError) as error:
        raise ValueError(str(error)) from error
